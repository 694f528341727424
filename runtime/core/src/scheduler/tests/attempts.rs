//! How attempts end, what follows, and what a restart makes of them.

use super::*;

#[test]
fn a_failed_attempt_is_tried_again_after_its_wait() {
    let mut world = World::new(8);
    let retry = serde_json::json!({ "max_attempts": 3, "initial": "10s", "factor": 3, "jitter": "none" });
    world.apply(t(0), serde_json::json!({ "name": "a", "retry": retry }));
    world.start(t(0), "a", false);
    world.finish(t(1), AttemptOutcome::Failed);
    assert_eq!(world.scheduler.next_wake(), Some(t(11)));
    world.at(t(11), Event::Tick);
    world.finish(t(12), AttemptOutcome::TimedOut);
    assert_eq!(world.scheduler.next_wake(), Some(t(42)));
    world.at(t(42), Event::Tick);
    let id = world.finish(t(43), AttemptOutcome::Failed);
    assert_eq!(world.runs[&id].state.name(), StateName::Failed);
    assert_eq!(world.runs[&id].attempts.len(), 3);
}

#[test]
fn the_plugins_advice_on_retries_is_honoured() {
    let mut world = World::new(8);
    let retry = serde_json::json!({ "max_attempts": 3, "initial": "10s", "jitter": "none" });
    world.apply(t(0), serde_json::json!({ "name": "a", "retry": retry }));
    world.start(t(0), "a", false);
    let invocation = world.started.remove(0);
    let mut late = report(&invocation, t(1), AttemptOutcome::Failed);
    late.advice = RetryAdvice::After(Duration::from_secs(120));
    world.at(t(1), Event::AttemptFinished(Box::new(late)));
    assert_eq!(world.scheduler.next_wake(), Some(t(121)));
    world.at(t(121), Event::Tick);
    let invocation = world.started.remove(0);
    let mut never = report(&invocation, t(122), AttemptOutcome::Failed);
    never.advice = RetryAdvice::Never;
    world.at(t(122), Event::AttemptFinished(Box::new(never)));
    assert_eq!(world.runs[&invocation.run].state.name(), StateName::Failed);
}

#[test]
fn a_second_report_on_an_attempt_changes_nothing() {
    let mut world = World::new(8);
    world.apply(t(0), every_minute("a"));
    world.at(t(60), Event::Tick);
    let again = report(&world.started[0], t(62), AttemptOutcome::Failed);
    world.finish(t(61), AttemptOutcome::Succeeded);
    world.at(t(62), Event::AttemptFinished(Box::new(again)));
    assert_eq!(world.states(), [(60, StateName::Succeeded)]);
}

#[test]
fn an_interrupted_run_is_never_reported_as_success() {
    let mut world = World::new(8);
    world.apply(t(0), every_minute("a"));
    world.at(t(60), Event::Tick);
    world.restart(t(70));
    assert_eq!(world.states(), [(60, StateName::Interrupted)]);
    assert!(world.started.is_empty());
}

#[test]
fn an_interrupted_idempotent_run_is_tried_again_while_attempts_remain() {
    let mut world = World::new(8);
    let retry = serde_json::json!({ "max_attempts": 2, "backoff": "fixed", "initial": "5s", "jitter": "none" });
    world.apply(
        t(0),
        serde_json::json!({ "name": "a", "triggers": [{ "every": "1h" }], "idempotent": true, "retry": retry }),
    );
    world.at(t(3600), Event::Tick);
    world.restart(t(3610));
    assert_eq!(world.states(), [(3600, StateName::RetryWait)]);
    assert_eq!(world.scheduler.next_wake(), Some(t(3615)));
    world.at(t(3615), Event::Tick);
    assert_eq!(world.started[0].attempt, 2);
    world.restart(t(3620));
    assert_eq!(world.states(), [(3600, StateName::Interrupted)]);
}

#[test]
fn queued_runs_survive_a_restart_and_start_by_priority() {
    let mut world = World::new(1);
    for (name, priority) in [("low", 1), ("high", 9), ("first", 5)] {
        world.apply(t(0), serde_json::json!({ "name": name, "priority": priority }));
    }
    world.start(t(1), "first", false);
    world.start(t(2), "low", false);
    world.start(t(3), "high", false);
    assert_eq!(world.started.len(), 1);
    let run = world.started[0].run;
    world.finish(t(4), AttemptOutcome::Succeeded);
    assert_eq!(world.runs[&run].job.as_str(), "first");
    assert_eq!(world.started[0].work.job.as_str(), "high");
    world.restart(t(5));
    assert_eq!(world.started[0].work.job.as_str(), "low");
}

#[test]
fn a_run_that_is_not_tried_again_says_why() {
    use crate::run::NoRetry;
    let retry = |policy: serde_json::Value| serde_json::json!({ "name": "a", "retry": policy });
    let table = [
        (retry(serde_json::json!({})), AttemptOutcome::Failed, Some(NoRetry::Attempts)),
        (
            retry(serde_json::json!({ "max_attempts": 2, "on": ["failed"] })),
            AttemptOutcome::TimedOut,
            Some(NoRetry::Outcome),
        ),
        (
            retry(serde_json::json!({ "max_attempts": 2, "max_elapsed": "0s", "jitter": "none" })),
            AttemptOutcome::Failed,
            Some(NoRetry::Elapsed),
        ),
        (retry(serde_json::json!({ "max_attempts": 2 })), AttemptOutcome::Succeeded, None),
        (retry(serde_json::json!({ "max_attempts": 2 })), AttemptOutcome::Cancelled, None),
    ];
    for (spec, outcome, why) in table {
        let mut world = World::new(1);
        world.apply(t(0), spec);
        world.start(t(1), "a", false);
        let run = world.finish(t(2), outcome);
        assert_eq!(
            (world.runs[&run].state.name().is_terminal(), world.runs[&run].no_retry),
            (true, why),
            "{outcome:?}"
        );
    }
}

#[test]
fn attempts_end_when_the_run_has_taken_long_enough_across_a_restart() {
    use crate::run::NoRetry;
    let mut world = World::new(1);
    let retry = serde_json::json!({
        "max_attempts": 100, "initial": "10s", "backoff": "fixed", "jitter": "none", "max_elapsed": "35s"
    });
    world.apply(t(0), serde_json::json!({ "name": "a", "retry": retry }));
    let run = world.start(t(0), "a", false).id;
    for at in [0, 10, 20] {
        world.at(t(at), Event::Tick);
        world.finish(t(at), AttemptOutcome::Failed);
        assert_eq!(world.runs[&run].state, RunState::RetryWait { until: t(at + 10) });
        world.load(t(at + 1));
    }
    world.at(t(30), Event::Tick);
    world.finish(t(30), AttemptOutcome::Failed);
    // Another one would be due at 40, which is later than 35 after the first.
    assert_eq!((world.runs[&run].attempts.len(), world.runs[&run].no_retry), (4, Some(NoRetry::Elapsed)));
}
