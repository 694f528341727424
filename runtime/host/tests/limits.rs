//! What a guest may use, and what it is called when it wanted more.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use sandglass_core::id::{Digest, RunId};
use sandglass_core::invocation::{AttemptReport, RetryAdvice, Work};
use sandglass_core::output::OutputStream;
use sandglass_core::quantity::Count;
use sandglass_core::run::{AttemptOutcome, ErrorClass};
use sandglass_host::Host;
use support::{Bench, PATIENCE, error, grants, invocation, work};

fn hostile(bench: &Bench) -> Digest {
    let path = sandglass_test_guests::hostile().unwrap();
    bench.add(&std::fs::read(path).unwrap())
}

fn hostile_work(bench: &Bench, action: &str, params: &str) -> Work {
    let mut work = work(hostile(bench), action, params);
    work.grants = grants(r#"{"state": true}"#);
    work
}

#[test]
fn a_guest_that_does_its_work_succeeds_and_its_usage_is_known() {
    let bench = Bench::new();
    let report = bench.run(invocation(hostile_work(&bench, "spin", r#"{"times": 100000}"#)));
    assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
    assert!(report.result.as_deref().is_some_and(|result| result.contains("output")), "{report:?}");
    let usage = report.end.usage;
    assert!(usage.fuel > 100_000, "{usage:?}");
    assert!(usage.peak_memory_bytes >= 65_536, "{usage:?}");
    assert!(usage.wall_us > 0 && usage.guest_cpu_us > 0 && usage.guest_cpu_us <= usage.wall_us + 1, "{usage:?}");
}

#[test]
fn fuel_ends_a_guest_that_computes_for_ever() {
    let bench = Bench::new();
    let mut work = hostile_work(&bench, "spin", "{}");
    work.limits.fuel = Count::new(50_000_000);
    let report = bench.run(invocation(work));
    assert_eq!(report.end.outcome, AttemptOutcome::Failed);
    assert_eq!(error(&report).class, ErrorClass::Fuel, "{report:?}");
    assert!(report.end.usage.fuel >= 49_000_000, "{report:?}");
}

#[test]
fn the_fuel_of_a_guest_that_is_killed_is_told() {
    let bench = Bench::new();
    let mut work = hostile_work(&bench, "spin", "{}");
    work.timeout = Duration::from_millis(500);
    work.grace = Duration::from_millis(50);
    let report = bench.run(invocation(work));
    assert_eq!(report.end.outcome, AttemptOutcome::TimedOut, "{report:?}");
    assert!(report.end.usage.fuel >= 100_000_000, "{report:?}");
}

#[test]
fn a_limit_that_ends_a_guest_while_it_should_stop_is_told() {
    let bench = Bench::new();
    let mut work = hostile_work(&bench, "spin", "{}");
    work.timeout = Duration::from_millis(1);
    work.grace = Duration::from_secs(60);
    work.limits.fuel = Count::new(2_000_000_000);
    let report = bench.run(invocation(work));
    let message = &error(&report).message;
    assert!(message.contains("did not end by itself: the plugin used up its"), "{message}");
}

#[test]
fn the_timeout_ends_guests_that_compute_and_guests_that_sleep() {
    let bench = Bench::new();
    for action in ["spin", "sleep-on", "call-host", "flood-progress"] {
        let mut work = hostile_work(&bench, action, "{}");
        work.timeout = Duration::from_millis(100);
        work.grace = Duration::from_millis(50);
        let report = bench.run(invocation(work));
        assert_eq!(report.end.outcome, AttemptOutcome::TimedOut, "{action}: {report:?}");
        assert_eq!(error(&report).class, ErrorClass::Deadline, "{action}");
        assert!(error(&report).message.contains("100ms"), "{action}: {report:?}");
        let wall = Duration::from_micros(report.end.usage.wall_us);
        assert!(wall >= Duration::from_millis(150) && wall < Duration::from_secs(5), "{action}: {wall:?}");
    }
}

#[test]
fn guests_that_compute_leave_room_for_others() {
    let bench = Bench::new();
    let spinning: Vec<_> =
        (0..4).map(|_| invocation(hostile_work(&bench, "spin", "{}"))).map(|one| (one.run, bench.start(one))).collect();
    // Two threads, four guests that never end by themselves: a fifth still gets its turn.
    let report = bench.run(invocation(hostile_work(&bench, "spin", r#"{"times": 1000}"#)));
    assert_eq!(report.end.outcome, AttemptOutcome::Succeeded);
    for (run, receiver) in spinning {
        assert!(receiver.try_recv().is_err(), "it is still going");
        bench.cancel(run);
        let report = receiver.recv_timeout(PATIENCE).unwrap();
        assert_eq!(report.end.outcome, AttemptOutcome::Cancelled);
        assert_eq!(error(&report).code, "cancelled");
    }
}

#[test]
fn memory_is_limited_in_sum() {
    let bench = Bench::new();
    let report = bench.run(invocation(hostile_work(&bench, "allocate", "{}")));
    assert_eq!(error(&report).class, ErrorClass::Memory, "{report:?}");
    let peak = report.end.usage.peak_memory_bytes;
    assert!(peak <= 32 << 20 && peak > 16 << 20, "{peak}");
    let report = bench.run(invocation(hostile_work(&bench, "allocate", r#"{"times": 4}"#)));
    assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
}

#[test]
fn deep_calls_end_with_the_stack() {
    let bench = Bench::new();
    let report = bench.run(invocation(hostile_work(&bench, "recurse", "{}")));
    assert_eq!(error(&report).class, ErrorClass::Stack, "{report:?}");
    let report = bench.run(invocation(hostile_work(&bench, "fill-stack", "{}")));
    assert!(matches!(error(&report).class, ErrorClass::Stack | ErrorClass::Trap), "{report:?}");
}

#[test]
fn a_panic_is_a_trap_with_its_last_words() {
    let bench = Bench::new();
    let report = bench.run(invocation(hostile_work(&bench, "panic", "{}")));
    assert_eq!(error(&report).class, ErrorClass::Trap, "{report:?}");
    assert!(error(&report).message.contains("on purpose"), "{report:?}");
    assert!(error(&report).message.contains("where it happened"), "{report:?}");
}

#[test]
fn leaving_through_the_system_is_no_success() {
    let bench = Bench::new();
    let report = bench.run(invocation(hostile_work(&bench, "exit", "{}")));
    assert_eq!(report.end.outcome, AttemptOutcome::Failed);
    assert_eq!(error(&report).class, ErrorClass::Exit, "{report:?}");
    assert_eq!(report.end.exit_code, Some(0));
}

#[test]
fn handles_and_results_and_codes_are_bounded() {
    let bench = Bench::new();
    let report = bench.run(invocation(hostile_work(&bench, "leak-handles", "{}")));
    assert_eq!(error(&report).class, ErrorClass::Trap, "{report:?}");
    let report = bench.run(invocation(hostile_work(&bench, "huge-result", r#"{"times": 4}"#)));
    assert_eq!(error(&report).code, "invalid-result", "{report:?}");
    let report = bench.run(invocation(hostile_work(&bench, "bad-code", "{}")));
    assert_eq!(error(&report).class, ErrorClass::Guest);
    assert_eq!(error(&report).code, "guest");
    assert!(error(&report).message.len() < 10_000);
}

#[test]
fn the_guest_sees_nothing_of_the_machine() {
    let bench = Bench::new();
    let report = bench.run(invocation(hostile_work(&bench, "look-around", "{}")));
    let result = report.result.unwrap();
    assert!(result.contains("environment [], arguments [], files []"), "{result}");
}

#[test]
fn state_is_the_services_to_bound() {
    let bench = Bench::new();
    let report = bench.run(invocation(hostile_work(&bench, "flood-state", "{}")));
    assert_eq!(error(&report).class, ErrorClass::Guest, "{report:?}");
    assert_eq!(error(&report).code, "limit-exceeded");
    assert_eq!(bench.services.told(|told| told.state.len()), 32);
}

#[test]
fn a_guest_that_imports_what_it_was_not_granted_is_not_started() {
    let bench = Bench::new();
    let mut work = hostile_work(&bench, "spin", r#"{"times": 1}"#);
    work.grants = grants("{}");
    let report = bench.run(invocation(work));
    assert_eq!(error(&report).class, ErrorClass::Denied, "{report:?}");
    assert!(error(&report).message.contains("state: true"), "{report:?}");
    assert_eq!(report.advice, RetryAdvice::Never);
}

#[test]
fn output_waits_for_its_reader() {
    let bench = Bench::new();
    bench.services.pieces.send_replace(3);
    let flood = invocation(hostile_work(&bench, "flood-output", "{}"));
    let run = flood.run;
    let receiver = bench.start(flood);
    bench.services.wait_for_text(run, OutputStream::Stdout, "over and over");
    bench.cancel(run);
    let report = receiver.recv_timeout(PATIENCE).unwrap();
    assert_eq!(report.end.outcome, AttemptOutcome::Cancelled);
    let kept = bench.services.text(run, OutputStream::Stdout).len();
    assert_eq!(bench.services.told(|told| told.output.len()), 3);
    assert_eq!(report.end.usage.output_bytes, kept as u64);
}

#[test]
fn the_host_survives_everything_at_once() {
    let bench = Bench::new();
    let actions = ["allocate", "recurse", "leak-handles", "panic", "exit", "huge-result", "bad-code", "flood-state"];
    let (sender, receiver) = mpsc::channel();
    let invocations: Vec<_> =
        (0..64).map(|round| invocation(hostile_work(&bench, actions[round % actions.len()], "{}"))).collect();
    let runs: HashSet<_> = invocations.iter().map(|one| one.run).collect();
    bench.start_all(invocations, sender);
    assert_eq!(reported(&receiver).into_keys().collect::<HashSet<_>>(), runs);
}

/// The reports of all attempts whose `done` ends in this channel: each must be reported once.
fn reported(receiver: &mpsc::Receiver<AttemptReport>) -> HashMap<RunId, AttemptReport> {
    let mut reports = HashMap::new();
    loop {
        match receiver.recv_timeout(PATIENCE) {
            Ok(report) => assert_eq!(reports.insert(report.run, report), None, "each is reported once"),
            Err(RecvTimeoutError::Disconnected) => return reports,
            Err(RecvTimeoutError::Timeout) => panic!("{} reports, and nothing more", reports.len()),
        }
    }
}

/// Starts `count` attempts that never end together, on the only thread of a host, and cancels the first of them: most have not
/// run yet when `end` ends the host. Gives their reports.
fn ended_too_soon(count: usize, end: impl FnOnce(Arc<Host>)) -> (HashMap<RunId, AttemptReport>, RunId) {
    let bench = Bench::with(|config| config.threads = 1);
    let (sender, receiver) = mpsc::channel();
    bench.start_all(vec![invocation(hostile_work(&bench, "spin", "{}"))], sender.clone());
    let invocations: Vec<_> = (0..count).map(|_| invocation(hostile_work(&bench, "spin", "{}"))).collect();
    let cancelled = invocations[0].run;
    let runs: HashSet<_> = invocations.iter().map(|one| one.run).collect();
    bench.start_all(invocations, sender);
    bench.cancel(cancelled);
    end(bench.host);
    let mut reports = reported(&receiver);
    assert_eq!(reports.len(), count + 1);
    reports.retain(|run, _| runs.contains(run));
    assert_eq!(reports.len(), count);
    (reports, cancelled)
}

#[test]
fn attempts_of_a_host_that_is_dropped_are_lost_and_reported() {
    for count in [1, 8, 9, 17, 40] {
        let (reports, cancelled) = ended_too_soon(count, drop);
        for (run, report) in reports {
            let is_lost = error(&report).class == ErrorClass::Lost;
            assert!(is_lost || (run == cancelled && report.end.outcome == AttemptOutcome::Cancelled), "{report:?}");
        }
    }
}

#[test]
fn attempts_of_a_host_that_stops_are_interrupted_and_reported() {
    for count in [1, 9, 40] {
        let (reports, cancelled) = ended_too_soon(count, |host| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(host.shutdown(Duration::ZERO));
        });
        for (run, report) in reports {
            let expected = if run == cancelled { AttemptOutcome::Cancelled } else { AttemptOutcome::Interrupted };
            assert_eq!(report.end.outcome, expected, "{report:?}");
        }
    }
}
