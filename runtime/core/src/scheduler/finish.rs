//! An attempt is over: the run ends, or waits for another attempt.

use super::retry::{self, Failure};
use super::{Moment, Scheduler};
use crate::event::Step;
use crate::invocation::{AttemptReport, RetryAdvice};
use crate::run::{
    AttemptEnd, AttemptError, AttemptOutcome, CancelCause, Ending, ErrorClass, NoRetry, Run, RunState, Usage,
};
use crate::spec::RetryOutcome;

impl Scheduler {
    /// Takes in the host's report. A report on a run that is over, or on an earlier attempt, changes nothing.
    pub(super) fn attempt_finished(&mut self, report: AttemptReport, moment: &mut Moment<'_>, step: &mut Step) {
        let Some(active) = self.active.get(&report.run) else { return };
        let current = active.run.attempts.last().is_some_and(|attempt| attempt.number == report.attempt);
        if active.run.state != RunState::Running || !current {
            return;
        }
        let (next, no_retry) = self.after_attempt(&active.run, &report, moment);
        let AttemptReport { run, started_at, end, result, .. } = report;
        let edit = |run: &mut Run| {
            let attempt = run.attempts.last_mut().expect("a running run has an attempt");
            attempt.started_at = started_at;
            attempt.end = Some(end);
            // What an attempt before it left is still so if this one tells nothing.
            if result.is_some() {
                run.result = result;
            }
            run.no_retry = no_retry;
        };
        self.change(run, next, edit, step);
    }

    /// The state after the last attempt of `run` ended as `report` says; and why no other follows, unless it did what it
    /// should or was stopped on request.
    fn after_attempt(&self, run: &Run, report: &AttemptReport, moment: &mut Moment<'_>) -> (RunState, Option<NoRetry>) {
        let at = report.end.finished_at.max(report.started_at);
        let ended = |ending| RunState::Ended { ending, at };
        let (outcome, ending) = match report.end.outcome {
            AttemptOutcome::Succeeded => return (ended(Ending::Succeeded), None),
            AttemptOutcome::Cancelled => {
                let cause = run.cancel.map_or(CancelCause::User, |cancel| cancel.cause);
                return (ended(Ending::Cancelled(cause)), None);
            }
            AttemptOutcome::Failed => (RetryOutcome::Failed, Ending::Failed),
            AttemptOutcome::TimedOut => (RetryOutcome::TimedOut, Ending::TimedOut),
            AttemptOutcome::Interrupted => (RetryOutcome::Interrupted, Ending::Interrupted),
        };
        if run.cancel.is_some() {
            return (ended(ending), Some(NoRetry::CancelRequested));
        }
        let entry = self.jobs.get(&run.job_id);
        let policy = match run.notice.as_deref() {
            // A message that comes twice does less harm than one that never comes.
            Some(notice) => self.notifier(&run.namespace, notice).map(|notifier| (&notifier.retry, true)),
            None => entry.map(|entry| (&entry.job.spec.retry, entry.job.spec.idempotent)),
        };
        let Some((policy, idempotent)) = policy else {
            return (ended(ending), Some(NoRetry::JobDeleted));
        };
        let first = run.attempts.first().filter(|first| first.number != report.attempt);
        let failure = Failure {
            outcome,
            number: report.attempt,
            exit_code: report.end.exit_code,
            first_began_at: first.map_or(report.started_at, |first| first.started_at),
            advice: report.advice,
        };
        let next = retry::next_attempt(policy, idempotent, &failure, moment.now, moment.rng);
        #[cfg(feature = "defects")]
        let next = next.or_else(|why| self.retried_anyway(run.id, moment.now).ok_or(why));
        match next {
            // An attempt that could only begin when the run must be over is not waited for.
            Ok(until) if entry.and_then(|entry| entry.deadline_of(run)).is_some_and(|deadline| until >= deadline) => {
                (ended(ending), Some(NoRetry::Deadline))
            }
            Ok(until) => (RunState::RetryWait { until }, None),
            Err(why) => (ended(ending), Some(why)),
        }
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
