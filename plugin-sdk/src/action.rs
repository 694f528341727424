//! What a plugin author implements, and what a run answers.

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Context, Failure, dispatch};

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

    /// What the job gives under `with:`; see [`params`](macro@crate::params).
    type Params: DeserializeOwned + JsonSchema;
    /// The result that the run keeps; `()` when there is none.
    type Output: Serialize + JsonSchema;

    /// The JSON Schema of the parameters, derived from their type.
    ///
    /// Deriving it takes about a third of a component. One that must be small overrides this and
    /// [`output_schema`](Self::output_schema) with the texts themselves, and holds them in a test against
    /// `testing::schemas`, which derives them.
    #[must_use]
    fn params_schema() -> String {
        dispatch::text(schemars::schema_for!(Self::Params).as_value())
    }

    /// The JSON Schema of the output, derived from its type; none where there is no output to describe.
    #[must_use]
    fn output_schema() -> Option<String> {
        dispatch::output_schema(&schemars::schema_for!(Self::Output))
    }

    /// Parameters that show how the action is used; each is valid by the schema.
    #[must_use]
    fn examples() -> Vec<Value> {
        Vec::new()
    }

    /// What is wrong with the parameters beyond what their schema can say. Pure: it is called when a job is saved, with
    /// every capability denied.
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
