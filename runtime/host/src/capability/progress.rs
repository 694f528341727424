//! How far a run has come, for people who watch it.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::clip;
use crate::attempt::{Attempt, lock};
use crate::bindings::progress;
use crate::guest::Guest;
use crate::services::Progress;

/// Word is passed on at most this often.
const INTERVAL: Duration = Duration::from_millis(200);
/// The most that a unit or a message may have, in bytes.
const TEXT: usize = 1024;

/// Passes the first word on at once and the last one at the end, and those between only now and then.
#[derive(Default)]
pub(crate) struct Coalescer(Mutex<State>);

#[derive(Default)]
struct State {
    passed_on: Option<Instant>,
    waiting: Option<Progress>,
    /// What the guest said last.
    last: Option<Progress>,
}

impl Coalescer {
    /// What to pass on now, given news at `now`.
    fn news(&self, progress: Progress, now: Instant) -> Option<Progress> {
        let mut state = lock(&self.0);
        if state.passed_on.is_some_and(|at| now.duration_since(at) < INTERVAL) {
            state.waiting = Some(progress);
            return None;
        }
        state.passed_on = Some(now);
        state.waiting = None;
        Some(progress)
    }

    /// Notes what the guest says.
    fn remember(&self, progress: &Progress) {
        lock(&self.0).last = Some(progress.clone());
    }

    /// What the guest said last, if it said anything.
    fn last(&self) -> Option<Progress> {
        lock(&self.0).last.clone()
    }

    /// What was held back and must be passed on at the end.
    pub(crate) fn rest(&self) -> Option<Progress> {
        lock(&self.0).waiting.take()
    }
}

/// Passes on what the host does for the guest meanwhile, with how far the guest said last that it had come.
pub(crate) fn tell_meanwhile(attempt: &Attempt, message: String) {
    if let Some(last) = attempt.progress.last() {
        tell(attempt, Progress { message: Some(message), ..last });
    }
}

/// Passes on what is news by now, without the values of secrets.
pub(crate) fn tell(attempt: &Attempt, progress: Progress) {
    let text = |text: Option<String>| text.map(|text| clip(attempt.masked(text), TEXT));
    let progress = Progress { unit: text(progress.unit), message: text(progress.message), ..progress };
    if let Some(progress) = attempt.progress.news(progress, Instant::now()) {
        attempt.services.progress(attempt.run, attempt.number, progress);
    }
}

impl progress::Host for Guest {
    fn report(&mut self, update: progress::Update) -> wasmtime::Result<()> {
        let progress::Update { completed, total, unit, message } = update;
        let progress = Progress { completed, total, unit, message };
        self.attempt.progress.remember(&progress);
        tell(&self.attempt, progress);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_now_and_then_and_the_last() {
        let coalescer = Coalescer::default();
        let start = Instant::now();
        let at = |completed| Progress { completed, total: None, unit: None, message: None };
        assert_eq!(coalescer.news(at(1), start), Some(at(1)));
        assert_eq!(coalescer.news(at(2), start + INTERVAL / 2), None);
        assert_eq!(coalescer.news(at(3), start + INTERVAL), Some(at(3)));
        assert_eq!(coalescer.news(at(4), start + INTERVAL), None);
        assert_eq!(coalescer.rest(), Some(at(4)));
        assert_eq!(coalescer.rest(), None);
    }
}
