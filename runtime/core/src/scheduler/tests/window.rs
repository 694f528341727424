//! Windows: when runs may start.

use super::*;
use crate::run::{Ending, ExpiryReason, SkipReason};

/// Midnight in UTC.
const DAY0: i64 = 1_799_971_200 - T0;
const HOUR: i64 = 3600;

fn nightly(outside: &str) -> serde_json::Value {
    serde_json::json!({
        "name": "a",
        "triggers": [{ "every": "1h", "from": "2027-01-01T00:00:00Z" }],
        "window": { "from": "22:00", "to": "02:00", "outside": outside },
        "overlap": "allow_all",
    })
}

fn at_hour(hour: i64) -> Timestamp {
    t(DAY0 + hour * HOUR)
}

fn reasons(world: &World) -> Vec<(i64, StateName, Option<&'static str>)> {
    let mut all: Vec<_> = world
        .runs
        .values()
        .map(|run| ((run.scheduled_at.as_micros() / 1_000_000 - T0 - DAY0) / HOUR, run.state.name(), run.reason()))
        .collect();
    all.sort();
    all
}

#[test]
fn a_fire_outside_is_skipped_or_waits_for_the_window() {
    for outside in ["skip", "defer"] {
        let mut world = World::new(8);
        world.apply(at_hour(12), nightly(outside));
        for hour in 20..=22 {
            world.at(at_hour(hour), Event::Tick);
        }
        if outside == "skip" {
            assert!(reasons(&world)[..9].iter().all(|(.., reason)| *reason == Some("outside_window")));
            assert_eq!(reasons(&world).last(), Some(&(22, StateName::Running, None)));
            assert_eq!(world.started.len(), 1);
        } else {
            // Two waited, and the one that was due when the window opened.
            assert!(world.started.len() >= 3, "{:?}", reasons(&world));
        }
    }
}

#[test]
fn a_deferred_run_starts_when_the_window_opens_across_a_restart() {
    let mut world = World::new(8);
    world.apply(at_hour(20).before(Duration::from_secs(1)), nightly("defer"));
    world.at(at_hour(20), Event::Tick);
    assert_eq!(reasons(&world), [(20, StateName::Queued, None)]);
    assert_eq!(world.scheduler.next_wake(), Some(at_hour(21)));
    world.restart(at_hour(20).after(Duration::from_secs(60)));
    assert!(world.started.is_empty());
    world.at(at_hour(21), Event::Tick);
    assert_eq!(world.scheduler.queue.len(), 0, "the queue need not look at what waits for its window");
    assert_eq!(world.scheduler.next_wake(), Some(at_hour(22)));
    world.at(at_hour(22), Event::Tick);
    assert_eq!(world.started.len(), 3);
    // A window that opens earlier lets what waits start at once.
    let mut world = World::new(8);
    world.apply(at_hour(20).before(Duration::from_secs(1)), nightly("defer"));
    world.at(at_hour(20), Event::Tick);
    let mut wider = nightly("defer");
    wider["window"]["from"] = "19:00".into();
    world.apply(at_hour(20).after(Duration::from_secs(5)), wider);
    assert_eq!(world.started.len(), 1);
}

#[test]
fn a_queued_run_whose_window_has_closed_expires_or_waits_on() {
    for outside in ["skip", "defer"] {
        let mut world = World::new(1);
        world.apply(at_hour(0), serde_json::json!({ "name": "long" }));
        world.start(at_hour(0), "long", false);
        world.apply(at_hour(0), nightly(outside));
        world.at(at_hour(1), Event::Tick);
        assert_eq!(reasons(&world)[1], (1, StateName::Queued, None));
        world.finish(at_hour(1).after(Duration::from_secs(3601)), AttemptOutcome::Succeeded);
        let expired = RunState::Ended {
            ending: Ending::Expired(ExpiryReason::OutsideWindow),
            at: at_hour(1).after(Duration::from_secs(3601)),
        };
        let run = world.runs.values().find(|run| run.scheduled_at == at_hour(1)).unwrap();
        assert_eq!(run.state, if outside == "skip" { expired } else { RunState::Queued });
    }
}

#[test]
fn manual_starts_pass_the_window_unless_forced_and_backfills_wait_for_it() {
    let mut world = World::new(8);
    let job = world.apply(at_hour(12), nightly("skip"));
    assert_eq!(world.start(at_hour(12), "a", false).reason(), Some("outside_window"));
    assert_eq!(world.start(at_hour(12), "a", true).state.name(), StateName::Running);
    let command = Command::Backfill {
        namespace: Namespace::default(),
        name: "a".parse().unwrap(),
        fires: vec![at_hour(1)],
        again: false,
        overlap: crate::event::BackfillOverlap::AllowAll,
    };
    world.at(at_hour(12), Event::Command { ticket: Ticket(1), command });
    let id = RunId::of_backfill(job.id, at_hour(1));
    assert_eq!(world.runs[&id].state, RunState::Queued);
    world.at(at_hour(22), Event::Tick);
    assert_eq!(world.runs[&id].state, RunState::Running);
}

#[test]
fn a_forced_run_is_still_forced_after_a_restart() {
    let mut world = World::new(1);
    world.apply(at_hour(12), serde_json::json!({ "name": "long" }));
    world.apply(at_hour(12), nightly("skip"));
    world.start(at_hour(12), "long", false);
    world.start(at_hour(12), "a", true);
    assert_eq!(world.started.len(), 1);
    world.restart(at_hour(12).after(Duration::from_secs(1)));
    assert_eq!(world.started[0].work.job.as_str(), "a");
}

#[test]
fn what_would_have_been_outside_is_not_caught_up() {
    let mut world = World::new(8);
    let mut job = nightly("skip");
    job["catch_up"] = serde_json::json!({ "policy": "all", "window": "1d" });
    world.apply(at_hour(0), job);
    world.restart(at_hour(22).after(Duration::from_secs(60)));
    let ran: Vec<i64> =
        reasons(&world).iter().filter(|(_, state, _)| *state == StateName::Running).map(|(hour, ..)| *hour).collect();
    assert_eq!(ran, [1, 22]);
    let skipped = reasons(&world).iter().filter(|(.., reason)| *reason == Some("outside_window")).count();
    assert_eq!(skipped, 20);
    assert_eq!(SkipReason::OutsideWindow.as_str(), "outside_window");
}
