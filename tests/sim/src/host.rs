//! Guests by script: they end well or badly, hang until they are stopped or killed, flood, and vanish.

use std::collections::BTreeMap;
use std::time::Duration;

use sandglass_core::id::RunId;
use sandglass_core::invocation::{AttemptReport, Cancel, CancelReason, Invocation, RetryAdvice};
use sandglass_core::run::{AttemptEnd, AttemptError, AttemptOutcome, ErrorClass, Usage};
use sandglass_core::time::Timestamp;

use crate::plan::SECOND;

/// What a guest does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Script {
    Succeeds,
    Fails {
        exit_code: Option<i32>,
        advice: RetryAdvice,
    },
    /// Goes on until it is asked to stop.
    Hangs,
    /// Goes on until it is killed.
    IsStubborn,
    /// Succeeds with as much output and as large a result as there may be.
    Floods,
    /// Ends without a word.
    Vanishes,
}

#[derive(Clone, Debug)]
struct Guest {
    invocation: Invocation,
    script: Script,
    /// By the monotonic clock, in microseconds, as are all these.
    begun: i64,
    /// When it ends by itself, if it does.
    ends: Option<i64>,
    /// When it was asked to stop first, and why.
    asked: Option<(i64, CancelReason)>,
    /// Whether it was killed without its grace.
    killed: bool,
    started_at: Timestamp,
}

/// The attempts that are going.
#[derive(Default, Debug)]
pub(crate) struct Host {
    guests: BTreeMap<(RunId, u32), Guest>,
}

impl Host {
    /// Begins an attempt.
    pub(crate) fn start(&mut self, invocation: Invocation, now: Timestamp, monotonic: i64, rng: &mut fastrand::Rng) {
        let script = match rng.u8(..20) {
            0..9 => Script::Succeeds,
            9..14 => Script::Fails { exit_code: rng.bool().then(|| rng.i32(1..130)), advice: advice(rng) },
            14 | 15 => Script::Hangs,
            16 => Script::IsStubborn,
            17 => Script::Floods,
            _ => Script::Vanishes,
        };
        let takes = if rng.bool() { rng.i64(1..2 * SECOND) } else { rng.i64(1..150 * SECOND) };
        let ends = (!matches!(script, Script::Hangs | Script::IsStubborn)).then_some(monotonic + takes);
        let key = (invocation.run, invocation.attempt);
        self.guests.insert(
            key,
            Guest { invocation, script, begun: monotonic, ends, asked: None, killed: false, started_at: now },
        );
    }

    /// Asks an attempt to stop. One that is over is not there to be asked.
    pub(crate) fn cancel(&mut self, cancel: Cancel, monotonic: i64) {
        if let Some(guest) = self.guests.get_mut(&(cancel.run, cancel.attempt)) {
            guest.asked.get_or_insert((monotonic, cancel.reason));
            guest.killed |= cancel.at_once;
        }
    }

    /// Whether the attempt is going.
    pub(crate) fn has(&self, run: RunId, attempt: u32) -> bool {
        self.guests.contains_key(&(run, attempt))
    }

    /// When the next attempt ends, by the monotonic clock.
    pub(crate) fn next_end(&self) -> Option<i64> {
        self.guests.values().map(|guest| guest.end().0).min()
    }

    /// The reports of attempts that are over by now.
    pub(crate) fn reports(&mut self, now: Timestamp, monotonic: i64) -> Vec<AttemptReport> {
        let over: Vec<_> =
            self.guests.iter().filter(|(_, guest)| guest.end().0 <= monotonic).map(|(key, _)| *key).collect();
        over.into_iter().filter_map(|key| Some(self.guests.remove(&key)?.report(now, monotonic))).collect()
    }

    /// Everything is gone at once.
    pub(crate) fn die(&mut self) {
        self.guests.clear();
    }
}

fn advice(rng: &mut fastrand::Rng) -> RetryAdvice {
    match rng.u8(..8) {
        0 => RetryAdvice::Never,
        1 => RetryAdvice::After(Duration::from_secs(rng.u64(1..100))),
        _ => RetryAdvice::ByJobPolicy,
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

impl Guest {
    /// When it ends, and why if it does not do so by itself.
    fn end(&self) -> (i64, Option<CancelReason>) {
        let timeout = (self.begun + micros(self.invocation.work.timeout), CancelReason::Timeout);
        let asked = self.asked.filter(|asked| asked.0 <= timeout.0).unwrap_or(timeout);
        if let Some(ends) = self.ends.filter(|ends| *ends < asked.0) {
            return (ends, None);
        }
        let takes = match self.script {
            _ if self.killed => 0,
            Script::IsStubborn => micros(self.invocation.work.grace),
            _ => SECOND.min(micros(self.invocation.work.grace)),
        };
        (asked.0 + takes, Some(asked.1))
    }

    fn report(self, now: Timestamp, monotonic: i64) -> AttemptReport {
        let outcome = match (self.end().1, self.script) {
            (Some(CancelReason::User | CancelReason::Superseded | CancelReason::JobDeleted), _) => {
                AttemptOutcome::Cancelled
            }
            (Some(CancelReason::Timeout), _) => AttemptOutcome::TimedOut,
            (Some(CancelReason::Shutdown), _) => AttemptOutcome::Interrupted,
            (None, Script::Succeeds | Script::Floods) => AttemptOutcome::Succeeded,
            (None, _) => AttemptOutcome::Failed,
        };
        let (exit_code, advice) = match (outcome, self.script) {
            (AttemptOutcome::Failed, Script::Fails { exit_code, advice }) => (exit_code, advice),
            _ => (None, RetryAdvice::ByJobPolicy),
        };
        let floods = self.script == Script::Floods;
        let error = (outcome != AttemptOutcome::Succeeded).then(|| AttemptError {
            class: if exit_code.is_some() { ErrorClass::Exit } else { ErrorClass::Lost },
            code: "scripted".to_owned(),
            message: "so it was written".to_owned(),
        });
        let wall_us = u64::try_from(monotonic - self.begun).unwrap_or(0);
        let output_bytes = if floods { 10 << 30 } else { 100 };
        AttemptReport {
            run: self.invocation.run,
            attempt: self.invocation.attempt,
            started_at: self.started_at,
            end: AttemptEnd {
                finished_at: now,
                outcome,
                error,
                exit_code,
                usage: Usage { wall_us, output_bytes, ..Usage::default() },
            },
            result: (outcome == AttemptOutcome::Succeeded).then(|| {
                let text = "x".repeat(if floods { 60_000 } else { 10 });
                serde_json::json!({ "summary": text }).to_string()
            }),
            advice,
        }
    }
}
