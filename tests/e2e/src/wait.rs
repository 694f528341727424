//! Waiting for facts, with a deadline.

use std::time::{Duration, Instant};

/// How often a fact is looked for.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// A moment after which waiting is a failure.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    began: Instant,
    limit: Duration,
}

impl Deadline {
    /// So long from now.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "tests of the real program happen in real time")]
    pub fn after(limit: Duration) -> Self {
        Self { began: Instant::now(), limit }
    }

    /// How long it has been.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Whether the time is up.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.elapsed() >= self.limit
    }
}

/// Waits until `look` finds something.
///
/// # Panics
///
/// If it finds nothing within `limit`; `what` then says what was waited for.
pub fn until<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Deadline::after(limit);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(!deadline.is_over(), "waited {limit:?} in vain for: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}
