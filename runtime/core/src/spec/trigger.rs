//! Triggers as they are written: a map whose one defining key says the kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::Period;
use crate::schedule::{CronExpression, InvalidCron};
use crate::time::Timestamp;

/// Says when a job fires.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "TriggerFields", into = "TriggerFields")]
#[schemars(with = "TriggerFields")]
pub enum Trigger {
    /// At the local times that a cron expression names.
    Cron(CronExpression),
    /// Every so often, counted in elapsed time from an anchor.
    Every {
        /// The time between fires; at least a second.
        interval: Period,
        /// The anchor; the instant the schedule was saved if absent.
        from: Option<Timestamp>,
    },
    /// Once.
    At(LocalOrUtc),
}

/// One instant as a person writes it: with an offset, or local to the job's time zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LocalOrUtc {
    /// `2026-12-24T18:00:00`: local to the job's zone.
    Local(chrono::NaiveDateTime),
    /// `2026-12-24T18:00:00+01:00`: the same everywhere.
    Utc(Timestamp),
}

/// The map names no trigger.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTrigger {
    /// No defining key, or more than one.
    #[error("a trigger needs exactly one of 'cron', 'every', 'at', but this one has {found}")]
    Kind {
        /// The defining keys that were there.
        found: String,
    },
    /// `from` without `every`.
    #[error("'from' belongs to 'every'; remove it or use 'every'")]
    StrayFrom,
    /// An interval of less than a second.
    #[error("'every: {0}' is too short: the shortest interval is 1s")]
    TooOften(Period),
    /// The text is no cron expression.
    #[error(transparent)]
    Cron(#[from] InvalidCron),
}

/// The keys of a trigger. Exactly one of `cron`, `every`, `at` is there.
#[derive(Serialize, Deserialize, JsonSchema, Default, Clone)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Trigger")]
struct TriggerFields {
    /// Five fields: minute, hour, day of month, month, day of week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    /// The time between fires, counted in elapsed time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every: Option<Period>,
    /// With `every`: the instant to count from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,
    /// Once, at this instant: local to the job's zone unless an offset is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<LocalOrUtc>,
}

impl TryFrom<TriggerFields> for Trigger {
    type Error = InvalidTrigger;

    fn try_from(fields: TriggerFields) -> Result<Self, InvalidTrigger> {
        if fields.from.is_some() && fields.every.is_none() {
            return Err(InvalidTrigger::StrayFrom);
        }
        match (&fields.cron, fields.every, fields.at) {
            (Some(text), None, None) => Ok(Self::Cron(text.parse()?)),
            (None, Some(interval), None) if interval < Period::from_secs(1) => Err(InvalidTrigger::TooOften(interval)),
            (None, Some(interval), None) => Ok(Self::Every { interval, from: fields.from }),
            (None, None, Some(at)) => Ok(Self::At(at)),
            (cron, every, at) => {
                let present = [("cron", cron.is_some()), ("every", every.is_some()), ("at", at.is_some())];
                let names: Vec<&str> = present.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect();
                let found = if names.is_empty() { "none of them".to_owned() } else { names.join(" and ") };
                Err(InvalidTrigger::Kind { found })
            }
        }
    }
}

impl From<Trigger> for TriggerFields {
    fn from(trigger: Trigger) -> Self {
        match trigger {
            Trigger::Cron(cron) => Self { cron: Some(cron.to_string()), ..Self::default() },
            Trigger::Every { interval, from } => Self { every: Some(interval), from, ..Self::default() },
            Trigger::At(at) => Self { at: Some(at), ..Self::default() },
        }
    }
}

const LOCAL_FORMATS: [&str; 4] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];

impl std::str::FromStr for LocalOrUtc {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self::Utc(at));
        }
        let local = LOCAL_FORMATS.iter().find_map(|format| chrono::NaiveDateTime::parse_from_str(text, format).ok());
        local.map(Self::Local).ok_or_else(|| {
            format!(
                "'{text}' is not a date and time: write 2026-12-24T18:00:00 (local to the job's zone) or 2026-12-24T18:00:00Z"
            )
        })
    }
}

impl std::fmt::Display for LocalOrUtc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Local(local) => write!(f, "{}", local.format("%Y-%m-%dT%H:%M:%S%.f")),
            Self::Utc(at) => write!(f, "{at}"),
        }
    }
}

impl Serialize for LocalOrUtc {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LocalOrUtc {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for LocalOrUtc {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LocalOrUtc".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "a date and time, local to the job's zone unless it has an offset",
            "examples": ["2026-12-24T18:00:00"]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_has_one_kind() {
        let read = |json: &str| serde_json::from_str::<Trigger>(json);
        assert!(matches!(read(r#"{"every": "10m"}"#).unwrap(), Trigger::Every { from: None, .. }));
        assert!(matches!(read(r#"{"at": "2026-12-24T18:00:00"}"#).unwrap(), Trigger::At(LocalOrUtc::Local(_))));
        assert!(matches!(read(r#"{"at": "2026-12-24T18:00:00Z"}"#).unwrap(), Trigger::At(LocalOrUtc::Utc(_))));
        for bad in [
            r#"{}"#,
            r#"{"cron": "0 2 * * *", "every": "10m"}"#,
            r#"{"cron": "0 2 * * *", "from": "2026-12-24T18:00:00Z"}"#,
            r#"{"every": "10ms"}"#,
            r#"{"at": "noon"}"#,
            r#"{"chron": "0 2 * * *"}"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
