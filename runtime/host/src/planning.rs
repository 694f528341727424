//! Asking a plugin what a run would do, with leave to look and not to touch.

use std::sync::Arc;

use sandglass_core::id::Digest;
use sandglass_core::plan::{MAX_STEPS, Plan, Step, StepEffect};
use sandglass_core::run::{AttemptError, ErrorClass};
use tokio::time::Instant;
use wasmtime::Engine;

use crate::attempt::Attempt;
use crate::bindings::{planner, types};
use crate::capability::{clip, files};
use crate::classify::{self, Wrong};
use crate::component::Prepared;
use crate::invoke::{self, Ended};

/// The most that the text of a step may have, in bytes.
const TEXT: usize = 2000;
/// The most that all details together may have, in bytes.
const DETAILS: usize = 1 << 20;

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum NoPlan {
    /// Its component has not been made ready.
    #[error("the component {0} is not ready to run; prepare it first")]
    NotReady(Digest),
    /// Others are being made.
    #[error("other plans are being made just now; try again in a minute")]
    Busy,
    /// The host is stopping.
    #[error("the host is stopping")]
    Stopping,
    /// The plugin could not say, or the attempt not begin.
    #[error("{}", .0.message)]
    Failed(AttemptError),
}

/// What the attempt would do. Nothing of it is left when this returns.
pub(crate) async fn plan(engine: &Engine, prepared: &Prepared, attempt: &Arc<Attempt>) -> Result<Plan, AttemptError> {
    let planned = ask(engine, prepared, attempt).await;
    attempt.tasks.end(&attempt.stop, attempt.work.grace).await;
    attempt.tasks.clear_folder().await;
    let answer = planned.map_err(|wrong| {
        let AttemptError { class, code, message } = wrong.error;
        AttemptError { class, code, message: attempt.masked(message) }
    })?;
    let complete = answer.as_ref().is_some_and(|report| report.complete && report.steps.len() <= MAX_STEPS);
    let mut room = DETAILS;
    let steps = answer
        .map(|report| report.steps.into_iter().take(MAX_STEPS).map(|step| told(attempt, step, &mut room)).collect());
    let (plugin, action) = (attempt.work.plugin.clone(), attempt.work.action.clone());
    Ok(Plan { plugin, action, params: attempt.shown_params(), steps, complete })
}

async fn ask(
    engine: &Engine,
    prepared: &Prepared,
    attempt: &Arc<Attempt>,
) -> Result<Option<planner::PlanReport>, Wrong> {
    prepared.imports.check(&attempt.work.grants).map_err(|(_, denial)| classify::denied(&denial))?;
    attempt.fill_in().map_err(classify::not_filled)?;
    let Some(pre) = &prepared.planning else { return Ok(None) };
    files::mount(attempt).await?;
    attempt.begin(Instant::now());
    loop {
        let mut store = invoke::store(engine, attempt);
        let call = async {
            let plugin = pre.instantiate_async(&mut store).await?;
            let params = attempt.params().to_owned();
            plugin.sandglass_plugin_planner().call_plan(&mut store, &attempt.work.action, &params).await
        };
        let ended = invoke::supervise(attempt, call).await;
        if invoke::is_out_of_room(&ended) && attempt.stop.reason().is_none() {
            drop(store);
            invoke::wait_for_room(attempt).await;
            continue;
        }
        return match ended {
            Ended::Finished(Ok(Ok(report))) => Ok(Some(report)),
            Ended::Finished(Ok(Err(error))) => Err(refused(&error)),
            Ended::Finished(Err(error)) => Err(classify::ended_by_engine(attempt, &store.data().limiter, &error)),
            Ended::Killed => {
                let message =
                    format!("the plugin took longer than {} s to say what it would do", attempt.work.timeout.as_secs());
                Err(Wrong::new(ErrorClass::Deadline, "timeout", message))
            }
        };
    }
}

/// What the plugin says why it cannot tell.
fn refused(error: &types::Error) -> Wrong {
    let (class, code) = match error.code {
        types::ErrorCode::Denied => (ErrorClass::Denied, "denied"),
        types::ErrorCode::Unavailable => (ErrorClass::Guest, "unavailable"),
        types::ErrorCode::NotFound => (ErrorClass::Guest, "not-found"),
        _ => (ErrorClass::Guest, "guest"),
    };
    Wrong::new(class, code, error.message.clone())
}

fn told(attempt: &Attempt, step: planner::Step, room: &mut usize) -> Step {
    let effect = match step.effect {
        planner::Effect::Read => StepEffect::Read,
        planner::Effect::Create => StepEffect::Create,
        planner::Effect::Update => StepEffect::Update,
        planner::Effect::Remove => StepEffect::Remove,
        planner::Effect::Execute => StepEffect::Execute,
        planner::Effect::Send => StepEffect::Send,
        planner::Effect::Other => StepEffect::Other,
    };
    let text = |text: String| clip(attempt.shown(text), TEXT);
    let detail = step.detail.filter(|detail| detail.len() <= *room);
    *room -= detail.as_ref().map_or(0, String::len);
    let detail = detail.and_then(|detail| attempt.shown_json(&detail));
    Step { effect, target: text(step.target), summary: text(step.summary), detail }
}
