//! Exit codes after which an attempt is, or is not, made again.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The exit codes after which a failed attempt is tried again. They say nothing about failures without an exit code.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExitCodes {
    /// Only after these. Default: after all but those of `stop`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 100))]
    pub retry: Option<Vec<CodeRange>>,
    /// Never after these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    pub stop: Vec<CodeRange>,
}

/// The most codes and ranges in one list.
pub const MAX_CODES: usize = 100;

impl ExitCodes {
    /// Whether an attempt that ended with `code` is tried again.
    #[must_use]
    pub fn permits(&self, code: i32) -> bool {
        let has = |codes: &[CodeRange]| codes.iter().any(|range| range.contains(code));
        !has(&self.stop) && self.retry.as_deref().is_none_or(has)
    }
}

/// One exit code, such as `75`, or all from one to another, such as `"100-120"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CodeRange {
    first: u32,
    last: u32,
}

/// The text is no range of exit codes.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("'{0}' is no range of exit codes: write a code such as 75, or two with the lesser first such as \"100-120\"")]
pub struct InvalidCodeRange(String);

impl CodeRange {
    /// Whether `code` is in it.
    #[must_use]
    pub fn contains(self, code: i32) -> bool {
        u32::try_from(code).is_ok_and(|code| (self.first..=self.last).contains(&code))
    }
}

impl FromStr for CodeRange {
    type Err = InvalidCodeRange;

    fn from_str(text: &str) -> Result<Self, InvalidCodeRange> {
        let invalid = || InvalidCodeRange(text.to_owned());
        let code = |text: &str| {
            let text = text.trim();
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<u32>().ok().filter(|_| digits).ok_or_else(invalid)
        };
        let (first, last) = match text.split_once('-') {
            Some((first, last)) => (code(first)?, code(last)?),
            None => (code(text)?, code(text)?),
        };
        if first <= last { Ok(Self { first, last }) } else { Err(invalid()) }
    }
}

impl fmt::Display for CodeRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { first, last } = self;
        if first == last { write!(f, "{first}") } else { write!(f, "{first}-{last}") }
    }
}

impl Serialize for CodeRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.first == self.last { serializer.serialize_u32(self.first) } else { serializer.collect_str(self) }
    }
}

impl<'de> Deserialize<'de> for CodeRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = CodeRange;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an exit code, or a range of them such as \"100-120\"")
            }

            fn visit_u64<E: serde::de::Error>(self, code: u64) -> Result<CodeRange, E> {
                self.visit_str(&code.to_string())
            }

            fn visit_i64<E: serde::de::Error>(self, code: i64) -> Result<CodeRange, E> {
                self.visit_str(&code.to_string())
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<CodeRange, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for CodeRange {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CodeRange".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "An exit code, or a range of them such as \"100-120\".",
            "oneOf": [
                { "type": "integer", "minimum": 0, "maximum": u32::MAX },
                { "type": "string", "pattern": "^ *[0-9]+ *(- *[0-9]+ *)?$" },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_permitted_by_both_lists() {
        let table = [
            ("{}", vec![1, 2, 75, 255], vec![]),
            (r#"{"stop": [2, "100-120"]}"#, vec![1, 75, 99, 121], vec![2, 100, 110, 120]),
            (r#"{"retry": [75, "100 - 120"]}"#, vec![75, 100, 120], vec![1, 74, 121, -1]),
            (r#"{"retry": ["1-9"], "stop": [2]}"#, vec![1, 3, 9], vec![2, 10]),
            (r#"{"retry": []}"#, vec![], vec![0, 1, 75]),
        ];
        for (text, again, not) in table {
            let codes: ExitCodes = serde_json::from_str(text).unwrap();
            assert!(again.iter().all(|code| codes.permits(*code)), "{text}");
            assert!(!not.iter().any(|code| codes.permits(*code)), "{text}");
            let written = serde_json::to_value(&codes).unwrap();
            assert_eq!(serde_json::from_value::<ExitCodes>(written).unwrap(), codes, "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_with_the_form() {
        for text in [r#""9-1""#, r#""a""#, r#""1-""#, r#""-1""#, "-1", r#""""#, "99999999999", r#""+1""#] {
            let error = serde_json::from_str::<CodeRange>(text).unwrap_err().to_string();
            assert!(error.contains("write a code such as 75"), "{text}: {error}");
        }
    }
}
