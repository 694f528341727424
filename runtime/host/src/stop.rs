//! How an attempt is told to stop: first asked, then killed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use sandglass_core::invocation::CancelReason;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Whether an attempt should stop. The first reason stays.
#[derive(Default)]
pub(crate) struct Stop {
    asked: AtomicU8,
    asked_at: OnceLock<Instant>,
    killed: AtomicBool,
    changed: Notify,
}

impl Stop {
    /// Asks the attempt to stop.
    pub(crate) fn ask(&self, reason: CancelReason) {
        let code = match reason {
            CancelReason::User => 1,
            CancelReason::Timeout => 2,
            CancelReason::Shutdown => 3,
            CancelReason::Superseded => 4,
            CancelReason::JobDeleted => 5,
        };
        self.asked_at.get_or_init(Instant::now);
        if self.asked.compare_exchange(0, code, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
            self.changed.notify_waiters();
        }
    }

    /// Says that its time to end by itself is over.
    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::SeqCst);
        self.changed.notify_waiters();
    }

    /// Why it should stop, if it should.
    pub(crate) fn reason(&self) -> Option<CancelReason> {
        match self.asked.load(Ordering::SeqCst) {
            1 => Some(CancelReason::User),
            2 => Some(CancelReason::Timeout),
            3 => Some(CancelReason::Shutdown),
            4 => Some(CancelReason::Superseded),
            5 => Some(CancelReason::JobDeleted),
            _ => None,
        }
    }

    /// When it was asked to stop, if it was.
    pub(crate) fn asked_at(&self) -> Option<Instant> {
        self.asked_at.get().copied()
    }

    /// Whether its time to end by itself is over.
    pub(crate) fn is_killed(&self) -> bool {
        self.killed.load(Ordering::SeqCst)
    }

    /// Waits until it should stop.
    pub(crate) async fn asked(&self) -> CancelReason {
        self.until(|| self.reason()).await
    }

    /// Waits until its time to end by itself is over.
    pub(crate) async fn killed(&self) {
        self.until(|| self.is_killed().then_some(())).await;
    }

    async fn until<T>(&self, ready: impl Fn() -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before looking, so that a change in between is not missed.
            changed.as_mut().enable();
            if let Some(value) = ready() {
                return value;
            }
            changed.await;
        }
    }
}
