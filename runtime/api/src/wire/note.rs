//! Why a run is, or was not, tried again, in words.

use sandglass_core::run::{AttemptOutcome, CancelCause, NoRetry, Run, RunState};
use sandglass_core::time::Timestamp;

/// Why the run is tried again and when, or why it was not; none if there is nothing to say. `shown` writes an instant.
#[must_use]
pub fn retry_note(run: &Run, shown: impl Fn(Timestamp) -> String) -> Option<String> {
    let last = run.attempts.last()?;
    let outcome = last.end.as_ref().map(|end| end.outcome);
    let next = last.number.saturating_add(1);
    match run.state {
        RunState::RetryWait { until } => {
            let (number, how) = (last.number, ended(run));
            Some(format!("attempt {number} {how}; attempt {next} is due at {}", shown(until)))
        }
        RunState::Queued => Some(format!("attempt {next} is due and waits for a free place")),
        RunState::Running => None,
        RunState::Ended { .. } => {
            let why = match run.no_retry? {
                NoRetry::Attempts if run.attempts.len() == 1 => "retry.max_attempts allows one attempt".to_owned(),
                NoRetry::Attempts => {
                    format!("there have been {} attempts, and retry.max_attempts allows no more", run.attempts.len())
                }
                NoRetry::Outcome if outcome == Some(AttemptOutcome::Interrupted) => {
                    "that takes 'idempotent: true', and retry.on must not leave 'interrupted' out".to_owned()
                }
                NoRetry::Outcome => format!("retry.on does not name '{}'", outcome.map_or("", super::outcome_name)),
                NoRetry::ExitCode => {
                    let code = run.exit_code().map(|code| format!(" {code}")).unwrap_or_default();
                    format!("retry.exit_codes leaves exit code{code} out")
                }
                NoRetry::Elapsed => {
                    "the next attempt would have been due later than retry.max_elapsed allows".to_owned()
                }
                NoRetry::Advice => "the plugin said that it would fail again".to_owned(),
                NoRetry::CancelRequested => match run.cancel.map(|cancel| cancel.cause) {
                    Some(CancelCause::Superseded) => "a later fire of the job took its place",
                    Some(CancelCause::JobDeleted) => "its job was deleted",
                    Some(CancelCause::User) | None => "somebody had asked for it to be stopped",
                }
                .to_owned(),
                NoRetry::JobDeleted => "the job was deleted meanwhile".to_owned(),
                NoRetry::Deadline => "the next attempt would have begun after the deadline of the whole run".to_owned(),
            };
            Some(format!("it was not tried again: {why}"))
        }
    }
}

/// How the last attempt ended: `failed with exit code 3`.
fn ended(run: &Run) -> String {
    let end = run.attempts.last().and_then(|attempt| attempt.end.as_ref());
    match (end.map(|end| end.outcome), run.exit_code()) {
        (Some(AttemptOutcome::TimedOut), _) => "timed out".to_owned(),
        (Some(AttemptOutcome::Interrupted), _) => "was interrupted".to_owned(),
        (_, Some(code)) => format!("failed with exit code {code}"),
        _ => "failed".to_owned(),
    }
}
