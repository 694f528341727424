//! What a run would do, as its plugin says before it does it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::PluginName;

/// The most steps that a plan may have.
pub const MAX_STEPS: usize = 10_000;

/// What a run would do if it started now.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// The plugin.
    pub plugin: PluginName,
    /// Its action.
    pub action: String,
    /// The parameters, their templates filled in; secrets stand as the templates that name them.
    pub params: Value,
    /// What it would do, in order; none if the plugin cannot say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<Vec<Step>>,
    /// Whether nothing else would be done than the steps tell.
    pub complete: bool,
}

/// One thing that a run would do.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Step {
    /// What kind of thing.
    pub effect: StepEffect,
    /// What it is done to, for people.
    pub target: String,
    /// What is done, for people.
    pub summary: String,
    /// Anything else that the plugin tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<Value>,
}

/// What a step does to its target.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepEffect {
    /// It is looked at.
    Read,
    /// It is made.
    Create,
    /// It is changed.
    Update,
    /// It is removed.
    Remove,
    /// It is run; what that changes is not known.
    Execute,
    /// Something is sent to it.
    Send,
    /// Something else.
    Other,
}

impl StepEffect {
    /// The name in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Create => "create",
            Self::Update => "update",
            Self::Remove => "remove",
            Self::Execute => "execute",
            Self::Send => "send",
            Self::Other => "other",
        }
    }
}
