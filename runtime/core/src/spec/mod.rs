//! The job specification: what a person writes, an API client sends and the store keeps.
//!
//! One type and one JSON Schema for all three. The short forms of job files are turned into this form where files are
//! read; nothing after that knows them.

pub mod bounds;
mod calendar;
pub mod day;
pub mod list;
mod trigger;
mod window;
mod zone_name;

use std::collections::BTreeMap;
use std::num::NonZeroU64;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use calendar::{CalendarSpec, Dates, InvalidCalendar, YearlyDate};
pub use trigger::{
    CalendarRules, CronField, CronFields, CronValue, DayShift, DaysOfMonth, Fold, Gap, InvalidTimeOfDay,
    InvalidTrigger, LocalOrUtc, TimeOfDay, Trigger, TriggerKind,
};
pub use window::{Outside, Window};

use crate::capability::Grants;
use crate::id::{JobName, PluginName};
use crate::quantity::{ByteSize, Count, Period};

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
    /// When the job fires. Without triggers it runs only when told to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub triggers: Vec<Trigger>,
    /// What the job does.
    pub action: ActionSpec,
    /// Environment variables for the action's processes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Working directory of the action's processes: an absolute path. Default: a folder of the run's own.
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
    /// What happens to a fire while a run of the job is going.
    #[serde(default)]
    pub overlap: Overlap,
    /// What happens to fires that came due while nothing could be started.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// The hours in which runs may start. Default: always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// How many runs the triggers start at most, counted from when they were last changed. Default: no end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_runs: Option<NonZeroU64>,
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
    /// What the run may do at most. Default: what the plugin was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Grants>,
}

fn default_timeout() -> Period {
    Period::from_secs(3600)
}

fn default_grace() -> Period {
    Period::from_secs(30)
}

fn default_priority() -> u8 {
    5
}

/// A plugin's action and its parameters.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionSpec {
    /// `plugin`, `plugin/action` or `plugin@version/action`.
    #[serde(rename = "use")]
    pub uses: ActionRef,
    /// The action's parameters, checked against its schema when the job is saved.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub with: serde_json::Map<String, serde_json::Value>,
}

/// Names an action: `plugin`, `plugin/action` or `plugin@version/action`.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct ActionRef {
    /// The plugin's name.
    pub plugin: PluginName,
    /// The version wanted; the current one if absent.
    pub version: Option<String>,
    /// The action wanted; the plugin's first if absent.
    pub action: Option<String>,
}

impl std::fmt::Display for ActionRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.plugin)?;
        if let Some(version) = &self.version {
            write!(f, "@{version}")?;
        }
        if let Some(action) = &self.action {
            write!(f, "/{action}")?;
        }
        Ok(())
    }
}

/// The text names no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' names no action: write plugin, plugin/action or plugin@version/action")]
pub struct InvalidActionRef {
    text: String,
}

impl std::str::FromStr for ActionRef {
    type Err = InvalidActionRef;

    fn from_str(text: &str) -> Result<Self, InvalidActionRef> {
        let invalid = || InvalidActionRef { text: text.to_owned() };
        let (plugin, action) = match text.split_once('/') {
            Some((plugin, action)) => (plugin, Some(action.to_owned())),
            None => (text, None),
        };
        let (plugin, version) = match plugin.split_once('@') {
            Some((plugin, version)) => (plugin, Some(version.to_owned())),
            None => (plugin, None),
        };
        let empty = |part: &Option<String>| part.as_deref().is_some_and(str::is_empty);
        if empty(&action) || empty(&version) {
            return Err(invalid());
        }
        Ok(Self { plugin: plugin.parse().map_err(|_| invalid())?, version, action })
    }
}

/// An IANA time zone, such as `Europe/Berlin`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct TimeZone(pub chrono_tz::Tz);

impl TimeZone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self(chrono_tz::Tz::UTC);

    /// The zone that the value of the environment variable `TZ` names: `Europe/Berlin`, also with a colon before it or as
    /// the path of its file; UTC if it is empty. None for rules such as `CET-1CEST`, which name no zone.
    #[must_use]
    pub fn of_environment(value: &str) -> Option<Self> {
        zone_name::of_environment(value).map(Self)
    }
}

impl std::fmt::Display for TimeZone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.name())
    }
}

/// The text names no time zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a time zone: {}", zone_name::mend(text))]
pub struct InvalidTimeZone {
    text: String,
}

impl std::str::FromStr for TimeZone {
    type Err = InvalidTimeZone;

    fn from_str(text: &str) -> Result<Self, InvalidTimeZone> {
        text.parse().map(Self).map_err(|_| InvalidTimeZone { text: text.to_owned() })
    }
}

macro_rules! text_serde {
    ($name:ident, $description:literal, $example:literal) => {
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "description": $description, "examples": [$example] })
            }
        }
    };
}
text_serde!(ActionRef, "plugin, plugin/action or plugin@version/action", "shell");
text_serde!(TimeZone, "an IANA time zone name", "Europe/Berlin");

/// Whether and when a failed attempt is tried again.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Attempts in all; 1 means no retry.
    #[schemars(range(min = 1, max = 100))]
    pub max_attempts: u32,
    /// How the wait grows from attempt to attempt.
    pub backoff: Backoff,
    /// The wait before the second attempt.
    pub initial: Period,
    /// What an exponential wait is multiplied by each time.
    pub factor: f64,
    /// The longest wait.
    pub max: Period,
    /// Whether the wait is drawn at random between nothing and its full length.
    pub jitter: RetryJitter,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 1,
            backoff: Backoff::Exponential,
            initial: Period::from_secs(10),
            factor: 2.0,
            max: Period::from_secs(600),
            jitter: RetryJitter::Full,
        }
    }
}

/// How the wait between attempts grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Always `initial`.
    Fixed,
    /// `initial`, then times `factor` each time, up to `max`.
    #[default]
    Exponential,
}

/// How much of the wait between attempts is left to chance.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum RetryJitter {
    /// Anything between nothing and the full wait, so that many failures do not come back as one.
    #[default]
    Full,
    /// The full wait.
    None,
}

/// What happens to a fire while a run of the job is going.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// The fire starts nothing; a `skipped` record says so.
    #[default]
    Skip,
    /// One fire waits until no run of the job is going; another that comes meanwhile starts nothing.
    BufferOne,
    /// Fires wait for one another, the earliest first; at most a thousand, further ones start nothing.
    BufferAll,
    /// Every fire runs.
    AllowAll,
}

/// What happens to fires that came due while the daemon was down, suspended or saturated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CatchUp {
    /// Which of them still run.
    pub policy: CatchUpPolicy,
    /// How far back a fire may lie to still run.
    pub window: Period,
    /// With `all`: how many fires run at most, the latest ones; at most 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u32,
}

impl Default for CatchUp {
    fn default() -> Self {
        Self { policy: CatchUpPolicy::Latest, window: Period::from_secs(3600), limit: 100 }
    }
}

/// Which missed fires still run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum CatchUpPolicy {
    /// The latest one; the others become `skipped` records.
    #[default]
    Latest,
    /// The earliest one within the window; the others become `skipped` records.
    Earliest,
    /// All within the window, one after another unless the job allows overlap; of more than `limit`, the latest.
    All,
    /// None of them; all become `skipped` records.
    None,
}

/// What one attempt may use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The sum of the guest's linear memories.
    pub memory: ByteSize,
    /// The guest's computation: roughly one unit per WebAssembly instruction.
    pub fuel: Count,
    /// How much output is kept: the first half and the last half of it.
    pub output: ByteSize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: ByteSize::from_mib(256), fuel: Count::new(100_000_000_000), output: ByteSize::from_mib(8) }
    }
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
    fn action_references_read_and_write() {
        for text in ["shell", "notify/slack", "deploy@1.2.0/files"] {
            assert_eq!(text.parse::<ActionRef>().unwrap().to_string(), text);
        }
        for bad in ["", "/x", "a@/b", "a/", "a b"] {
            assert!(bad.parse::<ActionRef>().is_err(), "{bad}");
        }
    }

    #[test]
    fn unknown_keys_are_refused() {
        let text = r#"{"name": "a", "action": {"use": "shell"}, "timout": 5}"#;
        assert!(serde_json::from_str::<JobSpec>(text).unwrap_err().to_string().contains("unknown field `timout`"));
    }
}
