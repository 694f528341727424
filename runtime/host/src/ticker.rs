//! A thread of the operating system that moves the engine's epoch, so that a guest that computes gives way in time.
//!
//! It sleeps for good while no attempt is going: an idle daemon is not woken a hundred times a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::Thread;
use std::time::Duration;

use tokio::sync::Notify;
use wasmtime::EngineWeak;

use crate::config::HostError;

/// How often guests that compute give way.
const TICK: Duration = Duration::from_millis(10);
/// After how many ticks without an attempt the thread goes to sleep.
const IDLE_TICKS: u32 = 100;
/// How often the thread calls the chore, in ticks.
const CHORE_TICKS: u32 = 100;

/// Tells those who wait of each tick.
#[derive(Default)]
pub(crate) struct Ticks(Notify);

impl Ticks {
    /// Waits for the next tick, which comes within 10 ms while attempts are going.
    pub(crate) async fn next(&self) {
        self.0.notified().await;
    }
}

/// Counts the attempts that are going, and wakes the thread when there are any.
pub(crate) struct Ticker {
    shared: Arc<Shared>,
    ticks: Arc<Ticks>,
    thread: Thread,
}

#[derive(Default)]
struct Shared {
    active: AtomicUsize,
    asleep: AtomicBool,
    ended: AtomicBool,
}

impl Ticker {
    /// Starts the thread. `chore` is called about once a second while attempts are going, and for as long after them as it says
    /// that there is something left to do.
    pub(crate) fn start(engine: EngineWeak, chore: impl Fn() -> bool + Send + 'static) -> Result<Self, HostError> {
        let shared = Arc::new(Shared::default());
        let ticks = Arc::<Ticks>::default();
        let (theirs, told) = (Arc::clone(&shared), Arc::clone(&ticks));
        let handle = std::thread::Builder::new()
            .name("guest-ticker".to_owned())
            .spawn(move || run(&theirs, &told, &engine, &chore))
            .map_err(HostError::Threads)?;
        Ok(Self { shared, ticks, thread: handle.thread().clone() })
    }

    /// Its ticks.
    pub(crate) fn ticks(&self) -> &Arc<Ticks> {
        &self.ticks
    }

    /// An attempt begins; it ends when the guard is dropped.
    pub(crate) fn attempt(&self) -> Active<'_> {
        self.shared.active.fetch_add(1, Ordering::SeqCst);
        if self.shared.asleep.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        Active(&self.shared.active)
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::SeqCst);
        self.thread.unpark();
    }
}

/// An attempt that is going.
pub(crate) struct Active<'a>(&'a AtomicUsize);

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn run(shared: &Shared, told: &Ticks, engine: &EngineWeak, chore: &dyn Fn() -> bool) {
    let mut idle: u32 = 0;
    let mut ticks: u32 = 0;
    while !shared.ended.load(Ordering::SeqCst) {
        if idle >= IDLE_TICKS {
            shared.asleep.store(true, Ordering::SeqCst);
            // An attempt that began before the mark was set would not wake us: look again before sleeping.
            let is_idle = || shared.active.load(Ordering::SeqCst) == 0 && !shared.ended.load(Ordering::SeqCst);
            while is_idle() && chore() {
                std::thread::park_timeout(TICK * CHORE_TICKS);
            }
            if is_idle() {
                std::thread::park();
            }
            shared.asleep.store(false, Ordering::SeqCst);
            idle = 0;
        }
        std::thread::park_timeout(TICK);
        let Some(engine) = engine.upgrade() else { return };
        engine.increment_epoch();
        told.0.notify_waiters();
        idle = if shared.active.load(Ordering::SeqCst) == 0 { idle + 1 } else { 0 };
        ticks = ticks.wrapping_add(1);
        if ticks.is_multiple_of(CHORE_TICKS) {
            chore();
        }
    }
}
