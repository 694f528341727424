//! Typed parameters of a job: what a start may set, and what templates find under `params`.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Values of parameters by their names.
pub type ParamValues = Map<String, Value>;

/// The most parameters of a job.
pub const MAX_PARAMETERS: usize = 100;
/// The most bytes that the values of a run's parameters have as JSON text.
pub const MAX_PARAM_BYTES: usize = 64 << 10;

/// The parameters that a job declares, by name.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parameters(
    #[expect(clippy::box_collection, reason = "few jobs have any, and an empty map takes three words of each job")]
    #[serde(deserialize_with = "some_if_any")]
    Option<Box<BTreeMap<String, Parameter>>>,
);

#[expect(clippy::box_collection, reason = "as the field that it is for")]
fn some_if_any<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<BTreeMap<String, Parameter>>>, D::Error> {
    let parameters = BTreeMap::deserialize(deserializer)?;
    Ok((!parameters.is_empty()).then(|| Box::new(parameters)))
}

impl Parameters {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &Parameter)> {
        self.0.iter().flat_map(|parameters| parameters.iter())
    }

    /// The parameter of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Parameter> {
        self.0.as_ref()?.get(name)
    }

    /// The values of those that have a default.
    #[must_use]
    pub fn defaults(&self) -> ParamValues {
        self.iter().filter_map(|(name, parameter)| Some((name.clone(), parameter.default()?.clone()))).collect()
    }

    /// The values of a run: the defaults, with what its start gave in their place. What the job does not declare, or no
    /// longer does, is left out.
    #[must_use]
    pub fn with(&self, given: Option<&ParamValues>) -> ParamValues {
        let mut values = self.defaults();
        let given = given.into_iter().flatten().filter(|(name, _)| self.get(name).is_some());
        values.extend(given.map(|(name, value)| (name.clone(), value.clone())));
        values
    }

    /// The names of those without a default: a run cannot be without values for them.
    pub fn required(&self) -> impl Iterator<Item = &String> {
        self.iter().filter(|(_, parameter)| parameter.default().is_none()).map(|(name, _)| name)
    }
}

impl JsonSchema for Parameters {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Parameters".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "propertyNames": { "pattern": "^[A-Za-z_][A-Za-z0-9_]{0,99}$" },
            "maxProperties": MAX_PARAMETERS,
            "additionalProperties": generator.subschema_for::<Parameter>(),
        })
    }
}

/// A parameter: a JSON Schema (draft 2020-12) of its one value. Without `default` every start must give a value.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Parameter(Map<String, Value>);

impl Parameter {
    /// Its JSON Schema.
    #[must_use]
    pub const fn schema(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The value that a run has if its start gives none.
    #[must_use]
    pub fn default(&self) -> Option<&Value> {
        self.0.get("default")
    }

    /// The kind of its values, such as `string`, if it is a single one.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.0.get("type")?.as_str()
    }

    /// What it is for.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.0.get("description")?.as_str()
    }

    /// Whether its values are numbers, truth values, or ones that the job itself lists: nothing else can get in.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        matches!(self.kind(), Some("integer" | "number" | "boolean")) || self.0.contains_key("enum")
    }
}

impl JsonSchema for Parameter {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Parameter".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "description": "A JSON Schema of the parameter's one value; without a default every start must give one.",
            "properties": {
                "type": { "enum": ["string", "integer", "number", "boolean", "array", "object"] },
                "description": { "type": "string" },
                "default": {},
                "enum": { "type": "array" },
            },
        })
    }
}

/// Whether `name` can be the name of a parameter: one that templates can write as `params.NAME`.
#[must_use]
pub fn is_parameter_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    first && name.len() <= 100 && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}
