//! What a template can name.

use chrono_tz::Tz;
use minijinja::Value;
use minijinja::value::Serde;
use serde_json::json;

use crate::id::{JobName, Namespace, RunId};
use crate::run::{Origin, Run};
use crate::spec::{JobSpec, ParamValues, TimeZone};
use crate::time::Timestamp;

/// What the templates of one attempt can name.
#[derive(Clone, PartialEq, Debug)]
pub struct Scope {
    /// The run.
    pub run: RunId,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Why the run exists.
    pub origin: Origin,
    /// The instant it was due.
    pub scheduled_at: Timestamp,
    /// When it was made.
    pub queued_at: Timestamp,
    /// Which of the job's triggers fired, counted from 0.
    pub trigger: Option<u16>,
    /// The job's owner.
    pub namespace: Namespace,
    /// The job's name.
    pub job: JobName,
    /// The job's revision.
    pub revision: u64,
    /// The job's tags.
    pub tags: Vec<String>,
    /// The job's parameters: its defaults, with what the run has instead.
    pub params: ParamValues,
    /// The zone of dates.
    pub zone: TimeZone,
}

/// The names there are, but for those of parameters.
pub(super) const NAMES: [&str; 10] = [
    "run.id",
    "run.attempt",
    "run.origin",
    "run.scheduled_at",
    "run.queued_at",
    "trigger.index",
    "namespace",
    "job.name",
    "job.revision",
    "job.tags",
];

/// Names that hold others.
pub(super) const HOLDERS: [&str; 4] = ["run", "trigger", "job", "params"];

impl Scope {
    /// The scope of attempt `attempt` of `run`, a run of `spec` at `revision`; `default_zone` is used if the job names
    /// no zone.
    #[must_use]
    pub fn of(run: &Run, attempt: u32, spec: &JobSpec, revision: u64, default_zone: TimeZone) -> Self {
        Self {
            run: run.id,
            attempt,
            origin: run.origin,
            scheduled_at: run.scheduled_at,
            queued_at: run.queued_at,
            trigger: run.trigger,
            namespace: run.namespace.clone(),
            job: spec.name.clone(),
            revision,
            tags: spec.tags.clone(),
            params: spec.parameters.with(run.params.as_deref()),
            zone: spec.timezone.unwrap_or(default_zone),
        }
    }

    pub(super) fn tz(&self) -> Tz {
        self.zone.0
    }

    /// The same for the engine.
    pub(super) fn values(&self) -> Value {
        let values = json!({
            "run": {
                "id": self.run.to_string(),
                "attempt": self.attempt,
                "origin": self.origin.as_str(),
                "scheduled_at": self.scheduled_at.to_string(),
                "queued_at": self.queued_at.to_string(),
            },
            "trigger": { "index": self.trigger },
            "namespace": self.namespace.as_str(),
            "job": { "name": self.job.as_str(), "revision": self.revision, "tags": self.tags },
            "params": self.params,
        });
        Value::from(Serde(values))
    }
}
