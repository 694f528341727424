//! Time passes: fires and retries that are due.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use super::catch_up::Verdict;
use super::overlap::Passage;
use super::start::Start;
use super::{FIRES_PER_STEP, LATE_AFTER, Scheduler};

use crate::batch::Write;
use crate::event::Step;
use crate::id::{JobId, RunId};
use crate::job::Backlog;
use crate::run::{Origin, RunState, SkipReason};
use crate::time::Timestamp;

/// The most fires of one job that are dealt with at its turn; then others have theirs.
const FIRES_PER_TURN: usize = 64;
/// To look at so many fires of a stretch takes about as long as to deal with one.
const LOOKS_PER_FIRE: usize = 150;
/// The shortest time there is.
const A_MOMENT: Duration = Duration::from_micros(1);

/// The fires of a start of the daemon that are still to be dealt with.
pub(super) struct Starting {
    /// When the daemon started.
    pub(super) at: Timestamp,
    /// Whose they are, the last one first.
    left: Vec<JobId>,
}

/// A fire that is dealt with.
#[derive(Clone, Copy)]
pub(super) struct Due {
    at: Timestamp,
    /// Which of the job's triggers fires; none if its schedule, made anew since, has no such fire.
    trigger: Option<u16>,
}

impl Due {
    fn start(self, job: JobId, now: Timestamp) -> Start {
        let late = now.since(self.at) > LATE_AFTER;
        let origin = if late { Origin::CatchUp } else { Origin::Schedule };
        Start { trigger: self.trigger, ..Start::of(RunId::of_fire(job, self.at), origin, self.at) }
    }
}

impl Scheduler {
    /// Deals with the fires that are due, up to a bound: the next tick goes on with the rest.
    pub(super) fn due_fires(&mut self, now: Timestamp, step: &mut Step) {
        let mut left = FIRES_PER_STEP;
        while left > 0 {
            self.drop_stale_fires();
            match self.due.peek() {
                Some(Reverse((at, job))) if *at <= now => {
                    let job = *job;
                    self.due.pop();
                    left = left.saturating_sub(self.overdue_fires(job, FIRES_PER_TURN, now, step));
                }
                _ => return,
            }
        }
    }

    /// Deals with up to `most` fires of a job that are due, and says with how many.
    pub(super) fn overdue_fires(&mut self, id: JobId, most: usize, now: Timestamp, step: &mut Step) -> usize {
        let mut done = 0;
        while done < most && self.jobs[&id].cursor.next_fire_at.is_some_and(|at| at <= now) {
            let looked_at = self.fire(id, now, step);
            done += 1 + looked_at / LOOKS_PER_FIRE;
        }
        // Nothing is due any more: what was held back for those behind it starts.
        let held = self.jobs[&id].cursor.held().len();
        let releases = held > 0 && self.jobs[&id].cursor.next_fire_at.is_none_or(|at| at > now);
        if releases {
            self.release(id, now, step);
        }
        if done > 0 || releases {
            self.put_cursor(id, now, step);
        }
        done + held.max(1)
    }

    /// Deals with the next fire of a job: it becomes a run or a record of why not, alone or with those behind it that come
    /// to the same, or is held back. The job's cursor moves past it, in memory alone. Says how many fires were looked at.
    fn fire(&mut self, id: JobId, now: Timestamp, step: &mut Step) -> usize {
        let entry = &self.jobs[&id];
        let Some(at) = entry.cursor.next_fire_at else { return 0 };
        let fire = entry.schedule.fire_at(at);
        let excluded = fire.as_ref().is_some_and(|fire| fire.occurrence.exclusion.is_some());
        let due = Due { at, trigger: fire.map(|fire| fire.trigger) };
        let verdict = entry.comes_to(at, excluded, now);
        #[cfg(feature = "defects")]
        let verdict = self.starts_paused(id, at, verdict);
        let stretch = entry.stretch(at, verdict, now);
        match verdict {
            Verdict::Start => self.start_fire(id, due, Passage::ByPolicy, now, step),
            Verdict::StandIn => {
                self.start_fire(id, due, Passage::ByPolicy, now, step);
                let entry = self.jobs.get_mut(&id).expect("looked up above");
                entry.cursor.backlog = Some(Box::new(Backlog::StoodForUntil(now)));
            }
            Verdict::Hold => self.hold(id, at, now, step),
            Verdict::Skip(reason) => {
                let start = Start { missed: stretch.missed(), ..due.start(id, now) };
                self.skip(id, &start, reason, now, step);
            }
        }
        let entry = self.jobs.get_mut(&id).expect("looked up above");
        entry.cursor.done_until = stretch.until;
        entry.cursor.next_fire_at = entry.next_fire_after(stretch.until);
        usize::try_from(stretch.looked_at).unwrap_or(usize::MAX)
    }

    /// The fire at `at`, which was held back; what triggers it is asked for again.
    pub(super) fn held_fire(&self, id: JobId, at: Timestamp) -> Due {
        Due { at, trigger: self.jobs[&id].trigger_at(at) }
    }

    /// Starts a run for the fire, unless a run that is going or the like turns it into a `skipped` record.
    pub(super) fn start_fire(&mut self, id: JobId, due: Due, passage: Passage, now: Timestamp, step: &mut Step) {
        #[cfg(feature = "defects")]
        if self.drops(id, due.at) {
            return;
        }
        let start = Start { passage, ..due.start(id, now) };
        let run = self.start(id, start, now, step);
        #[cfg(feature = "defects")]
        if self.duplicates(id, due.at) {
            let again = Start { id: RunId::of_backfill(id, due.at), ..due.start(id, now) };
            self.start(id, again, now, step);
        }
        if !matches!(run.state, RunState::Ended { .. }) {
            self.count_fire(id);
        }
    }

    pub(super) fn skip_fire(&mut self, id: JobId, due: Due, reason: SkipReason, now: Timestamp, step: &mut Step) {
        self.skip(id, &due.start(id, now), reason, now, step);
    }

    /// A run was started for a fire. If it was the last one that `max_runs` permits, no fire follows.
    pub(super) fn count_fire(&mut self, id: JobId) {
        let entry = self.jobs.get_mut(&id).expect("fires are of jobs that are there");
        entry.cursor.fired += 1;
        if entry.is_exhausted() {
            entry.cursor.next_fire_at = None;
        }
    }

    /// Takes note of the `startup` triggers that are to fire for the daemon's start at `at`; those of `made` have.
    pub(super) fn begin_startup(&mut self, at: Timestamp, made: &BTreeSet<JobId>) {
        let entries = self.jobs.values().filter(|entry| entry.startup_trigger().is_some());
        let mut left: Vec<JobId> = entries.map(|entry| entry.job.id).filter(|id| !made.contains(id)).collect();
        // Taken from the end.
        left.sort_unstable_by(|one, other| other.cmp(one));
        self.starting = (!left.is_empty()).then_some(Starting { at, left });
    }

    /// Fires the `startup` triggers of some jobs, and says whether others are left.
    pub(super) fn startup_fires(&mut self, now: Timestamp, step: &mut Step) -> bool {
        let Some(mut starting) = self.starting.take().filter(|_| !self.stopping) else { return false };
        let rest = starting.left.len().saturating_sub(FIRES_PER_STEP);
        for id in starting.left.split_off(rest).into_iter().rev() {
            self.startup_fire(id, starting.at, now, step);
        }
        self.starting = (!starting.left.is_empty()).then_some(starting);
        self.starting.is_some()
    }

    fn startup_fire(&mut self, id: JobId, at: Timestamp, now: Timestamp, step: &mut Step) {
        // The job may have been deleted or changed meanwhile.
        let entry = self.jobs.get(&id).filter(|entry| !entry.is_exhausted() && !entry.is_disabled());
        let Some(trigger) = entry.and_then(|entry| entry.startup_trigger()) else { return };
        let start = Start { trigger: Some(trigger), ..Start::of(RunId::of_startup(id, at), Origin::Schedule, at) };
        if self.fire_unless_paused(id, start, now, step) {
            self.put_cursor(id, now, step);
        }
    }

    /// Lets a fire that something else than an instant brought become a run, and counts it; unless the job is paused. Says
    /// whether it became one.
    pub(super) fn fire_unless_paused(&mut self, id: JobId, start: Start, now: Timestamp, step: &mut Step) -> bool {
        if self.jobs[&id].is_paused() {
            self.skip(id, &start, SkipReason::Paused, now, step);
            return false;
        }
        let run = self.start(id, start, now, step);
        let becomes_run = !matches!(run.state, RunState::Ended { .. });
        if becomes_run {
            self.count_fire(id);
        }
        becomes_run
    }

    /// Writes how far a job's schedule has been worked off, and sees to it that the job is looked at again in time.
    pub(super) fn put_cursor(&mut self, id: JobId, now: Timestamp, step: &mut Step) {
        let entry = self.jobs.get_mut(&id).expect("cursors are moved for jobs that are there");
        entry.wake_at = entry.cursor.next_fire_at.map(|next| if next <= now { now.after(A_MOMENT) } else { next });
        #[cfg(feature = "defects")]
        self.looks_late(id);
        if let Some(at) = self.jobs[&id].wake_at {
            self.due.push(Reverse((at, id)));
            self.bound_due();
        }
        self.write_cursor(id, step);
    }

    /// Writes how far a job's schedule has been worked off; when it is looked at stays as it is.
    pub(super) fn write_cursor(&self, id: JobId, step: &mut Step) {
        step.batch.writes.push(Write::PutCursor { job: id, cursor: self.jobs[&id].cursor.clone() });
    }

    /// Puts runs whose wait is over back into the queue.
    pub(super) fn due_retries(&mut self, now: Timestamp, step: &mut Step) {
        #[cfg(feature = "defects")]
        let now = self.retries_until(now);
        for _ in 0..FIRES_PER_STEP {
            match self.retries.first().copied() {
                Some((at, run)) if at <= now => self.advance(run, RunState::Queued, step),
                _ => return,
            }
        }
    }
}
