//! What is known of an added plugin without running it.

use serde::{Deserialize, Serialize};

use crate::capability::Grants;
use crate::id::{Digest, PluginName};
use crate::time::Timestamp;

/// One action of a plugin, as its `describe` tells.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ActionInfo {
    /// Unique in the plugin.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// What it does, for people.
    pub description: String,
    /// JSON Schema (2020-12) of the parameters.
    pub params_schema: serde_json::Value,
    /// JSON Schema of the result, if the plugin tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_schema: Option<serde_json::Value>,
    /// Parameters to start from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub examples: Vec<serde_json::Value>,
    /// A second run with the same idempotency key does no harm.
    pub idempotent: bool,
}

/// What a component says of itself in its custom section `sandglass:manifest`, readable before any of its code runs.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// The name it wants to be used by.
    pub name: PluginName,
    /// A semantic version.
    pub version: String,
    /// One line for people.
    #[serde(default)]
    pub description: String,
    /// The capabilities it asks for.
    #[serde(default)]
    pub capabilities: Grants,
}

/// An added plugin. A name has one current version; a digest is forever the same code.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Plugin {
    /// What it says of itself.
    #[serde(flatten)]
    pub manifest: Manifest,
    /// SHA-256 of the component.
    pub digest: Digest,
    /// Size of the component, in bytes.
    pub size_bytes: u64,
    /// Its actions; the first is the one that `use: NAME` means.
    pub actions: Vec<ActionInfo>,
    /// What it was granted when it was added.
    pub granted: Grants,
    /// It came with Sandglass.
    pub built_in: bool,
    /// When it was added.
    pub added_at: Timestamp,
}

impl Plugin {
    /// The action called `name`, or the first if no name is given.
    #[must_use]
    pub fn action(&self, name: Option<&str>) -> Option<&ActionInfo> {
        match name {
            None => self.actions.first(),
            Some(name) => self.actions.iter().find(|action| action.name == name),
        }
    }
}
