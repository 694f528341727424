//! Saving, deleting and cancelling.

use super::*;
use crate::run::Rerun;

#[test]
fn an_unchanged_schedule_keeps_its_next_fire_and_apply_fires_nothing() {
    let mut world = World::new(8);
    let first = world.apply(t(0), every_minute("a"));
    let mut changed = every_minute("a");
    changed["description"] = "more".into();
    let second = world.apply(t(30), changed.clone());
    assert_eq!((first.id, second.revision), (second.id, 2));
    assert_eq!(world.scheduler.next_wake(), Some(t(60)));
    assert_eq!(world.apply(t(31), changed).revision, 2);
    // A fire that is due and not yet dealt with is not lost when the job is saved again.
    world.apply(t(65), every_minute("a"));
    world.at(t(65), Event::Tick);
    assert_eq!(world.states(), [(60, StateName::Running)]);
    // A changed schedule counts strictly from now.
    world.apply(t(70), serde_json::json!({ "name": "a", "triggers": [{ "every": "40s" }] }));
    assert_eq!(world.scheduler.next_wake(), Some(t(110)));
    assert_eq!(world.runs.len(), 1);
}

#[test]
fn a_schedule_changed_after_the_clock_was_set_back_fires_no_instant_twice() {
    let mut world = World::new(8);
    world.apply(t(0), serde_json::json!({ "name": "a", "triggers": [{ "cron": "* * * * *" }] }));
    world.at(t(60), Event::Tick);
    world.finish(t(61), AttemptOutcome::Succeeded);
    world.apply(t(30), serde_json::json!({ "name": "a", "triggers": [{ "cron": "*/1 * * * *" }] }));
    world.at(t(60), Event::Tick);
    assert_eq!(world.states(), [(60, StateName::Succeeded)]);
    assert_eq!(world.scheduler.next_wake(), Some(t(120)));
}

#[test]
fn overdue_fires_are_dealt_with_before_their_schedule_changes() {
    let mut world = World::new(8);
    world.apply(t(0), every_minute("a"));
    world.apply(t(125), serde_json::json!({ "name": "a", "triggers": [{ "every": "1h" }] }));
    assert_eq!(world.states(), [(60, StateName::Skipped), (120, StateName::Running)]);
}

#[test]
fn a_queued_run_does_what_the_job_is_when_it_starts() {
    let mut world = World::new(1);
    world.apply(t(0), serde_json::json!({ "name": "a", "overlap": "allow_all" }));
    world.start(t(1), "a", false);
    let queued = world.start(t(2), "a", false).id;
    world.apply(t(3), serde_json::json!({ "name": "a", "overlap": "allow_all", "description": "new" }));
    world.finish(t(4), AttemptOutcome::Succeeded);
    assert_eq!((world.runs[&queued].revision, world.started[0].work.revision), (2, 2));
}

#[test]
fn a_deleted_job_leaves_its_history() {
    let mut world = World::new(1);
    world.apply(t(0), serde_json::json!({ "name": "a", "triggers": [{ "every": "1m" }], "overlap": "allow_all" }));
    world.at(t(60), Event::Tick);
    world.at(t(120), Event::Tick);
    let delete = |expect| Command::DeleteJob { namespace: Namespace::default(), name: "a".parse().unwrap(), expect };
    world.at(t(121), Event::Command { ticket: Ticket(1), command: delete(Expectation::At(2)) });
    assert!(matches!(world.replies.last(), Some(Reply::Refused(Refusal::RevisionConflict { actual: 1, .. }))));
    assert_eq!((world.jobs.len(), world.cancels.len()), (1, 0));
    world.at(t(121), Event::Command { ticket: Ticket(1), command: delete(Expectation::At(1)) });
    assert!(world.jobs.is_empty());
    assert_eq!(world.cancels.len(), 1);
    assert_eq!(world.states(), [(60, StateName::Running), (120, StateName::Cancelled)]);
    world.finish(t(122), AttemptOutcome::Cancelled);
    assert_eq!(world.states()[0], (60, StateName::Cancelled));
    world.at(t(500), Event::Tick);
    assert_eq!(world.scheduler.next_wake(), None);
    assert_eq!(world.runs.len(), 2);
}

#[test]
fn cancel_ends_waiting_runs_at_once_and_asks_running_ones() {
    let mut world = World::new(1);
    world.apply(t(0), serde_json::json!({ "name": "a", "overlap": "allow_all", "retry": { "max_attempts": 5 } }));
    let running = world.start(t(1), "a", false).id;
    let queued = world.start(t(2), "a", false).id;
    for run in [queued, running] {
        world.at(t(3), Event::Command { ticket: Ticket(3), command: Command::CancelRun { run } });
    }
    assert_eq!(world.runs[&queued].state.name(), StateName::Cancelled);
    assert_eq!(world.runs[&running].state.name(), StateName::Running);
    assert_eq!(world.cancels, [(running, CancelReason::User)]);
    // It failed while it was being stopped: that is no reason to try again.
    world.finish(t(4), AttemptOutcome::Failed);
    assert_eq!(world.runs[&running].state.name(), StateName::Failed);
    world.at(t(5), Event::Command { ticket: Ticket(3), command: Command::CancelRun { run: running } });
    assert!(matches!(world.replies.last(), Some(Reply::Refused(Refusal::NoActiveRun(_)))));
}

#[test]
fn a_job_that_is_deleted_ends_its_runs_and_they_say_so() {
    let mut world = World::new(1);
    world.apply(t(0), serde_json::json!({ "name": "a", "overlap": "allow_all" }));
    let running = world.start(t(1), "a", false).id;
    let queued = world.start(t(2), "a", false).id;
    let (namespace, name) = (Namespace::default(), "a".parse().unwrap());
    let command = Command::DeleteJob { namespace, name, expect: Expectation::Anything };
    world.at(t(3), Event::Command { ticket: Ticket(3), command });
    assert_eq!(world.cancels, [(running, CancelReason::JobDeleted)]);
    world.finish(t(4), AttemptOutcome::Cancelled);
    for run in [queued, running] {
        let run = &world.runs[&run];
        assert_eq!((run.state.name(), run.reason()), (StateName::Cancelled, Some("job_deleted")));
    }
}

#[test]
fn a_cancelled_run_is_not_tried_again_whatever_happens_to_the_daemon() {
    let mut world = World::new(1);
    let retried = serde_json::json!({ "name": "a", "idempotent": true, "retry": { "max_attempts": 5 } });
    world.apply(t(0), retried);
    let run = world.start(t(1), "a", false).id;
    for now in [t(2), t(3)] {
        world.at(now, Event::Command { ticket: Ticket(3), command: Command::CancelRun { run } });
    }
    assert_eq!(world.runs[&run].cancel.map(|cancel| cancel.at), Some(t(2)), "the first request is durable");
    assert_eq!(world.cancels.len(), 2, "the attempt is asked each time");
    world.restart(t(4));
    assert_eq!(world.runs[&run].state.name(), StateName::Interrupted);
    assert_eq!(world.runs[&run].attempts.len(), 1);
}

#[test]
fn plugins_in_use_stay() {
    let mut world = World::new(8);
    world.apply(t(0), every_minute("a"));
    let name: PluginName = "noop".parse().unwrap();
    world.at(t(1), Event::Command { ticket: Ticket(1), command: Command::RemovePlugin { name } });
    assert!(matches!(world.replies.last(), Some(Reply::Refused(Refusal::BuiltIn(_)))));
}

#[test]
fn a_schedule_changes_only_once_every_overdue_fire_has_left_its_record() {
    let mut world = World::new(8);
    // All within the window, so that each fire is dealt with by itself.
    let catch_up = serde_json::json!({ "window": "1d" });
    world.apply(t(0), serde_json::json!({ "name": "a", "triggers": [{ "every": "1s" }], "catch_up": catch_up }));
    let fires = 25_000;
    let now = t(fires);
    let changed = serde_json::json!({ "name": "a", "triggers": [{ "every": "1h" }], "action": { "use": "noop" } });
    let put = |expect| Command::PutJob {
        namespace: Namespace::default(),
        job: Arc::<JobSpec>::new(serde_json::from_value(changed.clone()).unwrap()).into(),
        expect,
    };
    world.at(now, Event::Command { ticket: Ticket(1), command: put(Expectation::Anything) });
    assert!(matches!(world.replies.pop(), Some(Reply::Refused(Refusal::Overdue { .. }))));
    assert!(world.runs.is_empty(), "a refusal changes nothing");
    let mut tries = 0;
    loop {
        tries += 1;
        let now = now.after(Duration::from_micros(tries));
        world.at(now, Event::Tick);
        world.at(now, Event::Command { ticket: Ticket(1), command: put(Expectation::At(1)) });
        match world.replies.pop() {
            Some(Reply::Refused(Refusal::Overdue { .. })) => assert!(tries < 100, "it never ends"),
            Some(Reply::Job(saved)) => break assert_eq!(saved.job.revision, 2),
            other => panic!("unexpected {other:?}"),
        }
    }
    assert!(tries > 1, "it was no long wait");
    assert_eq!(i64::try_from(world.runs.len()).unwrap(), fires, "each fire has its record");
    assert_eq!(world.runs.values().filter(|run| run.state.name() == StateName::Running).count(), 1);
}

#[test]
fn a_job_that_is_changed_again_and_again_leaves_nothing_behind() {
    let mut world = World::new(8);
    for change in 0..1000 {
        world.apply(
            t(change),
            serde_json::json!({ "name": "a", "triggers": [{ "every": format!("{}h", 1000 + change) }] }),
        );
    }
    assert!(world.scheduler.due.len() < 100, "{} entries for one job", world.scheduler.due.len());
    assert_eq!(world.scheduler.next_wake(), Some(t(999 + 1999 * 3600)));
}

#[test]
fn fires_from_before_max_runs_was_raised_do_not_come_back_with_a_restart() {
    for policy in ["all", "latest"] {
        let mut world = World::new(8);
        let job = |most: u32| {
            let catch_up = serde_json::json!({ "policy": policy });
            serde_json::json!({ "name": "a", "triggers": [{ "every": "20s" }], "max_runs": most, "catch_up": catch_up })
        };
        world.apply(t(0), job(1));
        world.at(t(20), Event::Tick);
        world.finish(t(21), AttemptOutcome::Succeeded);
        world.apply(t(84), job(50));
        assert_eq!(world.scheduler.next_wake(), Some(t(100)));
        world.restart(t(90));
        assert_eq!(world.states(), [(20, StateName::Succeeded)], "{policy}");
        assert_eq!(world.scheduler.next_wake(), Some(t(100)));
    }
}

#[test]
fn a_namespace_has_a_bounded_number_of_calendars() {
    let mut world = World::new(1);
    let calendar = |name: String| Arc::new(serde_json::from_value(serde_json::json!({ "name": name })).unwrap());
    let apply = |names: std::ops::Range<usize>| Command::Apply {
        namespace: Namespace::default(),
        together: Together {
            calendars: names.map(|number| calendar(format!("c{number}"))).collect(),
            ..Together::default()
        },
    };
    world.at(t(0), Event::Command { ticket: Ticket(1), command: apply(0..1000) });
    assert!(matches!(world.replies.pop(), Some(Reply::Applied { .. })));
    // Those that are there can still be changed.
    world.at(t(1), Event::Command { ticket: Ticket(1), command: apply(990..1000) });
    assert!(matches!(world.replies.pop(), Some(Reply::Applied { .. })));
    world.at(t(2), Event::Command { ticket: Ticket(1), command: apply(999..1001) });
    let refused = world.replies.pop();
    assert!(matches!(refused, Some(Reply::Refused(Refusal::TooManyCalendars { count: 1001, .. }))), "{refused:?}");
    assert_eq!(world.calendars.len(), 1000);
}

#[test]
fn an_attempt_goes_on_from_what_one_before_it_left_of_the_same_revision() {
    let mut world = World::new(1);
    let job = |description: &str| {
        let retry = serde_json::json!({ "max_attempts": 9, "initial": "1s", "backoff": "fixed", "jitter": "none" });
        serde_json::json!({ "name": "a", "triggers": [{ "every": "1h" }], "retry": retry, "description": description })
    };
    let saved = world.apply(t(0), job("first"));
    world.at(t(3600), Event::Tick);
    let fails = |world: &mut World, now: Timestamp, result: Option<&str>| {
        let invocation = world.started.remove(0);
        let failed = report(&invocation, now, AttemptOutcome::Failed);
        let failed = AttemptReport { result: result.map(str::to_owned), ..failed };
        world.at(now, Event::AttemptFinished(Box::new(failed)));
        world.at(now.after(Duration::from_secs(1)), Event::Tick);
        invocation
    };
    let first = fails(&mut world, t(3601), Some(r#"{"detail": {"resumable": true}}"#));
    assert_eq!(first.resumes, None);
    // One that tells nothing leaves what was told before.
    let second = fails(&mut world, t(3603), None);
    assert_eq!((second.run, second.resumes), (first.run, Some(first.run)));
    assert_eq!(world.started[0].resumes, Some(first.run));
    // What another revision left says nothing of what this one wants.
    world.apply(t(3605), job("second"));
    fails(&mut world, t(3606), None);
    assert_eq!(world.started[0].resumes, None);
    let run = world.finish(t(3608), AttemptOutcome::Cancelled);
    let retry = |resumes| Command::RetryRun {
        namespace: Namespace::default(),
        name: "a".parse().unwrap(),
        job: saved.id,
        rerun: Rerun { run, resumes },
        force: true,
        params: None,
        upstream: Vec::new(),
    };
    for (resumes, expected) in [(true, Some(run)), (false, None)] {
        world.at(t(3610), Event::Command { ticket: Ticket(1), command: retry(resumes) });
        assert_eq!(world.started[0].resumes, expected);
        world.finish(t(3610), AttemptOutcome::Cancelled);
    }
}

#[test]
fn a_run_that_is_made_again_names_the_first_one() {
    let mut world = World::new(1);
    let job = world.apply(t(0), every_minute("a"));
    world.at(t(60), Event::Tick);
    let first = world.finish(t(61), AttemptOutcome::Failed);
    world.apply(t(62), serde_json::json!({ "name": "a", "description": "mended" }));
    let retry = |job| Command::RetryRun {
        namespace: Namespace::default(),
        name: "a".parse().unwrap(),
        job,
        rerun: Rerun { run: first, resumes: true },
        force: false,
        params: None,
        upstream: Vec::new(),
    };
    world.at(t(63), Event::Command { ticket: Ticket(1), command: retry(job.id) });
    let Some(Reply::Run(run)) = world.replies.pop() else { panic!("no run") };
    let found = (run.origin, run.rerun_of, run.scheduled_at, run.trigger, run.revision);
    assert_eq!(found, (Origin::Retry, Some(Rerun { run: first, resumes: true }), t(63), None, 2));
    assert_eq!(world.runs[&first].state.name(), StateName::Failed, "what is over stays as it is");
    // The same gate as any other start.
    world.at(t(64), Event::Command { ticket: Ticket(1), command: retry(job.id) });
    assert!(matches!(world.replies.pop(), Some(Reply::Run(run)) if run.reason() == Some("overlap")));
    // Another job of the same name is not meant.
    let other = JobId::from_bits(5);
    world.at(t(65), Event::Command { ticket: Ticket(1), command: retry(other) });
    assert!(matches!(world.replies.pop(), Some(Reply::Refused(Refusal::NoJob { .. }))));
}

#[test]
fn a_change_of_a_job_leaves_its_running_runs_alone() {
    let mut world = World::new(1);
    world.apply(t(0), every_minute("a"));
    world.at(t(60), Event::Tick);
    let mut changed = every_minute("a");
    (changed["timeout"], changed["overlap"]) = ("1s".into(), "allow_all".into());
    let before = world.runs.clone();
    world.apply(t(61), changed);
    assert_eq!((world.runs == before, world.cancels.len(), world.started.len()), (true, 0, 1));
    let run = world.finish(t(90), AttemptOutcome::Succeeded);
    assert_eq!((world.runs[&run].revision, world.runs[&run].state.name()), (1, StateName::Succeeded));
}
