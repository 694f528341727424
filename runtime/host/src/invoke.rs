//! One attempt, from a fresh instance to its report.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use sandglass_core::invocation::{AttemptReport, CancelReason, RetryAdvice, TimeLimit};
use sandglass_core::run::{AttemptEnd, AttemptError, AttemptOutcome, ErrorClass, Usage};
use sandglass_core::time::Timestamp;
use serde_json::json;
use tokio::time::Instant;
use wasmtime::{Engine, PoolConcurrencyLimitError, Store};

use crate::attempt::{Attempt, after, nanos};
use crate::bindings::{Plugin, PluginPre, action};
use crate::classify::{self, Wrong};
use crate::guest::Guest;

/// The most that a guest may hand over in one call to the host, in bytes.
const HOSTCALL_FUEL: usize = 5 << 20;
/// After how much fuel a guest is looked at: some hundredths of a second of work.
const FUEL_STEP: u64 = 100_000_000;
/// The most handles that a guest may have.
const HANDLES: usize = 1024;
/// The most that a result may have as JSON text, in bytes.
const RESULT: usize = 3 << 20;

/// How long an attempt waits before it asks again for a place in the pool.
pub(crate) const ROOM: Duration = Duration::from_millis(5);

/// How the guest's call came to its end.
pub(crate) enum Ended<T> {
    /// By itself.
    Finished(T),
    /// Its time to end by itself was over.
    Killed,
}

/// What a guest says at the end.
type Answer = wasmtime::Result<Result<action::Outcome, action::Failure>>;

/// An instance that has yet to be called.
pub(crate) struct Instance {
    pub(crate) store: Store<Guest>,
    pub(crate) plugin: Plugin,
}

/// A fresh store with all its limits.
pub(crate) fn store(engine: &Engine, attempt: &Arc<Attempt>) -> Store<Guest> {
    let mut store = Store::new(engine, Guest::new(Arc::clone(attempt)));
    store.limiter(|guest| &mut guest.limiter);
    store.set_hostcall_fuel(HOSTCALL_FUEL);
    store.set_max_component_handles(HANDLES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(|_| Ok(wasmtime::UpdateDeadline::Yield(1)));
    // What a guest has used since it was last looked at is lost if it is killed: so much at most.
    store.fuel_async_yield_interval(Some(FUEL_STEP)).expect("the engine's settings switch fuel on");
    store.set_fuel(attempt.work.limits.fuel.get()).expect("the engine's settings switch fuel on");
    store
}

/// Makes the attempt and tells how it went. When this returns the guest does not run any more and its processes are gone;
/// clearing its store away, which takes a while, is left to the caller.
pub(crate) async fn attempt(
    engine: &Engine,
    pre: &PluginPre<Guest>,
    attempt: &Arc<Attempt>,
    mut ahead: Option<Instance>,
) -> (AttemptReport, Store<Guest>) {
    let started_at = attempt.services.now();
    let start = Instant::now();
    attempt.begin(start);
    let (store, ended) = loop {
        let (mut store, plugin) = match ahead.take() {
            Some(Instance { mut store, plugin }) => {
                store.set_epoch_deadline(1);
                (store, Some(plugin))
            }
            None => (store(engine, attempt), None),
        };
        let ended = supervise(attempt, run(&mut store, pre, plugin, attempt)).await;
        if !is_out_of_room(&ended) || attempt.stop.reason().is_some() {
            break (store, ended);
        }
        drop(store);
        wait_for_room(attempt).await;
    };
    let fuel = attempt.work.limits.fuel.get().saturating_sub(store.get_fuel().unwrap_or(0));
    let usage = Usage {
        fuel,
        peak_memory_bytes: store.data().limiter.peak_memory(),
        wall_us: micros(start.elapsed()),
        guest_cpu_us: attempt.guest_cpu_us(),
        ..Usage::default()
    };
    let conclusion = conclude(attempt, &store, ended);
    attempt.tasks.end(&attempt.stop, attempt.work.grace).await;
    attempt.end_output();
    if let Some(progress) = attempt.progress.rest() {
        attempt.services.progress(attempt.run, attempt.number, progress);
    }
    // What processes printed until their end counts too.
    let report = conclusion.report(attempt, started_at, Usage { output_bytes: attempt.output_bytes(), ..usage });
    (report, store)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Calls the guest, in the instance that there is or in a fresh one.
async fn run(store: &mut Store<Guest>, pre: &PluginPre<Guest>, plugin: Option<Plugin>, attempt: &Attempt) -> Answer {
    let request = action::RunRequest { action: attempt.work.action.clone(), params: attempt.params().to_owned() };
    let plugin = match plugin {
        Some(plugin) => plugin,
        None => pre.instantiate_async(&mut *store).await?,
    };
    plugin.sandglass_plugin_action().call_run(store, &request).await
}

/// Waits for the guest; asks it to stop when it must; gives up on it when its grace is over.
pub(crate) async fn supervise<T>(attempt: &Attempt, call: impl Future<Output = T>) -> Ended<T> {
    tokio::pin!(call);
    let mut call = Metered { inner: call, spent: &attempt.spent };
    // The guest comes first each time: one that ends at once costs no timer.
    tokio::select! {
        biased;
        answer = &mut call => return Ended::Finished(answer),
        _ = attempt.stop.asked() => {}
        () = tokio::time::sleep_until(attempt.timeout_at()) => attempt.stop.ask(CancelReason::Timeout),
    }
    let give_up = after(Instant::now(), attempt.work.grace);
    tokio::select! {
        biased;
        answer = &mut call => Ended::Finished(answer),
        () = attempt.stop.killed() => Ended::Killed,
        () = tokio::time::sleep_until(give_up) => {
            attempt.stop.kill();
            Ended::Killed
        }
    }
}

/// Adds up the time that a future is being worked on.
struct Metered<'a, F> {
    inner: Pin<&'a mut F>,
    spent: &'a AtomicU64,
}

impl<F: Future> Future for Metered<'_, F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let start = Instant::now();
        let polled = self.inner.as_mut().poll(cx);
        self.spent.fetch_add(nanos(start.elapsed()), Ordering::Relaxed);
        polled
    }
}

/// How an attempt ended, before what it used is known in full.
pub(crate) struct Conclusion {
    outcome: AttemptOutcome,
    wrong: Option<Wrong>,
    good: Option<Good>,
}

/// How a guest ended that was to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stopped {
    /// By itself.
    Ended,
    /// By a limit or a trap, before its grace was over.
    Trapped,
    /// By the host.
    Killed,
}

/// What a guest that succeeded handed over.
struct Good {
    /// JSON text.
    result: String,
    /// The `exit_code` in its output, if there is one.
    exit_code: Option<i32>,
}

/// What the guest's end means, given whether it had been asked to stop.
fn conclude(attempt: &Attempt, store: &Store<Guest>, ended: Ended<Answer>) -> Conclusion {
    let limiter = &store.data().limiter;
    let is_silent = !matches!(ended, Ended::Finished(Ok(_)));
    let is_trapped = matches!(ended, Ended::Finished(Err(_)));
    let (killed, own) = match ended {
        Ended::Killed => (true, None),
        Ended::Finished(Ok(Ok(outcome))) => (false, Some(result(attempt, outcome))),
        Ended::Finished(Ok(Err(failure))) => (false, Some(Err(classify::failed_by_guest(attempt, limiter, failure)))),
        Ended::Finished(Err(error)) => (false, Some(Err(classify::ended_by_engine(attempt, limiter, &error)))),
    };
    let mut conclusion = match (attempt.stop.reason(), own) {
        // What was finished although the daemon is stopping need not be done again.
        (None | Some(CancelReason::Shutdown), Some(Ok(good))) => {
            Conclusion { outcome: AttemptOutcome::Succeeded, wrong: None, good: Some(good) }
        }
        (None, Some(Err(wrong))) => Conclusion::failed(wrong),
        (None, None) => Conclusion::failed(Wrong::new(ErrorClass::Lost, "lost", "the attempt was given up on")),
        (Some(reason), own) => {
            let how = match (killed, is_trapped) {
                (true, _) => Stopped::Killed,
                (false, true) => Stopped::Trapped,
                (false, false) => Stopped::Ended,
            };
            Conclusion::stopped(attempt, reason, how, own.and_then(Result::err))
        }
    };
    if is_silent
        && let Some(wrong) = &mut conclusion.wrong
        && let Some(left) = attempt.left_behind()
    {
        wrong.say_more(&left);
    }
    conclusion
}

/// The whole outcome as JSON, what the plugin left out left out.
fn result(attempt: &Attempt, outcome: action::Outcome) -> Result<Good, Wrong> {
    let invalid = |message: String| Wrong::new(ErrorClass::Guest, "invalid-result", message);
    let mut object = serde_json::Map::new();
    if let Some(summary) = outcome.summary {
        object.insert("summary".to_owned(), summary.into());
    }
    if let Some(output) = outcome.output {
        // Before it is read: as a tree it may be many times as large.
        if output.len() > RESULT {
            return Err(invalid(format!("the plugin returned {} bytes; a result has at most {RESULT}", output.len())));
        }
        let output = serde_json::from_str(&output)
            .map_err(|error| invalid(format!("the plugin returned an output that is no JSON: {error}")))?;
        object.insert("output".to_owned(), output);
    }
    if let Some(changed) = outcome.changed {
        object.insert("changed".to_owned(), changed.into());
    }
    if !outcome.warnings.is_empty() {
        object.insert("warnings".to_owned(), outcome.warnings.into());
    }
    let exit_code = object.get("output").and_then(classify::exit_code);
    let text = json_text(&attempt.masked_json(serde_json::Value::Object(object)));
    if text.len() > RESULT {
        let message = format!("the plugin returned {} bytes; a result has at most {RESULT}", text.len());
        return Err(invalid(message));
    }
    Ok(Good { result: text, exit_code })
}

/// A value as text. `to_string` of the value itself begins with nothing and grows, and where memory is given back on another
/// thread than it was taken on, growing it waits for that thread.
fn json_text(value: &serde_json::Value) -> String {
    serde_json::to_string(value).expect("a value has only text for keys")
}

impl Conclusion {
    /// An attempt that went wrong by itself.
    pub(crate) fn failed(wrong: Wrong) -> Self {
        Self { outcome: AttemptOutcome::Failed, wrong: Some(wrong), good: None }
    }

    /// An attempt that was stopped; `own` is what the guest says went wrong meanwhile.
    pub(crate) fn stopped(attempt: &Attempt, reason: CancelReason, stopped: Stopped, own: Option<Wrong>) -> Self {
        let how = match stopped {
            Stopped::Killed => "was killed when its grace was over",
            Stopped::Trapped => "was asked to stop, and did not end by itself",
            Stopped::Ended => "ended when it was asked to stop",
        };
        let (outcome, mut wrong) = match reason {
            CancelReason::Timeout => {
                let timeout = sandglass_core::quantity::Period::from_millis(
                    u64::try_from(attempt.work.timeout.as_millis()).unwrap_or(u64::MAX),
                );
                let (code, message) = match attempt.work.time_limit {
                    TimeLimit::Timeout => {
                        ("timeout", format!("the attempt took longer than its timeout of {timeout} and {how}"))
                    }
                    TimeLimit::Deadline => (
                        "deadline",
                        format!("the deadline of the whole run left the attempt {timeout}; it took longer and {how}"),
                    ),
                };
                (AttemptOutcome::TimedOut, Wrong::new(ErrorClass::Deadline, code, message))
            }
            CancelReason::User => {
                let message = format!("the run was cancelled; the attempt {how}");
                (AttemptOutcome::Cancelled, Wrong::new(ErrorClass::Guest, "cancelled", message))
            }
            CancelReason::JobDeleted => {
                let message = format!("the job was deleted while the run was going; the attempt {how}");
                (AttemptOutcome::Cancelled, Wrong::new(ErrorClass::Guest, "job_deleted", message))
            }
            CancelReason::Superseded => {
                let message = format!("a later fire of the job took the run's place; the attempt {how}");
                (AttemptOutcome::Cancelled, Wrong::new(ErrorClass::Guest, "superseded", message))
            }
            CancelReason::Shutdown => {
                let message = format!("the daemon was stopped; the attempt {how}");
                (AttemptOutcome::Interrupted, Wrong::new(ErrorClass::Lost, AttemptError::SHUTDOWN, message))
            }
        };
        if let Some(own) = own {
            // What it tells beside its message is for people too, who read the message first.
            if own.detail.is_some() || stopped == Stopped::Trapped {
                wrong.say_more(&format!(": {}", own.error.message));
            }
            wrong = Wrong { exit_code: own.exit_code, detail: own.detail, ..wrong };
        }
        Self { outcome, wrong: Some(wrong), good: None }
    }

    /// The report, as of now.
    pub(crate) fn report(self, attempt: &Attempt, started_at: Timestamp, usage: Usage) -> AttemptReport {
        let usage = Usage { capabilities: attempt.uses(), ..usage };
        let (error, exit_code, advice, result) = match self.wrong {
            Some(wrong) => {
                let AttemptError { class, code, message } = wrong.error;
                let error = AttemptError { class, code, message: attempt.masked(message) };
                let detail = wrong.detail.map(|detail| attempt.masked_json(json!({ "detail": detail })).to_string());
                (Some(error), wrong.exit_code, wrong.advice, detail)
            }
            None => {
                let (exit_code, result) = self.good.map_or((None, None), |good| (good.exit_code, Some(good.result)));
                (None, exit_code, RetryAdvice::ByJobPolicy, result)
            }
        };
        AttemptReport {
            run: attempt.run,
            attempt: attempt.number,
            started_at,
            end: AttemptEnd { finished_at: attempt.services.now(), outcome: self.outcome, error, exit_code, usage },
            result,
            advice,
        }
    }
}

/// Whether an attempt could not start because guests that need more than most have taken the pool's memories or tables.
pub(crate) fn is_out_of_room<T>(ended: &Ended<wasmtime::Result<T>>) -> bool {
    matches!(ended, Ended::Finished(Err(error)) if error.downcast_ref::<PoolConcurrencyLimitError>().is_some())
}

/// Waits a moment, and lets the timeout count: it is not the plugin's fault, but it must not wait for ever.
pub(crate) async fn wait_for_room(attempt: &Attempt) {
    let _ = attempt.unless_stopped(tokio::time::sleep(ROOM)).await;
    if attempt.remaining().is_zero() {
        attempt.stop.ask(CancelReason::Timeout);
    }
}
