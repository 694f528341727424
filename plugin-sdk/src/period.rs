//! Durations as job files write them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};

/// A duration in an action's parameters: a number of seconds, or text such as `500ms`, `30s`, `1h30m`, `2d`. Not zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// The units and their lengths in milliseconds; where one begins like another, the longer is first.
const UNITS: [(&str, u64); 6] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

const EXPECTED: &str = "a number of seconds greater than 0, or text such as 500ms, 30s, 1h30m";

impl FromStr for Period {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let invalid = || format!("{text:?} is no duration; expected {EXPECTED}");
        // Fractions are left to numbers: reading them from text would make every guest 15 kB larger.
        if let Ok(seconds) = text.parse() {
            return Some(Self(Duration::from_secs(seconds))).filter(|period| !period.0.is_zero()).ok_or_else(invalid);
        }
        let mut total = 0_u64;
        let mut rest = text.trim();
        while !rest.is_empty() {
            let digits = rest.find(|c: char| !c.is_ascii_digit()).ok_or_else(invalid)?;
            let count: u64 = rest[..digits].parse().map_err(|_| invalid())?;
            rest = rest[digits..].trim_start();
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let (_, length) = UNITS.iter().find(|(unit, _)| *unit == &rest[..letters]).ok_or_else(invalid)?;
            rest = rest[letters..].trim_start();
            total = count.checked_mul(*length).and_then(|part| total.checked_add(part)).ok_or_else(invalid)?;
        }
        if total == 0 { Err(invalid()) } else { Ok(Self(Duration::from_millis(total))) }
    }
}

fn from_seconds(seconds: f64) -> Option<Period> {
    let duration = Duration::try_from_secs_f64(seconds).ok()?;
    if duration.is_zero() { None } else { Some(Period(duration)) }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PeriodVisitor)
    }
}

struct PeriodVisitor;

impl PeriodVisitor {
    fn seconds<E: de::Error>(seconds: f64) -> Result<Period, E> {
        from_seconds(seconds).ok_or_else(|| E::invalid_value(de::Unexpected::Float(seconds), &EXPECTED))
    }
}

impl Visitor<'_> for PeriodVisitor {
    type Value = Period;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Period, E> {
        Self::seconds(seconds)
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Period, E> {
        if seconds == 0 { Self::seconds(0.0) } else { Ok(Period(Duration::from_secs(seconds))) }
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Period, E> {
        u64::try_from(seconds).map_err(|_| E::custom("a duration is not negative")).and_then(|s| self.visit_u64(s))
    }
}

impl JsonSchema for Period {
    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A number of seconds, or text such as 500ms, 30s, 1h30m.",
            "anyOf": [
                { "type": "number", "exclusiveMinimum": 0 },
                { "type": "string", "pattern": "^\\s*(\\d+|(\\d+\\s*(ms|s|m|h|d|w)\\s*)+)$" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Period;

    #[test]
    fn reads_what_job_files_write() {
        let cases = [("30", 30_000), ("1.5", 1500), ("\"500ms\"", 500), ("\"1h 30m\"", 5_400_000), ("\"2\"", 2000)];
        for (json, milliseconds) in cases {
            let period: Period = serde_json::from_str(json).expect("the case is a duration");
            assert_eq!(period.0.as_millis(), milliseconds, "{json}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for json in
            ["0", "-1", "\"\"", "\"0s\"", "\"5 parsecs\"", "\"1h30\"", "\"99999999999999999999d\"", "true", "1e300"]
        {
            assert!(serde_json::from_str::<Period>(json).is_err(), "{json}");
        }
    }
}
