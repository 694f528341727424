//! What Sandglass keeps: the contract of a store, the store on redb, and the suite that any store must pass.
//!
//! A store compares and writes; it never decides. In reading order:
//!
//! - [`contract`]: the [`Store`] trait and the traits it consists of, [`Reader`], [`OutputStore`] and [`ArtifactStore`];
//! - [`records`], [`query`], [`error`]: what goes in and out;
//! - [`committer`]: the one thread that groups commits, so that many runs share one fsync;
//! - [`output`]: what runs print, in bounded segment files beside the database;
//! - [`redb`]: the store on redb;
//! - `conformance`: what every store must do, as tests (feature `conformance`);
//! - `faults`: a disk that forgets, tears and fails, for tests (feature `faults`).

mod artifact;
pub mod committer;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod contract;
pub mod error;
#[cfg(feature = "faults")]
pub mod faults;
pub mod output;
pub mod query;
pub mod records;
pub mod redb;
mod upstream;

pub use self::artifact::ContentError;
pub use self::output::{OutputPage, OutputPosition};
pub use self::redb::{KeptContent, RedbOptions, RedbStore};
pub use committer::{CommitError, Committed, Committer, FailureEpoch, GroupWriter, Stopped};
pub use contract::{ArtifactStore, OutputStore, Reader, STATE_BYTES, STATE_KEYS, Store};
pub use error::{Conflict, ConflictKind, StoreError};
pub use query::{JobPosition, Order, Page, RunQuery};
pub use records::{Compacted, Prune, Pruned, RunCounts, Snapshot, StateEntry, Stats, StoredJob};
pub use upstream::last_ended;
