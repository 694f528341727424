//! Who is told of how runs end, as it is written.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ActionRef, Backoff, ExitCodes, Retry, RetryJitter, RetryOutcomes};
use crate::capability::Grants;
use crate::quantity::Period;

/// The most notifiers of a job, and of a namespace.
pub const MAX_NOTIFIERS: usize = 32;
/// The most events that a notifier tells of.
pub const MAX_NOTICE_EVENTS: usize = 16;

/// An action that tells somebody of how runs end. Each notification is a run of its own.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notifier {
    /// What it tells of.
    #[schemars(length(min = 1, max = MAX_NOTICE_EVENTS))]
    pub on: Vec<NoticeOn>,
    /// `plugin`, `plugin/action` or `plugin@version/action`.
    #[serde(rename = "use")]
    pub uses: ActionRef,
    /// The action's parameters, checked against its schema when the notifier is saved. Any text in them may be a template
    /// with values under `notification`, `job` and `run`.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub with: serde_json::Map<String, serde_json::Value>,
    /// Environment variables for the action's processes. Their values may be templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// What the notification may do at most. Default: what the plugin was granted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grants: Option<Box<Grants>>,
    /// How long one attempt may take.
    #[serde(default = "default_timeout")]
    pub timeout: Period,
    /// Whether and when a failed attempt is tried again. Default: 5 attempts, exponentially from 10s. An attempt that a
    /// crash interrupted is made again, so that a message may come twice rather than never.
    #[serde(default = "default_retry", with = "NotifierRetry")]
    #[schemars(with = "Retry")]
    pub retry: Retry,
    /// What happens so soon after a notification is told with others in the next one.
    #[serde(default = "default_group")]
    pub group: Period,
}

fn default_timeout() -> Period {
    Period::from_secs(60)
}

fn default_group() -> Period {
    Period::from_secs(60)
}

fn default_retry() -> Retry {
    Retry { max_attempts: 5, ..Retry::default() }
}

/// A [`Retry`] whose defaults are those of notifiers.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Retry", deny_unknown_fields, default = "default_retry")]
struct NotifierRetry {
    max_attempts: u32,
    backoff: Backoff,
    initial: Period,
    factor: f64,
    max: Period,
    jitter: RetryJitter,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_elapsed: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    on: Option<RetryOutcomes>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_codes: Option<Box<ExitCodes>>,
}

/// The notifiers of a job or a namespace, in the order in which they were written.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Notifiers(
    #[expect(clippy::box_collection, reason = "few jobs have any, and an empty list takes three words of each job")]
    #[serde(deserialize_with = "some_if_any")]
    Option<Box<Vec<Notifier>>>,
);

#[expect(clippy::box_collection, reason = "as the field that it is for")]
fn some_if_any<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<Vec<Notifier>>>, D::Error> {
    let notifiers = Vec::deserialize(deserializer)?;
    Ok((!notifiers.is_empty()).then(|| Box::new(notifiers)))
}

impl Notifiers {
    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[Notifier] {
        self.0.as_deref().map(Vec::as_slice).unwrap_or_default()
    }

    /// Those within the bound, each with its place.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &Notifier)> {
        (0..).zip(self.as_slice().iter().take(MAX_NOTIFIERS))
    }

    /// The actions that they name.
    pub fn actions(&self) -> impl Iterator<Item = &ActionRef> {
        self.as_slice().iter().map(|notifier| &notifier.uses)
    }

    /// The one at `place`.
    #[must_use]
    pub fn get(&self, place: u16) -> Option<&Notifier> {
        self.as_slice().get(usize::from(place))
    }
}

impl JsonSchema for Notifiers {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Notifiers".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "array",
            "items": generator.subschema_for::<Notifier>(),
            "maxItems": MAX_NOTIFIERS,
        })
    }
}

impl Notifier {
    /// Whether it tells of `what`.
    #[must_use]
    pub fn tells_of(&self, what: NoticeOn) -> bool {
        self.on.contains(&what)
    }

    /// How late runs are when it tells of that, as far as it does.
    pub fn lates(&self) -> impl Iterator<Item = Period> {
        self.on.iter().filter_map(|on| if let NoticeOn::Late(period) = on { Some(*period) } else { None })
    }

    /// For how long no run has succeeded when it tells of that, as far as it does.
    pub fn silences(&self) -> impl Iterator<Item = Period> {
        self.on.iter().filter_map(|on| if let NoticeOn::NoSuccessWithin(period) = on { Some(*period) } else { None })
    }
}

/// What a notifier tells of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum NoticeOn {
    /// A run succeeded.
    Succeeded,
    /// A run failed and is not tried again.
    Failed,
    /// A run took longer than it may, and is not tried again.
    TimedOut,
    /// A run was stopped.
    Cancelled,
    /// The daemon ended while a run was going, and it is not tried again.
    Interrupted,
    /// A run was not started in time.
    Expired,
    /// A fire started nothing.
    Skipped,
    /// A run succeeded, and the one before it had not.
    Recovered,
    /// A run had not started so long after it was due.
    Late(Period),
    /// No run succeeded for so long.
    NoSuccessWithin(Period),
}

const LATE: &str = "late";
const NO_SUCCESS_WITHIN: &str = "no_success_within";
const FORMS: &str = "write one of succeeded, failed, timed_out, cancelled, interrupted, expired, skipped, recovered, \
                     {late: 5m}, {no_success_within: 26h}";

impl NoticeOn {
    /// Those that are a word alone.
    pub const WORDS: [Self; 8] = [
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Interrupted,
        Self::Expired,
        Self::Skipped,
        Self::Recovered,
    ];

    /// The name in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Expired => "expired",
            Self::Skipped => "skipped",
            Self::Recovered => "recovered",
            Self::Late(_) => LATE,
            Self::NoSuccessWithin(_) => NO_SUCCESS_WITHIN,
        }
    }
}

impl Serialize for NoticeOn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Late(period) | Self::NoSuccessWithin(period) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry(self.as_str(), period)?;
                map.end()
            }
            _ => serializer.serialize_str(self.as_str()),
        }
    }
}

impl<'de> Deserialize<'de> for NoticeOn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnVisitor)
    }
}

struct OnVisitor;

impl<'de> Visitor<'de> for OnVisitor {
    type Value = NoticeOn;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event such as failed, or a map such as {late: 5m}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<NoticeOn, E> {
        let found = NoticeOn::WORDS.into_iter().find(|on| on.as_str() == text);
        found.ok_or_else(|| {
            let needs = [LATE, NO_SUCCESS_WITHIN].into_iter().find(|word| *word == text);
            match needs {
                Some(word) => de::Error::custom(format!("'{word}' wants a period: write {{{word}: 1h}}")),
                None => de::Error::custom(format!("'{text}' is no event: {FORMS}")),
            }
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<NoticeOn, A::Error> {
        let Some(key) = map.next_key::<String>()? else {
            return Err(de::Error::custom(format!("an empty map is no event: {FORMS}")));
        };
        let on = match key.as_str() {
            LATE => NoticeOn::Late(map.next_value()?),
            NO_SUCCESS_WITHIN => NoticeOn::NoSuccessWithin(map.next_value()?),
            other => return Err(de::Error::custom(format!("'{other}' is no event with a period: {FORMS}"))),
        };
        match map.next_key::<String>()? {
            None => Ok(on),
            Some(other) => {
                Err(de::Error::custom(format!("'{key}' and '{other}' are two events: make two items of it")))
            }
        }
    }
}

impl JsonSchema for NoticeOn {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "NoticeOn".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let period = generator.subschema_for::<Period>();
        let with_period = |key: &str, description: &str| {
            json_schema!({
                "type": "object",
                "description": description,
                "properties": { key: period },
                "required": [key],
                "additionalProperties": false,
            })
        };
        json_schema!({
            "anyOf": [
                { "enum": Self::WORDS.map(Self::as_str) },
                with_period(LATE, "A run had not started so long after it was due; told once."),
                with_period(
                    NO_SUCCESS_WITHIN,
                    "No run succeeded for so long, counted from the last success, or from when the job was saved, enabled \
                     or resumed if that is later; told once until the next success."
                ),
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Notifiers, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn the_shortest_notifier_has_the_documented_defaults() {
        let notifiers = read(r#"[{"on": ["failed"], "use": "http"}]"#).unwrap();
        let notifier = notifiers.get(0).unwrap();
        assert_eq!((notifier.timeout, notifier.group), (Period::from_secs(60), Period::from_secs(60)));
        assert_eq!((notifier.retry.max_attempts, notifier.retry.initial), (5, Period::from_secs(10)));
        let again = read(&serde_json::to_string(&notifiers).unwrap()).unwrap();
        assert_eq!(again, notifiers);
        let partly = read(r#"[{"on": ["failed"], "use": "http", "retry": {"initial": "1s"}}]"#).unwrap();
        assert_eq!(partly.as_slice()[0].retry, Retry { initial: Period::from_secs(1), ..default_retry() });
        assert!(read("[]").unwrap().is_empty());
        assert!(size_of::<Notifiers>() <= size_of::<usize>());
    }

    #[test]
    fn events_are_words_or_have_a_period() {
        let on = |text: &str| serde_json::from_str::<NoticeOn>(text).map_err(|error| error.to_string());
        for event in NoticeOn::WORDS {
            assert_eq!(on(&format!("\"{}\"", event.as_str())), Ok(event));
        }
        assert_eq!(on(r#"{"late": "5m"}"#), Ok(NoticeOn::Late(Period::from_secs(300))));
        assert_eq!(on(r#"{"no_success_within": 60}"#), Ok(NoticeOn::NoSuccessWithin(Period::from_secs(60))));
        assert_eq!(serde_json::to_string(&NoticeOn::Late(Period::from_secs(300))).unwrap(), r#"{"late":"5m"}"#);
        for (text, part) in [
            (r#""late""#, "'late' wants a period: write {late: 1h}"),
            (r#""fails""#, "'fails' is no event: write one of"),
            ("{}", "an empty map is no event"),
            (r#"{"failed": "5m"}"#, "'failed' is no event with a period"),
            (r#"{"late": "5m", "no_success_within": "1h"}"#, "make two items of it"),
            (r#"{"late": "soon"}"#, "is not a period"),
        ] {
            let error = on(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
