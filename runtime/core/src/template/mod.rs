//! Templates: texts of a job into which each attempt puts values of its own.
//!
//! Any text of an action's parameters, a value of `env`, and `working_dir` may hold `{{ … }}` and `{% … %}`, in the
//! language of Jinja. They are checked when the job is saved ([`check()`]) and filled in for each attempt ([`render()`]).
//! Texts without them cost nothing.
//!
//! What a template may do is bounded, whoever wrote it: its steps, its source, its output, and what it may hold in memory
//! on the way, for which [`bounds`] refuses what could make a small text into a large one.

mod bounds;
mod check;
mod defaults;
mod engine;
mod filters;
mod lint;
mod places;
mod render;
mod scope;
mod secrets;
#[cfg(test)]
mod tests;

pub use check::{Fault, check, check_notifiers};
pub use defaults::with_defaults;
pub use lint::lint;
pub use render::{Rendered, render, render_key};
pub use scope::Scope;
pub use secrets::{secrets_of_job, secrets_of_notifier, secrets_of_notifiers, secrets_of_work};

/// The most bytes of all templates of a job.
pub const MAX_SOURCE: usize = 64 << 10;
/// The most templates of a job.
pub const MAX_TEMPLATES: usize = 256;
/// The most bytes that all templates of a job come to in one attempt.
pub const MAX_OUTPUT: usize = 1 << 20;
/// The most steps of all templates of a job in one attempt.
pub const MAX_STEPS: u64 = 50_000;
/// The most bytes that the key of a concurrency group comes to.
pub const MAX_KEY: usize = 200;
/// The most steps of the key of a concurrency group.
pub const KEY_STEPS: u64 = 1000;

/// Whether `text` holds anything to fill in.
#[must_use]
pub fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Whether `value` is a text, or holds one, that is a template.
#[must_use]
pub fn holds_template(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => is_template(text),
        serde_json::Value::Array(items) => items.iter().any(holds_template),
        serde_json::Value::Object(entries) => entries.values().any(holds_template),
        _ => false,
    }
}

/// Whether `text` is one expression and nothing else, so that it becomes a value of any kind rather than a text.
#[must_use]
pub fn is_expression(text: &str) -> bool {
    is_template(text) && matches!(engine::Shape::of(text), Ok(engine::Shape::Expression(_)))
}

/// A template could not be filled in.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the template at {pointer} could not be filled in: {message}")]
pub struct RenderError {
    /// Where it is in the job, as a JSON Pointer (RFC 6901).
    pub pointer: String,
    /// Why, and what to do.
    pub message: String,
}
