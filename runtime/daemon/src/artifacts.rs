//! Artifacts: publishing them for runs, and finding those that runs refer to.

use std::collections::BTreeSet;
use std::sync::Arc;

use sandglass_core::artifact::{Artifact, ArtifactLimits, ArtifactName, ArtifactReference};
use sandglass_core::batch::{Batch, Write};
use sandglass_core::id::{JobName, Namespace, RunId};
use sandglass_core::quantity::ByteSize;
use sandglass_core::run::StateName;
use sandglass_core::time::Clock as _;
use sandglass_host::services::{ArtifactError, FoundArtifact, NewArtifact};
use sandglass_store::{CommitError, Committer, ConflictKind, ContentError, RunQuery, Store, StoreError};
use serde::Deserialize;
use tokio::sync::oneshot;

use crate::clock::SystemClock;
use crate::config::ConfigError;
use crate::dispatch::effects::Payload;

/// `[artifacts]` in the configuration.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct ArtifactsFile {
    artifact: Option<ByteSize>,
    run: Option<ByteSize>,
    namespace: Option<ByteSize>,
}

impl ArtifactsFile {
    pub(crate) fn check(self) -> Result<ArtifactLimits, ConfigError> {
        let standard = ArtifactLimits::STANDARD;
        let limits = ArtifactLimits {
            artifact: self.artifact.map_or(standard.artifact, ByteSize::get),
            run: self.run.map_or(standard.run, ByteSize::get),
            namespace: self.namespace.map_or(standard.namespace, ByteSize::get),
        };
        // What one artifact may have without a word is no more than what the run may have.
        let artifact = if self.artifact.is_some() { limits.artifact } else { limits.artifact.min(limits.run) };
        if artifact > limits.run {
            let rule = "it is at most what `run` says";
            return Err(ConfigError::Value { key: "artifacts.artifact", value: artifact.to_string(), rule });
        }
        Ok(ArtifactLimits { artifact, ..limits })
    }
}

/// Takes a content in, then records that the run has it. Blocks for as long as that takes.
///
/// The content stays pinned until the commit is answered, whoever waits for this or does not any more.
pub(crate) fn publish(
    store: &Arc<dyn Store>,
    committer: &Committer<Payload>,
    limits: ArtifactLimits,
    new: NewArtifact,
) -> Result<Artifact, ArtifactError> {
    let NewArtifact { run, attempt, name, media_type, mut content } = new;
    let before = store.artifact(run, &name).map_err(|error| unavailable(&error))?;
    let kept = store.keep_content(&mut *content, limits.artifact).map_err(|error| match error {
        ContentError::TooLarge(most) => ArtifactError::Full(format!(
            "the file for the artifact '{name}' has more than {most} bytes, which is the most that one may have; the operator \
             may raise `artifact` under [artifacts]"
        )),
        ContentError::Source(error) => {
            ArtifactError::Source(format!("the file for the artifact '{name}' cannot be read: {error}"))
        }
        ContentError::Store(error) => unavailable(&error),
    })?;
    let artifact = Artifact {
        run,
        attempt,
        name,
        size_bytes: kept.size_bytes(),
        digest: *kept.digest(),
        media_type,
        published_at: SystemClock.now(),
    };
    let (sender, receiver) = oneshot::channel();
    let write = Write::PutArtifact { artifact: Arc::new(artifact.clone()), limits };
    let stopping = || ArtifactError::Unavailable("the daemon is stopping".to_owned());
    committer.submit(Batch::of(write), Payload::Asked(sender)).map_err(|_| stopping())?;
    let recorded = receiver.blocking_recv().map_err(|_| stopping())?;
    if matches!(recorded, Err(CommitError::Store { .. })) {
        // It may have been recorded all the same: the next start tells.
        kept.leave();
    } else {
        drop(kept);
    }
    recorded.map_err(|error| match error {
        CommitError::Conflict(conflict) => match conflict.kind {
            ConflictKind::ArtifactsFull(full) => ArtifactError::Full(full.to_string()),
            other => ArtifactError::Unavailable(other.to_string()),
        },
        CommitError::Store { cause, .. } => unavailable(&cause),
    })?;
    if let Some(before) = before.filter(|before| before.digest != artifact.digest)
        && let Err(error) = store.release_content(&before.digest)
    {
        // It goes at the next start.
        tracing::warn!(error = &error as &dyn std::error::Error, "what an artifact was before stays for now");
    }
    Ok(artifact)
}

fn unavailable(error: &StoreError) -> ArtifactError {
    ArtifactError::Unavailable(error.to_string())
}

/// What `reference` means to a run of `namespace`: an artifact of the run itself or of one that it follows from, of a
/// run by its id, or of a job's last run that succeeded. Nothing of another namespace is ever found.
pub(crate) fn find(
    store: &dyn Store,
    run: RunId,
    namespace: &Namespace,
    reference: &ArtifactReference,
) -> Result<FoundArtifact, ArtifactError> {
    let found = look_up(store, run, namespace, reference).map_err(|error| unavailable(&error))?;
    let artifact = match found.as_slice() {
        [artifact] => artifact.clone(),
        [] => {
            return Err(ArtifactError::NotFound(format!(
                "there is no artifact '{reference}': neither this run nor one that it follows from published one of this name, \
                 and it is no JOB/NAME of a job's last run that succeeded, nor RUN_ID/NAME, in namespace '{namespace}'"
            )));
        }
        several => {
            let runs: Vec<String> =
                several.iter().map(|artifact| format!("{}/{}", artifact.run, artifact.name)).collect();
            return Err(ArtifactError::NotFound(format!(
                "several of the runs that this one follows from published '{reference}': write one of {}, or JOB/NAME",
                runs.join(", ")
            )));
        }
    };
    match store.open_content(&artifact.digest).map_err(|error| unavailable(&error))? {
        Some(content) => Ok(FoundArtifact { artifact, content }),
        None => Err(ArtifactError::Unavailable(format!(
            "the content of the artifact '{reference}' is lost: `sandglass store check` tells of all that are"
        ))),
    }
}

fn look_up(
    store: &dyn Store,
    run: RunId,
    namespace: &Namespace,
    reference: &ArtifactReference,
) -> Result<Vec<Artifact>, StoreError> {
    if let Some(name) = reference.name() {
        if let Some(own) = store.artifact(run, &name)? {
            return Ok(vec![own]);
        }
        let upstream = store.run(run)?.map(|run| run.upstream.iter().map(|up| up.run).collect()).unwrap_or_default();
        let upstream: BTreeSet<RunId> = upstream;
        let mut found = Vec::new();
        for up in upstream {
            found.extend(of_run(store, up, namespace, &name)?);
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    if let Some((run, name)) = reference.of_run() {
        return Ok(of_run(store, run, namespace, &name)?.into_iter().collect());
    }
    match reference.of_job() {
        Some((job, name)) => Ok(of_job(store, &job, namespace, &name)?.into_iter().collect()),
        None => Ok(Vec::new()),
    }
}

fn of_run(
    store: &dyn Store,
    run: RunId,
    namespace: &Namespace,
    name: &ArtifactName,
) -> Result<Option<Artifact>, StoreError> {
    match store.run(run)? {
        Some(found) if found.namespace == *namespace => store.artifact(run, name),
        _ => Ok(None),
    }
}

fn of_job(
    store: &dyn Store,
    job: &JobName,
    namespace: &Namespace,
    name: &ArtifactName,
) -> Result<Option<Artifact>, StoreError> {
    let Some(stored) = store.job_named(namespace, job)? else { return Ok(None) };
    let states = BTreeSet::from([StateName::Succeeded]);
    let last = store.ended_ids(&RunQuery { states, limit: 1, ..RunQuery::of_job(stored.job.id) })?;
    match last.items.first() {
        Some(run) => store.artifact(*run, name),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests;
