//! The time zone of a job's local times.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::text_serde;
use super::zone_name;

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

text_serde!(TimeZone, "an IANA time zone name", "Europe/Berlin");
