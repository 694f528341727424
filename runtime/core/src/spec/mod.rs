//! The job specification: what a person writes, an API client sends and the store keeps.
//!
//! One type and one JSON Schema for all three. The short forms of job files are turned into this form where files are
//! read; nothing after that knows them.

mod action;
pub mod bounds;
mod calendar;
mod catch_up;
mod concurrency;
pub mod day;
mod dependency;
mod exit_codes;
mod job_template;
mod limits;
pub mod list;
mod notify;
mod overlap;
mod parameter;
mod retention;
mod retry;
mod text;
mod time_zone;
mod trigger;
mod window;
mod zone_name;

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use action::{ActionRef, ActionSpec, InvalidActionRef};
pub use calendar::{CalendarSpec, Dates, InvalidCalendar, YearlyDate};
pub use catch_up::{CatchUp, CatchUpPolicy};
pub use concurrency::ConcurrencyGroup;
pub use dependency::{InvalidOutcomes, Outcomes, Requirement, Upstream};
pub use exit_codes::{CodeRange, ExitCodes, InvalidCodeRange, MAX_CODES};
pub use job_template::{EXTENDS, InvalidOverlay, JobTemplateSpec, MAX_TEMPLATE_BYTES, Overlay, Unresolved, WrittenJob};
pub use limits::Limits;
pub use notify::{MAX_NOTICE_EVENTS, MAX_NOTIFIERS, NoticeOn, Notifier, Notifiers};
pub use overlap::Overlap;
pub use parameter::{MAX_PARAM_BYTES, MAX_PARAMETERS, ParamValues, Parameter, Parameters, is_parameter_name};
pub use retention::Retention;
pub use retry::{Backoff, Retry, RetryJitter, RetryOutcome, RetryOutcomes};
pub use time_zone::{InvalidTimeZone, TimeZone};
pub use trigger::{
    CalendarRules, CronField, CronFields, CronValue, DayShift, DaysOfMonth, Fold, Gap, InvalidTimeOfDay,
    InvalidTrigger, LocalOrUtc, TimeOfDay, Trigger, TriggerKind,
};
pub use window::{Outside, Window};

use crate::capability::Grants;
use crate::id::{JobName, SecretName};
use crate::quantity::Period;

/// A job: when it fires, what it does, and the policies between.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JobSpec {
    /// The job's name, unique in its namespace.
    pub name: JobName,
    /// What the job is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Words to find the job by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The IANA time zone of local times. Default: the daemon's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<TimeZone>,
    /// Values that a start may set, each with a JSON Schema, and that templates find under `params`.
    #[serde(default, skip_serializing_if = "Parameters::is_empty")]
    pub parameters: Parameters,
    /// When the job fires. Without triggers it runs only when told to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub triggers: Vec<Trigger>,
    /// What the job does.
    pub action: ActionSpec,
    /// Environment variables for the action's processes. Their values may be templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Secrets of the namespace that the job uses besides those in its templates. The action's processes have each in an
    /// environment variable of its name.
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    #[schemars(length(max = 64))]
    pub secrets: Box<[SecretName]>,
    /// Working directory of the action's processes: an absolute path, or a template of one. Default: a folder of the
    /// run's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// How long one attempt may take.
    #[serde(default = "default_timeout")]
    pub timeout: Period,
    /// How long a stopped attempt has to end by itself before it is killed.
    #[serde(default = "default_grace")]
    pub grace: Period,
    /// Whether and when a failed attempt is tried again.
    #[serde(default)]
    pub retry: Retry,
    /// What happens to a fire while `max_instances` runs of the job are going.
    #[serde(default)]
    pub overlap: Overlap,
    /// How many runs of the job go at once before `overlap` says what happens.
    #[serde(default = "default_max_instances")]
    pub max_instances: NonZeroU32,
    /// What happens to fires that came due while nothing could be started.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// The hours in which runs may start. Default: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// Jobs whose last run must have ended well before a run of this one may start.
    #[serde(default, deserialize_with = "dependency::read", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "dependency::schema::<Requirement>")]
    pub requires: Vec<Requirement>,
    /// How many runs the triggers start at most, counted from when they were last changed. Default: no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_runs: Option<NonZeroU64>,
    /// Concurrency groups of the namespace: how many attempts of all their jobs go at once.
    #[serde(default, deserialize_with = "concurrency::read", skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "concurrency::schema")]
    pub concurrency: Vec<ConcurrencyGroup>,
    /// How long a run may wait for its start; then it expires. Counted from when it was made, or from when the job's
    /// window opens for it. Default: no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_deadline: Option<Period>,
    /// How long a run may take with all its attempts and waits, counted as `start_deadline` is. Default: no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Period>,
    /// 0 to 9; a queued run of higher priority starts first.
    #[serde(default = "default_priority")]
    #[schemars(range(min = 0, max = 9))]
    pub priority: u8,
    /// A second attempt does no harm: runs that a crash interrupted are tried again while attempts remain.
    #[serde(default)]
    pub idempotent: bool,
    /// What one attempt may use.
    #[serde(default)]
    pub limits: Limits,
    /// How long runs that are over and their output are kept. Default: as the daemon's configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Box<Retention>>,
    /// What the run may do at most. Default: what the plugin was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Box<Grants>>,
    /// Who is told of how the job's runs end, and in what way; those of the namespace are told besides.
    #[serde(default, skip_serializing_if = "Notifiers::is_empty")]
    pub notify: Notifiers,
}

fn default_timeout() -> Period {
    Period::from_secs(3600)
}

fn default_grace() -> Period {
    Period::from_secs(30)
}

fn default_max_instances() -> NonZeroU32 {
    NonZeroU32::MIN
}

fn default_priority() -> u8 {
    5
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_job_has_the_documented_defaults() {
        let job: JobSpec = serde_json::from_str(r#"{"name": "a", "action": {"use": "shell"}}"#).unwrap();
        assert_eq!(job.timeout, Period::from_secs(3600));
        assert_eq!(job.grace, Period::from_secs(30));
        assert_eq!(job.priority, 5);
        assert_eq!(job.retry.max_attempts, 1);
        assert_eq!(job.overlap, Overlap::Skip);
        assert_eq!(job.catch_up.policy, CatchUpPolicy::Latest);
        let again: JobSpec = serde_json::from_value(serde_json::to_value(&job).unwrap()).unwrap();
        assert_eq!(again, job);
    }

    #[test]
    fn unknown_keys_are_refused() {
        let text = r#"{"name": "a", "action": {"use": "shell"}, "timout": 5}"#;
        assert!(serde_json::from_str::<JobSpec>(text).unwrap_err().to_string().contains("unknown field `timout`"));
    }
}
