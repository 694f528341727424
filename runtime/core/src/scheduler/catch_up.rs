//! What fires come to that are dealt with late: after the daemon was down, suspended or overloaded.
//!
//! A fire is decided on when it is next in order, by what the job's [`Cursor`](crate::job::Cursor) remembers of those
//! before it. Nothing looks ahead, so a backlog of any length costs each fire the same, and a crash in the middle of one
//! changes nothing: what was decided so far is in the store.
//!
//! - `latest` and `all` hold a fire back until all that are due have been looked at. When more are held than may run (one;
//!   `limit`), the earliest of them is missed.
//! - `earliest` starts the first one, which stands for all that were due by then.
//! - `none` starts nothing late.

use super::{Entry, FIRES_PER_STEP, LATE_AFTER, Scheduler};
use crate::event::{Refusal, Step};
use crate::id::JobId;
use crate::job::Backlog;
use crate::run::SkipReason;
use crate::spec::{CatchUpPolicy, Outside, Overlap};
use crate::time::Timestamp;

use super::overlap::Passage;

/// The most fires dealt with at once because their schedule is about to be forgotten. While more are overdue, the change
/// is refused, and ticks go on to deal with them.
const FIRES_TO_SETTLE: usize = 40 * FIRES_PER_STEP;

/// What a fire comes to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It starts a run.
    Start,
    /// It starts a run that stands for all fires that are due by now.
    StandIn,
    /// It waits until all that are due have been looked at.
    Hold,
    /// It starts nothing.
    Skip(SkipReason),
}

impl Entry {
    /// What the fire at `at`, the next in order, comes to by the job's catch-up policy.
    pub(super) fn verdict(&self, at: Timestamp, now: Timestamp) -> Verdict {
        // A fire that would not have run punctually is not caught up either.
        if self.window.as_ref().is_some_and(|window| window.outside() == Outside::Skip && !window.contains(at)) {
            return Verdict::Skip(SkipReason::OutsideWindow);
        }
        let catch_up = &self.job.spec.catch_up;
        let late = now.since(at);
        let in_backlog = match self.cursor.backlog.as_deref() {
            Some(Backlog::StoodForUntil(until)) if at <= *until => return Verdict::Skip(SkipReason::Missed),
            Some(Backlog::Held(_)) => true,
            _ => false,
        };
        if late <= LATE_AFTER && !in_backlog {
            return Verdict::Start;
        }
        // A job's first fire is never missed for its age: no run has come of its fires, and none is held back for one. That
        // calendars or the window left out others before it changes nothing.
        let first = self.cursor.fired == 0 && !in_backlog;
        match catch_up.policy {
            // Whoever asks for none means the first fire too.
            CatchUpPolicy::None if late <= LATE_AFTER => Verdict::Start,
            CatchUpPolicy::None => Verdict::Skip(SkipReason::Missed),
            _ if late > catch_up.window.get() && !first => Verdict::Skip(SkipReason::Missed),
            CatchUpPolicy::Earliest => Verdict::StandIn,
            CatchUpPolicy::Latest | CatchUpPolicy::All => Verdict::Hold,
        }
    }

    /// How many late fires run at most.
    fn held_at_most(&self) -> usize {
        match self.job.spec.catch_up.policy {
            CatchUpPolicy::All => usize::try_from(self.job.spec.catch_up.limit).unwrap_or(usize::MAX),
            CatchUpPolicy::Latest | CatchUpPolicy::Earliest | CatchUpPolicy::None => 1,
        }
    }
}

impl Scheduler {
    /// Holds back the fire at `at`. If that are too many, the earliest one is missed.
    pub(super) fn hold(&mut self, id: JobId, at: Timestamp, now: Timestamp, step: &mut Step) {
        let entry = self.jobs.get_mut(&id).expect("fires are of jobs that are there");
        let most = entry.held_at_most();
        let mut held = match entry.cursor.backlog.take().map(|backlog| *backlog) {
            Some(Backlog::Held(held)) => held,
            Some(Backlog::StoodForUntil(_)) | None => Vec::new(),
        };
        held.push(at);
        let too_many = held.len().saturating_sub(most);
        let missed: Vec<Timestamp> = held.drain(..too_many).collect();
        entry.cursor.backlog = Some(Box::new(Backlog::Held(held)));
        for missed in missed {
            self.skip_fire(id, self.held_fire(id, missed), SkipReason::Missed, now, step);
        }
    }

    /// Starts the fires that are held back.
    pub(super) fn release(&mut self, id: JobId, now: Timestamp, step: &mut Step) {
        let entry = self.jobs.get_mut(&id).expect("fires are of jobs that are there");
        if !matches!(entry.cursor.backlog.as_deref(), Some(Backlog::Held(_))) {
            return;
        }
        let Some(Backlog::Held(held)) = entry.cursor.backlog.take().map(|backlog| *backlog) else { return };
        let spec = &entry.job.spec;
        // Fires that all shall run but must not overlap wait for one another, or all but one would be skipped.
        let in_turn = spec.catch_up.policy == CatchUpPolicy::All && spec.overlap != Overlap::AllowAll;
        let passage = if in_turn { Passage::Turn } else { Passage::ByPolicy };
        for at in held {
            match self.jobs[&id].refuses_held() {
                Some(reason) => self.skip_fire(id, self.held_fire(id, at), reason, now, step),
                None => self.start_fire(id, self.held_fire(id, at), passage, now, step),
            }
        }
    }

    /// Refuses a change of the schedules of `jobs` while so many of their fires are due that they cannot be dealt with at
    /// once: each must leave its record.
    pub(super) fn check_overdue(&self, jobs: impl IntoIterator<Item = JobId>, now: Timestamp) -> Result<(), Refusal> {
        let mut left = FIRES_TO_SETTLE;
        for id in jobs {
            let entry = &self.jobs[&id];
            let fires = std::iter::successors(entry.cursor.next_fire_at, |at| entry.next_fire_after(*at));
            let due = fires.take_while(|at| *at <= now).take(left + 1).count();
            left = left
                .checked_sub(due)
                .ok_or_else(|| Refusal::Overdue { name: entry.job.spec.name.clone(), most: FIRES_TO_SETTLE })?;
        }
        Ok(())
    }

    /// Deals with a job's fires that are due because its triggers or policies are about to change. How many they are was
    /// bounded by [`Scheduler::check_overdue`].
    pub(super) fn settle(&mut self, id: JobId, now: Timestamp, step: &mut Step) {
        self.overdue_fires(id, usize::MAX, now, step);
        if !self.jobs[&id].cursor.held().is_empty() {
            self.release(id, now, step);
            self.put_cursor(id, now, step);
        }
        // Runs that may start or follow do so by the job as it still is; one that starts later in this step, by the job as
        // it is then, does so in a write behind that of the job.
        self.follow_up(now, step);
        self.end_step();
    }
}
