//! The store on redb: one file with all records, output beside it.

mod artifacts;
mod codec;
mod commit;
mod contents;
mod disk;
mod fleet;
mod layer;
pub(crate) mod private;
mod reading;
mod rows;
mod run_row;
mod search;
mod secret_row;
mod state;
mod tables;
mod upkeep;
mod writing;

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use redb::StorageBackend;
use redb::backends::{FileBackend, InMemoryBackend};
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

pub use self::contents::KeptContent;
use self::disk::{Disk, Verdict};
use self::reading::Reading;
use crate::artifact::ContentFiles;
use crate::contract::{OutputStore, Reader, Store};
use crate::error::{Conflict, StoreError};
use crate::output::{FileOutput, OutputPage, OutputPosition};
use crate::query::{JobPosition, Page, RunQuery};
use crate::records::{Compacted, Prune, Pruned, Snapshot, StateEntry, Stats, StoredJob};

const FILE: &str = "store.redb";
const OUTPUT_DIR: &str = "output";
const ARTIFACTS_DIR: &str = "artifacts";

/// How the store uses the machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RedbOptions {
    /// Memory for pages of the file, in bytes. More than 32 MiB gains little, because the system caches the file too.
    pub cache_bytes: usize,
}

impl Default for RedbOptions {
    fn default() -> Self {
        Self { cache_bytes: 24 << 20 }
    }
}

/// A store on redb, as one opener holds it.
pub struct RedbStore {
    shared: Arc<Shared>,
    /// This opener's fencing token; 0 until it loads.
    token: AtomicU64,
}

struct Shared {
    disk: Disk,
    output: FileOutput,
    contents: ContentFiles,
    /// Where output goes of a store that leaves nothing behind.
    _temporary: Option<tempfile::TempDir>,
}

impl std::fmt::Debug for RedbStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RedbStore").field("token", &self.token).finish_non_exhaustive()
    }
}

fn has_entries(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

impl RedbStore {
    /// Opens the store in a data directory, or makes one there: `store.redb`, and `output/` and `artifacts/` once there
    /// is something for them.
    ///
    /// # Errors
    ///
    /// If another process has it open, it is damaged or of a later version, or the directory cannot be used. What is
    /// there is left as it is.
    pub fn open(dir: &Path, options: RedbOptions) -> Result<Self, StoreError> {
        let failed = |what: &str, path: &Path| {
            let what = format!("{what} {}", path.display());
            move |error| StoreError::io(what, error)
        };
        private::create_dir(dir).map_err(failed("create", dir))?;
        let path = dir.join(FILE);
        let is_new = std::fs::metadata(&path).is_ok_and(|data| data.len() == 0) || !path.exists();
        if is_new && [OUTPUT_DIR, ARTIFACTS_DIR].iter().any(|folder| has_entries(&dir.join(folder))) {
            // As a new one it would have its outputs and artifacts cleared away as nobody's.
            let what = format!("{} is missing or empty, and its outputs and artifacts are there", path.display());
            return Err(StoreError::Corrupt { what });
        }
        let file = private::options().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(failed("open", &path))?;
        let backend = FileBackend::new(file).map_err(|error| disk::from_redb("open the store", error))?;
        let store = Self::with(Arc::new(backend), Some(dir.to_path_buf()), &dir.join(OUTPUT_DIR), None, options)?;
        private::note_pid(dir)?;
        Ok(store)
    }

    /// A store that is gone when it is dropped.
    ///
    /// # Errors
    ///
    /// If there is no temporary directory for output.
    pub fn in_memory() -> Result<Self, StoreError> {
        let dir = tempfile::Builder::new().prefix("sandglass-").tempdir();
        let dir = dir.map_err(|error| StoreError::io("create a temporary directory", error))?;
        let output = dir.path().join(OUTPUT_DIR);
        Self::with(Arc::new(InMemoryBackend::new()), None, &output, Some(dir), RedbOptions::default())
    }

    /// A store on a backend of one's own, such as one that fails on purpose.
    ///
    /// The backend must bear being used again after redb has closed it.
    ///
    /// # Errors
    ///
    /// As [`RedbStore::open`].
    pub fn open_with_backend(
        backend: impl StorageBackend,
        output_dir: &Path,
        options: RedbOptions,
    ) -> Result<Self, StoreError> {
        Self::with(Arc::new(backend), None, output_dir, None, options)
    }

    /// Another opener of the same data, in this process.
    #[must_use]
    pub fn another_opener(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), token: AtomicU64::new(0) }
    }

    fn with(
        backend: Arc<dyn StorageBackend>,
        dir: Option<PathBuf>,
        output_dir: &Path,
        temporary: Option<tempfile::TempDir>,
        options: RedbOptions,
    ) -> Result<Self, StoreError> {
        let disk = Disk::open(backend, dir, options.cache_bytes)?;
        upkeep::prepare(&disk)?;
        let output = FileOutput::new(output_dir);
        // Beside the output.
        let contents = ContentFiles::new(output_dir.with_file_name(ARTIFACTS_DIR));
        let shared = Shared { disk, output, contents, _temporary: temporary };
        Ok(Self { shared: Arc::new(shared), token: AtomicU64::new(0) })
    }

    fn read<R>(&self, work: impl Fn(&Reading<'_>) -> Result<R, StoreError>) -> Result<R, StoreError> {
        self.shared.disk.read(|txn| work(&Reading::new(txn)))
    }

    fn token(&self) -> u64 {
        self.token.load(Ordering::Acquire)
    }
}

impl Store for RedbStore {
    fn load(&self) -> Result<Snapshot, StoreError> {
        let ours = self.token();
        if ours == 0 {
            self.token.store(upkeep::take_over(&self.shared.disk)?, Ordering::Release);
            // Whoever had the store before keeps nothing more.
            self.shared.sweep_contents()?;
        }
        let ours = self.token();
        self.read(|reading| match reading.fence()? {
            current if current == ours => reading.snapshot(),
            current => Err(StoreError::Fenced { ours, current }),
        })
    }

    fn commit(&self, batches: &[Batch], now: Timestamp) -> Result<Vec<Result<(), Conflict>>, StoreError> {
        if batches.iter().all(Batch::is_empty) {
            return Ok(batches.iter().map(|_| Ok(())).collect());
        }
        self.shared.disk.write(|txn| {
            upkeep::check_fence(txn, self.token())?;
            let (answers, wrote) = commit::apply_all(txn, batches, now)?;
            Ok(if wrote { Verdict::Commit(answers) } else { Verdict::Abort(answers) })
        })
    }

    fn prune(&self, prune: &Prune, now: Timestamp, limit: usize) -> Result<Pruned, StoreError> {
        let Shared { disk, output, .. } = &*self.shared;
        upkeep::prune(disk, output, |digest| self.shared.release(digest), self.token(), prune, now, limit)
    }

    fn compact(&self) -> Result<Compacted, StoreError> {
        let (ours, before_bytes) = (self.token(), self.shared.disk.size_bytes()?);
        self.read(|reading| match reading.fence()? {
            current if ours != 0 && current == ours => Ok(()),
            current => Err(StoreError::Fenced { ours, current }),
        })?;
        self.shared.disk.compact()?;
        Ok(Compacted { before_bytes, after_bytes: self.shared.disk.size_bytes()? })
    }

    fn check(&self) -> Result<(), StoreError> {
        self.shared.disk.check()?;
        self.shared.check_contents()
    }

    fn close(&self) -> Result<(), StoreError> {
        let closed = self.shared.disk.close();
        self.shared.output.close_all()?;
        closed
    }
}

impl Reader for RedbStore {
    fn run(&self, id: RunId) -> Result<Option<Arc<Run>>, StoreError> {
        self.read(|reading| reading.run(id))
    }

    fn query(&self, query: &RunQuery) -> Result<Page<Arc<Run>, RunId>, StoreError> {
        self.read(|reading| search::search(reading, query))
    }

    fn ended_ids(&self, query: &RunQuery) -> Result<Page<RunId, RunId>, StoreError> {
        self.read(|reading| search::ended_ids(reading, query))
    }

    fn jobs_with_history(&self, after: Option<JobId>, limit: usize) -> Result<Page<JobId, JobId>, StoreError> {
        self.read(|reading| search::jobs_with_history(reading, after, limit))
    }

    fn job(&self, id: JobId) -> Result<Option<StoredJob>, StoreError> {
        self.read(|reading| reading.job(id))
    }

    fn job_named(&self, namespace: &Namespace, name: &JobName) -> Result<Option<StoredJob>, StoreError> {
        self.read(|reading| reading.job_named(namespace, name))
    }

    fn jobs(
        &self,
        namespace: Option<&Namespace>,
        after: Option<&JobPosition>,
        limit: usize,
    ) -> Result<Page<StoredJob, JobPosition>, StoreError> {
        self.read(|reading| reading.jobs(namespace, after, limit))
    }

    fn calendar(&self, namespace: &Namespace, name: &CalendarName) -> Result<Option<Arc<Calendar>>, StoreError> {
        self.read(|reading| reading.calendar(namespace, name))
    }

    fn calendars(&self, namespace: &Namespace) -> Result<Vec<Arc<Calendar>>, StoreError> {
        self.read(|reading| reading.calendars(Some(namespace)))
    }

    fn notify(&self, namespace: &Namespace) -> Result<Option<Arc<NamespaceNotify>>, StoreError> {
        self.read(|reading| reading.notify(namespace))
    }

    fn template(&self, namespace: &Namespace, name: &TemplateName) -> Result<Option<Arc<JobTemplate>>, StoreError> {
        self.read(|reading| reading.template(namespace, name))
    }

    fn templates(&self, namespace: &Namespace) -> Result<Vec<Arc<JobTemplate>>, StoreError> {
        self.read(|reading| reading.templates(Some(namespace)))
    }

    fn secret(&self, namespace: &Namespace, name: &SecretName) -> Result<Option<Arc<Secret>>, StoreError> {
        self.read(|reading| reading.secret(namespace, name))
    }

    fn secrets(&self, namespace: Option<&Namespace>) -> Result<Vec<Arc<Secret>>, StoreError> {
        self.read(|reading| reading.secrets(namespace))
    }

    fn target(&self, namespace: &Namespace, name: &TargetName) -> Result<Option<Arc<Target>>, StoreError> {
        self.read(|reading| reading.target(namespace, name))
    }

    fn targets(&self, namespace: &Namespace) -> Result<Vec<Arc<Target>>, StoreError> {
        self.read(|reading| reading.targets(Some(namespace)))
    }

    fn target_group(
        &self,
        namespace: &Namespace,
        name: &TargetGroupName,
    ) -> Result<Option<Arc<TargetGroup>>, StoreError> {
        self.read(|reading| reading.target_group(namespace, name))
    }

    fn target_groups(&self, namespace: &Namespace) -> Result<Vec<Arc<TargetGroup>>, StoreError> {
        self.read(|reading| reading.target_groups(Some(namespace)))
    }

    fn plugin(&self, name: &PluginName) -> Result<Option<Arc<Plugin>>, StoreError> {
        self.read(|reading| reading.plugin(name))
    }

    fn plugins(&self) -> Result<Vec<Arc<Plugin>>, StoreError> {
        self.read(|reading| reading.plugins())
    }

    fn component(&self, digest: &Digest) -> Result<Option<Arc<[u8]>>, StoreError> {
        self.read(|reading| reading.component(digest))
    }

    fn state_entry(&self, job: JobId, key: &str, now: Timestamp) -> Result<Option<StateEntry>, StoreError> {
        self.read(|reading| reading.state_entry(job, key, now))
    }

    fn state_keys(
        &self,
        job: JobId,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Page<String, String>, StoreError> {
        self.read(|reading| reading.state_keys(job, prefix, after, limit, now))
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        let counts = self.read(|reading| reading.counts())?;
        Ok(Stats { size_bytes: self.shared.disk.size_bytes()?, ..counts })
    }
}

impl OutputStore for RedbStore {
    fn open_output(&self, run: RunId, limit_bytes: u64) -> Result<(), StoreError> {
        self.shared.output.open_output(run, limit_bytes)
    }

    fn append_output(&self, run: RunId, chunks: &[OutputChunk]) -> Result<(), StoreError> {
        self.shared.output.append_output(run, chunks)
    }

    fn read_output(&self, run: RunId, from: OutputPosition, limit_bytes: usize) -> Result<OutputPage, StoreError> {
        self.shared.output.read_output(run, from, limit_bytes)
    }

    fn output_bytes(&self, run: RunId) -> Result<u64, StoreError> {
        self.shared.output.output_bytes(run)
    }

    fn remove_output(&self, run: RunId) -> Result<(), StoreError> {
        self.shared.output.remove_output(run)
    }

    fn close_output(&self, run: RunId) -> Result<(), StoreError> {
        self.shared.output.close_output(run)
    }
}
