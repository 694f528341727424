//! Whether an attempt that did not succeed is followed by another, and when.

use std::time::Duration;

use crate::invocation::RetryAdvice;
use crate::run::NoRetry;
use crate::spec::{Backoff, Retry, RetryJitter, RetryOutcome};
use crate::time::Timestamp;

/// An attempt that did not succeed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failure {
    pub(super) outcome: RetryOutcome,
    /// Which attempt of the run it was, counted from 1.
    pub(super) number: u32,
    pub(super) exit_code: Option<i32>,
    /// When the run's first attempt began.
    pub(super) first_began_at: Timestamp,
    pub(super) advice: RetryAdvice,
}

/// When the attempt after `failure` is due by `policy`, or why there is none. Only what is `idempotent` is tried again after
/// it was interrupted.
pub(super) fn next_attempt(
    policy: &Retry,
    idempotent: bool,
    failure: &Failure,
    now: Timestamp,
    rng: &mut fastrand::Rng,
) -> Result<Timestamp, NoRetry> {
    let named = match (policy.on, failure.outcome) {
        (None, RetryOutcome::Interrupted) => idempotent,
        (None, _) => true,
        (Some(on), RetryOutcome::Interrupted) => idempotent && on.contains(RetryOutcome::Interrupted),
        (Some(on), outcome) => on.contains(outcome),
    };
    if !named {
        return Err(NoRetry::Outcome);
    }
    let permitted = policy.exit_codes.as_ref().zip(failure.exit_code).is_none_or(|(codes, code)| codes.permits(code));
    if !permitted {
        return Err(NoRetry::ExitCode);
    }
    if failure.number >= policy.max_attempts {
        return Err(NoRetry::Attempts);
    }
    let wait = wait(policy, failure.number, rng);
    let wait = match failure.advice {
        RetryAdvice::Never => return Err(NoRetry::Advice),
        RetryAdvice::ByJobPolicy => wait,
        RetryAdvice::After(least) => wait.max(least),
    };
    let due = now.after(wait);
    let end = policy.max_elapsed.map(|most| failure.first_began_at.after(most.get()));
    if end.is_some_and(|end| due > end) { Err(NoRetry::Elapsed) } else { Ok(due) }
}

/// How long to wait after attempt `number` by the job's policy.
fn wait(retry: &Retry, number: u32, rng: &mut fastrand::Rng) -> Duration {
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
    match retry.jitter {
        RetryJitter::None => full,
        RetryJitter::Full => full.mul_f64(rng.f64()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use NoRetry::{Advice, Attempts, Elapsed, ExitCode, Outcome};
    use RetryOutcome::{Failed, Interrupted, TimedOut};

    const FIRST: i64 = 1_800_000_000;
    const NOW: i64 = FIRST + 100;

    fn decide(retry: &str, idempotent: bool, failure: Failure, seed: u64) -> Result<i64, NoRetry> {
        let retry: Retry = serde_json::from_str(retry).unwrap();
        let mut rng = fastrand::Rng::with_seed(seed);
        let due = next_attempt(&retry, idempotent, &failure, Timestamp::from_secs(NOW), &mut rng);
        due.map(|due| due.as_millis() - NOW * 1000)
    }

    fn failed(number: u32, exit_code: Option<i32>) -> Failure {
        let first_began_at = Timestamp::from_secs(FIRST);
        Failure { outcome: Failed, number, exit_code, first_began_at, advice: RetryAdvice::ByJobPolicy }
    }

    #[test]
    fn the_policy_decides_in_a_table() {
        let of = |outcome, number| Failure { outcome, ..failed(number, None) };
        let advised = |advice| Failure { advice, ..failed(1, None) };
        // Every wait is 10 s unless the policy says something else.
        let table: &[(&str, Failure, Result<i64, NoRetry>)] = &[
            ("", failed(1, Some(1)), Ok(10_000)),
            ("", failed(2, Some(1)), Ok(20_000)),
            ("", failed(4, Some(1)), Ok(80_000)),
            ("", failed(5, Some(1)), Err(Attempts)),
            (r#", "max": "30s""#, failed(4, None), Ok(30_000)),
            (r#", "backoff": "fixed""#, failed(4, None), Ok(10_000)),
            (r#", "factor": 1000"#, failed(4, None), Ok(600_000)),
            ("", of(TimedOut, 1), Ok(10_000)),
            (r#", "on": ["failed"]"#, of(TimedOut, 1), Err(Outcome)),
            (r#", "on": ["timed_out"]"#, of(TimedOut, 1), Ok(10_000)),
            (r#", "on": ["timed_out"]"#, failed(1, Some(1)), Err(Outcome)),
            (r#", "on": []"#, failed(1, None), Err(Outcome)),
            (r#", "exit_codes": {"retry": [75, "100-120"]}"#, failed(1, Some(75)), Ok(10_000)),
            (r#", "exit_codes": {"retry": [75, "100-120"]}"#, failed(1, Some(110)), Ok(10_000)),
            (r#", "exit_codes": {"retry": [75, "100-120"]}"#, failed(1, Some(1)), Err(ExitCode)),
            // A failure without an exit code is not theirs to decide.
            (r#", "exit_codes": {"retry": [75, "100-120"]}"#, failed(1, None), Ok(10_000)),
            (r#", "exit_codes": {"stop": [2]}"#, failed(1, Some(2)), Err(ExitCode)),
            (r#", "exit_codes": {"stop": [2]}"#, failed(1, Some(3)), Ok(10_000)),
            // The first attempt began 100 s ago; the next one would be due 110 s after that.
            (r#", "max_elapsed": "110s""#, failed(1, None), Ok(10_000)),
            (r#", "max_elapsed": "109s""#, failed(1, None), Err(Elapsed)),
            (r#", "max_elapsed": "109s""#, failed(5, None), Err(Attempts)),
            ("", advised(RetryAdvice::Never), Err(Advice)),
            ("", advised(RetryAdvice::After(Duration::from_secs(5))), Ok(10_000)),
            ("", advised(RetryAdvice::After(Duration::from_secs(900))), Ok(900_000)),
            (r#", "max_elapsed": "5m""#, advised(RetryAdvice::After(Duration::from_secs(900))), Err(Elapsed)),
        ];
        for (more, failure, expected) in table {
            let retry = format!(r#"{{"max_attempts": 5, "jitter": "none"{more}}}"#);
            assert_eq!(decide(&retry, false, *failure, 1), *expected, "{retry}, {failure:?}");
        }
    }

    #[test]
    fn an_interrupted_attempt_is_repeated_only_if_that_does_no_harm() {
        let interrupted = Failure { outcome: Interrupted, ..failed(1, None) };
        let table = [
            (r#"{"max_attempts": 2, "jitter": "none"}"#, true, Ok(10_000)),
            (r#"{"max_attempts": 2, "jitter": "none"}"#, false, Err(Outcome)),
            (r#"{"max_attempts": 2, "jitter": "none", "on": ["failed"]}"#, true, Err(Outcome)),
            (r#"{"max_attempts": 2, "jitter": "none", "on": ["interrupted"]}"#, true, Ok(10_000)),
            (r#"{"max_attempts": 2, "jitter": "none", "on": ["interrupted"]}"#, false, Err(Outcome)),
        ];
        for (retry, idempotent, expected) in table {
            assert_eq!(decide(retry, idempotent, interrupted, 1), expected, "{retry}, {idempotent}");
        }
    }

    #[test]
    fn jitter_draws_from_the_whole_wait() {
        let waits = (0..200).map(|seed| decide(r#"{"max_attempts": 2}"#, false, failed(1, None), seed).unwrap());
        let waits: Vec<i64> = waits.collect();
        assert!(waits.iter().all(|wait| (0..=10_000).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < 2000) && waits.iter().any(|wait| *wait > 8000));
    }
}
