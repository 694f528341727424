//! An attempt on its way through the host: registered, made, reported exactly once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt;
use sandglass_core::invocation::AttemptReport;
use sandglass_core::run::{ErrorClass, Usage};
use tokio::sync::SemaphorePermit;
use wasmtime::Store;

use crate::attempt::Attempt;
use crate::capability::files;
use crate::classify::{self, Wrong};
use crate::guest::Guest;
use crate::inner::{Inner, Registration};
use crate::invoke::{self, Conclusion, Instance, Stopped};
use crate::services::BoxFuture;
use crate::ticker::Active;

/// The most attempts that are spawned in one go; more are divided first.
const TOGETHER: usize = 8;

/// Who is told how attempts went.
pub(crate) type Done = Arc<dyn Fn(AttemptReport) + Send + Sync>;

/// An attempt on its way to its report. If it is dropped on the way, the report says that it was lost.
pub(crate) struct InFlight {
    registration: Registration,
    done: Option<Done>,
}

impl InFlight {
    /// Registers the attempt; `done` is to be told how it went.
    pub(crate) fn new(inner: &Arc<Inner>, attempt: Arc<Attempt>, done: Done) -> Self {
        Self { registration: Registration::new(inner, attempt), done: Some(done) }
    }

    /// `ahead` is its instance, if that is made already.
    pub(crate) async fn run(mut self, ahead: Option<Instance>) {
        let inner = Arc::clone(&self.registration.inner);
        let attempt = Arc::clone(&self.registration.attempt);
        let made = AssertUnwindSafe(make(&inner, &attempt, ahead)).catch_unwind().await;
        let (report, rest) = match made {
            Ok(Made { report, rest }) => (report, rest),
            Err(_) => {
                // A fault of the host. The guest's store is gone; its processes must go too before the report.
                tracing::error!(run = %attempt.run, "the host panicked while it made an attempt");
                let _ = AssertUnwindSafe(attempt.tasks.end(&attempt.stop, attempt.work.grace)).catch_unwind().await;
                (self.lost("the host failed while it made the attempt; its log says how"), None)
            }
        };
        self.report(report);
        // Nobody waits for this, but a host that stops does.
        drop(rest);
        let _ = AssertUnwindSafe(attempt.tasks.clear_folder()).catch_unwind().await;
    }

    fn lost(&self, message: &str) -> AttemptReport {
        let attempt = &self.registration.attempt;
        let conclusion = Conclusion::failed(Wrong::new(ErrorClass::Lost, "lost", message));
        conclusion.report(attempt, attempt.services.now(), Usage::default())
    }

    fn report(&mut self, report: AttemptReport) {
        let Some(done) = self.done.take() else { return };
        self.registration.forget();
        done(report);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.done.is_some() {
            self.report(self.lost("the host ended before the attempt did"));
        }
    }
}

/// Runs attempts on the guest threads; to be called on one of them. Many are divided first: what the spawning of an attempt
/// takes of the allocator is given back on the thread that runs it, and the two wait for each other there unless they are one.
pub(crate) fn run_all(mut all: Vec<InFlight>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        while all.len() > TOGETHER {
            tokio::spawn(run_all(all.split_off(all.len() / 2)));
        }
        for one in all {
            tokio::spawn(one.run(None));
        }
    })
}

/// An attempt that was made.
struct Made<'a> {
    report: AttemptReport,
    /// Nobody waits for it to be dropped.
    rest: Option<Rest<'a>>,
}

/// What an attempt leaves in the host. Dropped in this order: the place is free when the store is.
struct Rest<'a> {
    _store: Store<Guest>,
    _active: Active<'a>,
    _room: SemaphorePermit<'a>,
}

/// Makes the attempt when there is room, if it may be made at all.
async fn make<'a>(inner: &'a Inner, attempt: &Arc<Attempt>, ahead: Option<Instance>) -> Made<'a> {
    let not_started = |conclusion: Conclusion| Made {
        report: conclusion.report(attempt, attempt.services.now(), Usage::default()),
        rest: None,
    };
    let stopped = |reason| not_started(Conclusion::stopped(attempt, reason, Stopped::Ended, None));
    if let Some(reason) = attempt.stop.reason() {
        return stopped(reason);
    }
    let room = tokio::select! {
        biased;
        room = inner.room.acquire() => room.expect("the semaphore is never closed"),
        reason = attempt.stop.asked() => return stopped(reason),
    };
    let active = inner.ticker.attempt();
    let digest = attempt.work.digest;
    let Some(prepared) = inner.library.find(&digest) else {
        let message = format!("the component {digest} was not made ready before the attempt was started");
        return not_started(Conclusion::failed(Wrong::new(ErrorClass::Lost, "not-ready", message)));
    };
    if let Err((capability, denial)) = prepared.imports.check(&attempt.work.grants) {
        attempt.denied(capability, &denial);
        return not_started(Conclusion::failed(classify::denied(&denial)));
    }
    if let Err(error) = attempt.fill_in() {
        return not_started(Conclusion::failed(classify::not_filled(error)));
    }
    if let Err(wrong) = files::mount(attempt).await {
        return not_started(Conclusion::failed(wrong));
    }
    if let Some(reason) = attempt.stop.reason() {
        return stopped(reason);
    }
    let (report, store) = invoke::attempt(&inner.engine, &prepared.pre, attempt, ahead).await;
    Made { report, rest: Some(Rest { _store: store, _active: active, _room: room }) }
}
