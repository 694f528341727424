//! The attempts that a host knows of: so that they can be stopped, and a host that stops can wait for them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sandglass_core::id::RunId;
use sandglass_core::invocation::CancelReason;
use tokio::sync::Notify;

use crate::attempt::{Attempt, lock};

/// They are kept in this many maps, so that guest threads seldom wait for each other.
const SHARDS: usize = 16;

/// Every attempt from its registration on.
#[derive(Default)]
pub(crate) struct Registry {
    /// Those that can be stopped.
    going: [Shard; SHARDS],
    /// Those that a stopping host waits for.
    count: AtomicUsize,
    none_left: Notify,
    stopping: AtomicBool,
}

/// Apart from others by two lines of the processor's caches, which it fetches in pairs: threads that use different ones would
/// wait for each other all the same.
#[derive(Default)]
#[repr(align(128))]
struct Shard(Mutex<HashMap<(RunId, u32), Arc<Attempt>>>);

impl Registry {
    /// Adds an attempt. One that comes while the host is stopping is asked to stop at once. [`Registry::forget`] and
    /// [`Registry::ended`] must follow, once each.
    pub(crate) fn add(&self, attempt: &Arc<Attempt>) {
        self.count.fetch_add(1, Ordering::SeqCst);
        lock(&self.shard(attempt.run).0).insert((attempt.run, attempt.number), Arc::clone(attempt));
        if self.is_stopping() {
            attempt.stop.ask(CancelReason::Shutdown);
        }
    }

    /// It cannot be stopped any more.
    pub(crate) fn forget(&self, attempt: &Attempt) {
        lock(&self.shard(attempt.run).0).remove(&(attempt.run, attempt.number));
    }

    /// Nobody waits for it any more.
    pub(crate) fn ended(&self) {
        if self.count.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.none_left.notify_waiters();
        }
    }

    /// The attempt of this number, if it can be stopped.
    pub(crate) fn find(&self, run: RunId, number: u32) -> Option<Arc<Attempt>> {
        lock(&self.shard(run).0).get(&(run, number)).cloned()
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Asks all attempts to stop, also those to come.
    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.for_each(|attempt| attempt.stop.ask(CancelReason::Shutdown));
    }

    /// Ends all attempts that are going, whatever they do.
    pub(crate) fn kill_all(&self) {
        self.for_each(|attempt| {
            attempt.stop.ask(CancelReason::Shutdown);
            attempt.stop.kill();
        });
    }

    /// Waits until nobody needs to wait for any attempt.
    pub(crate) async fn all_ended(&self) {
        loop {
            let none_left = self.none_left.notified();
            tokio::pin!(none_left);
            none_left.as_mut().enable();
            if self.count.load(Ordering::SeqCst) == 0 {
                return;
            }
            none_left.await;
        }
    }

    fn for_each(&self, act: impl Fn(&Attempt)) {
        for shard in &self.going {
            lock(&shard.0).values().for_each(|attempt| act(attempt));
        }
    }

    fn shard(&self, run: RunId) -> &Shard {
        let bits = usize::try_from(run.to_bits() % SHARDS as u128).expect("less than the number of shards");
        &self.going[bits]
    }
}
