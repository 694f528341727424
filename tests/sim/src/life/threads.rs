//! The threads of the daemon, each when it has its turn.

use sandglass_core::batch::{Batch, Write};
use sandglass_core::invocation::{Cancel, CancelReason};
use sandglass_core::run::Origin;
use sandglass_store::{CommitError, StoreError};

use super::Life;
use crate::check::{Happening, Verdict, violation};
use crate::daemon::{Daemon, Group, Inbound};

impl Life {
    pub(super) fn turn(&mut self, most: usize) -> Verdict {
        for report in self.host.reports(self.now, self.monotonic) {
            tell!(self, "attempt {} of run {} ends: {:?}", report.attempt, report.run, report.end.outcome);
            self.happens(&Happening::Report(&report))?;
            if let Some(daemon) = &mut self.daemon {
                daemon.inbox.push_back(Inbound::Finished(Box::new(report)));
            }
        }
        let now = self.now;
        let Some(daemon) = &mut self.daemon else { return Ok(()) };
        let reloaded = daemon.turn(most, now);
        for (run, attempt) in std::mem::take(&mut daemon.at_once) {
            let reason = CancelReason::Shutdown;
            self.host.cancel(Cancel { run, attempt, reason, at_once: false }, self.monotonic);
        }
        if self.disk.is_cut() {
            self.power_off();
            return Ok(());
        }
        match reloaded {
            Ok(true) => {
                tell!(self, "the scheduler is made anew from the store");
                self.reloaded()
            }
            Ok(false) => Ok(()),
            Err(error) => self.cannot_be_used(&error),
        }
    }

    pub(super) fn cannot_be_used(&mut self, error: &StoreError) -> Verdict {
        tell!(self, "the store cannot be used: {error}");
        match error {
            StoreError::Full(_) | StoreError::Io { .. } if self.faulty => Ok(()),
            other => violation("durability", format!("the store cannot be used: {other:?}")),
        }
    }

    pub(super) fn commit(&mut self, most: usize) -> Verdict {
        let Some(daemon) = &mut self.daemon else { return Ok(()) };
        let calls = self.disk.calls();
        let group = daemon.commit_group(most, self.now);
        let touched = self.disk.calls() > calls;
        if touched {
            self.uncertain = Some(group.submissions.iter().map(|(submission, _)| submission.in_order()).collect());
        }
        if self.disk.is_cut() {
            self.power_off();
            return Ok(());
        }
        self.committed(group, touched)
    }

    pub(super) fn committed(&mut self, group: Group, touched: bool) -> Verdict {
        let durable = group.submissions.iter().any(|(_, answer)| answer.is_ok());
        if durable && touched {
            self.uncertain = None;
            self.unsynced = None;
        }
        let mut permitted = Vec::new();
        for (submission, answer) in group.submissions {
            match answer {
                Ok(()) => {
                    self.apply(&submission.in_order())?;
                    permitted.push(submission.permitted);
                }
                Err(error) => {
                    tell!(self, "a commit fails: {error:?}");
                    self.expected(&submission.batch, &error)?;
                    if let Some(daemon) = &mut self.daemon {
                        daemon.refuse(&submission.permitted, &error);
                    }
                }
            }
        }
        // Between what is durable and its effects.
        if durable && self.rng.u8(..60) == 0 {
            return self.crash();
        }
        let mut cancels = Vec::new();
        for permitted in permitted {
            let Some(daemon) = &mut self.daemon else { return Ok(()) };
            daemon.perform(&permitted);
            for invocation in permitted.starts {
                tell!(self, "attempt {} of run {} starts", invocation.attempt, invocation.run);
                self.happens(&Happening::Start(&invocation))?;
                self.host.start(invocation, self.now, self.monotonic, &mut self.rng);
            }
            cancels.extend(permitted.cancels);
            for (_, reply) in permitted.replies {
                self.happens(&Happening::Reply(&reply))?;
                if let Some(unsynced) = &mut self.unsynced {
                    unsynced.answers.push(reply);
                }
            }
        }
        for cancel in cancels {
            self.host.cancel(cancel, self.monotonic);
        }
        Ok(())
    }

    /// A commit fails for the disk, or for a backfill of what has been made up for meanwhile.
    pub(super) fn expected(&self, batch: &Batch, error: &CommitError) -> Verdict {
        let makes_up =
            batch.writes.iter().any(|write| matches!(write, Write::InsertRun(run) if run.origin == Origin::Backfill));
        match error {
            CommitError::Store { .. } => Ok(()),
            CommitError::Conflict(_) if makes_up || self.daemon.as_ref().is_some_and(Daemon::is_failing) => Ok(()),
            CommitError::Conflict(conflict) => violation("transitions", format!("a commit conflicts: {conflict}")),
        }
    }
}
