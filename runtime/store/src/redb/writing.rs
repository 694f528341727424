//! A write transaction's tables, with a memory of what a batch changed.

use redb::{ReadableTable, WriteTransaction};
use sandglass_core::run::{Origin, StateName};

use super::disk::from_redb;
use super::run_row::state_number;
use super::tables::{META_COUNTS, META_NOTIFICATIONS, Table};
use crate::error::StoreError;
use crate::records::RunCounts;

type Rows<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

/// The tables of a transaction, opened as they are needed.
pub(super) struct Writing<'t> {
    txn: &'t WriteTransaction,
    tables: [Option<Rows<'t>>; Table::ALL.len()],
    /// How many runs are in each state; written at the end.
    counts: Counts,
    counts_before_batch: Counts,
    counts_stored: Counts,
    remembering: bool,
    /// What the batch replaced, the first first.
    replaced: Vec<Replaced>,
}

/// How many runs are in each state, notifications apart.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
struct Counts {
    runs: RunCounts,
    notifications: RunCounts,
}

struct Replaced {
    table: Table,
    key: Vec<u8>,
    value: Option<Vec<u8>>,
}

impl<'t> Writing<'t> {
    pub(super) fn new(txn: &'t WriteTransaction) -> Result<Self, StoreError> {
        let mut writing = Self {
            txn,
            tables: Default::default(),
            counts: Counts::default(),
            counts_before_batch: Counts::default(),
            counts_stored: Counts::default(),
            remembering: false,
            replaced: Vec::new(),
        };
        writing.counts_stored = Counts {
            runs: writing.get(Table::Meta, META_COUNTS, decode_counts)?.unwrap_or_default(),
            notifications: writing.get(Table::Meta, META_NOTIFICATIONS, decode_counts)?.unwrap_or_default(),
        };
        writing.counts = writing.counts_stored;
        Ok(writing)
    }

    /// The counts of runs of this origin.
    pub(super) fn counts_of(&mut self, origin: Origin) -> &mut RunCounts {
        match origin {
            Origin::Notification => &mut self.counts.notifications,
            _ => &mut self.counts.runs,
        }
    }

    /// A batch begins. One that can fail in the middle must be `revocable`.
    pub(super) fn begin_batch(&mut self, revocable: bool) {
        self.replaced.clear();
        self.remembering = revocable;
        self.counts_before_batch = self.counts;
    }

    /// Undoes what was done since the batch began.
    pub(super) fn take_back(&mut self) -> Result<(), StoreError> {
        self.remembering = false;
        self.counts = self.counts_before_batch;
        while let Some(Replaced { table, key, value }) = self.replaced.pop() {
            match value {
                Some(value) => self.put(table, &key, &value)?,
                None => self.remove(table, &key)?,
            }
        }
        Ok(())
    }

    /// Writes what is kept until the end of the transaction, and lets go of the tables.
    pub(super) fn finish(mut self) -> Result<(), StoreError> {
        self.remembering = false;
        let (counts, stored) = (self.counts, self.counts_stored);
        if counts.runs != stored.runs {
            self.put(Table::Meta, META_COUNTS, &encode_counts(&counts.runs))?;
        }
        if counts.notifications != stored.notifications {
            self.put(Table::Meta, META_NOTIFICATIONS, &encode_counts(&counts.notifications))?;
        }
        Ok(())
    }

    pub(super) fn put(&mut self, table: Table, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        let remembering = self.remembering;
        let before = self.rows(table)?.insert(key, value).map_err(failed)?;
        let value = before.filter(|_| remembering).map(|value| value.value().to_vec());
        if remembering {
            self.replaced.push(Replaced { table, key: key.to_vec(), value });
        }
        Ok(())
    }

    pub(super) fn remove(&mut self, table: Table, key: &[u8]) -> Result<(), StoreError> {
        let remembering = self.remembering;
        let before = self.rows(table)?.remove(key).map_err(failed)?;
        let value = before.filter(|_| remembering).map(|value| value.value().to_vec());
        if value.is_some() {
            self.replaced.push(Replaced { table, key: key.to_vec(), value });
        }
        Ok(())
    }

    pub(super) fn has(&mut self, table: Table, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self.rows(table)?.get(key).map_err(failed)?.is_some())
    }

    pub(super) fn get<R>(
        &mut self,
        table: Table,
        key: &[u8],
        read: impl FnOnce(&[u8]) -> Result<R, StoreError>,
    ) -> Result<Option<R>, StoreError> {
        let value = self.rows(table)?.get(key).map_err(failed)?;
        value.map(|value| read(value.value())).transpose()
    }

    /// The keys from `first` on, while `wanted` says so, at most `limit`.
    pub(super) fn keys(
        &mut self,
        table: Table,
        first: &[u8],
        limit: usize,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut keys = Vec::new();
        for entry in self.rows(table)?.range::<&[u8]>(first..).map_err(failed)? {
            let (key, _) = entry.map_err(failed)?;
            if keys.len() == limit || !wanted(key.value()) {
                break;
            }
            keys.push(key.value().to_vec());
        }
        Ok(keys)
    }

    fn rows(&mut self, table: Table) -> Result<&mut Rows<'t>, StoreError> {
        let slot = &mut self.tables[table as usize];
        if slot.is_none() {
            *slot = Some(self.txn.open_table(table.definition()).map_err(failed)?);
        }
        Ok(slot.as_mut().expect("it was opened if it was not open"))
    }
}

fn failed(error: impl Into<redb::Error>) -> StoreError {
    from_redb("write the store", error)
}

/// One number for each state, at the place of the state's number.
fn encode_counts(counts: &RunCounts) -> Vec<u8> {
    let mut bytes = vec![0; 8 * StateName::ALL.len()];
    for state in StateName::ALL {
        let place = 8 * usize::from(state_number(state));
        bytes[place..place + 8].copy_from_slice(&counts.of(state).to_le_bytes());
    }
    bytes
}

pub(super) fn decode_counts(bytes: &[u8]) -> Result<RunCounts, StoreError> {
    let (numbers, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(StoreError::corrupt("the counts of runs have a strange length"));
    }
    let mut counts = RunCounts::default();
    for state in StateName::ALL {
        // A state that is younger than the row has no number in it yet.
        let number = numbers.get(usize::from(state_number(state))).copied().unwrap_or_default();
        counts.set(state, u64::from_le_bytes(number));
    }
    Ok(counts)
}
