//! Where queued runs wait: in the line of their job for their turn, then in the queue for a free place; and apart from
//! it, so that it need not look at them, for the window of their job.

use std::cmp::Reverse;
use std::sync::Arc;

use super::{Active, Scheduler, Stands};
use crate::id::{JobId, RunId};
use crate::queue::Place;
use crate::run::{Gate, Origin, Run};
use crate::time::Timestamp;

/// The priority of runs whose job is gone.
const ORPHAN_PRIORITY: u8 = 5;

impl Scheduler {
    /// Takes in a queued run that is not known yet: into the line of its job if it must wait for its turn, which
    /// [`Scheduler::next_turn`] gives; else into the queue.
    pub(super) fn take_in(&mut self, run: Arc<Run>) {
        let (id, job) = (run.id, run.job_id);
        let place = (run.scheduled_at, id);
        let in_turn = run.gate == Gate::Turn && run.attempts.is_empty();
        #[cfg(feature = "defects")]
        let in_turn = in_turn && !self.jumps_line(id);
        let not_before = run.notice.as_ref().filter(|_| run.attempts.is_empty()).and_then(|notice| notice.not_before);
        let not_before = not_before.filter(|at| *at > self.seen);
        self.adopt_notification(&run);
        self.active.insert(id, Active { run, stands: Stands::Apart, expires_at: None, inserted_by: None });
        match self.jobs.get_mut(&job) {
            Some(entry) if in_turn => {
                entry.runs.line_up(place.0, place.1);
                self.active.get_mut(&id).expect("inserted above").stands = Stands::Line;
                self.set_expiry(id);
            }
            Some(entry) => {
                entry.runs.insert(id);
                self.enqueue(id);
            }
            // The job is gone, or it is a notification: nobody gives turns.
            None => match not_before {
                Some(at) => self.defer(id, at),
                None => self.enqueue(id),
            },
        }
        self.watch_start(id);
    }

    /// A run of the job is over that was not in its line.
    pub(super) fn give_turn(&mut self, job: JobId, run: RunId) {
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.runs.remove(run);
            self.next_turn(job);
        }
    }

    /// Lets the first of a job's line into the queue, as many as may go beside the others of the job.
    pub(super) fn next_turn(&mut self, job: JobId) {
        while let Some(entry) = self.jobs.get_mut(&job).filter(|entry| entry.has_room())
            && let Some(run) = entry.runs.next_in_line()
        {
            entry.runs.insert(run);
            self.enqueue(run);
        }
    }

    /// Puts a queued run into the queue.
    pub(super) fn enqueue(&mut self, id: RunId) {
        let run = &self.active.get(&id).expect("only active runs are queued").run;
        let entry = self.jobs.get(&run.job_id).map(|entry| &**entry);
        let priority = entry.map_or(ORPHAN_PRIORITY, |entry| entry.job.spec.priority);
        #[cfg(feature = "defects")]
        let priority = self.inverted(priority);
        let scheduled_at = run.scheduled_at;
        #[cfg(feature = "defects")]
        let scheduled_at = self.reversed(scheduled_at);
        let place =
            Place { priority: Reverse(priority), made_up: run.origin == Origin::Backfill, scheduled_at, run: id };
        let needs = self.needs(run, entry);
        let lane = self.queue.lane(&needs);
        self.queue.push(lane, place);
        self.active.get_mut(&id).expect("looked up above").stands = Stands::Queue(lane, place);
        self.set_expiry(id);
    }

    /// Puts a run aside until the window of its job opens, or it has waited for more to tell of, at `opens_at`.
    pub(super) fn defer(&mut self, id: RunId, opens_at: Timestamp) {
        self.active.get_mut(&id).expect("only active runs are queued").stands = Stands::Window(opens_at);
        self.windows.insert((opens_at, id));
    }

    /// Puts runs whose window opens back into the queue.
    pub(super) fn due_windows(&mut self, now: Timestamp) {
        while let Some((_, id)) = self.windows.first().copied().filter(|(at, _)| *at <= now) {
            self.leave(id);
            self.enqueue(id);
        }
    }

    /// Lets the queued runs of a job wait as the job is now: its window, priority, limits and deadlines may be others.
    pub(super) fn queue_again(&mut self, job: JobId) {
        let Some(entry) = self.jobs.get(&job) else { return };
        let waits = |run: &RunId| {
            matches!(self.active[run].stands, Stands::Queue(..) | Stands::Window(_) | Stands::Upstream(_))
        };
        let queued: Vec<RunId> = entry.runs.active().filter(waits).collect();
        let in_line: Vec<RunId> = entry.runs.line().collect();
        for run in queued {
            self.leave(run);
            self.enqueue(run);
        }
        for run in in_line {
            self.set_expiry(run);
        }
        self.next_turn(job);
    }

    /// Takes a queued run from where it waits.
    pub(super) fn leave(&mut self, id: RunId) {
        self.forget_expiry(id);
        let active = self.active.get_mut(&id).expect("only active runs are queued");
        match active.stands {
            Stands::Queue(lane, place) => self.queue.remove(lane, &place),
            Stands::Window(opens_at) => _ = self.windows.remove(&(opens_at, id)),
            Stands::Line => {
                if let Some(entry) = self.jobs.get_mut(&active.run.job_id) {
                    entry.runs.step_out(active.run.scheduled_at, id);
                }
            }
            Stands::Upstream(_) => {}
            // It has just been given its places.
            Stands::Going(_) | Stands::Apart => return,
        }
        active.stands = Stands::Apart;
    }
}
