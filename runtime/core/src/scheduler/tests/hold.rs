//! Pausing, resuming, disabling and enabling.

use super::*;
use crate::event::{HoldChange, HoldScope};
use crate::hold::{Hold, HoldKind};
use crate::run::SkipReason;
use HoldKind::{Disabled, Paused};

impl World {
    fn hold(&mut self, now: Timestamp, scope: HoldScope, kind: HoldKind, begin: bool) -> Reply {
        let change = match begin {
            true => HoldChange::Begin { by: "ada".to_owned(), reason: Some("moving house".to_owned()) },
            false => HoldChange::End,
        };
        let command = Command::Hold { namespace: Namespace::default(), scope, kind, change };
        self.at(now, Event::Command { ticket: Ticket(5), command });
        self.replies.pop().expect("every command is answered")
    }

    fn changed(&mut self, now: Timestamp, scope: HoldScope, kind: HoldKind, begin: bool) -> Vec<String> {
        match self.hold(now, scope, kind, begin) {
            Reply::Held { changed, .. } => changed.iter().map(ToString::to_string).collect(),
            other => panic!("not held: {other:?}"),
        }
    }

    /// The reasons for which fires were skipped, with their instants.
    fn skipped(&self) -> Vec<(i64, &'static str)> {
        let skipped = self.runs.values().filter(|run| run.state.name() == StateName::Skipped);
        let mut skipped: Vec<_> = skipped
            .map(|run| (run.scheduled_at.as_micros() / 1_000_000 - T0, run.reason().expect("it has a reason")))
            .collect();
        skipped.sort_unstable();
        skipped
    }
}

fn job(name: &str) -> HoldScope {
    HoldScope::Job(name.parse().unwrap())
}

#[test]
fn a_paused_job_records_its_fires_and_starts_by_hand_alone() {
    let mut world = World::new(8);
    world.apply(t(0), every_minute("a"));
    assert_eq!(world.changed(t(30), job("a"), Paused, true), ["a"]);
    // It is so already: who and since when stay.
    assert!(world.changed(t(40), job("a"), Paused, true).is_empty());
    let id = world.jobs.keys().next().copied().unwrap();
    let hold = Hold { by: "ada".to_owned(), since: t(30), reason: Some("moving house".to_owned()) };
    assert_eq!(world.holds[&HoldSubject::Job(id)].paused, Some(hold));
    world.at(t(60), Event::Tick);
    world.restart(t(250));
    assert_eq!(world.skipped(), [60, 120, 180, 240].map(|at| (at, "paused")));
    assert_eq!(world.start(t(251), "a", false).state, RunState::Running);
    world.finish(t(252), AttemptOutcome::Succeeded);
    // Saving it, with another schedule too, leaves it paused.
    world.apply(t(253), serde_json::json!({ "name": "a", "triggers": [{ "every": "50s" }] }));
    world.at(t(303), Event::Tick);
    assert_eq!(world.skipped().last(), Some(&(303, "paused")));
    assert_eq!(world.jobs[&id].0.revision, 2, "a pause is no revision");
    assert_eq!(world.changed(t(304), job("a"), Paused, false), ["a"]);
    assert!(world.holds.is_empty());
    world.at(t(353), Event::Tick);
    assert_eq!(world.started.len(), 1);
}

#[test]
fn fires_that_are_due_when_a_pause_ends_are_not_replayed() {
    for policy in ["latest", "earliest", "all", "none"] {
        let mut world = World::new(8);
        let mut spec = every_minute("a");
        spec["catch_up"] = serde_json::json!({ "policy": policy });
        world.apply(t(0), spec);
        world.hold(t(30), job("a"), Paused, true);
        // Nobody looked at the fires of the pause before it ends.
        world.hold(t(190), job("a"), Paused, false);
        assert_eq!(world.skipped(), [60, 120, 180].map(|at| (at, "paused")), "{policy}");
        world.at(t(240), Event::Tick);
        assert_eq!(world.started.len(), 1, "{policy}");
    }
}

#[test]
fn nothing_late_starts_once_a_job_is_paused() {
    let mut world = World::new(8);
    let mut spec = every_minute("a");
    spec["catch_up"] = serde_json::json!({ "policy": "all", "window": "2m" });
    world.apply(t(0), spec);
    world.at(t(60), Event::Tick);
    world.finish(t(61), AttemptOutcome::Succeeded);
    // Down from then on; at 400 it is back, and paused before the late fires were looked at.
    world.load(t(400));
    world.hold(t(400), job("a"), Paused, true);
    world.at(t(401), Event::Tick);
    let expected = [(120, "missed"), (180, "missed"), (240, "missed"), (300, "paused"), (360, "paused")];
    assert_eq!(world.skipped(), expected);
    assert!(world.started.is_empty());
}

#[test]
fn what_waits_when_a_job_is_paused_goes_on() {
    let mut world = World::new(1);
    let spec = serde_json::json!({
        "name": "a", "triggers": [{ "every": "1m" }], "overlap": "buffer_one", "retry": { "max_attempts": 2 }
    });
    world.apply(t(0), spec);
    world.at(t(60), Event::Tick);
    world.at(t(120), Event::Tick);
    world.hold(t(121), job("a"), Paused, true);
    world.finish(t(122), AttemptOutcome::Failed);
    world.at(t(140), Event::Tick);
    world.finish(t(141), AttemptOutcome::Succeeded);
    world.finish(t(142), AttemptOutcome::Succeeded);
    world.at(t(180), Event::Tick);
    let states = [(60, StateName::Succeeded), (120, StateName::Succeeded), (180, StateName::Skipped)];
    assert_eq!(world.states(), states);
}

#[test]
fn a_disabled_job_does_nothing_and_counts_from_when_it_is_enabled() {
    let mut world = World::new(8);
    let id = world.apply(t(0), every_minute("a")).id;
    world.hold(t(90), job("a"), Disabled, true);
    // What was due before is dealt with: its fire of 60 starts.
    assert_eq!(world.states(), [(60, StateName::Running)]);
    world.finish(t(91), AttemptOutcome::Succeeded);
    assert_eq!((world.scheduler.next_wake(), world.jobs[&id].1.next_fire_at), (None, None));
    for command in [
        Command::StartRun { namespace: Namespace::default(), name: "a".parse().unwrap(), force: true, params: None },
        Command::Backfill {
            namespace: Namespace::default(),
            name: "a".parse().unwrap(),
            fires: vec![t(30)],
            again: false,
            overlap: crate::event::BackfillOverlap::AllowAll,
        },
    ] {
        world.at(t(100), Event::Command { ticket: Ticket(1), command });
        let refused = world.replies.pop();
        assert!(matches!(refused, Some(Reply::Refused(Refusal::Disabled { .. }))), "{refused:?}");
    }
    world.restart(t(500));
    // Another schedule makes no difference.
    world.apply(t(600), serde_json::json!({ "name": "a", "triggers": [{ "every": "50s" }] }));
    world.at(t(700), Event::Startup { at: t(700), made: std::collections::BTreeSet::new() });
    assert_eq!((world.scheduler.next_wake(), world.runs.len()), (None, 1));
    world.hold(t(1000), job("a"), Disabled, false);
    assert_eq!(world.scheduler.next_wake(), Some(t(1050)), "the rhythm is that of 600");
    world.restart(t(1001));
    world.at(t(1050), Event::Tick);
    assert_eq!(world.states(), [(60, StateName::Succeeded), (1050, StateName::Running)]);
}

#[test]
fn startup_triggers_of_held_jobs_start_nothing() {
    let mut world = World::new(8);
    for name in ["disabled", "free", "paused"] {
        world.apply(t(0), serde_json::json!({ "name": name, "triggers": [{ "startup": true }] }));
    }
    world.hold(t(1), job("paused"), Paused, true);
    world.hold(t(1), job("disabled"), Disabled, true);
    world.at(t(2), Event::Startup { at: t(2), made: std::collections::BTreeSet::new() });
    let mut found: Vec<_> = world.runs.values().map(|run| (run.job.as_str(), run.state.name())).collect();
    found.sort_unstable();
    assert_eq!(found, [("free", StateName::Running), ("paused", StateName::Skipped)]);
    assert_eq!(world.skipped(), [(2, SkipReason::Paused.as_str())]);
}

#[test]
fn a_held_namespace_holds_jobs_that_are_saved_later_too() {
    let mut world = World::new(8);
    world.apply(t(0), every_minute("a"));
    assert_eq!(world.changed(t(1), HoldScope::Namespace, Paused, true), ["a"]);
    world.hold(t(2), job("a"), Paused, true);
    world.apply(t(3), every_minute("b"));
    world.restart(t(63));
    assert_eq!(world.skipped(), [(60, "paused"), (63, "paused")]);
    // Its own pause stays when that of the namespace ends.
    assert_eq!(world.changed(t(64), HoldScope::Namespace, Paused, false), ["a", "b"]);
    world.at(t(123), Event::Tick);
    assert_eq!(world.skipped(), [(60, "paused"), (63, "paused"), (120, "paused")]);
    assert_eq!(world.started.len(), 1);
    world.hold(t(124), HoldScope::Namespace, Disabled, true);
    assert_eq!(world.scheduler.next_wake(), None);
    world.apply(t(125), every_minute("c"));
    assert_eq!(world.scheduler.next_wake(), None);
    world.hold(t(126), HoldScope::Namespace, Disabled, false);
    assert_eq!(world.scheduler.next_wake(), Some(t(180)));
}

#[test]
fn tags_and_whole_namespaces_are_held_job_by_job() {
    let mut world = World::new(8);
    for (name, tags) in [("a", vec!["db"]), ("b", vec!["db", "slow"]), ("c", vec![])] {
        let mut spec = every_minute(name);
        spec["tags"] = serde_json::json!(tags);
        world.apply(t(0), spec);
    }
    world.hold(t(1), job("a"), Paused, true);
    assert_eq!(world.changed(t(2), HoldScope::Tag("db".to_owned()), Paused, true), ["b"]);
    assert_eq!(world.changed(t(3), HoldScope::EveryJob, Paused, true), ["c"]);
    let mut later = every_minute("d");
    later["tags"] = serde_json::json!(["db"]);
    world.apply(t(4), later);
    assert_eq!(world.changed(t(5), HoldScope::EveryJob, Paused, false), ["a", "b", "c"]);
    let none = world.hold(t(6), HoldScope::Tag("nobody".to_owned()), Paused, true);
    assert!(matches!(none, Reply::Refused(Refusal::NoJobTagged { .. })), "{none:?}");
    let none = world.hold(t(6), job("nobody"), Disabled, true);
    assert!(matches!(none, Reply::Refused(Refusal::NoJob { .. })), "{none:?}");
}

#[test]
fn a_job_that_is_deleted_takes_its_holds_along() {
    let mut world = World::new(8);
    world.apply(t(0), every_minute("a"));
    world.hold(t(1), job("a"), Paused, true);
    let delete = Command::DeleteJob {
        namespace: Namespace::default(),
        name: "a".parse().unwrap(),
        expect: Expectation::Anything,
    };
    world.at(t(2), Event::Command { ticket: Ticket(1), command: delete });
    world.apply(t(3), every_minute("a"));
    world.at(t(63), Event::Tick);
    assert_eq!(world.states(), [(63, StateName::Running)]);
}
