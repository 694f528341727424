//! An attempt is over: the run ends, or waits for another attempt.

use std::time::Duration;

use super::{Moment, Scheduler};
use crate::event::Step;
use crate::invocation::{AttemptReport, RetryAdvice};
use crate::run::{AttemptEnd, AttemptError, AttemptOutcome, CancelCause, Ending, ErrorClass, Run, RunState, Usage};
use crate::spec::{Backoff, Retry, RetryJitter};
use crate::time::Timestamp;

impl Scheduler {
    /// Takes in the host's report. A report on a run that is over, or on an earlier attempt, changes nothing.
    pub(super) fn attempt_finished(&mut self, report: AttemptReport, moment: &mut Moment<'_>, step: &mut Step) {
        let Some(active) = self.active.get(&report.run) else { return };
        let current = active.run.attempts.last().is_some_and(|attempt| attempt.number == report.attempt);
        if active.run.state != RunState::Running || !current {
            return;
        }
        let next = self.after_attempt(&active.run, &report, moment);
        let AttemptReport { run, started_at, end, result, .. } = report;
        let edit = |run: &mut Run| {
            let attempt = run.attempts.last_mut().expect("a running run has an attempt");
            attempt.started_at = started_at;
            attempt.end = Some(end);
            run.result = result;
        };
        self.change(run, next, edit, step);
    }

    /// The state of the run after its attempt ended as `report` says.
    fn after_attempt(&self, run: &Run, report: &AttemptReport, moment: &mut Moment<'_>) -> RunState {
        let at = report.end.finished_at.max(report.started_at);
        let ending = match report.end.outcome {
            AttemptOutcome::Succeeded => Ending::Succeeded,
            AttemptOutcome::Failed => Ending::Failed,
            AttemptOutcome::TimedOut => Ending::TimedOut,
            AttemptOutcome::Cancelled => Ending::Cancelled(run.cancel.map_or(CancelCause::User, |cancel| cancel.cause)),
            AttemptOutcome::Interrupted => Ending::Interrupted,
        };
        let ended = RunState::Ended { ending, at };
        let Some(entry) = self.jobs.get(&run.job_id) else { return ended };
        let spec = &entry.job.spec;
        let may_repeat = match ending {
            Ending::Failed | Ending::TimedOut => true,
            Ending::Interrupted => spec.idempotent,
            _ => false,
        };
        if run.cancel.is_some() || !may_repeat || report.attempt >= spec.retry.max_attempts {
            return ended;
        }
        let wait = retry_wait(&spec.retry, report.attempt, report.advice, moment.rng);
        let until = wait.map(|wait| moment.now.after(wait));
        // An attempt that could only begin when the run must be over is not waited for.
        let in_time = |until: &Timestamp| entry.deadline_of(run).is_none_or(|deadline| *until < deadline);
        until.filter(in_time).map_or(ended, |until| RunState::RetryWait { until })
    }

    /// Ends the attempt of a run that was going when an earlier daemon ended: what it did is unknown.
    pub(super) fn interrupt(&mut self, run: &Run, moment: &mut Moment<'_>, step: &mut Step) {
        let report = AttemptReport {
            run: run.id,
            attempt: run.attempts.last().map_or(1, |attempt| attempt.number),
            started_at: run.attempts.last().map_or(moment.now, |attempt| attempt.started_at),
            end: AttemptEnd {
                finished_at: moment.now,
                outcome: AttemptOutcome::Interrupted,
                error: Some(interruption("the daemon ended while the attempt was going; what it did is unknown")),
                exit_code: None,
                usage: Usage::default(),
            },
            result: None,
            advice: RetryAdvice::ByJobPolicy,
        };
        self.attempt_finished(report, moment, step);
    }
}

fn interruption(message: &str) -> AttemptError {
    AttemptError { class: ErrorClass::Lost, code: "interrupted".to_owned(), message: message.to_owned() }
}

/// How long to wait after attempt `number`, or none if the plugin advises against another.
fn retry_wait(retry: &Retry, number: u32, advice: RetryAdvice, rng: &mut fastrand::Rng) -> Option<Duration> {
    let full = match retry.backoff {
        Backoff::Fixed => retry.initial.get(),
        Backoff::Exponential => {
            let exponent = i32::try_from(number.saturating_sub(1)).unwrap_or(i32::MAX);
            let secs = retry.initial.get().as_secs_f64() * retry.factor.powi(exponent);
            // Anything that is no number of seconds (overflow, a negative factor) ends at the cap below.
            Duration::try_from_secs_f64(secs).unwrap_or(Duration::MAX)
        }
    };
    let full = full.min(retry.max.get());
    let wait = match retry.jitter {
        RetryJitter::None => full,
        RetryJitter::Full => full.mul_f64(rng.f64()),
    };
    match advice {
        RetryAdvice::Never => None,
        RetryAdvice::ByJobPolicy => Some(wait),
        RetryAdvice::After(least) => Some(wait.max(least)),
    }
}
