//! Many lives, on all processors.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use sandglass_core::scheduler::Options;

use crate::check::Violation;
use crate::life::Life;
use crate::trace::Trace;

/// A life in which a promise was broken.
#[derive(Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What was broken.
    pub violation: Violation,
}

/// What came of many lives.
#[derive(Debug)]
pub struct Outcome {
    /// How many were lived.
    pub lives: u64,
    /// How many runs there were in them.
    pub runs: usize,
    /// The failure of the smallest seed, if there is one.
    pub failure: Option<Failure>,
}

/// Lives the life of `seed`. Gives how many runs there were in it, and what was told.
///
/// # Errors
///
/// The first promise that was broken.
pub fn live(seed: u64, options: &Options, trace: Trace) -> (Result<usize, Violation>, Vec<String>) {
    let mut life = Life::new(seed, options, trace);
    let lived = catch_unwind(AssertUnwindSafe(|| life.live()));
    let outcome = lived.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        Err(Violation { checker: "panics", what: text.to_owned() })
    });
    (outcome, life.told())
}

/// Lives the lives of `count` seeds from `first` on, until one fails.
#[must_use]
pub fn live_all(first: u64, count: u64, options: &Options) -> Outcome {
    let next = AtomicU64::new(first);
    let (lives, runs) = (AtomicU64::new(0), AtomicUsize::new(0));
    let failure: Mutex<Option<Failure>> = Mutex::new(None);
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    // Seeds are handed out in order, so none is left that is smaller than one that failed.
                    let failed = failure.lock().unwrap_or_else(PoisonError::into_inner).is_some();
                    if failed || seed - first >= count {
                        return;
                    }
                    match live(seed, options, Trace::Off).0 {
                        Ok(count) => _ = runs.fetch_add(count, Ordering::Relaxed),
                        Err(violation) => {
                            let mut failure = failure.lock().unwrap_or_else(PoisonError::into_inner);
                            if failure.as_ref().is_none_or(|other| seed < other.seed) {
                                *failure = Some(Failure { seed, violation });
                            }
                        }
                    }
                    lives.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let failure = failure.into_inner().unwrap_or_else(PoisonError::into_inner);
    Outcome { lives: lives.into_inner(), runs: runs.into_inner(), failure }
}
