//! An attempt on its way through the host: noted, made, reported exactly once.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use futures_util::FutureExt;
use sandglass_core::invocation::{AttemptReport, CancelReason};
use sandglass_core::run::{ErrorClass, Usage};

use crate::ahead::Instance;
use crate::attempt::{Attempt, lock};
use crate::classify::Wrong;
use crate::host::{Inner, Made};
use crate::invoke::Conclusion;
use crate::services::BoxFuture;

/// How many attempts one guest thread spawns of those that start together.
const TOGETHER: usize = 8;

/// Who is told how an attempt went.
pub(crate) enum Done {
    Once(Box<dyn FnOnce(AttemptReport) + Send>),
    Shared(Arc<dyn Fn(AttemptReport) + Send + Sync>),
}

/// An attempt that the host knows of, so that it can be stopped, and is waited for by a host that stops.
pub(crate) struct Noted {
    pub(crate) inner: Arc<Inner>,
    pub(crate) attempt: Arc<Attempt>,
    /// Whether it is among those that can be stopped.
    is_going: bool,
}

impl Noted {
    /// Notes the attempt. One that comes while the host is stopping is asked to stop at once.
    pub(crate) fn new(inner: &Arc<Inner>, attempt: Arc<Attempt>) -> Self {
        inner.count.fetch_add(1, Ordering::SeqCst);
        lock(inner.shard(attempt.run)).insert((attempt.run, attempt.number), Arc::clone(&attempt));
        if inner.stopping.load(Ordering::SeqCst) {
            attempt.stop.ask(CancelReason::Shutdown);
        }
        Self { inner: Arc::clone(inner), attempt, is_going: true }
    }

    /// It cannot be stopped any more.
    fn forget(&mut self) {
        if std::mem::take(&mut self.is_going) {
            lock(self.inner.shard(self.attempt.run)).remove(&(self.attempt.run, self.attempt.number));
        }
    }
}

impl Drop for Noted {
    fn drop(&mut self) {
        self.forget();
        if self.inner.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.inner.none_left.notify_waiters();
        }
    }
}

/// An attempt on its way to its report. If it is dropped on the way, the report says that it was lost.
pub(crate) struct Task {
    noted: Noted,
    done: Option<Done>,
}

impl Task {
    /// Notes the attempt, and that `done` is to be told how it went.
    pub(crate) fn new(inner: &Arc<Inner>, attempt: Arc<Attempt>, done: Done) -> Self {
        Self { noted: Noted::new(inner, attempt), done: Some(done) }
    }

    /// `ahead` is its instance, if that is made already.
    pub(crate) async fn run(mut self, ahead: Option<Instance>) {
        let inner = Arc::clone(&self.noted.inner);
        let attempt = Arc::clone(&self.noted.attempt);
        let made = AssertUnwindSafe(inner.make(&attempt, ahead)).catch_unwind().await;
        let (report, rest) = match made {
            Ok(Made { report, rest }) => (report, rest),
            Err(_) => {
                // A fault of the host. The guest's store is gone; its processes must go too before the report.
                tracing::error!(run = %attempt.run, "the host panicked while it made an attempt");
                let _ = AssertUnwindSafe(attempt.tasks.end()).catch_unwind().await;
                (self.lost("the host failed while it made the attempt; its log says how"), None)
            }
        };
        self.report(report);
        // Nobody waits for this, but a host that stops does.
        drop(rest);
        let _ = AssertUnwindSafe(attempt.tasks.clear_folder()).catch_unwind().await;
    }

    fn lost(&self, message: &str) -> AttemptReport {
        let attempt = &self.noted.attempt;
        let conclusion = Conclusion::failed(Wrong::new(ErrorClass::Lost, "lost", message));
        conclusion.report(attempt, attempt.services.now(), Usage::default())
    }

    fn report(&mut self, report: AttemptReport) {
        let Some(done) = self.done.take() else { return };
        self.noted.forget();
        match done {
            Done::Once(done) => done(report),
            Done::Shared(done) => done(report),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if self.done.is_some() {
            self.report(self.lost("the host ended before the attempt did"));
        }
    }
}

/// Runs tasks on the guest threads, the last of them on the present one: with only one, no other thread is woken. Many are
/// divided first: what the spawning of a task takes of the allocator is given back on the thread that runs it, and the two
/// wait for each other there unless they are one.
pub(crate) fn spread(mut tasks: Vec<Task>) -> BoxFuture<'static, ()> {
    Box::pin(async move {
        while tasks.len() > TOGETHER {
            tokio::spawn(spread(tasks.split_off(tasks.len() / 2)));
        }
        let last = tasks.pop();
        for task in tasks {
            tokio::spawn(task.run(None));
        }
        if let Some(task) = last {
            task.run(None).await;
        }
    })
}
