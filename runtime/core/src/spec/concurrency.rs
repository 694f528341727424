//! Concurrency groups: jobs that share something of which there is only so much.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::bounds::MAX_GROUPS;
use crate::id::GroupName;

/// A concurrency group of the namespace that the job's attempts count in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConcurrencyGroup {
    /// The group's name.
    pub group: GroupName,
    /// How many attempts of the group go at once. If jobs of a group say different limits, the smallest holds for all.
    #[serde(default = "one")]
    pub limit: NonZeroU32,
    /// Counts attempts apart by what this comes to, such as `{{ params.customer }}`: the limit holds for each value. A key
    /// that cannot be filled in counts as an empty one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

const fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

/// Reads one group or a list.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ConcurrencyGroup>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    // Decided by the shape, so that a complaint about a group is its own and not about the choice.
    let groups = if value.is_array() {
        serde_json::from_value(value)
    } else {
        serde_json::from_value(value).map(|one| vec![one])
    };
    groups.map_err(serde::de::Error::custom)
}

/// The schema of one group or a list.
pub(super) fn schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
    let one = generator.subschema_for::<ConcurrencyGroup>();
    schemars::json_schema!({ "anyOf": [one, { "type": "array", "items": one, "maxItems": MAX_GROUPS }] })
}
