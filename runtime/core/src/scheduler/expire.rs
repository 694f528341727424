//! Runs that are not started in time, and the time that a whole run may take.

use std::time::Duration;

use super::{Active, Entry, Scheduler, Stands};
use crate::event::Step;
use crate::id::RunId;
use crate::invocation::TimeLimit;
use crate::run::{Ending, ExpiryReason, Gate, Run, RunState};
use crate::time::Timestamp;

impl Entry {
    /// From when the deadlines of a run count: from when it was made, or from when the window opens that it was made to
    /// wait for.
    pub(super) fn counts_from(&self, run: &Run) -> Timestamp {
        let window = self.window.as_ref().filter(|_| run.gate != Gate::Open);
        let closed = window.filter(|window| !window.contains(run.queued_at));
        closed.and_then(|window| window.next_open(run.queued_at)).unwrap_or(run.queued_at)
    }

    /// When the whole run must be over.
    pub(super) fn deadline_of(&self, run: &Run) -> Option<Timestamp> {
        let deadline = self.job.spec.deadline?;
        Some(self.counts_from(run).after(deadline.get()))
    }

    /// When a queued run expires unless it is started before, and why.
    fn expiry_of(&self, run: &Run) -> Option<(Timestamp, ExpiryReason)> {
        let start = self.job.spec.start_deadline.filter(|_| run.attempts.is_empty());
        let start = start.map(|most| (self.counts_from(run).after(most.get()), ExpiryReason::StartDeadline));
        let whole = self.deadline_of(run).map(|at| (at, ExpiryReason::Deadline));
        start.into_iter().chain(whole).min_by_key(|(at, _)| *at)
    }

    /// How long an attempt of the run that starts at `now` may take.
    pub(super) fn time_of_attempt(&self, run: &Run, now: Timestamp) -> (Duration, TimeLimit) {
        let timeout = self.job.spec.timeout.get();
        match self.deadline_of(run).map(|at| at.since(now)) {
            Some(left) if left < timeout => (left, TimeLimit::Deadline),
            _ => (timeout, TimeLimit::Timeout),
        }
    }
}

impl Scheduler {
    /// Sets when a queued run expires, by its job as it is now.
    pub(super) fn set_expiry(&mut self, id: RunId) {
        self.forget_expiry(id);
        #[cfg(feature = "defects")]
        if self.forgets_deadline(id) {
            return;
        }
        let active = self.active.get_mut(&id).expect("only active runs expire");
        let entry = self.jobs.get(&active.run.job_id);
        let waits = match active.stands {
            Stands::Upstream(until) => until,
            _ => None,
        };
        let expiry = entry.and_then(|entry| entry.expiry_of(&active.run)).map(|(at, _)| at);
        let Some(at) = expiry.into_iter().chain(waits).min() else { return };
        active.expires_at = Some(at);
        self.expiries.insert((at, id));
    }

    /// The run was started or is over.
    pub(super) fn forget_expiry(&mut self, id: RunId) {
        let active = self.active.get_mut(&id).expect("only active runs expire");
        if let Some(at) = active.expires_at.take() {
            self.expiries.remove(&(at, id));
        }
    }

    /// Ends the queued runs that were not started in time.
    pub(super) fn due_expiries(&mut self, now: Timestamp, step: &mut Step) {
        while let Some((_, id)) = self.expiries.first().copied().filter(|(at, _)| *at <= now) {
            self.expire(id, now, step);
        }
    }

    /// Ends a queued run whose time is over.
    pub(super) fn expire(&mut self, id: RunId, now: Timestamp, step: &mut Step) {
        let Active { run, stands, .. } = &self.active[&id];
        let expiry = self.jobs.get(&run.job_id).and_then(|entry| entry.expiry_of(run));
        let reason = match (*stands, expiry) {
            (Stands::Upstream(Some(until)), Some((at, _))) if until < at => ExpiryReason::Requires,
            (Stands::Upstream(Some(_)), None) => ExpiryReason::Requires,
            (_, expiry) => expiry.map_or(ExpiryReason::StartDeadline, |(_, reason)| reason),
        };
        self.advance(id, RunState::Ended { ending: Ending::Expired(reason), at: now }, step);
    }
}
