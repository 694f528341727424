//! What a fire comes to that is dealt with late, and that a punctual one is no such thing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use sandglass_core::batch::Write;
use sandglass_core::id::JobId;
use sandglass_core::run::{Ending, Origin, Run, RunState, SkipReason};
use sandglass_core::time::Timestamp;

use super::{Checker, Seen, Verdict, violation};
use crate::plan::{CatchUp, Plan};

/// Later than this after its instant, a fire is a catch-up.
const LATE: Duration = Duration::from_secs(5);
/// How long a fire that was held back in time may wait for the rest of its backlog.
const SLACK: Duration = Duration::from_secs(600);

#[derive(Clone, Default)]
pub(crate) struct Lateness {
    /// When a job's late fires were last dealt with.
    late_at: BTreeMap<JobId, Timestamp>,
    /// Jobs of whose present schedule's fires a run has come.
    had_runs: BTreeSet<JobId>,
    /// The latest instant that was seen. A fire that was held back until then starts although the clock was set back.
    latest: Timestamp,
}

const NAME: &str = "lateness";

impl Checker for Lateness {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        self.latest = self.latest.max(seen.now);
        match write {
            Write::PutJob(job) => {
                let old = seen.model.jobs.get(&job.id).map(|(old, _)| seen.plan(old));
                if old.is_some_and(|old| !old.same_schedule(seen.plan(job))) {
                    self.had_runs.remove(&job.id);
                }
                Ok(())
            }
            Write::InsertRun(run) if run.queued_at != seen.now => {
                violation(NAME, format!("run {} is queued at {}, decided at {}", run.id, run.queued_at, seen.now))
            }
            Write::InsertRun(run) if matches!(run.origin, Origin::Schedule | Origin::CatchUp) => self.fired(seen, run),
            _ => Ok(()),
        }
    }
}

fn is_skipped(run: &Run) -> bool {
    matches!(run.state, RunState::Ended { ending: Ending::Skipped(_), .. })
}

impl Lateness {
    fn fired(&mut self, seen: &Seen<'_>, run: &Run) -> Verdict {
        let Some((_, plan)) = seen.job_of(run) else { return Ok(()) };
        let is_first = !self.had_runs.contains(&run.job_id);
        if !is_skipped(run) {
            self.had_runs.insert(run.job_id);
        }
        if plan.is_startup(run.trigger) {
            return Ok(());
        }
        if run.scheduled_at > self.latest {
            return violation(NAME, format!("the fire at {} is dealt with at {}", run.scheduled_at, seen.now));
        }
        let late = seen.now.since(run.scheduled_at);
        if (late > LATE) != (run.origin == Origin::CatchUp) {
            return violation(NAME, format!("a fire dealt with {late:?} late is a {}", run.origin.as_str()));
        }
        if late > LATE {
            self.late_at.insert(run.job_id, seen.now);
        }
        match run.state {
            RunState::Ended { ending: Ending::Skipped(SkipReason::Missed), .. } => self.missed(run, late, seen),
            _ if is_skipped(run) || late <= LATE => Ok(()),
            _ => caught_up(plan, run, late, is_first),
        }
    }

    /// A punctual fire is missed only if it stands behind late ones of the same backlog.
    fn missed(&self, run: &Run, late: Duration, seen: &Seen<'_>) -> Verdict {
        let backlog = self.late_at.get(&run.job_id).is_some_and(|at| seen.now.since(*at) < 2 * LATE);
        if late > LATE || backlog {
            return Ok(());
        }
        violation(NAME, format!("the fire at {} is missed, {late:?} late", run.scheduled_at))
    }
}

/// A late fire runs if the policy says so, and is not older than it says.
fn caught_up(plan: &Plan, run: &Run, late: Duration, is_first: bool) -> Verdict {
    let (policy, window, _) = plan.catch_up;
    if policy == CatchUp::None {
        return violation(NAME, format!("the fire at {} is caught up, by the policy 'none'", run.scheduled_at));
    }
    // Fires wait while a backlog is looked through: some steps, not minutes. A first fire may be as old as it likes.
    let most = Duration::from_secs(window.unsigned_abs()) + SLACK;
    if !is_first && late > most {
        return violation(NAME, format!("the fire at {} is caught up {late:?} late", run.scheduled_at));
    }
    Ok(())
}
