//! Why a store could not do what it was told, and why a batch was left out.

use std::path::PathBuf;

use crate::contract::{STATE_BYTES, STATE_KEYS};
use sandglass_core::artifact::ArtifactsFull;
use sandglass_core::id::{
    CalendarName, JobId, JobName, Namespace, PluginName, RunId, SecretName, TargetGroupName, TargetName, TemplateName,
};

/// The store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no space left. It passes by itself once there is.
    #[error("the disk of the store is full: free some space, the store goes on by itself")]
    Full(#[source] std::io::Error),
    /// The operating system refused.
    #[error("could not {what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// What is there makes no sense. It is left as it is.
    #[error("the store is damaged ({what}): restore it from a backup; nothing was changed")]
    Corrupt {
        /// What makes no sense.
        what: String,
    },
    /// The store was written by a later version of Sandglass.
    #[error(
        "the store has format {found}, but this version of Sandglass knows formats up to {supported}: use a later version"
    )]
    Newer {
        /// The store's format.
        found: u32,
        /// The latest known here.
        supported: u32,
    },
    /// The store was written by a version of Sandglass that is too old to be read.
    #[error(
        "the store has format {found}, which only versions before the first release wrote, and this version of Sandglass reads format {supported}: choose an empty data directory; nothing was changed"
    )]
    Older {
        /// The store's format.
        found: u32,
        /// The one that is known here.
        supported: u32,
    },
    /// Another process has it open.
    #[error("the store {} is in use by another process{}: stop it or choose another data directory", path.display(), show_pid(*pid))]
    Locked {
        /// The store.
        path: PathBuf,
        /// The process, if it is known.
        pid: Option<u32>,
    },
    /// Another opener has taken over, or this one has not loaded yet.
    #[error("the right to write was taken over by opener {current} (this is opener {ours}): load the store again")]
    Fenced {
        /// This opener's token; 0 if it has not loaded.
        ours: u64,
        /// The token that may write.
        current: u64,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
}

fn show_pid(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
}

/// A batch was left out because a comparison failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("write {write} of the batch does not fit what is stored: {kind}")]
pub struct Conflict {
    /// Which write, counted from 0.
    pub write: usize,
    /// What did not fit.
    pub kind: ConflictKind,
}

/// What did not fit.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConflictKind {
    /// The run is there already.
    #[error("run {0} is there already")]
    RunExists(RunId),
    /// The run has another version, or is not there.
    #[error("run {run} should be at version {expected}, but is {}", at(found.map(u64::from)))]
    RunVersion {
        /// The run.
        run: RunId,
        /// The version it should have.
        expected: u32,
        /// The version it has.
        found: Option<u32>,
    },
    /// The run is over.
    #[error("run {0} is over")]
    RunEnded(RunId),
    /// The job has another revision, or is not there, or is there although it should not.
    #[error("job {job} should be at revision {expected}, but is {}", at(*found))]
    JobRevision {
        /// The job.
        job: JobId,
        /// The revision it should have; 0: it should not be there.
        expected: u64,
        /// The revision it has.
        found: Option<u64>,
    },
    /// Another job has the name.
    #[error("job name '{name}' in namespace '{namespace}' belongs to job {owner}")]
    JobName {
        /// Where.
        namespace: Namespace,
        /// The name.
        name: JobName,
        /// Whose it is.
        owner: JobId,
    },
    /// There is no such job.
    #[error("there is no job {0}")]
    NoJob(JobId),
    /// The calendar has another revision, or is not there, or is there although it should not.
    #[error("calendar '{name}' in namespace '{namespace}' should be at revision {expected}, but is {}", at(*found))]
    CalendarRevision {
        /// Where.
        namespace: Namespace,
        /// The calendar.
        name: CalendarName,
        /// The revision it should have; 0: it should not be there.
        expected: u64,
        /// The revision it has.
        found: Option<u64>,
    },
    /// The notifiers of the namespace have another revision, or are not there, or are there although they should not.
    #[error("the notifiers of namespace '{namespace}' should be at revision {expected}, but are {}", at(*found))]
    NotifyRevision {
        /// The namespace.
        namespace: Namespace,
        /// The revision they should have; 0: they should not be there.
        expected: u64,
        /// The revision they have.
        found: Option<u64>,
    },
    /// The secret has another revision, or is not there, or is there although it should not.
    #[error("secret '{name}' in namespace '{namespace}' should be at revision {expected}, but is {}", at(*found))]
    SecretRevision {
        /// Where.
        namespace: Namespace,
        /// Which.
        name: SecretName,
        /// The revision it should have; 0: it should not be there.
        expected: u64,
        /// The revision it has.
        found: Option<u64>,
    },
    /// The job template has another revision, or is not there, or is there although it should not.
    #[error("template '{name}' in namespace '{namespace}' should be at revision {expected}, but is {}", at(*found))]
    TemplateRevision {
        /// Where.
        namespace: Namespace,
        /// The template.
        name: TemplateName,
        /// The revision it should have; 0: it should not be there.
        expected: u64,
        /// The revision it has.
        found: Option<u64>,
    },
    /// The target has another revision, or is not there, or is there although it should not.
    #[error("target '{name}' in namespace '{namespace}' should be at revision {expected}, but is {}", at(*found))]
    TargetRevision {
        /// Where.
        namespace: Namespace,
        /// The target.
        name: TargetName,
        /// The revision it should have; 0: it should not be there.
        expected: u64,
        /// The revision it has.
        found: Option<u64>,
    },
    /// The group of targets has another revision, or is not there, or is there although it should not.
    #[error("group '{name}' in namespace '{namespace}' should be at revision {expected}, but is {}", at(*found))]
    TargetGroupRevision {
        /// Where.
        namespace: Namespace,
        /// The group.
        name: TargetGroupName,
        /// The revision it should have; 0: it should not be there.
        expected: u64,
        /// The revision it has.
        found: Option<u64>,
    },
    /// The plugin is not there with this digest.
    #[error("plugin '{0}' is not there with the expected digest")]
    Plugin(PluginName),
    /// The state entry is not as expected.
    #[error("state entry '{key}' of job {job} is {}", at(*found))]
    State {
        /// The job.
        job: JobId,
        /// The key.
        key: String,
        /// The revision it has.
        found: Option<u64>,
    },
    /// The job would keep more state than it may.
    #[error("job {job} would keep {keys} keys and {bytes} bytes of state; it may keep {STATE_KEYS} and {STATE_BYTES}")]
    StateFull {
        /// The job.
        job: JobId,
        /// How many keys it would have.
        keys: u64,
        /// How many bytes its keys and values would have.
        bytes: u64,
    },
    /// More artifacts would be kept than may be.
    #[error(transparent)]
    ArtifactsFull(#[from] ArtifactsFull),
}

fn at(found: Option<u64>) -> String {
    found.map_or_else(|| "not there".to_owned(), |number| format!("at {number}"))
}

impl StoreError {
    /// What `source` means for an attempt to do `what`.
    pub(crate) fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        use std::io::ErrorKind;
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Self::Full(source),
            _ => Self::Io { what: what.into(), source },
        }
    }

    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt { what: what.into() }
    }
}
