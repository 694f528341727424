//! What a job does: a plugin's action and its parameters.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::text::text_serde;
use crate::id::PluginName;

/// A plugin's action and its parameters.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ActionSpec {
    /// `plugin`, `plugin/action` or `plugin@version/action`.
    #[serde(rename = "use")]
    pub uses: ActionRef,
    /// The action's parameters, checked against its schema when the job is saved. Any text in them may be a template.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub with: serde_json::Map<String, serde_json::Value>,
}

/// Names an action: `plugin`, `plugin/action` or `plugin@version/action`.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct ActionRef {
    /// The plugin's name.
    pub plugin: PluginName,
    /// The version wanted; the current one if absent.
    pub version: Option<String>,
    /// The action wanted; the plugin's first if absent.
    pub action: Option<String>,
}

impl std::fmt::Display for ActionRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.plugin)?;
        if let Some(version) = &self.version {
            write!(f, "@{version}")?;
        }
        if let Some(action) = &self.action {
            write!(f, "/{action}")?;
        }
        Ok(())
    }
}

/// The text names no action.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' names no action: write plugin, plugin/action or plugin@version/action")]
pub struct InvalidActionRef {
    text: String,
}

impl std::str::FromStr for ActionRef {
    type Err = InvalidActionRef;

    fn from_str(text: &str) -> Result<Self, InvalidActionRef> {
        let invalid = || InvalidActionRef { text: text.to_owned() };
        let (plugin, action) = match text.split_once('/') {
            Some((plugin, action)) => (plugin, Some(action.to_owned())),
            None => (text, None),
        };
        let (plugin, version) = match plugin.split_once('@') {
            Some((plugin, version)) => (plugin, Some(version.to_owned())),
            None => (plugin, None),
        };
        let empty = |part: &Option<String>| part.as_deref().is_some_and(str::is_empty);
        if empty(&action) || empty(&version) {
            return Err(invalid());
        }
        Ok(Self { plugin: plugin.parse().map_err(|_| invalid())?, version, action })
    }
}

text_serde!(ActionRef, "plugin, plugin/action or plugin@version/action", "shell");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn action_references_read_and_write() {
        for text in ["shell", "notify/slack", "deploy@1.2.0/files"] {
            assert_eq!(text.parse::<ActionRef>().unwrap().to_string(), text);
        }
        for bad in ["", "/x", "a@/b", "a/", "a b"] {
            assert!(bad.parse::<ActionRef>().is_err(), "{bad}");
        }
    }
}
