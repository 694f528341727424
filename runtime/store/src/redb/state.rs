//! A job's state: entries with revisions, expectations and expiry.
//!
//! A revision never comes again for a key as long as the job exists, so that a guest that saw an entry cannot mistake a
//! later one for it. So a deleted or expired entry leaves its revision behind until the job is deleted.

use sandglass_core::batch::Expectation;
use sandglass_core::id::JobId;
use sandglass_core::time::Timestamp;

use super::rows::{StateRow, expiry_key, state_key, state_key_of_expiry};
use super::tables::{Table, job_key};
use super::writing::Writing;
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
    let revision = before.as_ref().map_or(0, |row| row.revision) + 1;
    let row = StateRow { revision, entry: Some(entry) };
    replace(writing, &row_key, before.as_ref(), &row).map_err(Err)
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
        Some(before) if before.entry.is_some() => end(writing, &row_key, &before).map_err(Err),
        _ => Ok(()),
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

/// Leaves only the revision of an entry.
fn end(writing: &mut Writing<'_>, row_key: &[u8], before: &StateRow) -> Result<(), StoreError> {
    replace(writing, row_key, Some(before), &StateRow { revision: before.revision, entry: None })
}

fn replace(
    writing: &mut Writing<'_>,
    row_key: &[u8],
    before: Option<&StateRow>,
    after: &StateRow,
) -> Result<(), StoreError> {
    if let Some(at) = before.and_then(StateRow::expires_at) {
        writing.remove(Table::StateExpiry, &expiry_key(at, row_key))?;
    }
    if let Some(at) = after.expires_at() {
        writing.put(Table::StateExpiry, &expiry_key(at, row_key), &[])?;
    }
    writing.put(Table::State, row_key, &after.encode())
}

/// Removes all that is kept of a job's state.
pub(super) fn forget_job(writing: &mut Writing<'_>, job: JobId) -> Result<(), StoreError> {
    let first = state_key(job, "");
    let keys = writing.keys(Table::State, &first, usize::MAX, |key| key.starts_with(&first))?;
    for key in keys {
        let row = writing.get(Table::State, &key, StateRow::decode)?;
        if let Some(at) = row.as_ref().and_then(StateRow::expires_at) {
            writing.remove(Table::StateExpiry, &expiry_key(at, &key))?;
        }
        writing.remove(Table::State, &key)?;
    }
    Ok(())
}

/// Ends entries that have expired, at most `limit`; says how many.
pub(super) fn end_expired(writing: &mut Writing<'_>, now: Timestamp, limit: usize) -> Result<usize, StoreError> {
    let beyond = expiry_key(now.after(std::time::Duration::from_micros(1)), &[]);
    let expired = writing.keys(Table::StateExpiry, &[], limit, |key| key < beyond.as_slice())?;
    for key in &expired {
        let row_key = state_key_of_expiry(key)?;
        match writing.get(Table::State, row_key, StateRow::decode)? {
            Some(row) => end(writing, row_key, &row)?,
            None => writing.remove(Table::StateExpiry, key)?,
        }
    }
    Ok(expired.len())
}
