//! Policies that let a fire take the place of others, and several runs of a job at once.

use super::*;
use crate::run::{CancelCause, Ending};

fn job(overlap: &str, max_instances: u32) -> serde_json::Value {
    serde_json::json!({
        "name": "a", "triggers": [{ "every": "1m" }], "overlap": overlap, "max_instances": max_instances,
        "retry": { "max_attempts": 3, "jitter": "none" },
    })
}

fn state_of(world: &World, secs: i64) -> RunState {
    world.runs.values().find(|run| run.scheduled_at == t(secs)).expect("the fire has a record").state
}

const SUPERSEDED: Ending = Ending::Cancelled(CancelCause::Superseded);

#[test]
fn a_fire_takes_the_place_of_the_run_that_goes() {
    for (policy, at_once) in [("cancel_other", false), ("terminate_other", true)] {
        let mut world = World::new(8);
        world.apply(t(0), job(policy, 1));
        world.at(t(60), Event::Tick);
        let first = world.started[0].run;
        world.at(t(120), Event::Tick);
        assert_eq!(world.cancels, [(first, CancelReason::Superseded)], "{policy}");
        assert_eq!(world.at_once, [at_once], "{policy}");
        assert_eq!(state_of(&world, 120), RunState::Queued, "it waits until the other has ended");
        // A third takes the place of the one that waits; the one that goes is asked once.
        world.at(t(180), Event::Tick);
        assert_eq!(state_of(&world, 120), RunState::Ended { ending: SUPERSEDED, at: t(180) });
        assert_eq!(world.cancels.len(), 1);
        world.finish(t(190), AttemptOutcome::Cancelled);
        assert_eq!(state_of(&world, 60), RunState::Ended { ending: SUPERSEDED, at: t(190) });
        assert_eq!(state_of(&world, 180), RunState::Running);
        assert_eq!(world.runs[&first].reason(), Some("superseded"));
    }
}

#[test]
fn a_run_that_waits_for_its_next_attempt_is_superseded_at_once() {
    let mut world = World::new(8);
    world.apply(t(0), job("cancel_other", 1));
    world.at(t(60), Event::Tick);
    world.finish(t(119), AttemptOutcome::Failed);
    assert!(matches!(state_of(&world, 60), RunState::RetryWait { .. }));
    world.at(t(120), Event::Tick);
    assert_eq!(state_of(&world, 60), RunState::Ended { ending: SUPERSEDED, at: t(120) });
    assert_eq!(state_of(&world, 120), RunState::Running);
    assert_eq!(world.cancels, []);
}

#[test]
fn that_a_run_is_superseded_survives_a_restart() {
    let mut world = World::new(8);
    let mut spec = job("cancel_other", 1);
    spec["idempotent"] = true.into();
    world.apply(t(0), spec);
    world.at(t(60), Event::Tick);
    world.at(t(120), Event::Tick);
    world.restart(t(121));
    // The interrupted run is not tried again, as another took its place.
    assert_eq!(state_of(&world, 60).name(), StateName::Interrupted);
    assert_eq!(state_of(&world, 120), RunState::Running);
}

#[test]
fn as_many_runs_go_at_once_as_the_job_says() {
    let outcomes = |policy: &str| {
        let mut world = World::new(8);
        world.apply(t(0), job(policy, 2));
        for minute in 1..=4 {
            world.at(t(60 * minute), Event::Tick);
        }
        (1..=4).map(|minute| state_of(&world, 60 * minute).name()).collect::<Vec<_>>()
    };
    use StateName::{Cancelled, Queued, Running, Skipped};
    assert_eq!(outcomes("skip"), [Running, Running, Skipped, Skipped]);
    assert_eq!(outcomes("buffer_one"), [Running, Running, Queued, Skipped]);
    assert_eq!(outcomes("buffer_all"), [Running, Running, Queued, Queued]);
    assert_eq!(outcomes("allow_all"), [Running, Running, Running, Running]);
    assert_eq!(outcomes("cancel_other"), [Running, Running, Cancelled, Queued]);
}

#[test]
fn more_places_of_a_job_let_those_in_line_start() {
    let mut world = World::new(8);
    world.apply(t(0), job("buffer_all", 1));
    for minute in 1..=3 {
        world.at(t(60 * minute), Event::Tick);
    }
    assert_eq!(world.started.len(), 1);
    world.apply(t(190), job("buffer_all", 2));
    assert_eq!(world.started.len(), 2);
    world.finish(t(191), AttemptOutcome::Succeeded);
    assert_eq!(world.started.len(), 2);
}
