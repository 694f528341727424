//! Where queued runs wait: in the queue for a free place, or before that in the line of their job for their turn.

use std::cmp::Reverse;
use std::sync::Arc;

use super::{Active, Scheduler, Waiting};
use crate::id::{JobId, RunId};
use crate::run::{Gate, Run};

impl Scheduler {
    /// Takes in a queued run that is not known yet: into the line of its job if it must wait for its turn, which
    /// [`Scheduler::next_turn`] gives; else into the queue.
    pub(super) fn take_in(&mut self, run: Arc<Run>, priority: u8) {
        let (id, job) = (run.id, run.job_id);
        let place = (run.scheduled_at, id);
        let in_turn = run.gate == Gate::Turn && run.attempts.is_empty();
        self.active.insert(id, Active { run, priority, waiting: Waiting::Queue });
        let Some(entry) = self.jobs.get_mut(&job) else {
            // The job is gone: nobody gives turns any more.
            self.enqueue(id);
            return;
        };
        if in_turn {
            entry.line.insert(place);
            self.active.get_mut(&id).expect("inserted above").waiting = Waiting::Line;
        } else {
            entry.active += 1;
            self.enqueue(id);
        }
    }

    /// A run of the job is over that was not in its line.
    pub(super) fn give_turn(&mut self, job: JobId) {
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.active -= 1;
            self.next_turn(job);
        }
    }

    /// Lets the first of a job's line into the queue if no other run of the job is there.
    pub(super) fn next_turn(&mut self, job: JobId) {
        let Some(entry) = self.jobs.get_mut(&job) else { return };
        if entry.active == 0
            && let Some((_, run)) = entry.line.pop_first()
        {
            entry.active += 1;
            self.enqueue(run);
        }
    }

    /// Puts a queued run into the queue.
    pub(super) fn enqueue(&mut self, id: RunId) {
        let active = self.active.get_mut(&id).expect("only active runs are queued");
        active.waiting = Waiting::Queue;
        self.queue.insert((Reverse(active.priority), active.run.scheduled_at, id));
    }

    /// Takes a queued run from where it waits.
    pub(super) fn leave(&mut self, id: RunId) {
        let active = &self.active[&id];
        let at = active.run.scheduled_at;
        match active.waiting {
            Waiting::Queue => _ = self.queue.remove(&(Reverse(active.priority), at, id)),
            Waiting::Line => {
                if let Some(entry) = self.jobs.get_mut(&active.run.job_id) {
                    entry.line.remove(&(at, id));
                }
            }
        }
    }
}
