//! Instants as people write them.

use std::fmt;
use std::str::FromStr;

use chrono::{Datelike, Timelike};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// One instant as a person writes it: with an offset, or local to the trigger's time zone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LocalOrUtc {
    /// `2026-12-24T18:00:00`: local to the trigger's zone.
    Local(chrono::NaiveDateTime),
    /// `2026-12-24T18:00:00+01:00`: the same everywhere.
    Utc(Timestamp),
}

/// The years of local times: later ones have instants that cannot be shown, and no schedule looks at earlier ones.
const YEARS: std::ops::RangeInclusive<i32> = 1970..=9998;

const LOCAL_FORMATS: [&str; 4] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];

impl FromStr for LocalOrUtc {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(at) = text.parse() {
            return Ok(Self::Utc(at));
        }
        let local = LOCAL_FORMATS.iter().find_map(|format| chrono::NaiveDateTime::parse_from_str(text, format).ok());
        let Some(local) = local else {
            return Err(format!(
                "'{text}' is not a date and time: write 2026-12-24T18:00:00 (local to the job's zone) or 2026-12-24T18:00:00Z"
            ));
        };
        if !YEARS.contains(&local.year()) {
            let (first, last) = (YEARS.start(), YEARS.end());
            return Err(format!("'{text}' is out of range: local times lie in the years {first} to {last}"));
        }
        // A second 60 is read as a nanosecond beyond the second before.
        if local.nanosecond() >= 1_000_000_000 {
            return Err(format!("'{text}' has a second 60: seconds are 0 to 59"));
        }
        Ok(Self::Local(local))
    }
}

impl fmt::Display for LocalOrUtc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
