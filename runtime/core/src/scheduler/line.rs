//! Where queued runs wait: in the line of their job for their turn, then in the queue for a free place; and apart from
//! it, so that it need not look at them, for the window of their job.

use std::sync::Arc;

use super::{Active, Scheduler, Waiting};
use crate::id::{JobId, RunId};
use crate::run::{Gate, Run};
use crate::time::Timestamp;

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
        self.queue.insert(active.place());
    }

    /// Puts a run that is in the queue aside until the window of its job opens at `opens_at`.
    pub(super) fn defer(&mut self, id: RunId, opens_at: Timestamp) {
        self.leave(id);
        self.active.get_mut(&id).expect("only active runs are queued").waiting = Waiting::Window(opens_at);
        self.windows.insert((opens_at, id));
    }

    /// Puts runs whose window opens back into the queue.
    pub(super) fn due_windows(&mut self, now: Timestamp) {
        while let Some((_, id)) = self.windows.first().copied().filter(|(at, _)| *at <= now) {
            self.leave(id);
            self.enqueue(id);
        }
    }

    /// Puts the runs of a job that wait for its window back into the queue, as the window is another one now.
    pub(super) fn ask_window_again(&mut self, job: JobId) {
        let of_job = self.windows.iter().filter(|(_, id)| self.active[id].run.job_id == job);
        for id in of_job.map(|(_, id)| *id).collect::<Vec<_>>() {
            self.leave(id);
            self.enqueue(id);
        }
    }

    /// Takes a queued run from where it waits.
    pub(super) fn leave(&mut self, id: RunId) {
        let active = &self.active[&id];
        let at = active.run.scheduled_at;
        match active.waiting {
            Waiting::Queue => _ = self.queue.remove(&active.place()),
            Waiting::Window(opens_at) => _ = self.windows.remove(&(opens_at, id)),
            Waiting::Line => {
                if let Some(entry) = self.jobs.get_mut(&active.run.job_id) {
                    entry.line.remove(&(at, id));
                }
            }
        }
    }
}
