//! What the host needs from whoever runs it: the daemon, or a test.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::File;
use std::future::Future;
use std::io::Read;
use std::pin::Pin;
use std::time::Duration;

use sandglass_core::artifact::{Artifact, ArtifactName, ArtifactReference};
use sandglass_core::id::{JobId, Namespace, RunId, SecretName, TargetName};
use sandglass_core::invocation::Work;
use sandglass_core::output::OutputChunk;
use sandglass_core::target::Fleet;
use sandglass_core::time::Timestamp;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// A boxed future, so that [`Services`] can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What the host needs from whoever runs it.
///
/// Every method is called from the host's guest threads. None may block for long: what must wait returns a future.
pub trait Services: Send + Sync + 'static {
    /// The instant now, by the wall clock.
    fn now(&self) -> Timestamp;

    /// Looks at an action's parameters once their templates are filled in: fails with what is wrong with them. What has no
    /// templates was looked at when its job was saved, and is not asked about.
    fn check_params(&self, _work: &Work, _params: &serde_json::Value) -> Result<(), String> {
        Ok(())
    }

    /// What a run that is over returned, as JSON text; none if nothing, or if the run is not kept any more.
    fn result_of(&self, _run: RunId) -> Result<Option<String>, String> {
        Ok(None)
    }

    /// The last lines that a run printed which is over, as a notification shows them; none if there are none.
    fn last_output(&self, _run: RunId) -> Option<String> {
        None
    }

    /// The values of secrets of a namespace, by name. Fails with what is wrong, and what to do, if one is not there.
    fn secrets(&self, _namespace: &Namespace, names: &BTreeSet<SecretName>) -> Result<Vec<SecretValue>, String> {
        names.first().map_or(Ok(Vec::new()), |name| Err(format!("there is no secret {name}")))
    }

    /// The targets and groups of a namespace. Fails with why they cannot be read.
    fn fleet(&self, _namespace: &Namespace) -> Result<Fleet, String> {
        Ok(Fleet::default())
    }

    /// Takes a piece of a run's output. Pieces of one run arrive in their order.
    fn output(&self, run: RunId, chunk: OutputChunk);

    /// Whether more output of the run may come: `None` if at once, else a future that is ready when it may. The host
    /// asks before it reads more from a process and before it lets a guest write more, so a slow disk slows the writer
    /// and fills no memory.
    fn output_ready(&self, run: RunId) -> Option<BoxFuture<'static, ()>>;

    /// Takes word of how far a run has come. The host has coalesced it already: at most a few a second for each run.
    fn progress(&self, run: RunId, attempt: u32, progress: Progress);

    /// The job's value for `key`, unless there is none or it has expired.
    fn state_get(&self, job: JobId, key: String) -> BoxFuture<'static, Result<Option<StateEntry>, StateError>>;

    /// Sets the job's value for `key` if `expect` holds, to expire after `ttl` if there is one; the new revision.
    fn state_set(
        &self,
        job: JobId,
        key: String,
        value: Vec<u8>,
        expect: StateExpectation,
        ttl: Option<Duration>,
    ) -> BoxFuture<'static, Result<u64, StateError>>;

    /// Removes the job's value for `key` if `expect` holds.
    fn state_delete(
        &self,
        job: JobId,
        key: String,
        expect: StateExpectation,
    ) -> BoxFuture<'static, Result<(), StateError>>;

    /// Up to `limit` of the job's keys that begin with `prefix`, in order, those after `cursor` if there is one.
    fn state_keys(
        &self,
        job: JobId,
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> BoxFuture<'static, Result<StatePage, StateError>>;

    /// Sends a mail by the operator's server. When this is ready it has been taken there, or is given up on.
    fn mail(&self, _message: MailMessage) -> BoxFuture<'static, Result<(), MailError>> {
        Box::pin(async { Err(MailError::NotConfigured) })
    }

    /// Keeps a file for other runs. When this is ready it is durable; who does not wait for it must let reading fail.
    fn publish_artifact(&self, _new: NewArtifact) -> BoxFuture<'static, Result<Artifact, ArtifactError>> {
        Box::pin(async { Err(ArtifactError::Unavailable("nothing keeps artifacts here".to_owned())) })
    }

    /// Finds what a run of a namespace refers to. Called where blocking does no harm.
    fn find_artifact(
        &self,
        _run: RunId,
        _namespace: &Namespace,
        reference: &ArtifactReference,
    ) -> Result<FoundArtifact, ArtifactError> {
        Err(ArtifactError::NotFound(format!("there is no artifact '{reference}'")))
    }

    /// The engine that containers run on, if there is one.
    fn containers(&self) -> Option<Containers> {
        None
    }

    /// Takes word, durably, that containers are about to run on the engine of a target: what a killed daemon leaves there,
    /// the next one has to look for. Blocks the first time. Fails with why that cannot be noted.
    fn uses_engine(&self, _engine: &TargetEngine) -> Result<(), String> {
        Ok(())
    }
}

/// The engine of a target, as one account uses it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct TargetEngine {
    /// Whose target it is.
    pub namespace: Namespace,
    /// The target.
    pub target: TargetName,
    /// The account that is switched to there, if any is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

/// The engine that containers run on, and whose they are.
#[derive(Clone)]
pub struct Containers {
    /// The engine.
    pub engine: sandglass_containers::Engine,
    /// Whose containers they are.
    pub owner: sandglass_containers::Owner,
}

/// A file that is to be kept for other runs.
pub struct NewArtifact {
    /// Whose it is.
    pub run: RunId,
    /// The attempt that publishes it.
    pub attempt: u32,
    /// What it is called.
    pub name: ArtifactName,
    /// What its content is.
    pub media_type: String,
    /// Its content. Reading it blocks.
    pub content: Box<dyn Read + Send>,
}

/// A file that a run left.
#[derive(Debug)]
pub struct FoundArtifact {
    /// What is known of it.
    pub artifact: Artifact,
    /// Its content, from the beginning.
    pub content: File,
}

/// Why an artifact was not kept or found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArtifactError {
    /// There is none.
    #[error("{0}")]
    NotFound(String),
    /// It is more than may be kept.
    #[error("{0}")]
    Full(String),
    /// The file that is to be kept cannot be read.
    #[error("{0}")]
    Source(String),
    /// The store cannot be read or written.
    #[error("artifacts cannot be kept or read: {0}")]
    Unavailable(String),
}

/// A mail to be sent; who it is from is the operator's to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MailMessage {
    /// Addresses, each with or without a name.
    pub to: Vec<String>,
    /// Further addresses.
    pub cc: Vec<String>,
    /// One line.
    pub subject: String,
    /// The text for all readers.
    pub text: String,
    /// The same for readers that show HTML.
    pub html: Option<String>,
}

/// Why a mail was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// The operator has named no server.
    #[error("no mail server is configured: add [mail] to sandglass.toml")]
    NotConfigured,
    /// The message cannot be sent as it is.
    #[error("the mail cannot be sent: {0}")]
    Invalid(String),
    /// The operator does not allow the recipient.
    #[error(
        "mail to {0} is denied: the daemon's configuration leaves it out; the operator may add it to `allow_to` under [mail]"
    )]
    NotAllowed(String),
    /// The server will not take it, however often it is tried.
    #[error("{0}")]
    Rejected(String),
    /// The server could not be reached, or will take it later.
    #[error("{0}")]
    Unavailable(String),
}

/// A secret with its value.
#[derive(Clone)]
pub struct SecretValue {
    /// Its name.
    pub name: SecretName,
    /// The value. Overwritten when it is dropped.
    pub value: Zeroizing<Vec<u8>>,
    /// The hosts that it may be sent to; if there are any, it goes nowhere else.
    pub hosts: Vec<String>,
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretValue").field("name", &self.name).field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// How far a run has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// How much is done, in `unit`.
    pub completed: u64,
    /// How much there is in all, if that is known.
    pub total: Option<u64>,
    /// What is counted, such as `files`.
    pub unit: Option<String>,
    /// What is going on, for people.
    pub message: Option<String>,
}

/// A value of a job's state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateEntry {
    /// The bytes.
    pub value: Vec<u8>,
    /// Changes with every write of the key.
    pub revision: u64,
}

/// What must be so for a write to happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StateExpectation {
    /// Nothing.
    Anything,
    /// There is no such key.
    Absent,
    /// The key has this revision.
    At(u64),
}

/// Some of a job's keys.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct StatePage {
    /// The keys, in order.
    pub keys: Vec<String>,
    /// Where the next page begins, if there are more.
    pub cursor: Option<String>,
}

/// Why state could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// The expectation does not hold.
    #[error("the key has changed or does not exist as expected; read it again and decide anew")]
    Conflict,
    /// The job would keep more than it may.
    #[error("the job's state is full: {0}")]
    Full(String),
    /// The store cannot be reached or written.
    #[error("the job's state cannot be reached: {0}; try again later")]
    Unavailable(String),
}
