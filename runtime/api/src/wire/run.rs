//! Runs on the wire.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use sandglass_core::dependency::UpstreamRun;
use sandglass_core::id::{JobName, Namespace, RunId};
use sandglass_core::notice::Notice;
use sandglass_core::run::{self, AttemptOutcome, ErrorClass, Missed, Origin, RunState, StateName};
use sandglass_core::spec::ParamValues;
use sandglass_core::time::Timestamp;

use super::WaitsFor;

/// A run as the API and `--json` show it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Run {
    /// Its identity.
    pub id: RunId,
    /// The job's owner.
    pub namespace: Namespace,
    /// The job's name at the time.
    pub job: JobName,
    /// The job's revision at the time.
    pub revision: u64,
    /// Why it exists.
    #[serde(with = "origin")]
    pub origin: Origin,
    /// Which of the job's triggers fired, counted from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<u16>,
    /// The run that it makes again, if somebody asked for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rerun_of: Option<RunId>,
    /// Whether it goes on from what that run left, instead of doing all of it again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub resumes: bool,
    /// The fires in a row that its record stands for, itself included, if they are several: all were skipped for the same
    /// reason. `until` is the instant of the last one, `count` how many they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<Missed>,
    /// The instant it was due.
    pub scheduled_at: Timestamp,
    /// The runs of other jobs that it follows from or needed, one for each job.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstream: Vec<Upstream>,
    /// The parameters that its start gave; for the others the job's defaults count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Arc<ParamValues>>,
    /// When it was made.
    pub queued_at: Timestamp,
    /// When its first attempt started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Where it is in its life.
    #[serde(with = "state")]
    pub state: StateName,
    /// Why it was skipped, why it expired, or that it was cancelled as a later fire superseded it or its job was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When the next attempt is due, while the run waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// What it waits for while it is queued. Only where one run is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<WaitsFor>,
    /// Why it is, or was not, tried again, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// When it was asked to stop while an attempt was going.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_requested_at: Option<Timestamp>,
    /// The exit code that the last attempt reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Its attempts so far, the first first.
    pub attempts: Vec<Attempt>,
    /// What the last attempt that returned anything returned, of those of the present revision: `summary`, `output`,
    /// `changed` and `warnings` of one that succeeded, `detail` of one that failed, as far as the plugin gave any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<serde_json::Value>,
    /// When it was told to be late, as it had not started by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late_at: Option<Timestamp>,
    /// What it tells, if it is a notification.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notice: Option<Box<Notice>>,
}

/// A run of another job that a run follows from or needed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Upstream {
    /// The job's name.
    pub job: JobName,
    /// The run.
    pub run_id: RunId,
    /// How it ended.
    #[serde(with = "state")]
    pub state: StateName,
    /// When it was over.
    pub finished_at: Timestamp,
}

impl From<&UpstreamRun> for Upstream {
    fn from(upstream: &UpstreamRun) -> Self {
        let UpstreamRun { job, run, state, finished_at } = upstream;
        Self { job: job.clone(), run_id: *run, state: *state, finished_at: *finished_at }
    }
}

/// One try at a run.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// When it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How it ended, once it has.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "outcome")]
    pub outcome: Option<AttemptOutcome>,
    /// What was wrong, unless it succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<AttemptError>,
    /// What it used, once it has ended. Nothing is known of an attempt that a crash interrupted, or that never began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How often it used each capability and was refused it, by the capability's name as in grants; those that it did not ask
    /// for are left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub capabilities: BTreeMap<String, CapabilityUses>,
}

/// How often an attempt used one capability, and was refused it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct CapabilityUses {
    /// Requests that were allowed.
    pub used: u32,
    /// Requests that were refused.
    pub denied: u32,
}

/// What was wrong with an attempt.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AttemptError {
    /// What kind of thing went wrong.
    #[serde(with = "error_class")]
    pub class: ErrorClass,
    /// A stable word for programs.
    pub code: String,
    /// What happened and what to do, for people.
    pub message: String,
}

/// What an attempt used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Fuel burnt by the guest.
    pub fuel: u64,
    /// The most linear memory that the guest had at once, in bytes.
    pub peak_memory_bytes: u64,
    /// From the guest's first step to its last.
    pub wall_ms: Millis,
    /// Time that the guest itself computed, host calls left out.
    pub guest_cpu_ms: Millis,
    /// What it printed, whether kept or not, in bytes.
    pub output_bytes: u64,
}

/// A length of time in microseconds that is a number of milliseconds in JSON, with at most three decimals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct Millis {
    /// In microseconds.
    pub micros: u64,
}

impl Serialize for Millis {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.micros.is_multiple_of(1000) {
            return serializer.serialize_u64(self.micros / 1000);
        }
        #[expect(clippy::cast_precision_loss, reason = "microseconds below 2^53 are exact, and that is 285 years")]
        serializer.serialize_f64(self.micros as f64 / 1000.0)
    }
}

impl<'de> Deserialize<'de> for Millis {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let millis = f64::deserialize(deserializer)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the cast saturates at 0 and at most"
        )]
        let micros = (millis * 1000.0).round() as u64;
        Ok(Self { micros })
    }
}

impl From<&run::Run> for Run {
    fn from(run: &run::Run) -> Self {
        let retry_at = match run.state {
            RunState::RetryWait { until } => Some(until),
            _ => None,
        };
        // A result is JSON text by contract; one that is not is shown as the text it is rather than lost.
        let value = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into());
        Self {
            id: run.id,
            namespace: run.namespace.clone(),
            job: run.job.clone(),
            revision: run.revision,
            origin: run.origin,
            trigger: run.trigger,
            rerun_of: run.rerun_of.map(|rerun| rerun.run),
            resumes: run.rerun_of.is_some_and(|rerun| rerun.resumes),
            missed: run.missed,
            upstream: run.upstream.iter().map(Upstream::from).collect(),
            scheduled_at: run.scheduled_at,
            params: run.params.clone(),
            queued_at: run.queued_at,
            started_at: run.started_at(),
            finished_at: run.finished_at(),
            state: run.state.name(),
            reason: run.reason().map(str::to_owned),
            retry_at,
            waits_for: None,
            note: super::retry_note(run, |at| at.to_string()),
            cancel_requested_at: run.cancel.map(|cancel| cancel.at),
            exit_code: run.exit_code(),
            attempts: run.attempts.iter().map(Attempt::from).collect(),
            result: run.result.as_ref().map(value),
            late_at: run.late,
            notice: run.notice.clone(),
        }
    }
}

impl From<&run::Attempt> for Attempt {
    fn from(attempt: &run::Attempt) -> Self {
        let end = attempt.end.as_ref();
        Self {
            number: attempt.number,
            started_at: attempt.started_at,
            finished_at: end.map(|end| end.finished_at),
            outcome: end.map(|end| end.outcome),
            error: end.and_then(|end| end.error.as_ref()).map(|error| AttemptError {
                class: error.class,
                code: error.code.clone(),
                message: error.message.clone(),
            }),
            usage: end.map(|end| end.usage).filter(run::Usage::is_measured).map(Usage::from),
            capabilities: end.map(|end| capabilities(&end.usage)).unwrap_or_default(),
        }
    }
}

fn capabilities(usage: &run::Usage) -> BTreeMap<String, CapabilityUses> {
    let counted = usage.capabilities.counted();
    let named = counted.map(|(capability, uses)| {
        (capability.as_str().to_owned(), CapabilityUses { used: uses.used, denied: uses.denied })
    });
    named.collect()
}

impl From<run::Usage> for Usage {
    fn from(usage: run::Usage) -> Self {
        Self {
            fuel: usage.fuel,
            peak_memory_bytes: usage.peak_memory_bytes,
            wall_ms: Millis { micros: usage.wall_us },
            guest_cpu_ms: Millis { micros: usage.guest_cpu_us },
            output_bytes: usage.output_bytes,
        }
    }
}

/// The body of `POST …/jobs/{name}/run`; an empty body stands for an empty one.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRequest {
    /// Values of the job's parameters, by name; those that are left out have their defaults.
    #[serde(default, skip_serializing_if = "ParamValues::is_empty")]
    pub params: ParamValues,
}

/// The query of `GET …/runs`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunListQuery {
    /// Only runs of this job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Only runs in one of these states: names with commas between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Also notifications; not together with `job`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifications: Option<bool>,
    /// Only runs due at or after this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Only runs due before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// At most so many; [`super::DEFAULT_LIMIT`] if absent, never more than [`super::MAX_LIMIT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// The `next` of the part before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// `desc`, newest first, if absent; or `asc`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<String>,
}

/// Makes a module that writes and reads a closed set of values by their names.
macro_rules! by_name {
    ($module:ident, $type:ty, $values:expr, $name:expr) => {
        mod $module {
            use super::*;

            pub(super) fn name(value: $type) -> &'static str {
                let name: fn($type) -> &'static str = $name;
                name(value)
            }

            pub(super) fn serialize<S: Serializer>(value: &$type, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(name(*value))
            }

            pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$type, D::Error> {
                let text = String::deserialize(deserializer)?;
                let found = $values.into_iter().find(|value| name(*value) == text);
                found.ok_or_else(|| serde::de::Error::unknown_variant(&text, &[]))
            }
        }
    };
}

by_name!(state, StateName, StateName::ALL, |state| state.as_str());
by_name!(error_class, ErrorClass, ErrorClass::ALL, |class| class.as_str());
by_name!(origin, Origin, Origin::ALL, |origin| origin.as_str());
by_name!(
    some_outcome,
    AttemptOutcome,
    [
        AttemptOutcome::Succeeded,
        AttemptOutcome::Failed,
        AttemptOutcome::TimedOut,
        AttemptOutcome::Cancelled,
        AttemptOutcome::Interrupted
    ],
    |outcome| match outcome {
        AttemptOutcome::Succeeded => "succeeded",
        AttemptOutcome::Failed => "failed",
        AttemptOutcome::TimedOut => "timed_out",
        AttemptOutcome::Cancelled => "cancelled",
        AttemptOutcome::Interrupted => "interrupted",
    }
);

mod outcome {
    use super::{AttemptOutcome, Deserializer, Serializer, some_outcome};

    #[expect(clippy::ref_option, reason = "serde's `with` passes a reference")]
    pub(super) fn serialize<S: Serializer>(value: &Option<AttemptOutcome>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(outcome) => some_outcome::serialize(outcome, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<AttemptOutcome>, D::Error> {
        some_outcome::deserialize(deserializer).map(Some)
    }
}

/// The name of an origin in text.
#[must_use]
pub fn origin_name(value: Origin) -> &'static str {
    origin::name(value)
}

/// The name of an attempt's outcome in text.
#[must_use]
pub fn outcome_name(value: AttemptOutcome) -> &'static str {
    some_outcome::name(value)
}
