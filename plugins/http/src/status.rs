//! Which statuses mean success.

use std::borrow::Cow;

use sandglass_plugin::schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use sandglass_plugin::serde::{Deserialize, Deserializer, de};
use sandglass_plugin::serde_json::{Value, json};

/// The statuses that mean success, each range by its first and its last. A job gives `204`, `"2xx"`, `"200-299"`, or a
/// list of such.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ExpectedStatus(Vec<(u16, u16)>);

impl Default for ExpectedStatus {
    fn default() -> Self {
        Self(vec![(200, 299)])
    }
}

impl ExpectedStatus {
    /// Whether the status means success.
    pub(crate) fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|&(first, last)| (first..=last).contains(&status))
    }

    fn read(value: &Value) -> Result<Self, String> {
        let one = std::slice::from_ref(value);
        let patterns = value.as_array().map_or(one, Vec::as_slice);
        if patterns.is_empty() {
            return Err("at least one status must mean success".to_owned());
        }
        let ranges: Result<_, String> =
            patterns.iter().map(|pattern| range(pattern).ok_or_else(|| wrong(pattern))).collect();
        Ok(Self(ranges?))
    }
}

fn wrong(pattern: &Value) -> String {
    format!("{pattern} is no status; expected one such as 204, \"2xx\" or \"200-299\"")
}

/// The first and the last status of a pattern.
fn range(pattern: &Value) -> Option<(u16, u16)> {
    let (first, last) = match pattern {
        Value::Number(number) => {
            let code = u16::try_from(number.as_u64()?).ok()?;
            (code, code)
        }
        Value::String(text) => text_range(text.trim())?,
        _ => return None,
    };
    if (100..=599).contains(&first) && first <= last && last <= 599 { Some((first, last)) } else { None }
}

fn text_range(text: &str) -> Option<(u16, u16)> {
    if let Some(class) = text.strip_suffix("xx").or_else(|| text.strip_suffix("XX")) {
        let first = class.parse::<u16>().ok()?.checked_mul(100)?;
        return Some((first, first.checked_add(99)?));
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some((first.trim().parse().ok()?, last.trim().parse().ok()?))
}

/// Read through a JSON value, which is a good deal smaller than an untagged enum.
impl<'de> Deserialize<'de> for ExpectedStatus {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

impl JsonSchema for ExpectedStatus {
    fn schema_name() -> Cow<'static, str> {
        "ExpectedStatus".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        let pattern = json!({
            "anyOf": [
                { "type": "integer", "minimum": 100, "maximum": 599 },
                { "type": "string", "pattern": "^\\s*([1-5](xx|XX)|[1-5]\\d\\d(\\s*-\\s*[1-5]\\d\\d)?)\\s*$" },
            ],
        });
        json_schema!({ "anyOf": [pattern, { "type": "array", "minItems": 1, "items": pattern }] })
    }
}

#[cfg(test)]
mod tests {
    use super::ExpectedStatus;
    use sandglass_plugin::serde_json::{Value, from_value, json};

    fn expected(value: Value) -> ExpectedStatus {
        from_value(value).expect("the case is a pattern")
    }

    #[test]
    fn patterns_match_their_statuses() {
        assert!(ExpectedStatus::default().contains(204) && !ExpectedStatus::default().contains(301));
        assert!(expected(json!([200, "3xx"])).contains(304));
        assert!(!expected(json!([200, "3xx"])).contains(201));
        assert!(expected(json!("200-204")).contains(202));
        assert!(expected(json!(404)).contains(404));
    }

    #[test]
    fn what_is_no_pattern_is_named() {
        let cases =
            [json!([]), json!(99), json!(600), json!("2x"), json!("300-200"), json!(["2xx", "ok"]), json!("0xx")];
        for value in cases {
            assert!(from_value::<ExpectedStatus>(value.clone()).is_err(), "{value}");
        }
    }
}
