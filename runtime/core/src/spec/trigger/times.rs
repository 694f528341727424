//! Times of day as people write them.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text is no time of day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a time of day: write HH:MM or HH:MM:SS, from 00:00 to 23:59:59")]
pub struct InvalidTimeOfDay {
    text: String,
}

/// A time of day on the local clock, to the second: `03:00` or `03:00:30`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimeOfDay(u32);

impl TimeOfDay {
    /// Midnight, when the day begins.
    pub const MIDNIGHT: Self = Self(0);

    /// Seconds since midnight, below 86,400, on a day whose clocks do not change.
    #[must_use]
    pub const fn secs(self) -> u32 {
        self.0
    }
}

impl FromStr for TimeOfDay {
    type Err = InvalidTimeOfDay;

    fn from_str(text: &str) -> Result<Self, InvalidTimeOfDay> {
        let number = |part: &str, shortest: usize, below: u32| {
            let digits = (shortest..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|number: &u32| digits && *number < below)
        };
        let mut parts = text.trim().split(':');
        let hour = parts.next().and_then(|hour| number(hour, 1, 24));
        let minute = parts.next().and_then(|minute| number(minute, 2, 60));
        let second = parts.next().map_or(Some(0), |second| number(second, 2, 60));
        match (hour, minute, second, parts.next()) {
            (Some(hour), Some(minute), Some(second), None) => Ok(Self(hour * 3600 + minute * 60 + second)),
            _ => Err(InvalidTimeOfDay { text: text.chars().take(40).collect() }),
        }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 3600, self.0 / 60 % 60)?;
        if self.0.is_multiple_of(60) { Ok(()) } else { write!(f, ":{:02}", self.0 % 60) }
    }
}

impl Serialize for TimeOfDay {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeOfDay {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for TimeOfDay {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TimeOfDay".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string", "pattern": "^([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?$",
            "description": "a time of day on the local clock: HH:MM or HH:MM:SS", "examples": ["03:00"]
        })
    }
}
