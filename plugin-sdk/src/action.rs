//! What a plugin author implements, and what a run answers.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Context, Failure};

/// One thing that a plugin can do.
pub trait Action {
    /// The name that jobs use, in kebab case: `plugin/NAME`.
    const NAME: &'static str;
    /// A short title for people.
    const TITLE: &'static str;
    /// What the action does, in a sentence or two.
    const DESCRIPTION: &'static str;
    /// Whether a second run with the same idempotency key does no harm.
    const IDEMPOTENT: bool = false;

    /// The schemas of parameters and output, written ahead. Without them the guest makes them itself when it is asked, which
    /// takes some fifty kilobytes of it; [`testing::check_schemas`](crate::testing::check_schemas) keeps them true.
    const SCHEMAS: Option<Schemas> = None;

    /// What the job gives under `with:`; see [`params`](macro@crate::params).
    type Params: DeserializeOwned + JsonSchema;
    /// The result that the run keeps; `()` when there is none.
    type Output: Serialize + JsonSchema;

    /// Parameters that show how the action is used; each is valid by the schema.
    #[must_use]
    fn examples() -> Vec<Value> {
        Vec::new()
    }

    /// What is wrong with the parameters beyond what their schema can say. Pure: it is called when a job is saved, with
    /// every capability denied, and again before each attempt, when placeholders in them are filled in.
    #[must_use]
    fn validate(_params: &Self::Params) -> Vec<Issue> {
        Vec::new()
    }

    /// Does the work of one attempt.
    ///
    /// # Errors
    /// The failure that the attempt ends with; it says whether trying again may help.
    fn run(params: Self::Params, context: &Context) -> Result<Outcome<Self::Output>, Failure>;
}

/// Examples that are written as JSON text: a list of parameters. The guest that reads them is smaller than one that makes
/// them.
///
/// # Panics
/// If the text is no list in JSON. It is the plugin's own, so a test finds that.
#[must_use]
pub fn examples(text: &str) -> Vec<Value> {
    serde_json::from_str(text).expect("the examples are a list in JSON")
}

/// Schemas written ahead, as JSON text in pieces; see [`include_schema`](macro@crate::include_schema).
#[derive(Debug, Clone, Copy)]
pub struct Schemas {
    /// That of the parameters.
    pub params: &'static [&'static str],
    /// That of the output, if there is one.
    pub output: Option<&'static [&'static str]>,
}

/// One thing that is wrong with an action's parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// JSON Pointer (RFC 6901) into the parameters.
    pub pointer: String,
    /// What is wrong and what is expected instead.
    pub message: String,
}

impl Issue {
    /// An issue with the value at a JSON Pointer.
    #[must_use]
    pub fn at(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), message: message.into() }
    }
}

/// How a successful attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome<T> {
    /// One line for people.
    pub summary: Option<String>,
    /// The result that the run keeps.
    pub output: Option<T>,
    /// Whether anything was changed; `None` when that is unknown.
    pub changed: Option<bool>,
    /// What went well enough but deserves a look.
    pub warnings: Vec<String>,
}

impl<T> Outcome<T> {
    /// Success with nothing to say.
    #[must_use]
    pub fn done() -> Self {
        Self { summary: None, output: None, changed: None, warnings: Vec::new() }
    }

    /// Success with one line for people.
    #[must_use]
    pub fn summary(text: impl Into<String>) -> Self {
        Self { summary: Some(text.into()), ..Self::done() }
    }

    /// Success with a result that the run keeps.
    #[must_use]
    pub fn output(output: T) -> Self {
        Self { output: Some(output), ..Self::done() }
    }

    /// Adds the line for people.
    #[must_use]
    pub fn with_summary(mut self, text: impl Into<String>) -> Self {
        self.summary = Some(text.into());
        self
    }

    /// Says whether anything was changed.
    #[must_use]
    pub fn changed(mut self, changed: bool) -> Self {
        self.changed = Some(changed);
        self
    }

    /// Adds something that deserves a look.
    #[must_use]
    pub fn warning(mut self, text: impl Into<String>) -> Self {
        self.warnings.push(text.into());
        self
    }
}
