//! Names with texts, as a job writes them.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

/// Names with texts, in the order of the job: a map, for a parameter such as `env`. A guest that only passes them on is some
/// kilobytes smaller than with a map that can be searched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Variables(pub Vec<(String, String)>);

impl<'de> Deserialize<'de> for Variables {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(VariablesVisitor)
    }
}

struct VariablesVisitor;

impl<'de> de::Visitor<'de> for VariablesVisitor {
    type Value = Variables;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of texts")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Variables, A::Error> {
        let mut variables = Vec::new();
        while let Some(entry) = map.next_entry()? {
            variables.push(entry);
        }
        Ok(Variables(variables))
    }
}

impl JsonSchema for Variables {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Variables".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": { "type": "string" } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_texts_is_read_in_its_order() {
        let read: Variables = serde_json::from_str(r#"{"B": "1", "A": ""}"#).expect("a map of texts");
        assert_eq!(read.0, [("B".to_owned(), "1".to_owned()), ("A".to_owned(), String::new())]);
        assert!(serde_json::from_str::<Variables>(r#"{"B": 1}"#).is_err());
    }
}
