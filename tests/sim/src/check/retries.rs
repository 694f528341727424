//! Retries: as many as the job allows, none lost, none early, none too late, after what it says, and interrupted runs by
//! their own rule. And runs that somebody lets be made again are of the same job as the run that was over.

use std::collections::BTreeMap;

use sandglass_core::batch::Write;
use sandglass_core::id::RunId;
use sandglass_core::invocation::RetryAdvice;
use sandglass_core::run::{AttemptOutcome, Origin, Run, RunState};
use sandglass_core::time::Timestamp;

use super::{Checker, Happening, Seen, Verdict, is_running, violation};
use crate::plan::{Plan, SECOND};

#[derive(Clone, Default)]
pub(crate) struct Retries {
    advice: BTreeMap<(RunId, u32), RetryAdvice>,
}

const NAME: &str = "retries";

impl Checker for Retries {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        let run = match write {
            Write::InsertRun(run) => return made_again(seen, run),
            Write::UpdateRun(run) => run,
            _ => return Ok(()),
        };
        let Some(before) = seen.before(run) else { return Ok(()) };
        match before.state {
            RunState::Running if !is_running(run) => self.after_attempt(seen, run),
            RunState::RetryWait { until } if run.state == RunState::Queued && seen.now < until => {
                violation(NAME, format!("run {} is queued again at {}, before {until}", run.id, seen.now))
            }
            _ => Ok(()),
        }
    }

    fn happens(&mut self, _: &Seen<'_>, what: &Happening<'_>) -> Verdict {
        if let Happening::Report(report) = what {
            self.advice.insert((report.run, report.attempt), report.advice);
        }
        Ok(())
    }
}

impl Retries {
    fn after_attempt(&self, seen: &Seen<'_>, run: &Run) -> Verdict {
        // A notification is tried again by its notifier, not by its job.
        let Some(attempt) = run.attempts.last().filter(|_| run.notice.is_none()) else { return Ok(()) };
        let Some(end) = &attempt.end else { return Ok(()) };
        let plan = seen.job_of(run).map(|(_, plan)| plan);
        let advice = match end.outcome {
            AttemptOutcome::Interrupted => RetryAdvice::ByJobPolicy,
            _ => self.advice.get(&(run.id, attempt.number)).copied().unwrap_or_default(),
        };
        let refused = run.cancel.is_some() || advice == RetryAdvice::Never;
        let may_follow = plan.filter(|plan| {
            let named = plan.retry.permits(end.outcome, end.exit_code, plan.idempotent);
            !refused && named && attempt.number < plan.retry.max_attempts
        });
        let due = may_follow.and_then(|plan| Due::of(seen, run, plan, advice));
        match (run.state, due) {
            (RunState::RetryWait { until }, Some(due)) if due.permits(until) => Ok(()),
            (RunState::RetryWait { until }, due) => {
                let (id, number) = (run.id, attempt.number);
                violation(NAME, format!("run {id} is to be tried again at {until} after attempt {number}: {due:?}"))
            }
            (state, Some(due)) if due.is_certain => {
                let (id, number) = (run.id, attempt.number);
                violation(NAME, format!("run {id} is {state:?} after attempt {number}: a retry is lost"))
            }
            _ => Ok(()),
        }
    }
}

/// A run is said to make another again if and only if somebody asked for that, of a run of its job that is over.
fn made_again(seen: &Seen<'_>, run: &Run) -> Verdict {
    let original = run.rerun_of.and_then(|original| seen.model.runs.get(&original.run));
    let over = |original: &&std::sync::Arc<Run>| {
        original.job_id == run.job_id && matches!(original.state, RunState::Ended { .. })
    };
    match (run.origin, run.rerun_of) {
        (Origin::Retry, Some(_)) if original.filter(over).is_some() => Ok(()),
        (Origin::Retry, of) => violation(NAME, format!("run {} makes {of:?} again, which is {original:?}", run.id)),
        (_, None) => Ok(()),
        (origin, Some(of)) => violation(NAME, format!("run {} ({}) makes {} again", run.id, origin.as_str(), of.run)),
    }
}

/// When the next attempt may be due.
#[derive(Clone, Copy, Debug)]
struct Due {
    from: Timestamp,
    until: Timestamp,
    /// Whether it must be made, and not only if chance lets it be due in time.
    is_certain: bool,
}

impl Due {
    /// None if it would be too late in any case.
    fn of(seen: &Seen<'_>, run: &Run, plan: &Plan, advice: RetryAdvice) -> Option<Self> {
        let (first, last) = (run.attempts.first()?, run.attempts.last()?);
        let floor = match advice {
            RetryAdvice::After(wait) => i64::try_from(wait.as_micros()).unwrap_or(i64::MAX),
            RetryAdvice::ByJobPolicy | RetryAdvice::Never => 0,
        };
        let (least, most) = plan.retry.wait(last.number);
        let now = seen.now.as_micros();
        let (from, until) = (now + least.max(floor), now + most.max(floor));
        let elapsed = plan.retry.max_elapsed.map(|secs| first.started_at.as_micros() + secs * SECOND);
        // At its deadline a run is over already.
        let whole = plan.deadlines(run).whole.map(|at| at.as_micros() - 1);
        let end = elapsed.into_iter().chain(whole).min().unwrap_or(i64::MAX);
        (from <= end).then_some(Self {
            from: Timestamp::from_micros(from),
            until: Timestamp::from_micros(until.min(end)),
            is_certain: until <= end,
        })
    }

    fn permits(self, at: Timestamp) -> bool {
        (self.from..=self.until).contains(&at)
    }
}
