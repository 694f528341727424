//! Fires that come due.

use super::*;

#[test]
fn a_fire_becomes_a_run_and_the_cursor_moves_with_it() {
    let mut world = World::new(8);
    let job = world.apply(t(0), every_minute("a"));
    assert_eq!(world.scheduler.next_wake(), Some(t(60)));
    world.at(t(59), Event::Tick);
    assert!(world.runs.is_empty());
    world.at(t(60), Event::Tick);
    assert_eq!(world.states(), [(60, StateName::Running)]);
    assert_eq!(
        world.jobs[&job.id].1,
        Cursor { done_until: t(60), next_fire_at: Some(t(120)), fired: 1, ..Cursor::default() }
    );
    let id = world.finish(t(61), AttemptOutcome::Succeeded);
    assert_eq!(id, RunId::of_fire(job.id, t(60)));
    assert_eq!(world.states(), [(60, StateName::Succeeded)]);
    assert_eq!(world.runs[&id].origin, Origin::Schedule);
    assert_eq!(world.scheduler.active(), 0);
}

#[test]
fn a_fire_meets_a_going_run_and_is_recorded_as_skipped() {
    let mut world = World::new(8);
    world.apply(t(0), every_minute("a"));
    world.at(t(60), Event::Tick);
    world.at(t(120), Event::Tick);
    assert_eq!(world.states(), [(60, StateName::Running), (120, StateName::Skipped)]);
    let skipped = world.start(t(121), "a", false);
    assert_eq!(skipped.state.name(), StateName::Skipped);
    let forced = world.start(t(122), "a", true);
    assert_eq!(forced.state.name(), StateName::Running);
}

#[test]
fn backward_clocks_fire_nothing_again() {
    let mut world = World::new(8);
    world.apply(t(0), every_minute("a"));
    world.at(t(60), Event::Tick);
    world.finish(t(61), AttemptOutcome::Succeeded);
    world.at(t(0), Event::Tick);
    world.at(t(60), Event::Tick);
    assert_eq!(world.runs.len(), 1);
    assert_eq!(world.scheduler.next_wake(), Some(t(120)));
}

#[test]
fn a_backlog_does_not_hold_up_punctual_fires() {
    let mut world = World::new(8);
    world.apply(t(0), serde_json::json!({ "name": "often", "triggers": [{ "every": "1s" }] }));
    world.restart(t(100_000));
    world.apply(t(100_000), serde_json::json!({ "name": "rare", "triggers": [{ "every": "10s" }] }));
    world.at(t(100_010), Event::Tick);
    world.at(t(100_010), Event::Tick);
    assert!(world.runs.values().any(|run| run.job.as_str() == "rare"), "{} others came first", world.runs.len());
}

#[test]
fn at_shutdown_nothing_starts_and_what_is_cut_short_is_interrupted() {
    let mut world = World::new(8);
    world.apply(t(0), every_minute("a"));
    world.at(t(60), Event::Tick);
    world.at(t(61), Event::Shutdown);
    assert_eq!(world.cancels.len(), 1);
    world.at(t(120), Event::Tick);
    assert_eq!(world.scheduler.next_wake(), None);
    world.finish(t(121), AttemptOutcome::Interrupted);
    assert_eq!(world.states(), [(60, StateName::Interrupted)]);
}

#[test]
fn a_stored_job_with_more_triggers_than_allowed_does_no_harm() {
    let mut world = World::new(8);
    let job = world.apply(t(0), every_minute("a"));
    let mut spec = JobSpec::clone(&job.spec);
    spec.triggers = vec![spec.triggers[0].clone(); 66_000];
    let stored = Job { spec: Arc::new(spec), ..Job::clone(&job) };
    world.jobs.get_mut(&job.id).unwrap().0 = Arc::new(stored);
    world.restart(t(30));
    world.at(t(60), Event::Tick);
    assert_eq!(world.states(), [(60, StateName::Running)]);
}
