//! Cron expressions as they are written: text, or a map of fields.

use std::fmt;

use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::InvalidTrigger;
use crate::schedule::CronExpression;
use crate::spec::list::OneOrMany;

/// A cron expression as it is written.
#[derive(Clone, Serialize)]
#[serde(untagged)]
pub(super) enum CronText {
    /// The expression itself.
    Expression(String),
    /// Its fields.
    Fields(CronFields),
}

/// A cron expression as a map: each field is a number, text as in an expression, or a list of both.
///
/// A field that is absent is its least value if all that are given are coarser, and `*` otherwise: `{hour: 2}` is 02:00
/// every day, `{minute: 30}` is half past every hour, `{day_of_week: mon}` is midnight on Mondays, `{month: 6}` is
/// midnight on 1 June.
#[derive(Clone, Default, Serialize, Deserialize, JsonSchema, Debug)]
#[serde(deny_unknown_fields, default)]
pub struct CronFields {
    /// 0 to 59. An expression with it has seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<CronField>,
    /// 0 to 59.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub minute: Option<CronField>,
    /// 0 to 23.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hour: Option<CronField>,
    /// 1 to 31.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day_of_month: Option<CronField>,
    /// 1 to 12 or jan to dec.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub month: Option<CronField>,
    /// sun to sat, or 0 to 7 where 0 and 7 are Sunday.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day_of_week: Option<CronField>,
}

/// The values of one field: text, a number, or a list of both.
pub type CronField = OneOrMany<CronValue>;

/// Some values of a field as they stand in an expression.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(transparent)]
pub struct CronValue(String);

impl From<String> for CronValue {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl CronFields {
    /// The expression that the fields make.
    ///
    /// # Errors
    ///
    /// If there is no field, one is no single field, or the expression is refused.
    pub fn expression(&self) -> Result<CronExpression, InvalidTrigger> {
        let fields = [
            ("second", &self.second),
            ("minute", &self.minute),
            ("hour", &self.hour),
            ("day_of_month", &self.day_of_month),
            ("month", &self.month),
            ("day_of_week", &self.day_of_week),
        ];
        let finest = fields.iter().position(|(_, value)| value.is_some()).ok_or(InvalidTrigger::NoCronField)?;
        let mut words = Vec::with_capacity(fields.len());
        for (at, (field, values)) in fields.into_iter().enumerate() {
            // Of what is finer than the finest field given there is one a round: `{month: 6}` is midnight on 1 June. A day
            // of week is as fine as a day of month, and either is enough.
            let absent = match at {
                0..=2 if at < finest => "0",
                3 if finest == 4 && self.day_of_week.is_none() => "1",
                _ => "*",
            };
            words.push(values.as_ref().map_or(Ok(absent.to_owned()), |values| word(field, values))?);
        }
        if self.second.is_some() {
            return Ok(CronExpression::with_seconds(&words.join(" "))?);
        }
        Ok(words[1..].join(" ").parse()?)
    }
}

fn word(field: &'static str, values: &CronField) -> Result<String, InvalidTrigger> {
    let values: Vec<&str> = values.iter().map(|CronValue(value)| value.trim()).collect();
    let word = values.join(",");
    if word.is_empty() || word.contains(char::is_whitespace) {
        return Err(InvalidTrigger::CronField { field, value: word });
    }
    Ok(word)
}

impl<'de> Deserialize<'de> for CronValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;
        impl Visitor<'_> for Value {
            type Value = CronValue;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value of a cron field")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<CronValue, E> {
                Ok(CronValue(text.to_owned()))
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<CronValue, E> {
                Ok(CronValue(number.to_string()))
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<CronValue, E> {
                Ok(CronValue(number.to_string()))
            }
        }
        deserializer.deserialize_any(Value)
    }
}

impl JsonSchema for CronValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "CronValue".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": ["string", "integer"], "examples": [2, "1-5"] })
    }
}

impl<'de> Deserialize<'de> for CronText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = CronText;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a cron expression or a map of its fields")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<CronText, E> {
                Ok(CronText::Expression(text.to_owned()))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CronText, A::Error> {
                CronFields::deserialize(MapAccessDeserializer::new(map)).map(CronText::Fields)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

impl JsonSchema for CronText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Cron".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let fields = generator.subschema_for::<CronFields>();
        schemars::json_schema!({ "anyOf": [{ "type": "string", "examples": ["0 2 * * 1-5"] }, fields] })
    }
}
