//! Runs that wait for one another, backfills, starts of the daemon, and the end of a job's fires.

use std::collections::BTreeSet;

use super::*;
use crate::event::{BackfillOverlap, MAX_BACKFILL};

fn backfill(world: &mut World, now: Timestamp, fires: &[i64], again: bool, overlap: BackfillOverlap) -> Vec<RunId> {
    let (runs, pending) = asked_to_backfill(world, now, fires, again, overlap);
    assert_eq!(pending, 0);
    runs
}

fn asked_to_backfill(
    world: &mut World,
    now: Timestamp,
    fires: &[i64],
    again: bool,
    overlap: BackfillOverlap,
) -> (Vec<RunId>, usize) {
    let fires = fires.iter().map(|secs| t(*secs)).collect();
    let (namespace, name) = (Namespace::default(), "a".parse().unwrap());
    let command = Command::Backfill { namespace, name, fires, again, overlap };
    world.at(now, Event::Command { ticket: Ticket(4), command });
    match world.replies.pop() {
        Some(Reply::Backfilled { runs, pending }) => (runs, pending),
        other => panic!("no backfill: {other:?}"),
    }
}

#[test]
fn one_fire_waits_and_a_second_is_skipped() {
    let mut world = World::new(8);
    let job = serde_json::json!({ "name": "a", "triggers": [{ "every": "1m" }], "overlap": "buffer_one" });
    world.apply(t(0), job);
    for minute in 1..=4 {
        world.at(t(60 * minute), Event::Tick);
    }
    let states = world.states();
    assert_eq!(states[0].1, StateName::Running);
    assert_eq!(states[1].1, StateName::Queued);
    assert_eq!([states[2].1, states[3].1], [StateName::Skipped; 2]);
    world.finish(t(241), AttemptOutcome::Failed);
    assert_eq!(world.started[0].scheduled_at, t(120));
    world.at(t(300), Event::Tick);
    assert_eq!(world.states()[4], (300, StateName::Queued));
}

#[test]
fn fires_that_are_buffered_run_in_order_across_a_restart() {
    let mut world = World::new(8);
    let job = serde_json::json!({ "name": "a", "triggers": [{ "every": "1m" }], "overlap": "buffer_all" });
    world.apply(t(0), job);
    for minute in 1..=5 {
        world.at(t(60 * minute), Event::Tick);
    }
    assert_eq!(world.started.len(), 1);
    world.finish(t(301), AttemptOutcome::Succeeded);
    // The run that was going is interrupted; the next one has its turn.
    world.restart(t(302));
    let mut order = Vec::new();
    while let Some(invocation) = world.started.first() {
        order.push(invocation.scheduled_at);
        assert_eq!(world.scheduler.running(), 1);
        world.finish(t(303), AttemptOutcome::Succeeded);
    }
    assert_eq!(order, [t(180), t(240), t(300)]);
}

#[test]
fn a_run_that_waits_for_its_retry_keeps_its_turn() {
    let mut world = World::new(8);
    let retry = serde_json::json!({ "max_attempts": 2, "initial": "10s", "jitter": "none" });
    world.apply(t(0), serde_json::json!({ "name": "a", "overlap": "buffer_all", "retry": retry }));
    world.start(t(1), "a", false);
    world.start(t(2), "a", false);
    world.finish(t(3), AttemptOutcome::Failed);
    assert!(world.started.is_empty());
    world.restart(t(4));
    assert!(world.started.is_empty());
    world.at(t(14), Event::Tick);
    assert_eq!(world.started[0].attempt, 2);
    world.finish(t(15), AttemptOutcome::Succeeded);
    assert_eq!((world.started.len(), world.started[0].attempt), (1, 1));
}

#[test]
fn a_cancelled_run_leaves_the_line() {
    let mut world = World::new(8);
    world.apply(t(0), serde_json::json!({ "name": "a", "overlap": "buffer_all" }));
    world.start(t(1), "a", false);
    let second = world.start(t(2), "a", false).id;
    let third = world.start(t(3), "a", false).id;
    world.at(t(4), Event::Command { ticket: Ticket(3), command: Command::CancelRun { run: second } });
    assert_eq!(world.runs[&second].state.name(), StateName::Cancelled);
    world.finish(t(5), AttemptOutcome::Succeeded);
    assert_eq!(world.started[0].run, third);
    let command = Command::DeleteJob {
        namespace: Namespace::default(),
        name: "a".parse().unwrap(),
        expect: Expectation::Anything,
    };
    world.start(t(6), "a", false);
    world.start(t(6), "a", false);
    world.at(t(7), Event::Command { ticket: Ticket(3), command });
    world.finish(t(8), AttemptOutcome::Cancelled);
    assert_eq!(world.scheduler.active(), 0);
    assert!(world.started.is_empty());
}

#[test]
fn a_backfill_runs_one_by_one_and_moves_no_cursor() {
    let mut world = World::new(8);
    let job = world.apply(t(0), every_minute("a"));
    let cursor = world.jobs[&job.id].1.clone();
    let made = backfill(&mut world, t(10), &[-60, -180, -120, -60], false, BackfillOverlap::OneByOne);
    assert_eq!(made, [-180, -120, -60].map(|secs| RunId::of_backfill(job.id, t(secs))));
    assert_eq!(world.jobs[&job.id].1, cursor);
    assert_eq!(world.started.len(), 1);
    // Those that are still going are not made again; asked for all, all are.
    assert!(backfill(&mut world, t(11), &[-60, -180], false, BackfillOverlap::OneByOne).is_empty());
    assert_eq!(backfill(&mut world, t(12), &[-60], true, BackfillOverlap::AllowAll).len(), 1);
    assert_eq!(world.started.len(), 2);
    for _ in 0..4 {
        let id = world.finish(t(13), AttemptOutcome::Succeeded);
        assert_eq!(world.runs[&id].origin, Origin::Backfill);
    }
    assert_eq!(world.runs.len(), 4);
    // A regular fire at the same instant is another run.
    world.at(t(60), Event::Tick);
    assert_eq!(world.started.len(), 1);
}

#[test]
fn a_backfill_has_a_bound() {
    let mut world = World::new(8);
    world.apply(t(0), every_minute("a"));
    let fires = (0..=MAX_BACKFILL).map(|n| t(-i64::try_from(n).unwrap())).collect();
    let (namespace, name) = (Namespace::default(), "a".parse().unwrap());
    let command = Command::Backfill { namespace, name, fires, again: false, overlap: BackfillOverlap::OneByOne };
    world.at(t(1), Event::Command { ticket: Ticket(4), command });
    assert!(matches!(world.replies.last(), Some(Reply::Refused(Refusal::BackfillTooLarge { fires: 10_001 }))));
    assert!(world.runs.is_empty());
}

#[test]
fn startup_triggers_fire_once_for_each_start_of_the_daemon() {
    let mut world = World::new(8);
    let triggers = serde_json::json!([{ "every": "1m" }, { "startup": true }]);
    let job = world.apply(t(0), serde_json::json!({ "name": "a", "triggers": triggers }));
    world.apply(t(0), every_minute("b"));
    assert!(world.runs.is_empty());
    let cursor = world.jobs[&job.id].1.clone();
    world.at(t(10), Event::Startup { at: t(9), made: BTreeSet::new() });
    let run = &world.runs[&RunId::of_startup(job.id, t(9))];
    assert_eq!((run.origin, run.trigger, run.scheduled_at), (Origin::Schedule, Some(1), t(9)));
    assert_eq!(world.runs.len(), 1);
    assert_eq!(world.jobs[&job.id].1, Cursor { fired: 1, ..cursor });
    // The run of a start passes others as any fire does.
    world.restart(t(20));
    world.at(t(21), Event::Startup { at: t(20), made: BTreeSet::new() });
    world.at(t(31), Event::Startup { at: t(30), made: BTreeSet::new() });
    assert_eq!(
        world.states().iter().map(|(_, state)| *state).collect::<Vec<_>>(),
        [StateName::Interrupted, StateName::Running, StateName::Skipped]
    );
}

#[test]
fn fires_end_after_max_runs() {
    let mut world = World::new(8);
    let mut job = every_minute("a");
    job["max_runs"] = 2.into();
    world.apply(t(0), job.clone());
    world.at(t(60), Event::Tick);
    // A fire that starts nothing does not count, nor does a manual start.
    world.at(t(120), Event::Tick);
    world.finish(t(121), AttemptOutcome::Failed);
    world.start(t(122), "a", false);
    world.finish(t(123), AttemptOutcome::Succeeded);
    world.restart(t(124));
    world.at(t(180), Event::Tick);
    world.finish(t(181), AttemptOutcome::Succeeded);
    assert_eq!(world.scheduler.next_wake(), None);
    world.restart(t(300));
    assert_eq!(world.scheduler.next_wake(), None);
    // With room for one more, fires go on from now; with other triggers the count begins anew.
    job["max_runs"] = 3.into();
    world.apply(t(310), job.clone());
    assert_eq!(world.scheduler.next_wake(), Some(t(360)));
    job["max_runs"] = 1.into();
    world.apply(t(320), job.clone());
    assert_eq!(world.scheduler.next_wake(), None);
    job["triggers"] = serde_json::json!([{ "every": "2m" }]);
    world.apply(t(330), job);
    assert_eq!(world.scheduler.next_wake(), Some(t(450)));
}

#[test]
fn a_fire_that_is_due_and_not_dealt_with_is_not_made_up_for() {
    for again in [false, true] {
        let mut world = World::new(8);
        world.apply(t(0), serde_json::json!({ "name": "a", "triggers": [{ "every": "1m" }], "overlap": "allow_all" }));
        world.at(t(60), Event::Tick);
        // The fire of 120 has come due, and its tick has not.
        let due = asked_to_backfill(&mut world, t(121), &[120], again, BackfillOverlap::AllowAll);
        assert_eq!(due, (vec![], 1));
        world.at(t(121), Event::Tick);
        assert_eq!(world.states(), [(60, StateName::Running), (120, StateName::Running)]);
        // Fires that are held back come to runs as well.
        let job = world.scheduler.job_named(&Namespace::default(), &"a".parse().unwrap()).unwrap();
        let held = crate::job::Backlog::Held(vec![t(180), t(300)]);
        let cursor = &mut world.jobs.get_mut(&job).unwrap().1;
        (cursor.done_until, cursor.next_fire_at, cursor.backlog) = (t(300), Some(t(360)), Some(Box::new(held)));
        world.load(t(330));
        let (runs, pending) =
            asked_to_backfill(&mut world, t(330), &[180, 240, 300, 360], again, BackfillOverlap::AllowAll);
        assert_eq!((runs.len(), pending), (1, 3));
    }
}

#[test]
fn backfills_that_would_line_up_without_end_are_refused() {
    let mut world = World::new(1);
    world.apply(t(0), serde_json::json!({ "name": "a" }));
    let fires: Vec<i64> = (1..=i64::try_from(MAX_BACKFILL).unwrap() - 1).map(|number| -number).collect();
    for overlap in [BackfillOverlap::OneByOne, BackfillOverlap::AllowAll] {
        if world.runs.is_empty() {
            assert_eq!(backfill(&mut world, t(1), &fires, true, overlap).len(), MAX_BACKFILL - 1);
        }
        let (namespace, name) = (Namespace::default(), "a".parse().unwrap());
        let command = Command::Backfill { namespace, name, fires: vec![t(-1), t(-2)], again: true, overlap };
        world.at(t(2), Event::Command { ticket: Ticket(5), command });
        let refused = world.replies.pop();
        assert!(
            matches!(refused, Some(Reply::Refused(Refusal::BackfillTooLong { active: 9999, fires: 2, .. }))),
            "{refused:?}"
        );
        assert_eq!(world.runs.len(), MAX_BACKFILL - 1);
    }
}

#[test]
fn what_is_made_up_for_waits_behind_what_is_punctual() {
    let mut world = World::new(1);
    world.apply(t(0), serde_json::json!({ "name": "a" }));
    world.apply(t(0), every_minute("b"));
    let first = world.start(t(1), "a", false).id;
    backfill(&mut world, t(2), &[-100, -200], false, BackfillOverlap::AllowAll);
    world.at(t(60), Event::Tick);
    assert_eq!(world.finish(t(61), AttemptOutcome::Succeeded), first);
    assert_eq!(world.started[0].scheduled_at, t(60));
    world.finish(t(62), AttemptOutcome::Succeeded);
    assert_eq!(world.started[0].scheduled_at, t(-200));
}

#[test]
fn the_fires_of_a_start_come_in_parts_and_before_what_is_due() {
    let mut world = World::new(8);
    let count = FIRES_PER_STEP + 10;
    for number in 0..count {
        let triggers = serde_json::json!([{ "startup": true }, { "every": "1m" }]);
        world.apply(t(0), serde_json::json!({ "name": format!("job-{number}"), "triggers": triggers }));
    }
    world.load(t(90));
    world.at(t(90), Event::Startup { at: t(90), made: BTreeSet::new() });
    assert!(world.scheduler.is_starting() && world.scheduler.next_wake().is_some_and(|at| at <= t(90)));
    assert_eq!(world.runs.len(), FIRES_PER_STEP);
    // The commit of the second part is lost, and all is loaded anew.
    world.load(t(91));
    let made: BTreeSet<JobId> = world.runs.values().map(|run| run.job_id).collect();
    world.at(t(91), Event::Startup { at: t(90), made });
    assert!(!world.scheduler.is_starting());
    assert_eq!(world.runs.len(), count);
    while world.scheduler.next_wake().is_some_and(|at| at <= t(92)) {
        world.at(t(92), Event::Tick);
    }
    // What was due from 60 on finds a run of its job, but for the eight that the load interrupted.
    let due: Vec<_> = world.states().into_iter().filter(|(at, _)| *at == 60).collect();
    let skipped = due.iter().filter(|(_, state)| *state == StateName::Skipped).count();
    assert_eq!(due.len() - skipped, 8);
    assert!(skipped > 0, "{due:?}");
}
