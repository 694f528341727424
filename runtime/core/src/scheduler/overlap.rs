//! How the runs of one job pass one another.

use std::sync::Arc;

use super::{Entry, Scheduler, cancel_effect};
use crate::batch::Write;
use crate::event::Step;
use crate::id::{JobId, RunId};
use crate::invocation::CancelReason;
use crate::run::{CancelCause, CancelRequest, Ending, Gate, RunState};
use crate::spec::Overlap;
use crate::time::Timestamp;

/// How a start passes other runs of its job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Passage {
    /// As the job's overlap policy says.
    ByPolicy,
    /// It waits in line for its turn.
    Turn,
    /// It passes whatever is going.
    Free,
    /// Somebody forces it: it passes everything.
    Forced,
}

/// The most runs that wait in line by the policy `buffer_all`.
const LONGEST_LINE: usize = 1000;

impl Entry {
    /// Whether another run of the job may start.
    pub(super) fn has_room(&self) -> bool {
        self.runs.active_len() < self.max_instances()
    }

    /// Whether as many runs of the job go or wait as may go at once.
    pub(super) fn is_busy(&self) -> bool {
        self.runs.len() >= self.max_instances()
    }

    fn max_instances(&self) -> usize {
        usize::try_from(self.job.spec.max_instances.get()).unwrap_or(usize::MAX)
    }

    /// What a start has to wait for; none if runs of the job keep it from becoming a run at all.
    pub(super) fn gate_for(&self, passage: Passage) -> Option<Gate> {
        match (passage, self.job.spec.overlap) {
            (Passage::Forced, _) => Some(Gate::Open),
            (Passage::Free, _) | (Passage::ByPolicy, Overlap::AllowAll) => Some(Gate::Window),
            (Passage::Turn, _) | (Passage::ByPolicy, Overlap::CancelOther | Overlap::TerminateOther) => {
                Some(Gate::Turn)
            }
            (Passage::ByPolicy, Overlap::Skip) => (!self.is_busy()).then_some(Gate::Window),
            (Passage::ByPolicy, Overlap::BufferOne) => (self.runs.line_len() == 0).then_some(Gate::Turn),
            (Passage::ByPolicy, Overlap::BufferAll) => (self.runs.line_len() < LONGEST_LINE).then_some(Gate::Turn),
        }
    }
}

impl Scheduler {
    /// Stops runs of a job so that one that comes now can start: all that wait in line, and of the others the oldest.
    pub(super) fn supersede(&mut self, job: JobId, now: Timestamp, step: &mut Step) {
        let entry = &self.jobs[&job];
        let stays = |run: &RunId| self.active[run].run.cancel.is_none();
        let staying: Vec<RunId> = entry.runs.active().filter(stays).collect();
        let too_many = (staying.len() + 1).saturating_sub(entry.max_instances());
        let leaving: Vec<RunId> = entry.runs.line().chain(staying.into_iter().take(too_many)).collect();
        let at_once = entry.job.spec.overlap == Overlap::TerminateOther;
        for run in leaving {
            self.stop_run(run, CancelCause::Superseded, at_once, now, step);
        }
    }

    /// Ends an active run that is not running, or asks a running one to stop.
    pub(super) fn stop_run(&mut self, id: RunId, cause: CancelCause, at_once: bool, now: Timestamp, step: &mut Step) {
        let Some(active) = self.active.get_mut(&id) else { return };
        if active.run.state != RunState::Running {
            self.advance(id, RunState::Ended { ending: Ending::Cancelled(cause), at: now }, step);
            return;
        }
        // Durable before anybody is told: whatever happens to the daemon, no other attempt is made.
        if active.run.cancel.is_none() {
            Arc::make_mut(&mut active.run).request_cancel(CancelRequest { at: now, cause });
            step.batch.writes.push(Write::UpdateRun(Arc::clone(&active.run)));
        }
        let reason = match cause {
            CancelCause::User => CancelReason::User,
            CancelCause::Superseded => CancelReason::Superseded,
            CancelCause::JobDeleted => CancelReason::JobDeleted,
        };
        step.after.push(cancel_effect(&active.run, reason, at_once));
    }
}
