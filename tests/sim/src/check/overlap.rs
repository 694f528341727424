//! How runs of one job pass one another, by the policy that the job had when they were made.

use std::collections::BTreeMap;

use sandglass_core::batch::Write;
use sandglass_core::id::RunId;
use sandglass_core::run::{CancelCause, CancelRequest, Ending, Gate, Origin, Run, RunState, SkipReason};

use super::{Checker, Seen, Verdict, first_start, violation};
use crate::plan::{CatchUp, Overlap};

#[derive(Clone, Default)]
pub(crate) struct Overlaps {
    /// In which order runs were made.
    made: BTreeMap<RunId, usize>,
    /// How many runs of the job might go at once, at most, since a run was made.
    most: BTreeMap<RunId, usize>,
}

const NAME: &str = "overlap";

impl Checker for Overlaps {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        match write {
            Write::InsertRun(run) => {
                self.made.insert(run.id, self.made.len());
                if let Some((_, plan)) = seen.job_of(run) {
                    self.most.insert(run.id, plan.max_instances);
                }
                self.inserted(seen, run)?;
            }
            Write::PutJob(job) => {
                let most = seen.plan(job).max_instances;
                for run in seen.model.active.values().filter(|run| run.job_id == job.id) {
                    self.most.entry(run.id).and_modify(|known| *known = most.max(*known)).or_insert(most);
                }
            }
            Write::UpdateRun(run) => superseded(seen, run)?,
            _ => {}
        }
        match first_start(write) {
            Some(run) if run.gate == Gate::Turn => self.has_its_turn(seen, run),
            _ => Ok(()),
        }
    }
}

impl Overlaps {
    fn inserted(&self, seen: &Seen<'_>, run: &Run) -> Verdict {
        if run.notice.is_some() {
            return Ok(());
        }
        let Some((_, plan)) = seen.job_of(run) else {
            return violation(NAME, format!("run {} is made for a job that is not there", run.id));
        };
        let others = seen.others(run).count();
        let lines_up = |other: &&Run| other.state == RunState::Queued && other.gate == Gate::Turn;
        let waiting = seen.others(run).filter(lines_up).count();
        // They may have had their turn when more could go at once than now.
        let turns = seen.others(run).filter(lines_up).filter_map(|other| self.most.get(&other.id).copied());
        let turns = turns.max().unwrap_or_default().max(plan.max_instances);
        match run.state {
            RunState::Ended { ending: Ending::Skipped(SkipReason::Overlap), .. } => {
                let in_the_way = match plan.overlap {
                    Overlap::Skip => others >= plan.max_instances,
                    Overlap::BufferOne => waiting > 0,
                    Overlap::BufferAll => waiting >= 1000,
                    Overlap::CancelOther | Overlap::TerminateOther | Overlap::AllowAll => false,
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
                let by_hand = matches!(run.origin, Origin::Manual | Origin::Retry);
                let in_turn = plan.catch_up.0 == CatchUp::All && run.gate == Gate::Turn && !by_hand;
                let passes = match plan.overlap {
                    _ if in_turn => true,
                    Overlap::Skip => others < plan.max_instances,
                    // Those that have their turn and wait for a place do not count as waiting, but as going.
                    Overlap::BufferOne => run.gate == Gate::Turn && waiting <= turns,
                    Overlap::BufferAll | Overlap::CancelOther | Overlap::TerminateOther => run.gate == Gate::Turn,
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

    /// A run that waits for its turn starts when fewer than may go at once are left of those that were made before it, but
    /// for those in line behind it.
    fn has_its_turn(&self, seen: &Seen<'_>, run: &Run) -> Verdict {
        let in_the_way: Vec<&Run> = seen.others(run).filter(|other| self.is_in_the_way(other, run)).collect();
        let most = self.most.get(&run.id).copied().unwrap_or(1);
        if in_the_way.len() < most {
            return Ok(());
        }
        let (id, other, job) = (run.id, in_the_way[0].id, &run.job);
        violation(NAME, format!("run {id} of job {job} starts before its turn, beside {other}, {most} may go"))
    }

    fn is_in_the_way(&self, other: &Run, run: &Run) -> bool {
        let begun = other.state != RunState::Queued || !other.attempts.is_empty();
        let earlier = self.made.get(&other.id) < self.made.get(&run.id);
        let in_line = other.gate == Gate::Turn && other.attempts.is_empty();
        (begun && other.gate == Gate::Turn) || (earlier && !in_line)
    }
}

/// A run gives way to a later one only by a policy that says so, and only if there is no room for both.
fn superseded(seen: &Seen<'_>, run: &Run) -> Verdict {
    let by_cause = |cancel: &CancelRequest| cancel.cause == CancelCause::Superseded;
    let before = seen.before(run).and_then(|before| before.cancel);
    let ended = matches!(run.state, RunState::Ended { ending: Ending::Cancelled(CancelCause::Superseded), .. });
    if before.is_some() || !(ended || run.cancel.as_ref().is_some_and(by_cause)) {
        return Ok(());
    }
    let Some((_, plan)) = seen.job_of(run) else {
        return violation(NAME, format!("run {} is superseded, but its job is gone", run.id));
    };
    if !plan.overlap.supersedes() {
        return violation(NAME, format!("run {} is superseded by the policy {:?}", run.id, plan.overlap));
    }
    let waits = run.gate == Gate::Turn && run.attempts.is_empty();
    let staying = seen.others(run).filter(|other| other.cancel.is_none()).count() + 1;
    if waits || staying >= plan.max_instances {
        return Ok(());
    }
    let (id, most) = (run.id, plan.max_instances);
    violation(NAME, format!("run {id} is superseded, but {staying} of {most} runs are there"))
}
