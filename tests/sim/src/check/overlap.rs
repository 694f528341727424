//! How runs of one job pass one another, by the policy that the job had when they were made.

use std::collections::BTreeMap;

use sandglass_core::batch::Write;
use sandglass_core::id::RunId;
use sandglass_core::run::{Ending, Gate, Origin, Run, RunState, SkipReason};

use super::{Checker, Seen, Verdict, first_start, violation};
use crate::plan::{CatchUp, Overlap};

#[derive(Clone, Default)]
pub(crate) struct Overlaps {
    /// In which order runs were made.
    made: BTreeMap<RunId, usize>,
}

const NAME: &str = "overlap";

impl Checker for Overlaps {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        if let Write::InsertRun(run) = write {
            self.made.insert(run.id, self.made.len());
            self.inserted(seen, run)?;
        }
        match first_start(write) {
            Some(run) if run.gate == Gate::Turn => self.has_its_turn(seen, run),
            _ => Ok(()),
        }
    }
}

impl Overlaps {
    fn inserted(&self, seen: &Seen<'_>, run: &Run) -> Verdict {
        let Some((_, plan)) = seen.job_of(run) else {
            return violation(NAME, format!("run {} is made for a job that is not there", run.id));
        };
        let others = seen.others(run).count();
        let waiting =
            seen.others(run).filter(|other| other.state == RunState::Queued && other.gate == Gate::Turn).count();
        match run.state {
            RunState::Ended { ending: Ending::Skipped(SkipReason::Overlap), .. } => {
                let in_the_way = match plan.overlap {
                    Overlap::Skip => others > 0,
                    Overlap::BufferOne => waiting > 0,
                    Overlap::BufferAll => waiting >= 1000,
                    Overlap::AllowAll => false,
                };
                if in_the_way {
                    Ok(())
                } else {
                    violation(NAME, format!("run {} is skipped for an overlap that there is not", run.id))
                }
            }
            RunState::Ended { .. } => Ok(()),
            // Somebody forces it, or lets what is made up for go side by side.
            _ if run.gate == Gate::Open || run.origin == Origin::Backfill => Ok(()),
            _ => {
                let in_turn = plan.catch_up.0 == CatchUp::All && run.gate == Gate::Turn && run.origin != Origin::Manual;
                let passes = match plan.overlap {
                    _ if in_turn => true,
                    Overlap::Skip => others == 0,
                    // The one that has its turn and waits for a place does not count as waiting, but as going.
                    Overlap::BufferOne => run.gate == Gate::Turn && waiting <= 1,
                    Overlap::BufferAll => run.gate == Gate::Turn,
                    Overlap::AllowAll => true,
                };
                if passes {
                    return Ok(());
                }
                let (policy, job) = (plan.overlap, &run.job);
                violation(NAME, format!("run {} of job {job} is made beside {others} others by {policy:?}", run.id))
            }
        }
    }

    /// A run that waits for its turn starts when all that were made before it are over, but for those in line behind it.
    fn has_its_turn(&self, seen: &Seen<'_>, run: &Run) -> Verdict {
        let in_the_way = seen.others(run).find(|other| {
            let begun = other.state != RunState::Queued || !other.attempts.is_empty();
            let earlier = self.made.get(&other.id) < self.made.get(&run.id);
            let in_line = other.gate == Gate::Turn && other.attempts.is_empty();
            (begun && other.gate == Gate::Turn) || (earlier && !in_line)
        });
        match in_the_way {
            None => Ok(()),
            Some(other) => {
                let (id, other, job) = (run.id, other.id, &run.job);
                violation(NAME, format!("run {id} of job {job} starts before its turn, beside {other}"))
            }
        }
    }
}
