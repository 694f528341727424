//! What a store must do. All calls block; call them off the threads that must not wait.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use sandglass_core::artifact::{Artifact, ArtifactName};
use sandglass_core::batch::Batch;
use sandglass_core::calendar::Calendar;
use sandglass_core::id::{
    CalendarName, Digest, JobId, JobName, Namespace, PluginName, RunId, SecretName, TargetGroupName, TargetName,
    TemplateName,
};
use sandglass_core::job_template::JobTemplate;
use sandglass_core::notice::NamespaceNotify;
use sandglass_core::output::OutputChunk;
use sandglass_core::plugin::Plugin;
use sandglass_core::run::Run;
use sandglass_core::secret::Secret;
use sandglass_core::target::{Target, TargetGroup};
use sandglass_core::time::Timestamp;

use crate::artifact::ContentError;
use crate::error::{Conflict, StoreError};
use crate::output::{OutputPage, OutputPosition};
use crate::query::{JobPosition, Page, RunQuery};
use crate::records::{Compacted, Prune, Pruned, Snapshot, StateEntry, Stats, StoredJob};
use crate::redb::KeptContent;

/// The most keys that a job's state may have. Expired ones count until they are forgotten.
pub const STATE_KEYS: u64 = 10_000;
/// The most bytes that the keys and values of a job's state may have together.
pub const STATE_BYTES: u64 = 64 << 20;

/// A store as one opener holds it.
///
/// Several openers may share the same data. Each has a fencing token, which [`Store::load`] acquires; the opener that
/// loaded last is the only one that may write.
pub trait Store: Reader + OutputStore + ArtifactStore {
    /// Everything that the scheduler needs to begin, and the right to write.
    ///
    /// The first load of an opener raises the fencing token, which shuts out all earlier openers. A later load of the
    /// same opener that still holds the right only reads, so it works when the disk is full.
    ///
    /// # Errors
    ///
    /// If the store cannot be read, or another opener has taken over since this one loaded.
    fn load(&self) -> Result<Snapshot, StoreError>;

    /// Writes `batches` in order and makes them durable together, with one answer for each.
    ///
    /// A batch of which a comparison fails is left out as a whole and answered with its conflict; the others are
    /// written. Comparisons see the writes before them, of the same batch and of earlier ones. State entries that
    /// expired before `now` count as absent.
    ///
    /// # Errors
    ///
    /// Nothing may be assumed durable then: as a rule nothing was written, but if the failure came after the last byte
    /// was written, everything was. [`Store::load`] tells. [`StoreError::Full`] passes by itself once there is space.
    fn commit(&self, batches: &[Batch], now: Timestamp) -> Result<Vec<Result<(), Conflict>>, StoreError>;

    /// Removes runs that are over, with their output and artifacts, and forgets expired state; at most `limit` runs in one call.
    ///
    /// # Errors
    ///
    /// If the store cannot be written. Output may be gone then although its run is still there.
    fn prune(&self, prune: &Prune, now: Timestamp, limit: usize) -> Result<Pruned, StoreError>;

    /// Gives space that is no longer used back to the file system. Reads and writes wait until it is done: seconds for a
    /// store of gigabytes.
    ///
    /// # Errors
    ///
    /// If the store cannot be written. What is kept stays as it was.
    fn compact(&self) -> Result<Compacted, StoreError>;

    /// Reads everything that is kept and compares it with its checksums; contents of artifacts last. Reads and writes wait until
    /// the records are done.
    ///
    /// # Errors
    ///
    /// If it is damaged ([`StoreError::Corrupt`]) or cannot be read.
    fn check(&self) -> Result<(), StoreError>;

    /// Ends the use of the store, so that it opens fast next time. Calls that follow fail with [`StoreError::Closed`].
    ///
    /// # Errors
    ///
    /// If what is open cannot be finished; everything acknowledged is durable all the same.
    fn close(&self) -> Result<(), StoreError>;
}

/// Reads. They see everything acknowledged, never a part of a batch, and do not wait for commits.
pub trait Reader: Send + Sync {
    /// The run, whether going or over.
    ///
    /// # Errors
    ///
    /// If the store cannot be read. So for all methods here.
    fn run(&self, id: RunId) -> Result<Option<Arc<Run>>, StoreError>;

    /// Runs that match, newest first unless asked otherwise. A page may be short, or even empty, and still have a
    /// `next`: the search stopped at its bound and goes on from there.
    fn query(&self, query: &RunQuery) -> Result<Page<Arc<Run>, RunId>, StoreError>;

    /// The ids alone of the runs that `query` finds and that are over, from an index: no run is read. Namespaces are not
    /// looked at.
    fn ended_ids(&self, query: &RunQuery) -> Result<Page<RunId, RunId>, StoreError>;

    /// The jobs of which there are runs that are over, those after `after` by id, whether they are still there or were
    /// deleted. At most [`MAX_PAGE`](crate::query::MAX_PAGE).
    fn jobs_with_history(&self, after: Option<JobId>, limit: usize) -> Result<Page<JobId, JobId>, StoreError>;

    /// The job with its cursor.
    fn job(&self, id: JobId) -> Result<Option<StoredJob>, StoreError>;

    /// The job of this name.
    fn job_named(&self, namespace: &Namespace, name: &JobName) -> Result<Option<StoredJob>, StoreError>;

    /// Jobs by namespace and name, those after `after`; of one namespace if it is given. At most
    /// [`MAX_PAGE`](crate::query::MAX_PAGE).
    fn jobs(
        &self,
        namespace: Option<&Namespace>,
        after: Option<&JobPosition>,
        limit: usize,
    ) -> Result<Page<StoredJob, JobPosition>, StoreError>;

    /// The calendar of this name.
    fn calendar(&self, namespace: &Namespace, name: &CalendarName) -> Result<Option<Arc<Calendar>>, StoreError>;

    /// All calendars of a namespace by name.
    fn calendars(&self, namespace: &Namespace) -> Result<Vec<Arc<Calendar>>, StoreError>;

    /// The notifiers of a namespace.
    fn notify(&self, namespace: &Namespace) -> Result<Option<Arc<NamespaceNotify>>, StoreError>;

    /// The job template of this name.
    fn template(&self, namespace: &Namespace, name: &TemplateName) -> Result<Option<Arc<JobTemplate>>, StoreError>;

    /// All job templates of a namespace by name.
    fn templates(&self, namespace: &Namespace) -> Result<Vec<Arc<JobTemplate>>, StoreError>;

    /// The secret of this name.
    fn secret(&self, namespace: &Namespace, name: &SecretName) -> Result<Option<Arc<Secret>>, StoreError>;

    /// All secrets by namespace and name; of one namespace if it is given.
    fn secrets(&self, namespace: Option<&Namespace>) -> Result<Vec<Arc<Secret>>, StoreError>;

    /// The target of this name.
    fn target(&self, namespace: &Namespace, name: &TargetName) -> Result<Option<Arc<Target>>, StoreError>;

    /// All targets of a namespace by name.
    fn targets(&self, namespace: &Namespace) -> Result<Vec<Arc<Target>>, StoreError>;

    /// The group of targets of this name.
    fn target_group(
        &self,
        namespace: &Namespace,
        name: &TargetGroupName,
    ) -> Result<Option<Arc<TargetGroup>>, StoreError>;

    /// All groups of targets of a namespace by name.
    fn target_groups(&self, namespace: &Namespace) -> Result<Vec<Arc<TargetGroup>>, StoreError>;

    /// The plugin of this name.
    fn plugin(&self, name: &PluginName) -> Result<Option<Arc<Plugin>>, StoreError>;

    /// All plugins by name.
    fn plugins(&self) -> Result<Vec<Arc<Plugin>>, StoreError>;

    /// A component's bytes. One that no plugin has any more stays until the next opener loads.
    fn component(&self, digest: &Digest) -> Result<Option<Arc<[u8]>>, StoreError>;

    /// An entry of a job's state; none if it expired before `now`.
    fn state_entry(&self, job: JobId, key: &str, now: Timestamp) -> Result<Option<StateEntry>, StoreError>;

    /// Keys of a job's state that begin with `prefix`, in byte order, those after `after`, expired ones left out. At
    /// most [`MAX_PAGE`](crate::query::MAX_PAGE).
    fn state_keys(
        &self,
        job: JobId,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<String, String>, StoreError>;

    /// Counts and sizes. Cheap: nothing is scanned.
    fn stats(&self) -> Result<Stats, StoreError>;
}

/// What runs print, kept beside the records.
///
/// One writer per run; any number of readers, also while it is written. The first and the last half of the limit are
/// kept. What was appended survives the end of the process at once, but not necessarily a power cut: it is not fsynced
/// chunk by chunk.
pub trait OutputStore: Send + Sync {
    /// Says how many bytes of the run's output are kept, before the first append. Creates nothing yet. If there is output
    /// of an earlier attempt, appending goes on after it.
    ///
    /// # Errors
    ///
    /// If the store cannot take output at all. Output of an earlier attempt that cannot be read shows at the first append.
    fn open_output(&self, run: RunId, limit_bytes: u64) -> Result<(), StoreError>;

    /// Appends in order. Readers see it when this returns.
    ///
    /// # Errors
    ///
    /// If it cannot be written; a part of the chunks may have been. The run may go on appending. A run that was not opened
    /// is opened with the default limit.
    fn append_output(&self, run: RunId, chunks: &[OutputChunk]) -> Result<(), StoreError>;

    /// Output from a position on: about `limit_bytes` of it, at least one chunk if there is one. Where output was left
    /// out, a chunk of [`OutputStream::System`](sandglass_core::output::OutputStream::System) says how much.
    ///
    /// # Errors
    ///
    /// If it cannot be read. A run without output has an empty page.
    fn read_output(&self, run: RunId, from: OutputPosition, limit_bytes: usize) -> Result<OutputPage, StoreError>;

    /// How much space the run's output takes on disk, in bytes; 0 if there is none.
    ///
    /// # Errors
    ///
    /// If it cannot be told.
    fn output_bytes(&self, run: RunId) -> Result<u64, StoreError>;

    /// Removes the output of a run that is over. One that has none is fine.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    fn remove_output(&self, run: RunId) -> Result<(), StoreError>;

    /// Ends the writing of a run's output. Reading goes on working. Needs not be called for a run without output, and may
    /// be called twice.
    ///
    /// # Errors
    ///
    /// If the operating system reports that something appended could not be kept.
    fn close_output(&self, run: RunId) -> Result<(), StoreError>;
}

/// Files that runs leave to others: each content is kept once, beside the records.
pub trait ArtifactStore: Send + Sync {
    /// The artifacts of a run by name.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn artifacts(&self, run: RunId) -> Result<Vec<Artifact>, StoreError>;

    /// The artifact of this name.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    fn artifact(&self, run: RunId, name: &ArtifactName) -> Result<Option<Artifact>, StoreError>;

    /// Takes in a content of at most `most_bytes`, durably. It stays for as long as what this gives is held, and then if a
    /// [`PutArtifact`](sandglass_core::batch::Write::PutArtifact) that names it was committed meanwhile.
    ///
    /// # Errors
    ///
    /// If it is longer, cannot be read or cannot be written. Nothing of it is left then.
    fn keep_content(&self, content: &mut dyn Read, most_bytes: u64) -> Result<KeptContent, ContentError>;

    /// Opens a content; none if it is not there.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    fn open_content(&self, digest: &Digest) -> Result<Option<File>, StoreError>;

    /// Removes a content that no artifact has any more. One that is had, held or not there is fine.
    ///
    /// # Errors
    ///
    /// If it cannot be removed.
    fn release_content(&self, digest: &Digest) -> Result<(), StoreError>;
}
