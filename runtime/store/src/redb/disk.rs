//! The open database: what happens when the disk fails or fills up, and how it comes back.
//!
//! After the first failed write redb answers nothing more until it is opened anew; so it is. Opening after a failure
//! repairs, and a repair writes. While the disk is full it writes into memory instead (`layer.rs`), and the store is
//! readable but refuses to commit. Each commit then tries whether there is space again, and if so opens the file itself.
//!
//! # Why two-phase commit, and no quick repair
//!
//! A commit in one phase is found again after a crash by its checksum, which is not a cryptographic one, and guests choose
//! much of what is stored. With two phases the commit that counts is known without a checksum, and a crash during the
//! repair after a crash cannot lose it either. The price is a second fsync: `examples/speed.rs` measured 0.37 ms instead
//! of 0.27 ms for a run alone, and 73,000 to 79,000 runs a second instead of 70,000 to 96,000 with 200 writes a commit.
//!
//! Quick repair writes the allocator's state with every commit. In a file of 650 MB that took 20 % of the throughput
//! (35,000 runs a second instead of 43,000, of 1,000 jobs). What it saves is about 0.65 s per gigabyte, once, at the start
//! that follows a crash. After a clean end both open at once.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use redb::{Database, ReadTransaction, ReadableDatabase, StorageBackend, WriteTransaction};

use super::layer::Layer;
use crate::error::StoreError;

/// How much must be writable before a full disk counts as usable again.
const SPACE_WANTED: usize = 1 << 20;

pub(super) struct Disk {
    backend: Arc<dyn StorageBackend>,
    cache_bytes: usize,
    /// The data directory, if the backend is a file in one.
    dir: Option<PathBuf>,
    state: RwLock<State>,
    /// redb has seen an error and must be opened anew before its next use.
    failed: AtomicBool,
}

enum State {
    Open {
        database: Database,
        mode: Mode,
    },
    /// Opening failed. The next use tries again.
    Broken,
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Writes go to the disk.
    Direct,
    /// Writes go to memory; only for reading.
    Overlay,
}

/// Whether what a transaction wrote is to be kept.
pub(super) enum Verdict<R> {
    Commit(R),
    Abort(R),
}

impl Disk {
    /// Opens what is in the backend, or begins anew if it is empty.
    pub(super) fn open(
        backend: Arc<dyn StorageBackend>,
        dir: Option<PathBuf>,
        cache_bytes: usize,
    ) -> Result<Self, StoreError> {
        let disk =
            Self { backend, cache_bytes, dir, state: RwLock::new(State::Broken), failed: AtomicBool::new(false) };
        let database = disk.open_database(Mode::Direct)?;
        *disk.state.write().unwrap_or_else(PoisonError::into_inner) = State::Open { database, mode: Mode::Direct };
        Ok(disk)
    }

    /// Runs `work` on a snapshot.
    pub(super) fn read<R>(&self, work: impl Fn(&ReadTransaction) -> Result<R, StoreError>) -> Result<R, StoreError> {
        match self.try_read(&work) {
            Some(Err(StoreError::Io { .. } | StoreError::Full(_))) | None => {}
            Some(result) => return result,
        }
        // What failed may be left from a commit that failed meanwhile, so opening anew may help.
        self.reopen(Mode::Overlay)?;
        self.try_read(&work).unwrap_or_else(|| Err(not_usable()))
    }

    /// None if the database must be opened anew first.
    fn try_read<R>(&self, work: impl Fn(&ReadTransaction) -> Result<R, StoreError>) -> Option<Result<R, StoreError>> {
        let state = self.state();
        let database = match &*state {
            State::Closed => return Some(Err(StoreError::Closed)),
            State::Open { database, .. } if !self.failed.load(Ordering::Acquire) => database,
            _ => return None,
        };
        let result = guarded(|| {
            let txn = database.begin_read().map_err(|error| from_redb("read the store", error))?;
            work(&txn)
        });
        if matches!(result, Err(StoreError::Io { .. } | StoreError::Full(_))) {
            self.failed.store(true, Ordering::Release);
        }
        Some(result)
    }

    /// Runs `work` in a transaction, and makes what it wrote durable if it says so.
    pub(super) fn write<R>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<Verdict<R>, StoreError>,
    ) -> Result<R, StoreError> {
        self.reopen(Mode::Direct)?;
        let state = self.state();
        let database = match &*state {
            State::Closed => return Err(StoreError::Closed),
            State::Open { database, mode: Mode::Direct } if !self.failed.load(Ordering::Acquire) => database,
            _ => return Err(not_usable()),
        };
        let result = guarded(|| write_in(database, work));
        if result.as_ref().is_err_and(is_disk_failure) {
            self.failed.store(true, Ordering::Release);
        }
        result
    }

    /// Moves what is kept together and cuts the file off behind it.
    pub(super) fn compact(&self) -> Result<(), StoreError> {
        self.alone(|database| {
            let compacted = database.compact();
            compacted.map(drop).map_err(|error| from_redb("compact the store", error))
        })
    }

    /// Compares everything with its checksums.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.alone(|database| match database.check_integrity() {
            Ok(true) => Ok(()),
            Ok(false) => Err(StoreError::corrupt("what it keeps did not fit its checksums or its list of free space")),
            Err(error) => Err(from_redb("check the store", error)),
        })
    }

    /// Runs `work` while nobody else uses the database.
    fn alone<R>(&self, work: impl FnOnce(&mut Database) -> Result<R, StoreError>) -> Result<R, StoreError> {
        self.reopen(Mode::Direct)?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let database = match &mut *state {
            State::Closed => return Err(StoreError::Closed),
            State::Open { database, mode: Mode::Direct } if !self.failed.load(Ordering::Acquire) => database,
            _ => return Err(not_usable()),
        };
        let result = guarded(|| work(database));
        if result.as_ref().is_err_and(is_disk_failure) {
            self.failed.store(true, Ordering::Release);
        }
        result
    }

    pub(super) fn size_bytes(&self) -> Result<u64, StoreError> {
        self.backend.len().map_err(|error| StoreError::io("read the size of the store", error))
    }

    /// Ends the use of the database. What failed before is not told again.
    pub(super) fn close(&self) -> Result<(), StoreError> {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::Closed) {
            // redb notes at its end that everything is in order.
            State::Open { database, .. } if !self.failed.load(Ordering::Acquire) => {
                guarded(|| database.close().map_err(|error| from_redb("close the store", error)))
            }
            _ => Ok(()),
        }
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sees to it that the database is usable for `wanted`: for reading any mode will do.
    fn reopen(&self, wanted: Mode) -> Result<(), StoreError> {
        let usable = |state: &State| match state {
            State::Closed => true,
            State::Broken => false,
            State::Open { mode, .. } => {
                !self.failed.load(Ordering::Acquire) && (*mode == Mode::Direct || wanted == Mode::Overlay)
            }
        };
        if usable(&self.state()) {
            return Ok(());
        }
        if wanted == Mode::Direct {
            self.try_space()?;
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if usable(&state) {
            return Ok(());
        }
        // The old database must be gone before the backend is opened again.
        *state = State::Broken;
        let database = self.open_database(wanted)?;
        *state = State::Open { database, mode: wanted };
        self.failed.store(false, Ordering::Release);
        Ok(())
    }

    fn open_database(&self, mode: Mode) -> Result<Database, StoreError> {
        let layer = match mode {
            Mode::Direct => Layer::direct(Arc::clone(&self.backend)),
            Mode::Overlay => Layer::overlay(Arc::clone(&self.backend))
                .map_err(|error| StoreError::io("read the size of the store", error))?,
        };
        guarded(|| {
            let opened = Database::builder().set_cache_size(self.cache_bytes).create_with_backend(layer);
            opened.map_err(|error| match (error, &self.dir) {
                (redb::DatabaseError::DatabaseAlreadyOpen, Some(dir)) => super::private::locked(dir),
                (error, _) => from_redb("open the store", error),
            })
        })
    }

    /// Whether there is space, tried rather than asked: quotas and reserves have their own arithmetic.
    fn try_space(&self) -> Result<(), StoreError> {
        let Some(dir) = &self.dir else { return Ok(()) };
        let path = dir.join("space.probe");
        let tried = write_probe(&path);
        let removed = std::fs::remove_file(&path);
        tried.and(removed).map_err(|error| StoreError::io(format!("write {}", path.display()), error))
    }
}

fn write_probe(path: &Path) -> io::Result<()> {
    use io::Write;
    let mut file = super::private::create_file(path)?;
    file.write_all(&vec![0xa5; SPACE_WANTED])?;
    file.sync_data()
}

fn write_in<R>(
    database: &Database,
    work: impl FnOnce(&WriteTransaction) -> Result<Verdict<R>, StoreError>,
) -> Result<R, StoreError> {
    let mut txn = database.begin_write().map_err(|error| from_redb("write the store", error))?;
    txn.set_two_phase_commit(true);
    match work(&txn)? {
        Verdict::Commit(result) => {
            txn.commit().map_err(|error| from_redb("write the store", error))?;
            Ok(result)
        }
        Verdict::Abort(result) => {
            txn.abort().map_err(|error| from_redb("write the store", error))?;
            Ok(result)
        }
    }
}

/// Runs `work`, in which redb may panic if the file is damaged in certain ways.
fn guarded<R>(work: impl FnOnce() -> Result<R, StoreError>) -> Result<R, StoreError> {
    // Nothing that `work` changes is used after a panic: transactions are dropped, and redb is opened anew.
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|_| Err(StoreError::corrupt("reading it made redb panic; the message was shown")))
}

fn not_usable() -> StoreError {
    StoreError::Io {
        what: "use the store".to_owned(),
        source: io::Error::other("it failed again right after it was opened anew"),
    }
}

/// Whether redb can write no more after `error`.
fn is_disk_failure(error: &StoreError) -> bool {
    matches!(error, StoreError::Full(_) | StoreError::Io { .. } | StoreError::Corrupt { .. })
}

/// What an error of redb means for an attempt to do `what`.
pub(super) fn from_redb(what: &str, error: impl Into<redb::Error>) -> StoreError {
    use io::ErrorKind;
    match error.into() {
        redb::Error::Corrupted(why) => StoreError::corrupt(why),
        redb::Error::Io(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) => {
            StoreError::corrupt(format!("could not {what}: {error}"))
        }
        redb::Error::Io(error) => StoreError::io(what, error),
        redb::Error::UpgradeRequired(version) => {
            StoreError::corrupt(format!("its file has format {version} of redb, which is no longer read"))
        }
        error @ (redb::Error::TableTypeMismatch { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::TableDoesNotExist(_)) => StoreError::corrupt(error.to_string()),
        redb::Error::DatabaseAlreadyOpen => StoreError::Locked { path: PathBuf::new(), pid: None },
        error => StoreError::Io { what: what.to_owned(), source: io::Error::other(error) },
    }
}
