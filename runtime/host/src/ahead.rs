//! The instance of an attempt that is about to start, made while its start is made durable.
//!
//! Making one takes a tenth of the time of a small process, and the thread that does it has nothing else to do meanwhile.
//! None of the guest's code runs before the attempt starts: what begins with code is not announced.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use sandglass_core::invocation::Invocation;
use tokio::sync::oneshot::{self, error::TryRecvError};
use wasmtime::Engine;

use crate::attempt::{Attempt, lock};
use crate::component::Prepared;
use crate::in_flight::InFlight;
use crate::invoke::{self, Instance};

/// How long an instance waits for its attempt to start. Longer than guest threads sleep, so that its timer wakes none.
const PATIENCE: Duration = Duration::from_secs(5);

/// The attempt that is about to start, if it was announced. One place is enough: when several start, none of them has idle
/// threads to itself.
#[derive(Default)]
pub(crate) struct Announced(Mutex<Option<Waiting>>);

struct Waiting {
    attempt: Arc<Attempt>,
    start: oneshot::Sender<InFlight>,
}

impl Announced {
    /// Puts an attempt in the place of the one before. The receiver is given its start.
    pub(crate) fn put(&self, attempt: Arc<Attempt>) -> oneshot::Receiver<InFlight> {
        let (start, started) = oneshot::channel();
        *lock(&self.0) = Some(Waiting { attempt, start });
        started
    }

    /// The attempt, if it is the one that was announced, and where to start it. One of the same number that has other work, as
    /// when a commit failed and was decided on anew, is another.
    pub(crate) fn take(&self, invocation: &Invocation) -> Option<(Arc<Attempt>, oneshot::Sender<InFlight>)> {
        let is_it = |waiting: &mut Waiting| {
            let Attempt { run, number, work, .. } = &*waiting.attempt;
            (*run, *number) == (invocation.run, invocation.attempt) && Arc::ptr_eq(work, &invocation.work)
        };
        let Waiting { attempt, start } = lock(&self.0).take_if(is_it)?;
        Some((attempt, start))
    }
}

/// Makes the instance of an attempt unless it has started already, or another was announced in its place, and runs it once it
/// starts.
pub(crate) async fn run(
    engine: &Engine,
    prepared: &Prepared,
    attempt: &Arc<Attempt>,
    mut started: oneshot::Receiver<InFlight>,
) {
    match started.try_recv() {
        Err(TryRecvError::Empty) => {}
        Err(TryRecvError::Closed) => return,
        Ok(attempt) => return attempt.run(None).await,
    }
    // Whoever panics here would take the attempt along that may have started meanwhile.
    let made = AssertUnwindSafe(instance(engine, prepared, attempt)).catch_unwind().await;
    if let Some(attempt) = start(started, PATIENCE).await {
        attempt.run(made.ok().flatten()).await;
    }
}

/// None if it cannot be made: the attempt makes its own then, and tells why if it cannot either.
async fn instance(engine: &Engine, prepared: &Prepared, attempt: &Arc<Attempt>) -> Option<Instance> {
    let mut store = invoke::store(engine, attempt);
    let plugin = prepared.pre.instantiate_async(&mut store).await.ok()?;
    Some(Instance { store, plugin })
}

/// Waits until the attempt starts; None if it does not.
async fn start<T>(mut started: oneshot::Receiver<T>, patience: Duration) -> Option<T> {
    tokio::select! {
        biased;
        attempt = &mut started => attempt.ok(),
        () = tokio::time::sleep(patience) => {
            started.close();
            // It may have come at the last moment.
            started.try_recv().ok()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_start_is_never_lost() {
        let (sender, receiver) = oneshot::channel();
        sender.send("early").unwrap();
        assert_eq!(start(receiver, Duration::ZERO).await, Some("early"));

        let (sender, receiver) = oneshot::channel();
        let waiting = tokio::spawn(start(receiver, PATIENCE * 10));
        tokio::task::yield_now().await;
        sender.send("later").unwrap();
        assert_eq!(waiting.await.unwrap(), Some("later"));

        let (sender, receiver) = oneshot::channel();
        assert_eq!(start(receiver, Duration::ZERO).await, None, "its patience is over");
        assert_eq!(sender.send("too late"), Err("too late"), "it comes back");

        let (sender, receiver) = oneshot::channel::<()>();
        drop(sender);
        assert_eq!(start(receiver, PATIENCE * 10).await, None, "another was announced");
    }
}
