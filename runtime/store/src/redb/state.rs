//! A job's state: entries with revisions, expectations and expiry.
//!
//! A revision never comes again for a key as long as the job exists, so that a guest that saw an entry cannot mistake a
//! later one for it. What a job keeps is bounded, so that no guest fills the disk.

use sandglass_core::batch::Expectation;
use sandglass_core::id::JobId;
use sandglass_core::time::Timestamp;

use super::rows::{StateRow, StateSize, expiry_key, state_key, state_key_of_expiry};
use super::tables::{Table, job_key, job_of_key};
use super::writing::Writing;
use crate::contract::{STATE_BYTES, STATE_KEYS};
use crate::error::{ConflictKind, StoreError};

/// A comparison failed, or the store did.
pub(super) type Refused = Result<ConflictKind, StoreError>;

pub(super) fn put(
    writing: &mut Writing<'_>,
    job: JobId,
    key: &str,
    entry: (Vec<u8>, Option<Timestamp>),
    expect: Expectation,
    now: Timestamp,
) -> Result<(), Refused> {
    if !writing.has(Table::Jobs, &job_key(job)).map_err(Err)? {
        return Err(Ok(ConflictKind::NoJob(job)));
    }
    let row_key = state_key(job, key);
    let before = compare(writing, job, key, &row_key, expect, now)?;
    let size = size_of(writing, job).map_err(Err)?;
    let (value, expires_at) = entry;
    let revision = before.as_ref().map_or(size.gone, |row| row.revision) + 1;
    let row = StateRow { revision, value, expires_at };
    let after = size.without(&row_key, before.as_ref()).with(&row_key, &row);
    if after.is_too_much() && (after.keys > size.keys || after.bytes > size.bytes) {
        return Err(Ok(ConflictKind::StateFull { job, keys: after.keys, bytes: after.bytes }));
    }
    let put = |writing: &mut Writing<'_>| {
        forget_expiry(writing, &row_key, before.as_ref())?;
        if let Some(at) = row.expires_at {
            writing.put(Table::StateExpiry, &expiry_key(at, &row_key), &[])?;
        }
        writing.put(Table::State, &row_key, &row.encode())?;
        writing.put(Table::StateSizes, &job_key(job), &after.encode())
    };
    put(writing).map_err(Err)
}

pub(super) fn delete(
    writing: &mut Writing<'_>,
    job: JobId,
    key: &str,
    expect: Expectation,
    now: Timestamp,
) -> Result<(), Refused> {
    let row_key = state_key(job, key);
    match compare(writing, job, key, &row_key, expect, now)? {
        Some(before) => end(writing, job, &row_key, &before).map_err(Err),
        None => Ok(()),
    }
}

/// What is kept of the key, if it is as expected.
fn compare(
    writing: &mut Writing<'_>,
    job: JobId,
    key: &str,
    row_key: &[u8],
    expect: Expectation,
    now: Timestamp,
) -> Result<Option<StateRow>, Refused> {
    let row = writing.get(Table::State, row_key, StateRow::decode).map_err(Err)?;
    let found = row.as_ref().filter(|row| row.is_live(now)).map(|row| row.revision);
    if expect.holds(found.unwrap_or(0)) {
        Ok(row)
    } else {
        Err(Ok(ConflictKind::State { job, key: key.to_owned(), found }))
    }
}

fn size_of(writing: &mut Writing<'_>, job: JobId) -> Result<StateSize, StoreError> {
    Ok(writing.get(Table::StateSizes, &job_key(job), StateSize::decode)?.unwrap_or_default())
}

impl StateSize {
    fn with(self, row_key: &[u8], row: &StateRow) -> Self {
        Self { keys: self.keys + 1, bytes: self.bytes + bytes_of(row_key, row), ..self }
    }

    fn without(self, row_key: &[u8], row: Option<&StateRow>) -> Self {
        let Some(row) = row else { return self };
        let bytes = self.bytes.saturating_sub(bytes_of(row_key, row));
        Self { keys: self.keys.saturating_sub(1), bytes, ..self }
    }

    const fn is_too_much(self) -> bool {
        self.keys > STATE_KEYS || self.bytes > STATE_BYTES
    }
}

/// Of the key, without its job, and the value.
fn bytes_of(row_key: &[u8], row: &StateRow) -> u64 {
    (row_key.len() - job_key(JobId::from_bits(0)).len() + row.value.len()) as u64
}

/// Removes an entry.
fn end(writing: &mut Writing<'_>, job: JobId, row_key: &[u8], before: &StateRow) -> Result<(), StoreError> {
    let size = size_of(writing, job)?.without(row_key, Some(before));
    let size = StateSize { gone: size.gone.max(before.revision), ..size };
    forget_expiry(writing, row_key, Some(before))?;
    writing.remove(Table::State, row_key)?;
    writing.put(Table::StateSizes, &job_key(job), &size.encode())
}

fn forget_expiry(writing: &mut Writing<'_>, row_key: &[u8], row: Option<&StateRow>) -> Result<(), StoreError> {
    match row.and_then(|row| row.expires_at) {
        Some(at) => writing.remove(Table::StateExpiry, &expiry_key(at, row_key)),
        None => Ok(()),
    }
}

/// Removes all that is kept of a job's state.
pub(super) fn forget_job(writing: &mut Writing<'_>, job: JobId) -> Result<(), StoreError> {
    let first = state_key(job, "");
    let keys = writing.keys(Table::State, &first, usize::MAX, |key| key.starts_with(&first))?;
    for key in keys {
        let row = writing.get(Table::State, &key, StateRow::decode)?;
        forget_expiry(writing, &key, row.as_ref())?;
        writing.remove(Table::State, &key)?;
    }
    writing.remove(Table::StateSizes, &job_key(job))
}

/// Ends entries that have expired, at most `limit`; says how many.
pub(super) fn end_expired(writing: &mut Writing<'_>, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
    let beyond = expiry_key(now.after(std::time::Duration::from_micros(1)), &[]);
    let expired = writing.keys(Table::StateExpiry, &[], limit, |key| key < beyond.as_slice())?;
    for key in &expired {
        let row_key = state_key_of_expiry(key)?;
        match writing.get(Table::State, row_key, StateRow::decode)? {
            Some(row) => end(writing, job_of_key(row_key)?, row_key, &row)?,
            None => writing.remove(Table::StateExpiry, key)?,
        }
    }
    Ok(expired.len())
}
