//! One attempt as it is handed to the host, and what the host answers. Plain data, so that the host can be this process
//! or another.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::capability::EffectiveGrants;
use crate::id::{Digest, JobId, JobName, Namespace, PluginName, RunId, SecretName};
use crate::run::{AttemptEnd, Origin};
use crate::spec::Limits;
use crate::template::Scope;
use crate::time::Timestamp;

/// One attempt to be made.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// The run.
    pub run: RunId,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Why the run exists.
    pub origin: Origin,
    /// The instant the run was due.
    pub scheduled_at: Timestamp,
    /// The run whose result this attempt goes on from, as far as the plugin can: the run itself if an attempt before told
    /// what it left, or the one that it makes again.
    pub resumes: Option<RunId>,
    /// What is the same for every run of the job's revision.
    pub work: Arc<Work>,
}

/// What is the same for every run of one revision of a job, but for the scope of templates.
#[derive(Clone, PartialEq, Debug)]
pub struct Work {
    /// The job's owner.
    pub namespace: Namespace,
    /// The job.
    pub job_id: JobId,
    /// The job's name.
    pub job: JobName,
    /// The job's revision.
    pub revision: u64,
    /// The plugin's name.
    pub plugin: PluginName,
    /// The component to run.
    pub digest: Digest,
    /// The action's name.
    pub action: String,
    /// The action's parameters: JSON text.
    pub params: String,
    /// What the templates among parameters, environment and working directory are filled in with, before the guest sees
    /// any of them; none if there is no template.
    pub scope: Option<Box<Scope>>,
    /// Environment variables for processes.
    pub env: BTreeMap<String, String>,
    /// Secrets that processes have in environment variables of their names.
    pub secrets: Box<[SecretName]>,
    /// Working directory for processes; none: a folder of the run's own.
    pub working_dir: Option<String>,
    /// How long the attempt may take.
    pub timeout: Duration,
    /// What that follows from.
    pub time_limit: TimeLimit,
    /// How long it has to end by itself once it is asked to stop.
    pub grace: Duration,
    /// What it may use.
    pub limits: Limits,
    /// What it may do.
    pub grants: EffectiveGrants,
}

/// What bounds the time of an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub enum TimeLimit {
    /// The job's `timeout`.
    #[default]
    Timeout,
    /// What is left of the job's `deadline` for the whole run.
    Deadline,
}

/// Why an attempt is asked to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum CancelReason {
    /// Somebody cancelled the run.
    User,
    /// It took longer than it may.
    Timeout,
    /// The daemon is stopping.
    Shutdown,
    /// A later fire of the job takes its place.
    Superseded,
    /// Its job was deleted.
    JobDeleted,
}

/// That an attempt shall be stopped: it is asked to, and killed when its grace is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cancel {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub attempt: u32,
    /// Why.
    pub reason: CancelReason,
    /// Without its grace: it is killed at once.
    pub at_once: bool,
}

/// What the host answers, once for each invocation.
#[derive(Clone, PartialEq, Debug)]
pub struct AttemptReport {
    /// The run.
    pub run: RunId,
    /// The attempt.
    pub attempt: u32,
    /// When the guest took its first step, or would have.
    pub started_at: Timestamp,
    /// How it ended.
    pub end: AttemptEnd,
    /// What the guest returned: JSON text. Of one that failed, what it gave in detail.
    pub result: Option<String>,
    /// What the plugin says about trying again, if it failed.
    pub advice: RetryAdvice,
}

/// What a plugin says about trying a failed attempt again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum RetryAdvice {
    /// As the job says.
    #[default]
    ByJobPolicy,
    /// It would fail again.
    Never,
    /// Not before this much time has passed.
    After(Duration),
}
