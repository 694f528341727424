//! What a template can name.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use minijinja::Value;
use minijinja::value::Serde;
use serde_json::json;

use crate::dependency::UpstreamRun;
use crate::id::{JobName, Namespace, RunId, SecretName};
use crate::notice::{Notice, NoticeEvent, summary};
use crate::run::{Origin, Run, StateName};
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
    /// The runs of other jobs that it follows from or needed.
    pub upstream: Vec<Upstream>,
    /// What stands for each secret that the templates name. Read before the attempt starts, as values are not kept.
    pub secrets: BTreeMap<SecretName, String>,
    /// The zone of dates.
    pub zone: TimeZone,
    /// The address at which people reach the daemon.
    pub public_url: Option<String>,
    /// What the run tells of, if it is a notification: `job` and `run` are then those of the newest event.
    pub notice: Option<Box<Notice>>,
    /// The last lines that the run printed of which the notification tells. Read before the attempt starts, as is the result
    /// of [`Upstream`].
    pub output: Option<String>,
}

/// A run of another job, as templates name it.
#[derive(Clone, PartialEq, Debug)]
pub struct Upstream {
    /// What is known of it.
    pub run: UpstreamRun,
    /// What it returned: JSON text. Read from the store before the attempt starts, as runs do not keep it.
    pub result: Option<String>,
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
pub(super) const HOLDERS: [&str; 5] = ["run", "trigger", "job", "params", "upstream"];

/// What there is of a run of another job.
pub(super) const OF_UPSTREAM: [&str; 4] = ["run_id", "state", "finished_at", "result"];

impl Upstream {
    fn named(&self) -> (String, serde_json::Value) {
        let UpstreamRun { job, run, state, finished_at } = &self.run;
        let mut values = json!({
            "run_id": run.to_string(),
            "state": state.as_str(),
            "finished_at": finished_at.to_string(),
        });
        // What is not there is missed by name, unless the template has a default.
        if let Some(result) = self.result.as_deref().and_then(|text| serde_json::from_str(text).ok()) {
            values["result"] = result;
        }
        (job.to_string(), values)
    }
}

/// The names there are in a notification.
pub(super) const NOTICE_NAMES: [&str; 15] = [
    "notification.event",
    "notification.summary",
    "notification.count",
    "notification.events",
    "namespace",
    "job.name",
    "job.tags",
    "run.id",
    "run.state",
    "run.reason",
    "run.message",
    "run.exit_code",
    "run.output",
    "run.scheduled_at",
    "run.url",
];

/// Names that hold others in a notification.
pub(super) const NOTICE_HOLDERS: [&str; 3] = ["notification", "job", "run"];

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
            upstream: run.upstream.iter().map(|run| Upstream { run: run.clone(), result: None }).collect(),
            secrets: BTreeMap::new(),
            zone: spec.timezone.unwrap_or(default_zone),
            public_url: None,
            notice: None,
            output: None,
        }
    }

    /// The scope of an attempt of `run`, a notification that tells `notice`; `job` is the job that it tells of last, if that
    /// is still there, whose tags and zone it has.
    #[must_use]
    pub fn of_notice(
        run: &Run,
        attempt: u32,
        notice: &Notice,
        job: Option<&JobSpec>,
        revision: u64,
        default_zone: TimeZone,
    ) -> Self {
        Self {
            run: run.id,
            attempt,
            origin: run.origin,
            scheduled_at: run.scheduled_at,
            queued_at: run.queued_at,
            trigger: None,
            namespace: run.namespace.clone(),
            job: notice.newest().map_or_else(|| run.job.clone(), |event| event.job.clone()),
            revision,
            tags: job.map(|job| job.tags.clone()).unwrap_or_default(),
            params: ParamValues::new(),
            upstream: Vec::new(),
            secrets: BTreeMap::new(),
            zone: job.and_then(|job| job.timezone).unwrap_or(default_zone),
            public_url: None,
            notice: Some(Box::new(notice.clone())),
            output: None,
        }
    }

    pub(super) fn tz(&self) -> Tz {
        self.zone.0
    }

    /// The same for the engine.
    pub(super) fn values(&self) -> Value {
        if let Some(notice) = &self.notice {
            return Value::from(Serde(self.notice_values(notice)));
        }
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
            "upstream": self.upstream.iter().map(Upstream::named).collect::<serde_json::Map<_, _>>(),
            "secret": self.secrets,
        });
        Value::from(Serde(values))
    }

    fn notice_values(&self, notice: &Notice) -> serde_json::Value {
        let newest = notice.newest();
        let run = |of: fn(&NoticeEvent) -> serde_json::Value| newest.map_or(serde_json::Value::Null, of);
        json!({
            "notification": {
                "event": run(|event| event.kind.as_str().into()),
                "summary": summary(notice, self.tz()),
                "count": notice.count,
                "events": notice.events.iter().map(event_values).collect::<Vec<_>>(),
            },
            "namespace": self.namespace.as_str(),
            "secret": self.secrets,
            "job": { "name": self.job.as_str(), "tags": self.tags },
            "run": {
                "id": run(|event| event.run.map(|run| run.to_string()).into()),
                "state": run(|event| event.state.map(StateName::as_str).into()),
                "reason": run(|event| event.reason.as_deref().into()),
                "message": run(|event| event.message.as_deref().into()),
                "exit_code": run(|event| event.exit_code.into()),
                "output": self.output,
                "scheduled_at": run(|event| event.scheduled_at.map(|at| at.to_string()).into()),
                "url": newest.and_then(|event| event.run).and_then(|run| self.url_of(run)),
            },
        })
    }

    /// Where a run can be looked at, if the daemon has an address for people.
    fn url_of(&self, run: RunId) -> Option<String> {
        let daemon = self.public_url.as_ref()?;
        Some(format!("{daemon}/api/v1/namespaces/{}/runs/{run}", self.namespace))
    }
}

/// An event with all its names, those without a value included, so that no template fails on one.
fn event_values(event: &NoticeEvent) -> serde_json::Value {
    json!({
        "event": event.kind.as_str(),
        "job": event.job.as_str(),
        "run": event.run.map(|run| run.to_string()),
        "state": event.state.map(StateName::as_str),
        "reason": event.reason,
        "message": event.message,
        "exit_code": event.exit_code,
        "scheduled_at": event.scheduled_at.map(|at| at.to_string()),
        "at": event.at.to_string(),
    })
}
