//! Templates filled in for one attempt.

use std::collections::BTreeMap;

use serde_json::Value;

use super::engine::{Budget, evaluate, evaluate_text};
use super::places::{below, of_notifier};
use super::{KEY_STEPS, MAX_KEY, MAX_OUTPUT, MAX_STEPS, RenderError, Scope, is_template};
use crate::invocation::Work;

/// What of an attempt's work may hold templates, with all of them filled in.
#[derive(Clone, PartialEq, Debug)]
pub struct Rendered {
    /// The action's parameters.
    pub params: Value,
    /// Environment variables for processes.
    pub env: BTreeMap<String, String>,
    /// Working directory for processes.
    pub working_dir: Option<String>,
}

/// Fills in the templates of `work` with what `scope` has.
///
/// # Errors
///
/// If a template cannot be evaluated, comes to something that cannot stand where it stands, or takes too much.
pub fn render(work: &Work, scope: &Scope) -> Result<Rendered, RenderError> {
    let mut renderer =
        Renderer { values: scope.values(), scope, budget: Budget { steps: MAX_STEPS, output: MAX_OUTPUT } };
    let notifier = scope.notice.as_ref().map(|notice| of_notifier(notice.entry));
    let with = notifier.as_ref().map_or_else(|| "/action/with".to_owned(), |place| format!("{place}/with"));
    let mut params = serde_json::from_str(&work.params)
        .map_err(|error| failed(&with, format!("the parameters are no JSON: {error}")))?;
    renderer.fill_in(&with, &mut params)?;
    let mut env = work.env.clone();
    for (name, text) in env.iter_mut().filter(|(_, text)| is_template(text)) {
        *text = renderer.plain(&below(&format!("{}/env", notifier.as_deref().unwrap_or_default()), name), text)?;
    }
    let mut working_dir = work.working_dir.clone();
    if let Some(folder) = working_dir.as_mut().filter(|text| is_template(text)) {
        *folder = renderer.plain("/working_dir", folder)?;
        if !folder.starts_with('/') {
            return Err(failed("/working_dir", format!("'{}' is not an absolute path", folder.escape_debug())));
        }
    }
    Ok(Rendered { params, env, working_dir })
}

/// What the template of a concurrency group's key comes to: at most [`MAX_KEY`] bytes. Empty if it cannot be filled in, or
/// not at little cost: it is asked for where every run waits for it.
#[must_use]
pub fn render_key(text: &str, scope: &Scope) -> String {
    let mut budget = Budget { steps: KEY_STEPS, output: MAX_KEY };
    evaluate_text(text, &scope.values(), scope.tz(), &mut budget).unwrap_or_default()
}

struct Renderer<'a> {
    values: minijinja::Value,
    scope: &'a Scope,
    budget: Budget,
}

impl Renderer<'_> {
    fn fill_in(&mut self, pointer: &str, value: &mut Value) -> Result<(), RenderError> {
        match value {
            Value::String(text) if is_template(text) => {
                let filled = evaluate(text, &self.values, self.scope.tz(), &mut self.budget);
                *value = filled.map_err(|message| failed(pointer, message))?;
            }
            Value::Array(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.fill_in(&format!("{pointer}/{index}"), item)?;
                }
            }
            Value::Object(map) => {
                for (key, item) in map.iter_mut() {
                    self.fill_in(&below(pointer, key), item)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// A text for a process.
    fn plain(&mut self, pointer: &str, text: &str) -> Result<String, RenderError> {
        let filled = evaluate_text(text, &self.values, self.scope.tz(), &mut self.budget);
        let filled = filled.map_err(|message| failed(pointer, message))?;
        if filled.contains('\0') {
            return Err(failed(pointer, "what it comes to contains a zero byte".to_owned()));
        }
        Ok(filled)
    }
}

fn failed(pointer: &str, message: String) -> RenderError {
    RenderError { pointer: pointer.to_owned(), message }
}
