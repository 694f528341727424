//! The instance of an attempt that is about to start, made while its start is made durable.
//!
//! Making one takes a tenth of the time of a small process, and the thread that does it has nothing else to do meanwhile.
//! None of the guest's code runs before the attempt starts: what begins with code is not announced.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandglass_core::id::RunId;
use tokio::sync::oneshot;
use wasmtime::{Engine, Store};

use crate::attempt::{Attempt, lock};
use crate::bindings::Plugin;
use crate::component::Prepared;
use crate::guest::Guest;
use crate::host::Task;
use crate::invoke;

/// How long an instance waits for its attempt to start. Longer than guest threads sleep, so that its timer wakes none.
const PATIENCE: Duration = Duration::from_secs(5);

/// An instance that has yet to be called.
pub(crate) struct Instance {
    pub(crate) store: Store<Guest>,
    pub(crate) plugin: Plugin,
}

/// The attempt that is about to start, if it was announced. One place is enough: when several start, none of them has idle
/// threads to itself.
#[derive(Default)]
pub(crate) struct Announced(Mutex<Option<Waiting>>);

struct Waiting {
    attempt: Arc<Attempt>,
    start: oneshot::Sender<Task>,
}

impl Announced {
    /// Puts an attempt in the place of the one before. The receiver is given its start.
    pub(crate) fn put(&self, attempt: Arc<Attempt>) -> oneshot::Receiver<Task> {
        let (start, started) = oneshot::channel();
        *lock(&self.0) = Some(Waiting { attempt, start });
        started
    }

    /// The attempt, if it is the one that was announced, and where to start it.
    pub(crate) fn take(&self, run: RunId, number: u32) -> Option<(Arc<Attempt>, oneshot::Sender<Task>)> {
        let is_it = |waiting: &mut Waiting| waiting.attempt.run == run && waiting.attempt.number == number;
        let Waiting { attempt, start } = lock(&self.0).take_if(is_it)?;
        Some((attempt, start))
    }

    /// Forgets the attempt.
    pub(crate) fn clear(&self) {
        drop(lock(&self.0).take());
    }
}

/// Makes the instance of an attempt that has not started. None if that fails: the attempt makes its own then, and tells why if
/// that fails too.
pub(crate) async fn instance(engine: &Engine, prepared: &Prepared, attempt: &Arc<Attempt>) -> Option<Instance> {
    let mut store = invoke::store(engine, attempt);
    let plugin = prepared.pre.instantiate_async(&mut store).await.ok()?;
    Some(Instance { store, plugin })
}

/// Waits until the attempt starts; None if it does not.
pub(crate) async fn start(mut started: oneshot::Receiver<Task>) -> Option<Task> {
    tokio::select! {
        biased;
        task = &mut started => task.ok(),
        () = tokio::time::sleep(PATIENCE) => {
            started.close();
            // It may have come at the last moment.
            started.try_recv().ok()
        }
    }
}
