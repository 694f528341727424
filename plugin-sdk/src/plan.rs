//! Saying what a run would do, without doing it.

use crate::bindings::planner::exports::sandglass::plugin::planner as wire;
use crate::dispatch::{self, text};
use crate::{Action, Context, Error, ErrorCode, Issue};

use serde_json::Value;

pub use wire::Effect;

/// An action that can say what a run of it would do. The host denies it everything that would change anything meanwhile.
pub trait Plan: Action {
    /// What a run with these parameters would do now. [`Action::validate`] finds nothing wrong with them.
    ///
    /// # Errors
    /// Why that cannot be said.
    fn plan(params: Self::Params, context: &Context) -> Result<Planned, Error>;
}

/// What a run would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// In order.
    pub steps: Vec<Step>,
    /// Whether nothing else would be done.
    pub is_complete: bool,
}

/// One thing that a run would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What kind of thing.
    pub effect: Effect,
    /// What it is done to, for people.
    pub target: String,
    /// What is done, for people.
    pub summary: String,
    /// Anything else, for machines.
    pub detail: Option<Value>,
}

impl Step {
    /// A step without detail.
    #[must_use]
    pub fn new(effect: Effect, target: impl Into<String>, summary: impl Into<String>) -> Self {
        Self { effect, target: target.into(), summary: summary.into(), detail: None }
    }
}

/// One action that can plan, with its types taken away.
#[derive(Debug, Clone, Copy)]
pub struct Planner {
    name: &'static str,
    plan: fn(&str) -> Result<wire::PlanReport, Error>,
}

impl Planner {
    /// That of an action.
    #[must_use]
    pub const fn of<A: Plan>() -> Self {
        Self { name: A::NAME, plan: planned::<A> }
    }
}

/// Answers `plan`.
///
/// # Errors
/// Why that cannot be said.
pub fn plan(planners: &[Planner], action: &str, params: &str) -> Result<wire::PlanReport, Error> {
    match planners.iter().find(|planner| planner.name == action) {
        Some(planner) => (planner.plan)(params),
        None => Err(error(ErrorCode::Unsupported, format!("the action {action} cannot say what it would do"))),
    }
}

fn error(code: ErrorCode, message: String) -> Error {
    Error { code, message, detail: None }
}

pub(crate) fn invalid(issues: &[Issue]) -> Error {
    error(ErrorCode::InvalidArgument, dispatch::unfit(issues))
}

fn planned<A: Plan>(params: &str) -> Result<wire::PlanReport, Error> {
    let params = dispatch::read::<A>(params).map_err(|issues| invalid(&issues))?;
    let Planned { steps, is_complete } = A::plan(params, &Context::new())?;
    let step = |Step { effect, target, summary, detail }: Step| wire::Step {
        effect,
        target,
        summary,
        detail: detail.as_ref().map(text),
    };
    Ok(wire::PlanReport { steps: steps.into_iter().map(step).collect(), complete: is_complete })
}
