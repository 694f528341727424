//! The wire types in JSON, key by key.

use sandglass_core::capability::{Capability, CapabilityUses, Uses};
use sandglass_core::id::{JobId, RunId};
use sandglass_core::output::{OutputChunk, OutputStream};
use sandglass_core::run::{
    Attempt, AttemptEnd, AttemptError, AttemptOutcome, Ending, ErrorClass, Gate, Origin, Run, RunState, SkipReason,
    Usage,
};
use sandglass_core::time::Timestamp;

use super::OutputEvent;

fn run(state: RunState, attempts: Vec<Attempt>) -> Run {
    let scheduled_at = Timestamp::from_secs(1_800_000_000);
    Run {
        version: 3,
        revision: 3,
        origin: Origin::CatchUp,
        trigger: Some(0),
        gate: Gate::Window,
        state,
        attempts,
        ..Run::queued(
            RunId::of_fire(JobId::from_bits(7), scheduled_at),
            "default".parse().unwrap(),
            JobId::from_bits(7),
            "nightly-backup".parse().unwrap(),
            scheduled_at,
        )
    }
}

#[test]
fn a_failed_run_has_exactly_the_documented_keys() {
    let at = Timestamp::from_millis(1_800_000_000_250);
    let mut capabilities = CapabilityUses::default();
    capabilities[Capability::Process] = Uses { used: 3, denied: 1 };
    let end = AttemptEnd {
        finished_at: at,
        outcome: AttemptOutcome::TimedOut,
        error: Some(AttemptError {
            class: ErrorClass::Deadline,
            code: "deadline".to_owned(),
            message: "it took longer than 1s".to_owned(),
        }),
        exit_code: Some(143),
        usage: Usage {
            fuel: 123,
            peak_memory_bytes: 1_048_576,
            wall_us: 12_345,
            guest_cpu_us: 1000,
            output_bytes: 42,
            capabilities,
        },
    };
    let attempt = Attempt { number: 1, started_at: Timestamp::from_secs(1_800_000_000), end: Some(end) };
    let run = run(RunState::Ended { ending: Ending::TimedOut, at }, vec![attempt]);
    let shown = super::Run::from(&run);
    let json = serde_json::to_string_pretty(&shown).unwrap();
    insta::assert_snapshot!(json, @r#"
    {
      "id": "01MCC5RM00GRCZWG7V06B21GHM",
      "namespace": "default",
      "job": "nightly-backup",
      "revision": 3,
      "origin": "catch_up",
      "trigger": 0,
      "scheduled_at": "2027-01-15T08:00:00Z",
      "queued_at": "2027-01-15T08:00:00Z",
      "started_at": "2027-01-15T08:00:00Z",
      "finished_at": "2027-01-15T08:00:00.250Z",
      "state": "timed_out",
      "exit_code": 143,
      "attempts": [
        {
          "number": 1,
          "started_at": "2027-01-15T08:00:00Z",
          "finished_at": "2027-01-15T08:00:00.250Z",
          "outcome": "timed_out",
          "error": {
            "class": "deadline",
            "code": "deadline",
            "message": "it took longer than 1s"
          },
          "usage": {
            "fuel": 123,
            "peak_memory_bytes": 1048576,
            "wall_ms": 12.345,
            "guest_cpu_ms": 1,
            "output_bytes": 42
          },
          "capabilities": {
            "process": {
              "used": 3,
              "denied": 1
            }
          }
        }
      ]
    }
    "#);
    assert_eq!(serde_json::from_str::<super::Run>(&json).unwrap(), shown);
}

#[test]
fn what_is_absent_is_left_out() {
    let at = Timestamp::from_secs(1_800_000_000);
    let skipped = run(RunState::Ended { ending: Ending::Skipped(SkipReason::Overlap), at }, Vec::new());
    let waiting = run(
        RunState::RetryWait { until: at },
        vec![Attempt { number: 1, started_at: Timestamp::from_secs(1_799_999_999), end: None }],
    );
    for run in [&skipped, &waiting] {
        let shown = super::Run::from(run);
        let json = serde_json::to_string(&shown).unwrap();
        assert!(!json.contains("null"), "{json}");
        assert_eq!(serde_json::from_str::<super::Run>(&json).unwrap(), shown);
    }
    let value = serde_json::to_value(super::Run::from(&skipped)).unwrap();
    assert_eq!((value["state"].as_str(), value["reason"].as_str()), (Some("skipped"), Some("overlap")));
    let value = serde_json::to_value(super::Run::from(&waiting)).unwrap();
    assert_eq!(
        (value["state"].as_str(), value["retry_at"].as_str()),
        (Some("retry_wait"), Some("2027-01-15T08:00:00Z"))
    );
}

#[test]
fn output_keeps_every_byte() {
    for bytes in [b"plain\n".to_vec(), vec![0xff, 0, 0x80], Vec::new()] {
        let at = Timestamp::EPOCH;
        let chunk = OutputChunk { attempt: 1, at, stream: OutputStream::Stdout, bytes: bytes.clone() };
        let json = serde_json::to_string(&OutputEvent::new(&chunk, Some("7".to_owned()))).unwrap();
        assert_eq!(serde_json::from_str::<OutputEvent>(&json).unwrap().to_bytes(), bytes);
    }
}

#[test]
fn what_was_not_measured_is_not_told_as_nothing() {
    let at = Timestamp::EPOCH;
    let usage = |usage| {
        let end =
            AttemptEnd { finished_at: at, outcome: AttemptOutcome::Interrupted, error: None, exit_code: None, usage };
        super::Attempt::from(&Attempt { number: 1, started_at: at, end: Some(end) }).usage
    };
    assert!(usage(Usage::default()).is_none());
    assert!(usage(Usage { wall_us: 1, ..Usage::default() }).is_some());
}

#[test]
fn a_run_tells_why_it_is_or_was_not_tried_again() {
    use sandglass_core::run::NoRetry;
    let at = Timestamp::from_millis(1_800_000_000_250);
    let attempt = |number, outcome, exit_code| {
        let end = AttemptEnd { finished_at: at, outcome, error: None, exit_code, usage: Usage::default() };
        Attempt { number, started_at: at, end: Some(end) }
    };
    let failed = attempt(1, AttemptOutcome::Failed, Some(3));
    let ended = RunState::Ended { ending: Ending::Failed, at };
    let note = |state, attempts, no_retry| super::Run::from(&Run { no_retry, ..run(state, attempts) }).note;
    let note = |state, attempts, no_retry| note(state, attempts, no_retry).unwrap_or_default();
    assert_eq!(
        note(RunState::RetryWait { until: at }, vec![failed.clone()], None),
        "attempt 1 failed with exit code 3; attempt 2 is due at 2027-01-15T08:00:00.250Z"
    );
    assert_eq!(note(RunState::Queued, vec![failed.clone()], None), "attempt 2 is due and waits for a free place");
    assert_eq!(note(RunState::Queued, vec![], None), "");
    let table = [
        (failed.clone(), NoRetry::Attempts, "retry.max_attempts allows one attempt"),
        (failed, NoRetry::ExitCode, "retry.exit_codes leaves exit code 3 out"),
        (attempt(1, AttemptOutcome::TimedOut, None), NoRetry::Outcome, "retry.on does not name 'timed_out'"),
    ];
    for (attempt, why, expected) in table {
        assert_eq!(note(ended, vec![attempt], Some(why)), format!("it was not tried again: {expected}"));
    }
}
