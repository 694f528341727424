//! Between the exported interface, which speaks JSON text, and the actions, which speak types.
//!
//! An action becomes an [`Entry`] of plain function pointers, so that what is generic stays a few lines for each action.

use std::time::Duration;

use serde_json::Value;

use crate::bindings::exports::sandglass::plugin::action as wire;
use crate::{Action, Context, Failure, Issue, Outcome, Retry, Schemas, logging};

/// One action with its types taken away.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    name: &'static str,
    info: fn() -> wire::ActionInfo,
    validate: fn(&str) -> Result<(), Vec<Issue>>,
    run: fn(&str) -> Result<wire::Outcome, Failure>,
}

impl Entry {
    /// The entry of an action.
    #[must_use]
    pub const fn of<A: Action>() -> Self {
        Self { name: A::NAME, info: info::<A>, validate: check::<A>, run: perform::<A> }
    }
}

/// Answers `describe`.
#[must_use]
pub fn describe(entries: &[Entry]) -> Vec<wire::ActionInfo> {
    entries.iter().map(|entry| (entry.info)()).collect()
}

/// Answers `validate`.
///
/// # Errors
/// Everything that is wrong with the parameters.
pub fn validate(entries: &[Entry], action: &str, params: &str) -> Result<(), Vec<wire::Issue>> {
    let Some(entry) = find(entries, action) else {
        return Err(vec![wire::Issue { pointer: String::new(), message: unknown(entries, action) }]);
    };
    (entry.validate)(params).map_err(|issues| {
        let wire_issue = |issue: Issue| wire::Issue { pointer: issue.pointer, message: issue.message };
        issues.into_iter().map(wire_issue).collect()
    })
}

/// Answers `run`.
///
/// # Errors
/// The failure of the attempt.
pub fn run(entries: &[Entry], request: &wire::RunRequest) -> Result<wire::Outcome, wire::Failure> {
    logging::install();
    let result = match find(entries, &request.action) {
        Some(entry) => (entry.run)(&request.params),
        None => Err(Failure::new("unknown-action", unknown(entries, &request.action)).never_retry()),
    };
    result.map_err(wire_failure)
}

fn find<'a>(entries: &'a [Entry], action: &str) -> Option<&'a Entry> {
    entries.iter().find(|entry| entry.name == action)
}

fn unknown(entries: &[Entry], action: &str) -> String {
    let names: Vec<&str> = entries.iter().map(|entry| entry.name).collect();
    format!("there is no action {action:?} here; there is: {}", names.join(", "))
}

fn info<A: Action>() -> wire::ActionInfo {
    let (params_schema, output_schema) = match A::SCHEMAS {
        Some(Schemas { params, output }) => (params.concat(), output.map(<[_]>::concat)),
        None => schemas::<A>(),
    };
    wire::ActionInfo {
        name: A::NAME.to_owned(),
        title: A::TITLE.to_owned(),
        description: A::DESCRIPTION.to_owned(),
        params_schema,
        output_schema,
        examples: A::examples().iter().map(text).collect(),
        idempotent: A::IDEMPOTENT,
    }
}

/// The schemas that follow from the types of parameters and output.
pub(crate) fn schemas<A: Action>() -> (String, Option<String>) {
    (text(schemars::schema_for!(A::Params).as_value()), output_schema(&schemars::schema_for!(A::Output)))
}

/// The unit type's schema allows nothing but `null`: such an action has no output to describe.
fn output_schema(schema: &schemars::Schema) -> Option<String> {
    let value = schema.as_value();
    if value.get("type").and_then(Value::as_str) == Some("null") { None } else { Some(text(value)) }
}

/// JSON text. The one way in which the library writes it, because every further one makes the guest larger.
pub(crate) fn text(value: &Value) -> String {
    serde_json::to_string(value).expect("a JSON value can be written as text")
}

fn check<A: Action>(params: &str) -> Result<(), Vec<Issue>> {
    read::<A>(params).map(drop)
}

fn perform<A: Action>(params: &str) -> Result<wire::Outcome, Failure> {
    let params = read::<A>(params).map_err(|issues| invalid(&issues))?;
    let outcome = A::run(params, &Context::new())?;
    wire_outcome(outcome)
}

pub(crate) fn invalid(issues: &[Issue]) -> Failure {
    Failure::new("invalid-params", unfit(issues)).never_retry()
}

/// The parameters, in which the action finds nothing wrong. All that needs them comes here, because every copy of this makes
/// the guest larger.
#[inline(never)]
pub(crate) fn read<A: Action>(params: &str) -> Result<A::Params, Vec<Issue>> {
    let params = serde_json::from_str(params).map_err(|error| vec![Issue::at("", error.to_string())])?;
    let issues = A::validate(&params);
    if issues.is_empty() { Ok(params) } else { Err(issues) }
}

/// Why an attempt is not begun, and a plan not made.
pub(crate) fn unfit(issues: &[Issue]) -> String {
    match issues {
        [Issue { pointer, message }, ..] if !pointer.is_empty() => format!("{message} (at {pointer:?})"),
        [Issue { message, .. }, ..] => format!("the parameters do not fit: {message}"),
        [] => "the parameters do not fit".to_owned(),
    }
}

fn wire_outcome<T: serde::Serialize>(outcome: Outcome<T>) -> Result<wire::Outcome, Failure> {
    let output = outcome
        .output
        .map(|output| serde_json::to_string(&output))
        .transpose()
        .map_err(|error| Failure::new("output", format!("the result is not JSON: {error}")).never_retry())?;
    Ok(wire::Outcome { summary: outcome.summary, output, changed: outcome.changed, warnings: outcome.warnings })
}

fn wire_failure(failure: Failure) -> wire::Failure {
    wire::Failure {
        code: failure.code,
        message: failure.message,
        retry: match failure.retry {
            Retry::ByJobPolicy => wire::RetryAdvice::ByJobPolicy,
            Retry::Never => wire::RetryAdvice::Never,
            Retry::After(wait) => wire::RetryAdvice::After(nanoseconds(wait)),
        },
        detail: failure.detail.as_ref().map(text),
    }
}

/// A duration as the interface counts it; what does not fit (five centuries) becomes the longest that does.
pub(crate) fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
