//! Retries: as many as the job allows, none lost, none early, and interrupted runs by their own rule.

use std::collections::BTreeMap;

use sandglass_core::batch::Write;
use sandglass_core::id::RunId;
use sandglass_core::invocation::RetryAdvice;
use sandglass_core::run::{AttemptOutcome, Run, RunState};

use super::{Checker, Happening, Seen, Verdict, is_running, violation};

#[derive(Clone, Default)]
pub(crate) struct Retries {
    advice: BTreeMap<(RunId, u32), RetryAdvice>,
}

const NAME: &str = "retries";

impl Checker for Retries {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        let Write::UpdateRun(run) = write else { return Ok(()) };
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
        let Some(attempt) = run.attempts.last() else { return Ok(()) };
        let Some(end) = &attempt.end else { return Ok(()) };
        let plan = seen.job_of(run).map(|(_, plan)| plan);
        let advice = match end.outcome {
            AttemptOutcome::Interrupted => RetryAdvice::ByJobPolicy,
            _ => self.advice.get(&(run.id, attempt.number)).copied().unwrap_or_default(),
        };
        let wanted = plan.filter(|plan| {
            let repeats = match end.outcome {
                AttemptOutcome::Failed | AttemptOutcome::TimedOut => true,
                AttemptOutcome::Interrupted => plan.idempotent,
                AttemptOutcome::Succeeded | AttemptOutcome::Cancelled => false,
            };
            let left = attempt.number < plan.retry.max_attempts;
            repeats && left && run.cancel.is_none() && advice != RetryAdvice::Never
        });
        match (run.state, wanted) {
            (RunState::RetryWait { until }, Some(plan)) => {
                let (least, most) = plan.retry.wait(attempt.number);
                let floor = match advice {
                    RetryAdvice::After(wait) => i64::try_from(wait.as_micros()).unwrap_or(i64::MAX),
                    RetryAdvice::ByJobPolicy | RetryAdvice::Never => 0,
                };
                let wait = until.as_micros() - seen.now.as_micros();
                if wait < least.max(floor) || wait > most.max(floor) {
                    return violation(NAME, format!("run {} waits {wait} µs after attempt {}", run.id, attempt.number));
                }
                Ok(())
            }
            (RunState::RetryWait { .. }, None) => {
                violation(NAME, format!("run {} is to be tried again after attempt {}", run.id, attempt.number))
            }
            (state, Some(_)) => violation(
                NAME,
                format!("run {} is {state:?} after attempt {}: a retry is lost", run.id, attempt.number),
            ),
            (_, None) => Ok(()),
        }
    }
}
