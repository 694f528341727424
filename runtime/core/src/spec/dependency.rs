//! What a job waits for of other jobs of its namespace.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use super::bounds::MAX_UPSTREAMS;
use crate::id::JobName;
use crate::quantity::Period;
use crate::run::StateName;

/// A job that a trigger `after` waits for. It may be written as the name alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// The job.
    pub job: JobName,
    /// How a run of it must end: one outcome, a list, or `any`, which is every one but `skipped`.
    #[serde(default)]
    pub outcome: Outcomes,
}

/// A job whose last run must have ended so before a run may start. It may be written as the name alone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The job.
    pub job: JobName,
    /// How its last run that is over must have ended: one outcome, a list, or `any`. Skipped fires are not looked at.
    #[serde(default)]
    pub outcome: Outcomes,
    /// How long ago that was at most. Default: at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Period>,
    /// How long a run waits for it; then it expires. Default: it does not wait, and the fire is skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Period>,
}

/// Ways in which runs end; never none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "OutcomeText", into = "OutcomeText")]
pub struct Outcomes(u16);

/// As outcomes are written.
#[derive(Serialize, Deserialize, JsonSchema, Clone)]
#[serde(untagged)]
enum OutcomeText {
    One(String),
    Many(Vec<String>),
}

/// The text names no outcomes.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidOutcomes {
    /// An empty list.
    #[error("'outcome' names none: name at least one, or leave it out for 'succeeded'")]
    Empty,
    /// Not the name of one.
    #[error("there is no outcome '{name}': the outcomes are {}", known())]
    Unknown {
        /// What is not one.
        name: String,
    },
}

const ANY: &str = "any";

fn known() -> String {
    let names: Vec<&str> = Outcomes::ALL.iter().map(|state| state.as_str()).collect();
    format!("{} and {ANY}", names.join(", "))
}

impl Outcomes {
    const ALL: [StateName; 7] = [
        StateName::Succeeded,
        StateName::Failed,
        StateName::TimedOut,
        StateName::Cancelled,
        StateName::Interrupted,
        StateName::Expired,
        StateName::Skipped,
    ];

    fn of(outcomes: impl IntoIterator<Item = StateName>) -> Self {
        Self(outcomes.into_iter().fold(0, |set, state| set | 1 << (state as u16)))
    }

    fn any() -> Self {
        Self::of(Self::ALL.into_iter().filter(|state| *state != StateName::Skipped))
    }

    /// Whether a run that ended so counts.
    #[must_use]
    pub const fn contains(self, state: StateName) -> bool {
        self.0 >> (state as u16) & 1 == 1
    }

    fn iter(self) -> impl Iterator<Item = StateName> {
        Self::ALL.into_iter().filter(move |state| self.contains(*state))
    }
}

impl Default for Outcomes {
    fn default() -> Self {
        Self::of([StateName::Succeeded])
    }
}

/// `succeeded`, or `failed or timed_out`, or `any`.
impl fmt::Display for Outcomes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::any() {
            return f.write_str(ANY);
        }
        let names: Vec<&str> = self.iter().map(StateName::as_str).collect();
        f.write_str(&names.join(" or "))
    }
}

impl TryFrom<OutcomeText> for Outcomes {
    type Error = InvalidOutcomes;

    fn try_from(text: OutcomeText) -> Result<Self, InvalidOutcomes> {
        let names = match text {
            OutcomeText::One(name) => vec![name],
            OutcomeText::Many(names) => names,
        };
        let mut set = 0;
        for name in names {
            let outcome = StateName::parse(&name).filter(|state| Self::ALL.contains(state));
            set |= match outcome {
                Some(state) => 1 << (state as u16),
                None if name == ANY => Self::any().0,
                None => return Err(InvalidOutcomes::Unknown { name }),
            };
        }
        if set == 0 { Err(InvalidOutcomes::Empty) } else { Ok(Self(set)) }
    }
}

impl From<Outcomes> for OutcomeText {
    fn from(outcomes: Outcomes) -> Self {
        if outcomes == Outcomes::any() {
            return Self::One(ANY.to_owned());
        }
        let names: Vec<String> = outcomes.iter().map(|state| state.as_str().to_owned()).collect();
        match <[String; 1]>::try_from(names) {
            Ok([one]) => Self::One(one),
            Err(many) => Self::Many(many),
        }
    }
}

impl JsonSchema for Outcomes {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Outcomes".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = Self::ALL.iter().map(|state| state.as_str()).chain([ANY]).collect();
        let one = serde_json::json!({ "enum": names });
        schemars::json_schema!({
            "description": "An outcome, or a list of them.",
            "anyOf": [one, { "type": "array", "items": one, "minItems": 1 }]
        })
    }
}

/// Reads a list of jobs, or one; each may be its name alone.
pub(super) fn read<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: serde::de::DeserializeOwned,
{
    // Decided by the shape, so that a complaint about a job is its own and not about the choice.
    let items = match Value::deserialize(deserializer)? {
        Value::Array(items) => items,
        one => vec![one],
    };
    let spelled = items.into_iter().map(|item| match item {
        Value::String(name) => serde_json::json!({ "job": name }),
        other => other,
    });
    spelled.map(serde_json::from_value).collect::<Result<_, _>>().map_err(serde::de::Error::custom)
}

/// As [`read`], for a key that may be absent.
pub(super) fn read_some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Upstream>>, D::Error> {
    read(deserializer).map(Some)
}

/// The schema of what [`read`] reads.
pub(super) fn schema<T: JsonSchema>(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let name = generator.subschema_for::<JobName>();
    let one = serde_json::json!({ "anyOf": [name, generator.subschema_for::<T>()] });
    schemars::json_schema!({ "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "maxItems": MAX_UPSTREAMS }] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_written_as_they_are_read() {
        for text in [r#""succeeded""#, r#""any""#, r#"["failed","timed_out"]"#, r#""skipped""#] {
            let outcomes: Outcomes = serde_json::from_str(text).unwrap();
            assert_eq!(serde_json::to_string(&outcomes).unwrap(), text);
        }
        let any: Outcomes = serde_json::from_str(r#""any""#).unwrap();
        assert!(any.contains(StateName::Expired) && !any.contains(StateName::Skipped));
        let wrong = |text: &str| serde_json::from_str::<Outcomes>(text).unwrap_err().to_string();
        assert!(wrong("[]").starts_with("'outcome' names none"));
        assert!(wrong(r#""success""#).contains("there is no outcome 'success': the outcomes are succeeded, failed"));
        assert!(wrong(r#""running""#).contains("there is no outcome 'running'"));
    }

    #[test]
    fn a_name_alone_stands_for_a_job_that_succeeds() {
        let read = |text: &str| super::read::<_, Upstream>(&mut serde_json::Deserializer::from_str(text));
        let expected = Upstream { job: "extract".parse().unwrap(), outcome: Outcomes::default() };
        for text in [r#""extract""#, r#"["extract"]"#, r#"{"job": "extract"}"#] {
            assert_eq!(read(text).unwrap(), std::slice::from_ref(&expected));
        }
    }
}
