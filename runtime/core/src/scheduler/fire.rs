//! Time passes: fires and retries that are due.

use std::cmp::Reverse;
use std::time::Duration;

use super::start::Start;
use super::{FIRES_PER_STEP, LATE_AFTER, Scheduler};

use crate::batch::Write;
use crate::event::Step;
use crate::id::{JobId, RunId};
use crate::job::Cursor;
use crate::run::{Origin, RunState, SkipReason};
use crate::spec::CatchUpPolicy;
use crate::time::Timestamp;

/// The most fires of one job that are dealt with at its turn; then others have theirs.
const FIRES_PER_TURN: usize = 64;
/// The shortest time there is.
const A_MOMENT: Duration = Duration::from_micros(1);

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
        for done in 0..most {
            match self.jobs[&id].cursor.next_fire_at {
                Some(at) if at <= now => self.fire(id, now, step),
                _ => return done.max(1),
            }
        }
        most
    }

    /// Deals with the next fire of a job: it becomes a run or a record of why not, and the job's cursor moves past it.
    fn fire(&mut self, id: JobId, now: Timestamp, step: &mut Step) {
        let entry = &self.jobs[&id];
        let Some(at) = entry.cursor.next_fire_at else { return };
        let next = entry.next_after(at).map(|(next, _)| next);
        let trigger = entry.next_after(at.before(A_MOMENT)).map(|(_, trigger)| trigger);
        let missed = self.is_missed(id, at, next, now);
        let late = now.since(at) > LATE_AFTER;
        let start = Start {
            id: RunId::of_fire(id, at),
            origin: if late { Origin::CatchUp } else { Origin::Schedule },
            trigger,
            scheduled_at: at,
            force: false,
        };
        if missed {
            self.skip(id, &start, SkipReason::Missed, now, step);
        } else {
            self.start(id, start, now, step);
        }
        self.set_cursor(id, Cursor { done_until: at, next_fire_at: next }, now, step);
    }

    /// Whether the catch-up policy leaves out the fire at `at`, whose successor is `next`.
    fn is_missed(&self, id: JobId, at: Timestamp, next: Option<Timestamp>, now: Timestamp) -> bool {
        let entry = &self.jobs[&id];
        let superseded = next.is_some_and(|next| next <= now);
        let first = entry.cursor.done_until <= entry.job.scheduled_since;
        let late = now.since(at);
        let catch_up = entry.job.spec.catch_up;
        match catch_up.policy {
            _ if superseded => true,
            CatchUpPolicy::Latest => late > catch_up.window.get() && !first,
            // Whoever asks for none means the first fire too.
            CatchUpPolicy::None => late > LATE_AFTER,
        }
    }

    /// Moves a job's cursor, in memory and in the batch.
    pub(super) fn set_cursor(&mut self, id: JobId, cursor: Cursor, now: Timestamp, step: &mut Step) {
        let entry = self.jobs.get_mut(&id).expect("cursors are moved for jobs that are there");
        entry.cursor = cursor;
        entry.wake_at = cursor.next_fire_at.map(|next| if next <= now { now.after(A_MOMENT) } else { next });
        if let Some(at) = entry.wake_at {
            self.due.push(Reverse((at, id)));
        }
        step.batch.writes.push(Write::PutCursor { job: id, cursor });
    }

    /// Puts runs whose wait is over back into the queue.
    pub(super) fn due_retries(&mut self, now: Timestamp, step: &mut Step) {
        for _ in 0..FIRES_PER_STEP {
            match self.retries.first().copied() {
                Some((at, run)) if at <= now => self.advance(run, RunState::Queued, step),
                _ => return,
            }
        }
    }
}
