//! No attempt begins when it is too late for it, or may take longer than is left; and what waits too long expires.

use sandglass_core::batch::Write;
use sandglass_core::invocation::Invocation;
use sandglass_core::run::{Ending, ExpiryReason, RunState};

use super::{Checker, Happening, Seen, Verdict, started, violation};

#[derive(Clone, Default)]
pub(crate) struct Deadlines;

const NAME: &str = "deadlines";

impl Checker for Deadlines {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        let (Write::InsertRun(run) | Write::UpdateRun(run)) = write else { return Ok(()) };
        let deadlines = seen.job_of(run).map(|(_, plan)| plan.deadlines(run));
        let (start, whole) = deadlines.map_or((None, None), |deadlines| (deadlines.start, deadlines.whole));
        if started(write).is_some() {
            let start = start.filter(|_| run.attempts.len() == 1);
            return match start.into_iter().chain(whole).min() {
                Some(at) if at <= seen.now => {
                    violation(NAME, format!("run {} starts at {}, but its time was over at {at}", run.id, seen.now))
                }
                _ => Ok(()),
            };
        }
        match run.state {
            RunState::Ended { ending: Ending::Expired(reason), .. } => {
                let at = match reason {
                    ExpiryReason::StartDeadline => start,
                    ExpiryReason::Deadline => whole,
                    ExpiryReason::OutsideWindow | ExpiryReason::Requires => return Ok(()),
                };
                let late = at.is_some_and(|at| at <= seen.now);
                let what = || format!("run {} expires at {} by {}, of {at:?}", run.id, seen.now, reason.as_str());
                if late { Ok(()) } else { violation(NAME, what()) }
            }
            RunState::RetryWait { until } if whole.is_some_and(|at| at <= until) => {
                violation(NAME, format!("run {} is to be tried again at {until}, but must be over before", run.id))
            }
            _ => Ok(()),
        }
    }

    fn happens(&mut self, seen: &Seen<'_>, what: &Happening<'_>) -> Verdict {
        if let Happening::Start(invocation) = what { in_time(seen, invocation) } else { Ok(()) }
    }

    fn settled(&mut self, seen: &Seen<'_>) -> Verdict {
        let queued = seen.model.active.values().filter(|run| run.state == RunState::Queued);
        match queued.into_iter().find(|run| seen.is_expired(run)) {
            None => Ok(()),
            Some(run) => violation(NAME, format!("run {} of job {} waits, but its time is over", run.id, run.job)),
        }
    }
}

/// An attempt is stopped when its run must be over.
fn in_time(seen: &Seen<'_>, invocation: &Invocation) -> Verdict {
    let Some(run) = seen.model.runs.get(&invocation.run) else { return Ok(()) };
    // The job may have been changed in the same commit.
    let job = seen.job_of(run).filter(|(job, _)| job.revision == invocation.work.revision);
    let (Some((_, plan)), Some(attempt)) = (job, run.attempts.last()) else { return Ok(()) };
    let ends_at = attempt.started_at.after(invocation.work.timeout);
    match plan.deadlines(run).whole {
        Some(at) if ends_at > at => {
            violation(NAME, format!("attempt {} of run {} may go until {ends_at}, not {at}", attempt.number, run.id))
        }
        _ => Ok(()),
    }
}
