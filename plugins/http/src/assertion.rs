//! What must be so in a response's JSON.

use std::borrow::Cow;

use sandglass_plugin::Issue;
use sandglass_plugin::schemars::{JsonSchema, Schema, SchemaGenerator};
use sandglass_plugin::serde::{Deserialize, Deserializer, de};
use sandglass_plugin::serde_json::Value;

use crate::schema;

/// Something that must be so in the response's JSON.
#[derive(Debug, Default)]
pub(crate) struct Assertion {
    /// Where, as a JSON Pointer (RFC 6901); the whole body if it is empty.
    at: String,
    /// What the value is.
    equals: Option<Value>,
    /// What the value, a text or a list, contains.
    contains: Option<Value>,
    /// The number that the value is at least.
    min: Option<Value>,
    /// The number that the value is at most.
    max: Option<Value>,
    /// Whether there is such a value; that there is, if nothing else is said.
    exists: Option<bool>,
}

impl Assertion {
    /// What is wrong with it, at `pointer`.
    pub(crate) fn issue(&self, pointer: &str) -> Option<Issue> {
        if !self.at.is_empty() && !self.at.starts_with('/') {
            return Some(Issue::at(format!("{pointer}/at"), "a JSON Pointer begins with a slash, such as /status"));
        }
        let asks = self.equals.is_some() || self.contains.is_some() || self.min.is_some() || self.max.is_some();
        let contradicts = asks && self.exists == Some(false);
        contradicts.then(|| Issue::at(format!("{pointer}/exists"), "what does not exist has no value"))
    }

    /// What is not so in `body`, if anything.
    pub(crate) fn fails(&self, body: &Value) -> Option<String> {
        let at = if self.at.is_empty() { "the response" } else { &self.at };
        let Some(found) = body.pointer(&self.at) else {
            return (self.exists != Some(false)).then(|| format!("there is no {at} in the response"));
        };
        if self.exists == Some(false) {
            return Some(format!("{at} is {}, where nothing should be", short(found)));
        }
        if let Some(value) = self.equals.as_ref().filter(|value| !same(value, found)) {
            return Some(format!("{at} is {}, not {}", short(found), short(value)));
        }
        if let Some(value) = self.contains.as_ref().filter(|value| !holds(found, value)) {
            return Some(format!("{at} is {}, which does not contain {}", short(found), short(value)));
        }
        let compare = |bound: &Option<Value>, holds: fn(f64, f64) -> bool, words: &str| {
            let bound = bound.as_ref()?;
            let is_so = found.as_f64().zip(bound.as_f64()).is_some_and(|(number, bound)| holds(number, bound));
            (!is_so).then(|| format!("{at} is {}, which is not {words} {bound}", short(found)))
        };
        compare(&self.min, |number, bound| number >= bound, "at least")
            .or_else(|| compare(&self.max, |number, bound| number <= bound, "at most"))
    }
}

/// Numbers are the same if they are as large as one another: 1 and 1.0. Whole ones are compared exactly.
fn same(left: &Value, right: &Value) -> bool {
    left == right || ((left.is_f64() || right.is_f64()) && left.is_number() && left.as_f64() == right.as_f64())
}

fn holds(found: &Value, value: &Value) -> bool {
    match (found, value) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(items), value) => items.iter().any(|item| same(item, value)),
        _ => false,
    }
}

/// A value for people, cut where it is long.
fn short(value: &Value) -> String {
    const CHARS: usize = 80;
    let text = value.to_string();
    if text.chars().count() <= CHARS { text } else { text.chars().take(CHARS).chain(['…']).collect() }
}

/// Read through a JSON value, which is a good deal smaller than what is derived.
impl<'de> Deserialize<'de> for Assertion {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

fn read(value: Value) -> Result<Assertion, String> {
    let Value::Object(entries) = value else { return Err("an assertion is a map with `at`".to_owned()) };
    let (mut assertion, mut has_place) = (Assertion::default(), false);
    for (key, value) in entries {
        match (key.as_str(), value) {
            ("at", Value::String(at)) => (assertion.at, has_place) = (at, true),
            ("equals", value) => assertion.equals = Some(value),
            ("contains", value) => assertion.contains = Some(value),
            ("min", value @ Value::Number(_)) => assertion.min = Some(value),
            ("max", value @ Value::Number(_)) => assertion.max = Some(value),
            ("exists", Value::Bool(exists)) => assertion.exists = Some(exists),
            ("at" | "min" | "max" | "exists", _) => return Err(format!("`{key}` has a value of the wrong kind")),
            _ => return Err(format!("unknown key `{key}`: expected at, equals, contains, min, max or exists")),
        }
    }
    if has_place { Ok(assertion) } else { Err("say `at` which place of the response something is so".to_owned()) }
}

impl JsonSchema for Assertion {
    fn schema_name() -> Cow<'static, str> {
        "Assertion".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        schema::of(include_str!("assertion.schema.json"))
    }
}
