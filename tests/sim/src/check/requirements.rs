//! No run begins while the last run of a job that it requires did not end as it asks; nor is one given up for that while
//! it did, or while it may still wait.

use sandglass_core::batch::Write;
use sandglass_core::run::{Ending, ExpiryReason, Gate, Run, RunState, SkipReason};
use sandglass_core::time::Timestamp;

use super::{Checker, Seen, Verdict, first_start, violation};

#[derive(Clone, Default)]
pub(crate) struct Requirements;

const NAME: &str = "requirements";

/// What the requirements of its job say of a queued run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Needed {
    /// They are met.
    Met,
    /// They are not, and it waits.
    Waits,
    /// They are not, and it does not wait, or no longer.
    Over,
    /// One is not, and it waits unless another is over, which is in doubt.
    WaitsOrOver,
    /// The daemon may know of a last run or of the one before.
    Unknown,
}

impl Seen<'_> {
    /// What the requirements of its job say of a queued run.
    pub(crate) fn needed(&self, run: &Run) -> Needed {
        let begun = usize::from(run.state == RunState::Running);
        let asks = run.gate != Gate::Open && run.attempts.len() == begun;
        let Some((_, plan)) = self.job_of(run).filter(|_| asks) else { return Needed::Met };
        let (mut waits, mut may_wait, mut may_be_over) = (false, false, false);
        for need in &plan.requires {
            let met = self.met(run, need.job).map(|last| need.is_met(last, self.now)).collect::<Vec<_>>();
            match (met.contains(&true), met.contains(&false)) {
                (_, false) => {}
                (false, true) if need.is_over(plan.counts_from(run), self.now) => return Needed::Over,
                (false, true) => waits = true,
                (true, true) if need.is_over(plan.counts_from(run), self.now) => may_be_over = true,
                (true, true) => may_wait = true,
            }
        }
        match (waits, may_be_over) {
            (true, false) => Needed::Waits,
            (true, true) => Needed::WaitsOrOver,
            (false, false) if !may_wait => Needed::Met,
            (false, _) => Needed::Unknown,
        }
    }

    /// How the last run of a job of the run's namespace may have ended.
    fn met(&self, run: &Run, name: &str) -> impl Iterator<Item = Option<(Ending, Timestamp)>> {
        let jobs = self.model.jobs.values().map(|(job, _)| job);
        let job = jobs.filter(|job| job.namespace == run.namespace).find(|job| job.spec.name.as_str() == name);
        let last = job.map_or_else(|| vec![None], |job| self.ends.last(job.id, self.now));
        last.into_iter()
    }
}

impl Checker for Requirements {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        if let Some(run) = first_start(write) {
            return match seen.needed(run) {
                needed @ (Needed::Waits | Needed::Over | Needed::WaitsOrOver) => {
                    violation(NAME, format!("run {} of job {} starts, but {needed:?}", run.id, run.job))
                }
                Needed::Met | Needed::Unknown => Ok(()),
            };
        }
        let (Write::InsertRun(run) | Write::UpdateRun(run)) = write else { return Ok(()) };
        let needed = match run.state {
            // The record of one that is skipped does not say what it was held against.
            RunState::Ended { ending: Ending::Skipped(SkipReason::Requires), .. } => {
                seen.needed(&Run { gate: Gate::Window, ..(**run).clone() })
            }
            RunState::Ended { ending: Ending::Expired(ExpiryReason::Requires), .. } => seen.needed(run),
            _ => return Ok(()),
        };
        if matches!(needed, Needed::Met | Needed::Waits) {
            let (id, job) = (run.id, &run.job);
            return violation(NAME, format!("run {id} of job {job} is given up, {:?}, but {needed:?}", run.state));
        }
        Ok(())
    }
}
