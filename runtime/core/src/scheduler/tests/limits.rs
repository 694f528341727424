//! How many attempts go at once, in which order queued runs start, and what happens to those that wait too long.

use super::*;
use crate::invocation::TimeLimit;
use crate::queue::{LimitKey, LimitOf};
use crate::run::{Ending, ExpiryReason};

fn with(name: &str, more: serde_json::Value) -> serde_json::Value {
    let mut job = serde_json::json!({ "name": name, "overlap": "allow_all" });
    for (key, value) in more.as_object().unwrap() {
        job[key] = value.clone();
    }
    job
}

fn names(world: &World) -> Vec<String> {
    world.started.iter().map(|invocation| invocation.work.job.to_string()).collect()
}

#[test]
fn a_group_lets_as_many_go_as_the_least_of_its_limits() {
    let mut world = World::new(8);
    world.apply(t(0), with("a", serde_json::json!({ "concurrency": { "group": "db", "limit": 2 } })));
    world.apply(t(0), with("b", serde_json::json!({ "concurrency": [{ "group": "db", "limit": 3 }] })));
    world.apply(t(0), with("c", serde_json::json!({})));
    for name in ["a", "b", "a", "b", "c"] {
        world.start(t(1), name, false);
    }
    assert_eq!(names(&world), ["a", "b", "c"]);
    // The stricter job goes, so the other's limit holds.
    world.apply(t(2), with("a", serde_json::json!({})));
    assert_eq!(names(&world), ["a", "b", "c", "a", "b"]);
    // Three of the group go by now, one of which began in it. Forcing a start passes other runs of the job, and no limit.
    for _ in 0..3 {
        world.start(t(3), "b", true);
    }
    assert_eq!(names(&world).iter().filter(|name| *name == "b").count(), 2);
    let (namespace, name) = (Namespace::default(), "b".parse().unwrap());
    let delete = Command::DeleteJob { namespace, name, expect: Expectation::Anything };
    world.at(t(4), Event::Command { ticket: Ticket(1), command: delete });
    assert_eq!(world.runs.values().filter(|run| run.state == RunState::Queued).count(), 0);
}

#[test]
fn a_group_counts_apart_by_its_key() {
    let mut world = World::new(8);
    let group = serde_json::json!({ "group": "customer", "key": "{{ params.customer }}" });
    let parameters = serde_json::json!({ "customer": { "type": "string", "default": "x" } });
    world.apply(t(0), with("a", serde_json::json!({ "concurrency": group, "parameters": parameters })));
    let params = |name: &str| Some(Arc::new(serde_json::Map::from_iter([("customer".to_owned(), name.into())])));
    for customer in ["x", "y", "x", "y", "z"] {
        let (namespace, name) = (Namespace::default(), "a".parse().unwrap());
        let command = Command::StartRun { namespace, name, force: false, params: params(customer) };
        world.at(t(1), Event::Command { ticket: Ticket(1), command });
    }
    assert_eq!(world.started.len(), 3);
    // The next one of the same customer.
    let ended = world.finish(t(2), AttemptOutcome::Succeeded);
    assert_eq!(world.started.len(), 3);
    let (before, after) = (&world.runs[&ended], &world.runs[&world.started[2].run]);
    assert_eq!(before.params, after.params);
}

#[test]
fn limits_hold_for_what_goes_on_after_a_failed_commit() {
    let mut world = World::new(8);
    world.apply(t(0), with("a", serde_json::json!({ "concurrency": { "group": "db" } })));
    world.start(t(1), "a", false);
    world.start(t(1), "a", false);
    let going = HashSet::from([world.started[0].run]);
    let started = std::mem::take(&mut world.started);
    world.load_with(t(2), &going);
    assert_eq!(world.started.len(), 0, "the one that goes still has the only place");
    world.at(t(3), Event::AttemptFinished(Box::new(report(&started[0], t(3), AttemptOutcome::Succeeded))));
    assert_eq!(world.started.len(), 1);
}

#[test]
fn namespaces_and_plugins_have_limits_and_namespaces_take_turns() {
    let mut world = World::new(8);
    let team: Namespace = "team".parse().unwrap();
    let mut options = world.scheduler.options.clone();
    options.max_running = 3;
    options.max_running_of_namespace.insert(Namespace::default(), 2);
    world.scheduler.options = options;
    world.load(t(0));
    world.apply(t(0), with("a", serde_json::json!({})));
    world.apply_in(&team, t(0), with("b", serde_json::json!({})));
    for _ in 0..4 {
        world.start(t(1), "a", false);
    }
    assert_eq!(names(&world), ["a", "a"]);
    for _ in 0..3 {
        world.start_in(&team, t(2), "b");
    }
    assert_eq!(names(&world), ["a", "a", "b"]);
    // The namespace with fewer attempts going is next; of two with as many, the one that was served longest ago.
    world.finish(t(3), AttemptOutcome::Succeeded);
    assert_eq!(names(&world), ["a", "b", "a"]);
    world.finish(t(4), AttemptOutcome::Succeeded);
    assert_eq!(names(&world), ["b", "a", "b"]);
    // That one has two going by now.
    world.finish(t(5), AttemptOutcome::Succeeded);
    assert_eq!(names(&world), ["a", "b", "a"]);

    let mut options = world.scheduler.options.clone();
    options.max_running_of_plugin.insert("noop".parse().unwrap(), 1);
    world.scheduler.options = options;
    world.load(t(5));
    assert_eq!(world.started.len(), 1);
}

#[test]
fn what_waits_too_long_for_its_start_expires() {
    let mut world = World::new(1);
    world.apply(t(0), with("a", serde_json::json!({})));
    world.apply(t(0), with("b", serde_json::json!({ "start_deadline": "10s", "deadline": "1m" })));
    world.apply(t(0), with("c", serde_json::json!({ "overlap": "buffer_all", "start_deadline": "20s" })));
    world.start(t(0), "a", false);
    let late = world.start(t(1), "b", false);
    let in_line = world.start(t(2), "c", false);
    assert_eq!(world.scheduler.next_wake(), Some(t(11)));
    world.restart(t(10));
    world.started.clear();
    assert_eq!(world.runs[&late.id].state, RunState::Running, "the first was interrupted, so there was a place");
    world.at(t(22), Event::Tick);
    let expired = RunState::Ended { ending: Ending::Expired(ExpiryReason::StartDeadline), at: t(22) };
    assert_eq!(world.runs[&in_line.id].state, expired);
    assert_eq!(world.runs[&in_line.id].reason(), Some("start_deadline"));
}

#[test]
fn a_start_at_the_last_instant_is_too_late() {
    let mut world = World::new(1);
    world.apply(t(0), with("a", serde_json::json!({})));
    world.apply(t(0), with("b", serde_json::json!({ "start_deadline": "10s" })));
    world.start(t(0), "a", false);
    let waits = world.start(t(1), "b", false);
    // The place is free just then, and no tick has come yet.
    world.finish(t(11), AttemptOutcome::Succeeded);
    assert_eq!(world.runs[&waits.id].state.name(), StateName::Expired);
}

#[test]
fn the_deadline_holds_for_all_attempts_together() {
    let mut world = World::new(8);
    let retry = serde_json::json!({ "max_attempts": 9, "backoff": "fixed", "initial": "20s", "jitter": "none" });
    world.apply(t(0), with("a", serde_json::json!({ "deadline": "1m", "timeout": "40s", "retry": retry })));
    let run = world.start(t(0), "a", false).id;
    let limit = |world: &World| {
        let work = &world.started[0].work;
        (work.timeout.as_secs(), work.time_limit)
    };
    assert_eq!(limit(&world), (40, TimeLimit::Timeout));
    world.finish(t(10), AttemptOutcome::Failed);
    world.at(t(30), Event::Tick);
    assert_eq!(limit(&world), (30, TimeLimit::Deadline));
    // The next attempt would begin after the deadline.
    world.finish(t(45), AttemptOutcome::Failed);
    assert_eq!(world.runs[&run].state, RunState::Ended { ending: Ending::Failed, at: t(45) });
    // One that waits for a place until its deadline expires.
    let retry = serde_json::json!({ "max_attempts": 9, "backoff": "fixed", "initial": "5s", "jitter": "none" });
    let one = serde_json::json!({ "group": "one" });
    world.apply(t(50), with("a", serde_json::json!({ "deadline": "1m", "retry": retry, "concurrency": one })));
    world.apply(t(50), with("b", serde_json::json!({ "concurrency": one })));
    let run = world.start(t(50), "a", false).id;
    world.finish(t(60), AttemptOutcome::Failed);
    world.start(t(61), "b", false);
    world.at(t(65), Event::Tick);
    assert_eq!(world.runs[&run].state, RunState::Queued);
    world.at(t(110), Event::Tick);
    assert_eq!(world.runs[&run].reason(), Some("deadline"));
}

#[test]
fn deadlines_count_from_the_opening_of_the_window() {
    let mut world = World::new(8);
    // The story begins at 08:00:00 in UTC.
    let window = serde_json::json!({ "from": "08:10", "to": "09:00", "outside": "defer" });
    world.apply(t(0), with("a", serde_json::json!({ "window": window, "start_deadline": "1m" })));
    let run = world.start(t(0), "a", false).id;
    world.at(t(61), Event::Tick);
    assert_eq!(world.runs[&run].state, RunState::Queued);
    world.at(t(600), Event::Tick);
    assert_eq!(world.runs[&run].state, RunState::Running);
}

#[test]
fn a_changed_priority_holds_for_runs_that_wait() {
    let mut world = World::new(1);
    for name in ["a", "b", "c"] {
        world.apply(t(0), with(name, serde_json::json!({})));
    }
    for name in ["a", "b", "c"] {
        world.start(t(1), name, false);
    }
    world.apply(t(2), with("c", serde_json::json!({ "priority": 9 })));
    world.finish(t(3), AttemptOutcome::Succeeded);
    assert_eq!(names(&world), ["c"]);
}

#[test]
fn of_runs_made_in_one_step_the_highest_priority_starts() {
    let mut world = World::new(1);
    for (name, priority) in [("a", 1), ("b", 9), ("c", 5)] {
        let mut job = every_minute(name);
        job["priority"] = priority.into();
        world.apply(t(0), job);
    }
    world.at(t(60), Event::Tick);
    assert_eq!(names(&world), ["b"]);
    assert!(world.runs.values().all(|run| run.version == 1), "each is written once");
}

fn waits(world: &mut World, now: Timestamp, run: RunId) -> Option<WaitsFor> {
    world.at(now, Event::Command { ticket: Ticket(6), command: Command::Waits { run } });
    match world.replies.pop() {
        Some(Reply::Waits(waits)) => waits,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_queued_run_tells_what_it_waits_for() {
    let mut world = World::new(2);
    let group = serde_json::json!({ "group": "db", "key": "{{ job.name }}" });
    world.apply(t(0), with("a", serde_json::json!({ "concurrency": group })));
    world.apply(t(0), serde_json::json!({ "name": "b", "overlap": "buffer_all" }));
    world.apply(t(0), with("c", serde_json::json!({})));
    let [going, full, first, turn, behind] = ["a", "a", "b", "b", "c"].map(|name| world.start(t(1), name, false).id);
    assert_eq!(waits(&mut world, t(2), going), None);
    let limit = LimitKey { of: LimitOf::Group(Namespace::default(), "db".parse().unwrap()), key: Some("a".into()) };
    assert_eq!(waits(&mut world, t(2), full), Some(WaitsFor::Limit { limit, most: 1 }));
    assert_eq!(waits(&mut world, t(2), turn), Some(WaitsFor::Turn { before: Some(first) }));
    assert_eq!(waits(&mut world, t(2), behind), Some(WaitsFor::Daemon { most: 2 }));
    let ended = world.finish(t(3), AttemptOutcome::Succeeded);
    world.at(t(3), Event::Command { ticket: Ticket(6), command: Command::Waits { run: ended } });
    assert!(matches!(world.replies.pop(), Some(Reply::Refused(Refusal::NoActiveRun(_)))));
}

#[test]
fn a_queued_run_tells_which_window_and_requirement_it_waits_for() {
    let mut world = World::new(2);
    world.apply(
        t(0),
        with("a", serde_json::json!({ "window": { "from": "12:00", "to": "13:00", "outside": "defer" } })),
    );
    world.apply(t(0), with("b", serde_json::json!({ "requires": [{ "job": "a", "wait": "1h" }] })));
    let [window, needs] = ["a", "b"].map(|name| world.start(t(1), name, false).id);
    let opens_at: Timestamp = "2027-01-15T12:00:00Z".parse().unwrap();
    assert_eq!(waits(&mut world, t(2), window), Some(WaitsFor::Window { opens_at }));
    // It is not known yet how the last run of the other ended.
    assert_eq!(waits(&mut world, t(2), needs), Some(WaitsFor::Requirement { until: None }));
    world.answer(t(3));
    assert_eq!(waits(&mut world, t(4), needs), Some(WaitsFor::Requirement { until: Some(t(3601)) }));
}
