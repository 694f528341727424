//! What a fire comes to that is dealt with late, and that a punctual one is no such thing.

use std::collections::BTreeMap;
use std::time::Duration;

use sandglass_core::batch::Write;
use sandglass_core::id::JobId;
use sandglass_core::run::{Ending, Origin, Run, RunState, SkipReason};
use sandglass_core::time::Timestamp;

use super::{Checker, Seen, Verdict, violation};
use crate::plan::CatchUp;

/// Later than this after its instant, a fire is a catch-up.
const LATE: Duration = Duration::from_secs(5);

#[derive(Clone, Default)]
pub(crate) struct Lateness {
    /// When a job's late fires were last dealt with.
    late_at: BTreeMap<JobId, Timestamp>,
    /// The schedule of a job, by when it was saved, of whose fires a run has come.
    had_runs: BTreeMap<JobId, Timestamp>,
}

const NAME: &str = "lateness";

impl Checker for Lateness {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        let Write::InsertRun(run) = write else { return Ok(()) };
        if run.queued_at != seen.now {
            return violation(NAME, format!("run {} is queued at {}, decided at {}", run.id, run.queued_at, seen.now));
        }
        let Some((job, plan)) = seen.job_of(run) else { return Ok(()) };
        if !matches!(run.origin, Origin::Schedule | Origin::CatchUp) {
            return Ok(());
        }
        if plan.is_startup(run.trigger) {
            self.had_runs.insert(run.job_id, job.scheduled_since);
            return Ok(());
        }
        if run.scheduled_at > seen.now {
            return violation(NAME, format!("the fire at {} is dealt with at {}", run.scheduled_at, seen.now));
        }
        let late = seen.now.since(run.scheduled_at);
        if (late > LATE) != (run.origin == Origin::CatchUp) {
            return violation(NAME, format!("a fire dealt with {late:?} late is a {}", run.origin.as_str()));
        }
        if late > LATE {
            self.late_at.insert(run.job_id, seen.now);
        }
        let skipped =
            |reason| matches!(run.state, RunState::Ended { ending: Ending::Skipped(found), .. } if found == reason);
        if skipped(SkipReason::Missed) {
            return self.missed(run, late, seen);
        }
        let first = self.had_runs.get(&run.job_id) != Some(&job.scheduled_since);
        let left_out = skipped(SkipReason::Calendar) || skipped(SkipReason::OutsideWindow);
        if !matches!(run.state, RunState::Ended { ending: Ending::Skipped(_), .. }) {
            self.had_runs.insert(run.job_id, job.scheduled_since);
        }
        let (policy, window, _) = plan.catch_up;
        if policy == CatchUp::None && late > LATE && !left_out {
            return violation(NAME, format!("the fire at {} is caught up, by the policy 'none'", run.scheduled_at));
        }
        let window = Duration::from_secs(window.unsigned_abs());
        // Fires wait while a backlog is looked through: some steps, not minutes. A first fire may be as old as it likes.
        if !left_out && !first && late > window + Duration::from_secs(600) {
            return violation(NAME, format!("the fire at {} is caught up {late:?} late", run.scheduled_at));
        }
        Ok(())
    }
}

impl Lateness {
    /// A punctual fire is missed only if it stands behind late ones of the same backlog.
    fn missed(&self, run: &Run, late: Duration, seen: &Seen<'_>) -> Verdict {
        let backlog = self.late_at.get(&run.job_id).is_some_and(|at| seen.now.since(*at) < 2 * LATE);
        if late > LATE || backlog {
            return Ok(());
        }
        violation(NAME, format!("the fire at {} is missed, {late:?} late", run.scheduled_at))
    }
}
