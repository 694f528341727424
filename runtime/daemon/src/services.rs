//! What the host needs from the daemon: the clock, a place for output and progress, the jobs' state, mail, and
//! the engine for containers.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sandglass_core::artifact::{Artifact, ArtifactLimits, ArtifactReference};
use sandglass_core::batch::{Batch, Expectation, Write};
use sandglass_core::id::{JobId, Namespace, RunId, SecretName};
use sandglass_core::invocation::Work;
use sandglass_core::notice::Tail;
use sandglass_core::output::OutputChunk;
use sandglass_core::target::Fleet;
use sandglass_core::time::{Clock, Timestamp};
use sandglass_host::Services;
use sandglass_host::services::{
    ArtifactError, BoxFuture, Containers, FoundArtifact, MailError, MailMessage, NewArtifact, Progress, SecretValue,
    StateEntry, StateError, StateExpectation, StatePage, TargetEngine,
};
use sandglass_store::{
    CommitError, Committer, ConflictKind, OutputPosition, STATE_BYTES, STATE_KEYS, Store, StoreError,
};
use tokio::sync::oneshot;

use crate::admission;
use crate::artifacts;
use crate::clock::SystemClock;
use crate::containers::TargetEngines;
use crate::dispatch::effects::Payload;
use crate::mail::{MailConfig, Mailer};
use crate::output::Outputs;
use crate::secrets::Secrets;

/// How much of a run's output is read at once, in bytes.
const OUTPUT_PAGE: usize = 1 << 20;

/// The daemon's side of the host.
pub(crate) struct HostServices {
    store: Arc<dyn Store>,
    outputs: Arc<Outputs>,
    secrets: Arc<Secrets>,
    /// None if no server is configured.
    mailer: Option<Arc<Mailer>>,
    /// None in tests that have no use for one.
    containers: Option<(Containers, Arc<TargetEngines>)>,
    artifacts: ArtifactLimits,
    /// Set before the first attempt starts; the committer needs the host, and the host needs this.
    committer: OnceLock<Arc<Committer<Payload>>>,
}

impl HostServices {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        outputs: Arc<Outputs>,
        secrets: Arc<Secrets>,
        mail: Option<MailConfig>,
        containers: Option<(Containers, Arc<TargetEngines>)>,
        artifacts: ArtifactLimits,
    ) -> Arc<Self> {
        let mailer = mail.map(|config| Arc::new(Mailer::new(config, Arc::clone(&secrets))));
        Arc::new(Self { store, outputs, secrets, mailer, containers, artifacts, committer: OnceLock::new() })
    }

    /// Lets guests write state.
    pub(crate) fn connect(&self, committer: Arc<Committer<Payload>>) {
        assert!(self.committer.set(committer).is_ok(), "the committer is connected once");
    }

    fn write(&self, write: Write) -> BoxFuture<'static, Result<(), StateError>> {
        let (sender, receiver) = oneshot::channel();
        let stopping = || StateError::Unavailable("the daemon is stopping".to_owned());
        let sent = self
            .committer
            .get()
            .is_some_and(|committer| committer.submit(Batch::of(write), Payload::Asked(sender)).is_ok());
        Box::pin(async move {
            if !sent {
                return Err(stopping());
            }
            match receiver.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(CommitError::Conflict(conflict))) => match conflict.kind {
                    ConflictKind::State { .. } => Err(StateError::Conflict),
                    ConflictKind::StateFull { .. } => Err(StateError::Full(full())),
                    ConflictKind::NoJob(_) => Err(StateError::Unavailable(
                        "state belongs to a job: this one was deleted, or the run is a notification, which keeps none"
                            .to_owned(),
                    )),
                    other => Err(StateError::Unavailable(other.to_string())),
                },
                Ok(Err(CommitError::Store { cause, .. })) => Err(StateError::Unavailable(cause.to_string())),
                Err(_) => Err(stopping()),
            }
        })
    }
}

fn full() -> String {
    let mebibytes = STATE_BYTES >> 20;
    format!("a job keeps at most {STATE_KEYS} keys and {mebibytes} MiB; delete keys, or give them a time to live")
}

fn unavailable(error: &StoreError) -> StateError {
    StateError::Unavailable(error.to_string())
}

const fn expectation(expect: StateExpectation) -> Expectation {
    match expect {
        StateExpectation::Anything => Expectation::Anything,
        StateExpectation::Absent => Expectation::Absent,
        StateExpectation::At(revision) => Expectation::At(revision),
    }
}

impl Services for HostServices {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn check_params(&self, work: &Work, params: &serde_json::Value) -> Result<(), String> {
        admission::check_filled(work, params, self.store.as_ref())
    }

    fn result_of(&self, run: RunId) -> Result<Option<String>, String> {
        match self.store.run(run) {
            Ok(Some(run)) => Ok(run.result.clone()),
            Ok(None) => Ok(None),
            Err(error) => Err(format!("the result of run {run} cannot be read: {error}")),
        }
    }

    // Files of a run that is over, bounded by its limit on output and in the system's cache as they were just written.
    fn last_output(&self, run: RunId) -> Option<String> {
        let (mut tail, mut next) = (Tail::default(), OutputPosition::from_offset(0));
        loop {
            match self.store.read_output(run, next, OUTPUT_PAGE) {
                Ok(page) if page.next == next => return tail.into_text(),
                Ok(page) => {
                    page.chunks.iter().for_each(|chunk| tail.push(chunk));
                    next = page.next;
                }
                Err(error) => {
                    tracing::warn!("a notification lacks the output of run {run}, which cannot be read: {error}");
                    return None;
                }
            }
        }
    }

    // Opening a value takes microseconds, as its reading does.
    fn secrets(&self, namespace: &Namespace, names: &BTreeSet<SecretName>) -> Result<Vec<SecretValue>, String> {
        self.secrets.values(namespace, names)
    }

    fn mail(&self, message: MailMessage) -> BoxFuture<'static, Result<(), MailError>> {
        let mailer = self.mailer.clone();
        Box::pin(async move {
            match mailer {
                Some(mailer) => mailer.send(message).await,
                None => Err(MailError::NotConfigured),
            }
        })
    }

    fn publish_artifact(&self, new: NewArtifact) -> BoxFuture<'static, Result<Artifact, ArtifactError>> {
        let (store, committer, limits) = (Arc::clone(&self.store), self.committer.get().cloned(), self.artifacts);
        let stopping = || ArtifactError::Unavailable("the daemon is stopping".to_owned());
        let publishing = tokio::task::spawn_blocking(move || match committer {
            Some(committer) => artifacts::publish(&store, &committer, limits, new),
            None => Err(stopping()),
        });
        Box::pin(async move { publishing.await.unwrap_or_else(|_| Err(stopping())) })
    }

    fn find_artifact(
        &self,
        run: RunId,
        namespace: &Namespace,
        reference: &ArtifactReference,
    ) -> Result<FoundArtifact, ArtifactError> {
        artifacts::find(self.store.as_ref(), run, namespace, reference)
    }

    fn containers(&self) -> Option<Containers> {
        self.containers.as_ref().map(|(containers, _)| containers.clone())
    }

    fn uses_engine(&self, engine: &TargetEngine) -> Result<(), String> {
        self.containers.as_ref().map_or(Ok(()), |(_, engines)| engines.note(engine))
    }

    fn fleet(&self, namespace: &Namespace) -> Result<Fleet, String> {
        let read = || Ok(Fleet::new(self.store.targets(namespace)?, self.store.target_groups(namespace)?));
        read().map_err(|error: StoreError| error.to_string())
    }

    fn output(&self, run: RunId, chunk: OutputChunk) {
        self.outputs.piece(run, chunk);
    }

    fn output_ready(&self, _: RunId) -> Option<BoxFuture<'static, ()>> {
        self.outputs.ready()
    }

    fn progress(&self, run: RunId, _: u32, progress: Progress) {
        self.outputs.progress(run, progress);
    }

    // Reads of the store take microseconds from its cache and see everything that was acknowledged, so they are made
    // where they are asked for.
    fn state_get(&self, job: JobId, key: String) -> BoxFuture<'static, Result<Option<StateEntry>, StateError>> {
        let found = self.store.state_entry(job, &key, SystemClock.now());
        Box::pin(async move {
            let entry = found.map_err(|error| unavailable(&error))?;
            Ok(entry.map(|entry| StateEntry { value: entry.value, revision: entry.revision }))
        })
    }

    fn state_set(
        &self,
        job: JobId,
        key: String,
        value: Vec<u8>,
        expect: StateExpectation,
        ttl: Option<Duration>,
    ) -> BoxFuture<'static, Result<u64, StateError>> {
        let expires_at = ttl.map(|ttl| SystemClock.now().after(ttl));
        let expect = expectation(expect);
        let written = self.write(Write::PutState { job, key: key.clone(), value, expect, expires_at });
        let store = Arc::clone(&self.store);
        Box::pin(async move {
            written.await?;
            // Known without reading: another run may have written since.
            if let Expectation::At(revision) = expect {
                return Ok(revision + 1);
            }
            let entry = store.state_entry(job, &key, SystemClock.now()).map_err(|error| unavailable(&error))?;
            // It may have expired or been removed already; then no revision of it is worth anything.
            Ok(entry.map_or(0, |entry| entry.revision))
        })
    }

    fn state_delete(
        &self,
        job: JobId,
        key: String,
        expect: StateExpectation,
    ) -> BoxFuture<'static, Result<(), StateError>> {
        self.write(Write::DeleteState { job, key, expect: expectation(expect) })
    }

    fn state_keys(
        &self,
        job: JobId,
        prefix: String,
        cursor: Option<String>,
        limit: u32,
    ) -> BoxFuture<'static, Result<StatePage, StateError>> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let found = self.store.state_keys(job, &prefix, cursor.as_deref(), limit, SystemClock.now());
        Box::pin(async move {
            let page = found.map_err(|error| unavailable(&error))?;
            Ok(StatePage { keys: page.items, cursor: page.next })
        })
    }
}
