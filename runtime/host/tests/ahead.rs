//! Attempts whose instance is made before they start.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use sandglass_core::id::Digest;
use sandglass_core::invocation::Invocation;
use sandglass_core::run::{AttemptOutcome, Usage};
use support::{Bench, PATIENCE, error, grants, invocation, work};
use wasmparser::{Parser, Payload};

fn noop() -> Vec<u8> {
    std::fs::read(sandglass_test_guests::noop().unwrap()).unwrap()
}

fn of(digest: Digest) -> Invocation {
    invocation(work(digest, "noop", "{}"))
}

/// What a successful attempt used that is the same each time.
fn used(usage: &Usage) -> (u64, u64, u64) {
    (usage.fuel, usage.peak_memory_bytes, usage.output_bytes)
}

/// Makes an attempt that was announced so long before that its instance has been made, as another attempt came between.
fn run_announced(bench: &Bench, digest: Digest) -> Usage {
    let announced = of(digest);
    bench.host.announce(announced.clone());
    bench.run(of(digest));
    let report = bench.run(announced);
    assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
    report.end.usage
}

/// A component that computes for a while whenever an instance of it is made.
fn that_computes_at_first(mut component: Vec<u8>) -> Vec<u8> {
    let module = wat::parse_str(
        "(module
            (func $compute (local i32)
                (loop (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1))) (i32.const 20000000)))))
            (start $compute))",
    )
    .unwrap();
    let modules = outer_sections(&component, |payload| matches!(payload, Payload::ModuleSection { .. }));
    let number = u8::try_from(modules).unwrap();
    assert!(number < 0x80 && module.len() < 0x80, "numbers of one byte are enough");
    component.extend([1, u8::try_from(module.len()).unwrap()]);
    component.extend(module);
    // One instance of that module, which is given nothing.
    component.extend([2, 4, 1, 0, number, 0]);
    component
}

/// How many sections of a kind a component has itself.
fn outer_sections(component: &[u8], is_of_kind: impl Fn(&Payload<'_>) -> bool) -> usize {
    let mut depth = 0;
    let mut count = 0;
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload.unwrap();
        count += usize::from(depth == 1 && is_of_kind(&payload));
        match payload {
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            _ => {}
        }
    }
    count
}

#[test]
fn an_announced_attempt_uses_what_any_other_does() {
    let bench = Bench::with(|config| config.threads = 1);
    let digest = bench.add(&noop());
    let plain = bench.run(of(digest)).end.usage;
    for _ in 0..3 {
        assert_eq!(used(&run_announced(&bench, digest)), used(&plain));
    }
    // Whichever comes first, the instance or the start.
    for _ in 0..200 {
        let invocation = of(digest);
        bench.host.announce(invocation.clone());
        let report = bench.run(invocation);
        assert_eq!(used(&report.end.usage), used(&plain), "{report:?}");
    }
}

#[test]
fn no_code_runs_before_the_attempt_starts() {
    let bench = Bench::with(|config| config.threads = 1);
    let digest = bench.add(&that_computes_at_first(noop()));
    let plain = bench.run(of(digest)).end.usage;
    assert!(plain.fuel > 20_000_000, "{plain:?}");
    for _ in 0..3 {
        let usage = run_announced(&bench, digest);
        assert_eq!(used(&usage), used(&plain));
        // Time is counted from the start alone.
        assert!(usage.guest_cpu_us > 1000, "{usage:?}");
    }
}

#[test]
fn one_that_was_decided_on_anew_has_its_new_work() {
    let bench = Bench::with(|config| config.threads = 1);
    let digest = bench.add(&std::fs::read(sandglass_test_guests::hostile().unwrap()).unwrap());
    let with = |action: &str| {
        let mut work = work(digest, action, r#"{"times": 1}"#);
        work.grants = grants(r#"{"state": true}"#);
        work
    };
    let announced = invocation(with("panic"));
    bench.host.announce(announced.clone());
    bench.run(invocation(with("spin")));
    let report = bench.run(Invocation { work: Arc::new(with("spin")), ..announced });
    assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
}

#[test]
fn one_that_does_not_start_is_in_nobodys_way() {
    let bench = Bench::with(|config| config.max_concurrent = 1);
    let digest = bench.add(&noop());
    for _ in 0..20 {
        bench.host.announce(of(digest));
        let report = bench.run(of(digest));
        assert_eq!(report.end.outcome, AttemptOutcome::Succeeded, "{report:?}");
    }
    let never = of(digest);
    bench.host.announce(never.clone());
    let stopping = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let stopped = async { tokio::time::timeout(PATIENCE, bench.host.shutdown(Duration::from_secs(600))).await };
    stopping.block_on(stopped).expect("it does not wait for what has not started");
    let report = bench.run(never);
    assert_eq!(report.end.outcome, AttemptOutcome::Interrupted, "{report:?}");
}

#[test]
fn one_that_is_cancelled_as_it_starts_says_so() {
    let bench = Bench::new();
    let digest = bench.add(&std::fs::read(sandglass_test_guests::hostile().unwrap()).unwrap());
    for _ in 0..20 {
        let mut work = work(digest, "sleep-on", "{}");
        work.grants = grants(r#"{"state": true}"#);
        let invocation = invocation(work);
        let run = invocation.run;
        bench.host.announce(invocation.clone());
        // Nothing to cancel yet.
        bench.cancel(run);
        let receiver = bench.start(invocation);
        bench.cancel(run);
        let report = receiver.recv_timeout(PATIENCE).unwrap();
        assert_eq!(report.end.outcome, AttemptOutcome::Cancelled, "{report:?}");
        assert_eq!(error(&report).code, "cancelled");
    }
}
