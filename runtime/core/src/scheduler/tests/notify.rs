//! Notifications: who is told of what, once, and in runs of their own.

use serde_json::{Value, json};

use super::*;
use crate::notice::{NoticeOwner, summary};
use crate::run::CancelCause;
use crate::run::Ending;
use crate::spec::Notifiers;

const FAILED: AttemptOutcome = AttemptOutcome::Failed;
const DONE: AttemptOutcome = AttemptOutcome::Succeeded;

/// A job that is started by hand, with one notifier for `on`.
fn told(name: &str, on: &Value) -> Value {
    json!({ "name": name, "notify": [notifier(on)] })
}

fn notifier(on: &Value) -> Value {
    json!({
        "on": on,
        "use": "noop",
        "with": { "text": "{{ notification.summary }}" },
        "retry": { "jitter": "none" },
    })
}

fn notifiers(on: &Value) -> Arc<Notifiers> {
    Arc::new(serde_json::from_value(json!([notifier(on)])).unwrap())
}

impl World {
    fn ask(&mut self, now: Timestamp, command: Command) -> Reply {
        self.at(now, Event::Command { ticket: Ticket(9), command });
        self.replies.pop().unwrap()
    }

    fn put_notify(&mut self, now: Timestamp, on: &Value) -> Reply {
        let (namespace, notify, expect) = (Namespace::default(), notifiers(on), Expectation::Anything);
        self.ask(now, Command::PutNotify { namespace, notify, expect })
    }

    /// All notifications, the first first: their states, and what they tell.
    fn notifications(&self) -> Vec<(StateName, String)> {
        let mut found: Vec<&Arc<Run>> = self.runs.values().filter(|run| run.notice.is_some()).collect();
        found.sort_by_key(|run| (run.queued_at, run.id));
        let told = |run: &&Arc<Run>| summary(run.notice.as_ref().unwrap(), chrono_tz::Tz::UTC);
        found.iter().map(|run| (run.state.name(), told(run))).collect()
    }

    fn texts(&self) -> Vec<String> {
        self.notifications().into_iter().map(|(_, text)| text).collect()
    }

    fn notification(&self) -> Arc<Run> {
        let mut found = self.runs.values().filter(|run| run.notice.is_some());
        let one = Arc::clone(found.next().expect("there is a notification"));
        assert!(found.next().is_none(), "there is one only");
        one
    }

    /// Starts the job by hand and lets its run end so.
    fn run_to(&mut self, now: Timestamp, name: &str, outcome: AttemptOutcome) -> RunId {
        let run = self.start(now, name, true).id;
        let place = self.started.iter().position(|start| start.run == run).expect("it was started");
        let start = self.started.remove(place);
        self.at(now, Event::AttemptFinished(Box::new(report(&start, now, outcome))));
        run
    }
}

#[test]
fn a_failure_is_told_in_a_run_of_its_own() {
    let mut world = World::new(8);
    let job = world.apply(t(0), told("a", &json!(["failed"])));
    world.run_to(t(1), "a", DONE);
    assert_eq!(world.notifications(), []);
    let failed = world.run_to(t(2), "a", FAILED);
    let run = world.notification();
    assert_eq!((run.origin, run.state, run.job.as_str()), (Origin::Notification, RunState::Running, "a"));
    assert_eq!(run.job_id, JobId::of_notifier(&job.namespace, NoticeOwner::Job(job.id), 0));
    assert_eq!(world.texts(), [format!("job 'a' failed (run {failed})")]);
    let start = &world.started[0];
    assert_eq!((start.origin, start.work.timeout), (Origin::Notification, Duration::from_secs(60)));
    assert_eq!(start.work.scope.as_ref().unwrap().notice, run.notice);
    // It is not one of the job's runs, and nobody is told of it.
    assert_eq!(world.scheduler.jobs[&job.id].runs.len(), 0);
    world.finish(t(3), FAILED);
    assert_eq!(world.notification().state, RunState::RetryWait { until: t(13) });
    for secs in [13, 33, 73, 153] {
        world.at(t(secs), Event::Tick);
        world.finish(t(secs), FAILED);
    }
    assert_eq!(world.notification().state.name(), StateName::Failed);
    assert_eq!(world.notification().attempts.len(), 5);
    assert_eq!(world.scheduler.active(), 0);
}

#[test]
fn a_storm_is_told_in_few_notifications() {
    let mut world = World::new(8);
    world.put_notify(t(0), &json!(["failed"]));
    world.apply(t(0), json!({ "name": "a" }));
    world.apply(t(0), json!({ "name": "b" }));
    world.run_to(t(10), "a", FAILED);
    assert_eq!(world.started.len(), 1, "the first goes at once");
    world.finish(t(10), DONE);
    for secs in 11..40 {
        world.run_to(t(secs), if secs % 2 == 0 { "a" } else { "b" }, FAILED);
    }
    assert_eq!(world.notifications().len(), 2);
    assert_eq!(world.scheduler.next_wake(), Some(t(70)));
    world.restart(t(41));
    world.run_to(t(42), "a", FAILED);
    world.at(t(69), Event::Tick);
    assert!(world.started.is_empty(), "it waits for more");
    world.at(t(70), Event::Tick);
    assert_eq!(world.texts()[1], "30 runs of 2 or more jobs failed since 08:00");
    world.run_to(t(71), "a", FAILED);
    assert_eq!(world.notifications().len(), 3, "one that has begun takes in nothing more");
    assert_eq!(world.scheduler.next_wake(), Some(t(130)));
    world.finish(t(72), DONE);
    world.at(t(130), Event::Tick);
    world.finish(t(130), DONE);
    world.run_to(t(190), "b", FAILED);
    assert_eq!(world.started.len(), 1, "after a while the next goes at once again");
}

#[test]
fn of_fires_that_come_to_nothing_in_one_step_one_notification_tells() {
    let mut world = World::new(8);
    let mut job = told("a", &json!(["skipped"]));
    job["triggers"] = json!([{ "every": "1m" }]);
    job["catch_up"] = json!({ "policy": "all", "limit": 2 });
    world.apply(t(0), job);
    world.at(t(600), Event::Tick);
    let (state, text) = world.notifications().remove(0);
    assert_eq!((world.notifications().len(), state), (1, StateName::Running));
    assert_eq!(text, "8 runs of job 'a' were skipped since 08:10");
}

#[test]
fn a_full_daemon_tells_later_and_no_run_waits_for_that() {
    let mut world = World::new(1);
    world.apply(t(0), told("a", &json!(["failed"])));
    world.apply(t(0), json!({ "name": "b" }));
    world.start(t(1), "a", false);
    world.start(t(1), "b", false);
    world.finish(t(2), FAILED);
    assert_eq!(world.notification().state, RunState::Queued);
    world.finish(t(3), DONE);
    assert_eq!(world.notification().state, RunState::Running);
    world.restart(t(4));
    // What it did is unknown: it is told again.
    assert_eq!(world.notification().state, RunState::RetryWait { until: t(14) });
}

#[test]
fn a_recovery_is_told_across_restarts_and_skipped_fires() {
    let mut world = World::new(8);
    world.apply(t(0), told("a", &json!(["recovered"])));
    let job = world.apply(t(0), json!({ "name": "unwatched" }));
    world.run_to(t(1), "a", DONE);
    world.run_to(t(2), "a", FAILED);
    world.run_to(t(3), "unwatched", FAILED);
    assert_eq!(world.jobs[&job.id].1.health, None);
    world.restart(t(4));
    assert_eq!(world.texts(), [""; 0]);
    let run = world.run_to(t(5), "a", DONE);
    assert_eq!(world.texts(), [format!("job 'a' recovered (run {run})")]);
    world.run_to(t(6), "a", DONE);
    assert_eq!(world.notifications().len(), 1);
    // A new schedule does not make the job well.
    world.run_to(t(7), "a", FAILED);
    let mut changed = told("a", &json!(["recovered"]));
    changed["triggers"] = json!([{ "every": "1d" }]);
    world.apply(t(8), changed);
    world.run_to(t(9), "a", DONE);
    assert_eq!(world.notifications().len(), 2);
}

#[test]
fn a_run_that_waits_too_long_is_told_once_as_late() {
    let mut world = World::new(1);
    world.apply(t(0), json!({ "name": "long" }));
    let mut job = told("a", &json!([{ "late": "1m" }, { "late": "5m" }]));
    job["notify"][0]["group"] = "0s".into();
    world.apply(t(0), job);
    let long = world.start(t(0), "long", false).id;
    let run = world.start(t(0), "a", false).id;
    assert_eq!(world.scheduler.next_wake(), Some(t(60)));
    world.at(t(60), Event::Tick);
    assert_eq!(world.runs[&run].late, Some(t(60)));
    assert_eq!(world.texts(), [format!("job 'a' is late: it was due at 2027-01-15T08:00:00Z (run {run})")]);
    world.load_with(t(100), &HashSet::from([long]));
    assert_eq!(world.scheduler.next_wake(), Some(t(300)), "the other period is still to come");
    world.at(t(300), Event::Tick);
    assert_eq!(world.notification().notice.as_ref().unwrap().count, 2, "the first still waits for a place");
    assert_eq!(world.runs[&run].late, Some(t(300)));
    assert_eq!(world.scheduler.next_wake(), None);
}

#[test]
fn a_run_that_starts_in_time_is_not_late() {
    let mut world = World::new(1);
    world.apply(t(0), json!({ "name": "long" }));
    world.apply(t(0), told("a", &json!([{ "late": "1m" }])));
    world.start(t(0), "long", false);
    world.start(t(0), "a", false);
    world.finish(t(59), DONE);
    assert_eq!(world.scheduler.next_wake(), None);
    world.finish(t(600), FAILED);
    assert_eq!(world.notifications(), []);
}

#[test]
fn a_fire_that_is_caught_up_is_told_as_late_but_what_is_made_up_for_is_not() {
    let mut world = World::new(8);
    let mut job = told("a", &json!([{ "late": "5m" }]));
    job["triggers"] = json!([{ "every": "1h" }]);
    world.apply(t(0), job);
    world.restart(t(3600 + 400));
    let run = world.runs.values().find(|run| run.notice.is_none()).unwrap();
    assert_eq!((run.origin, run.late, run.state), (Origin::CatchUp, Some(t(4000)), RunState::Running));
    assert_eq!(world.notifications().len(), 1);
    let command = Command::Backfill {
        namespace: Namespace::default(),
        name: "a".parse().unwrap(),
        fires: vec![t(-3600)],
        again: false,
        overlap: crate::event::BackfillOverlap::AllowAll,
    };
    world.ask(t(4001), command);
    assert_eq!(world.notifications().len(), 1);
}

#[test]
fn a_job_that_waits_for_its_window_is_not_late_before_it_opens() {
    let mut world = World::new(8);
    let mut job = told("a", &json!([{ "late": "1m" }]));
    // It is 08:00.
    job["window"] = json!({ "from": "10:00", "to": "12:00", "outside": "defer" });
    job["triggers"] = json!([{ "every": "1h" }]);
    world.apply(t(0), job);
    world.at(t(3600), Event::Tick);
    assert_eq!(world.scheduler.next_wake(), Some(t(7200)));
    world.at(t(7200), Event::Tick);
    assert_eq!(world.notifications(), []);
}

#[test]
fn a_lack_of_success_is_told_once_until_the_next_success() {
    let mut world = World::new(8);
    world.apply(t(0), told("a", &json!([{ "no_success_within": "1h" }])));
    let silent = |from: i64| format!("job 'a': no run has succeeded since {}", t(from));
    assert_eq!(world.scheduler.next_wake(), Some(t(3600)));
    world.run_to(t(1800), "a", DONE);
    assert_eq!(world.scheduler.next_wake(), Some(t(5400)));
    world.run_to(t(1900), "a", FAILED);
    world.restart(t(5000));
    assert_eq!(world.scheduler.next_wake(), Some(t(5400)));
    world.at(t(5400), Event::Tick);
    assert_eq!(world.texts(), [silent(1800)]);
    world.finish(t(5400), DONE);
    world.restart(t(20_000));
    assert_eq!(world.notifications().len(), 1);
    assert_eq!(world.scheduler.next_wake(), None);
    world.run_to(t(20_001), "a", DONE);
    world.at(t(23_601), Event::Tick);
    assert_eq!(world.texts(), [silent(1800), silent(20_001)]);
}

#[test]
fn a_job_that_is_held_back_is_silent_and_counts_anew_afterwards() {
    let mut world = World::new(8);
    world.apply(t(0), told("a", &json!([{ "no_success_within": "1h" }])));
    let hold = |scope, kind, begins| {
        let change = if begins {
            crate::event::HoldChange::Begin { by: "x".to_owned(), reason: None }
        } else {
            crate::event::HoldChange::End
        };
        Command::Hold { namespace: Namespace::default(), scope, kind, change }
    };
    for (begin, scope, kind) in [
        (100, crate::event::HoldScope::Job("a".parse().unwrap()), crate::hold::HoldKind::Paused),
        (2000, crate::event::HoldScope::Namespace, crate::hold::HoldKind::Disabled),
    ] {
        world.ask(t(begin), hold(scope.clone(), kind, true));
        assert_eq!(world.scheduler.next_wake(), None);
        world.restart(t(begin + 10));
        assert_eq!(world.scheduler.next_wake(), None);
        world.ask(t(begin + 20), hold(scope, kind, false));
        assert_eq!(world.scheduler.next_wake(), Some(t(begin + 3620)));
        world.restart(t(begin + 30));
        assert_eq!(world.scheduler.next_wake(), Some(t(begin + 3620)));
    }
    assert_eq!(world.notifications(), []);
}

#[test]
fn the_notifiers_of_a_namespace_tell_of_all_its_jobs() {
    let mut world = World::new(8);
    world.apply(t(0), told("a", &json!(["failed"])));
    world.apply(t(0), json!({ "name": "b" }));
    let saved = world.put_notify(t(10), &json!(["failed", { "no_success_within": "1h" }]));
    assert!(matches!(saved, Reply::Notify(saved) if saved.changed && saved.notify.revision == 1));
    let same = world.put_notify(t(11), &json!(["failed", { "no_success_within": "1h" }]));
    assert!(matches!(same, Reply::Notify(saved) if !saved.changed));
    // What has been so before they were there is not told.
    assert_eq!(world.scheduler.next_wake(), Some(t(3610)));
    world.restart(t(20));
    assert_eq!(world.scheduler.next_wake(), Some(t(3610)));
    world.run_to(t(21), "b", FAILED);
    assert_eq!(world.notifications().len(), 1);
    world.run_to(t(22), "a", FAILED);
    assert_eq!(world.notifications().len(), 3, "the job's own, and those of the namespace, which wait");
    let other: Namespace = "other".parse().unwrap();
    world.apply_in(&other, t(23), json!({ "name": "c" }));
    world.start_in(&other, t(24), "c");
    let start = world.started.pop().unwrap();
    world.at(t(24), Event::AttemptFinished(Box::new(report(&start, t(24), FAILED))));
    assert_eq!(world.notifications().len(), 3, "another namespace is none of theirs");
    let delete = |expect| Command::DeleteNotify { namespace: Namespace::default(), expect };
    let refused = world.ask(t(25), delete(Expectation::At(7)));
    assert!(matches!(refused, Reply::Refused(Refusal::NotifyConflict { actual: 1, .. })));
    assert!(matches!(world.ask(t(25), delete(Expectation::At(1))), Reply::NotifyDeleted(_)));
    assert!(matches!(world.ask(t(25), delete(Expectation::Anything)), Reply::Refused(Refusal::NoNotify(_))));
    // What waited has nobody left to tell it.
    world.at(t(100), Event::Tick);
    let (state, _) = world.notifications().remove(2);
    assert_eq!(state, StateName::Failed);
    assert_eq!(world.scheduler.next_wake(), None);
}

#[test]
fn a_plugin_that_a_notifier_uses_stays() {
    let mut world = World::new(8);
    let plugin = |name: &str, version: &str| {
        let manifest = Manifest { name: name.parse().unwrap(), version: version.into(), ..plugin().manifest.clone() };
        Arc::new(Plugin { manifest, built_in: false, ..plugin().as_ref().clone() })
    };
    let put = |plugin| Command::PutPlugin { plugin, wasm: Arc::from(&b"x"[..]) };
    let remove = || Command::RemovePlugin { name: "other".parse().unwrap() };
    let of_namespace = |on: &Value| {
        let notify = json!([{ "on": on, "use": "other@1.0.0" }]);
        let (namespace, expect) = (Namespace::default(), Expectation::Anything);
        let notify = Arc::new(serde_json::from_value(notify).unwrap());
        Command::PutNotify { namespace, notify, expect }
    };
    let refused = world.ask(t(0), of_namespace(&json!(["failed"])));
    assert!(matches!(refused, Reply::Refused(Refusal::NoPlugin(name)) if name.as_str() == "other"));
    let step = |world: &mut World, command| {
        let event = Event::Command { ticket: Ticket(9), command };
        let step = world.scheduler.handle(event, &mut Moment { now: t(0), rng: &mut world.rng });
        match step.after.into_iter().next() {
            Some(Effect::Reply { reply, .. }) => reply,
            other => panic!("no reply: {other:?}"),
        }
    };
    assert!(matches!(step(&mut world, put(plugin("other", "1.0.0"))), Reply::Plugin(_)));
    assert!(matches!(world.ask(t(1), of_namespace(&json!(["failed"]))), Reply::Notify(_)));
    assert!(matches!(step(&mut world, remove()), Reply::Refused(Refusal::PluginNotifies { .. })));
    let newer = step(&mut world, put(plugin("other", "2.0.0")));
    assert!(matches!(newer, Reply::Refused(Refusal::PluginNotifies { .. })));
    let (namespace, expect) = (Namespace::default(), Expectation::Anything);
    world.ask(t(2), Command::DeleteNotify { namespace, expect });
    let mut job = told("a", &json!(["failed"]));
    job["notify"][0]["use"] = "other@1.0.0".into();
    world.apply(t(3), job);
    assert!(matches!(step(&mut world, remove()), Reply::Refused(Refusal::PluginInUse { jobs: 1, .. })));
    let newer = step(&mut world, put(plugin("other", "2.0.0")));
    assert!(matches!(newer, Reply::Refused(Refusal::PluginLacks { jobs: 1, .. })), "{newer:?}");
}

#[test]
fn with_a_job_goes_what_its_notifiers_have_not_begun() {
    let mut world = World::new(8);
    world.apply(t(0), told("a", &json!(["failed"])));
    world.run_to(t(1), "a", FAILED);
    world.run_to(t(2), "a", FAILED);
    let command = Command::DeleteJob {
        namespace: Namespace::default(),
        name: "a".parse().unwrap(),
        expect: Expectation::Anything,
    };
    world.ask(t(3), command);
    world.finish(t(4), FAILED);
    let states: Vec<_> = world.notifications().into_iter().map(|(state, _)| state).collect();
    assert_eq!(states, [StateName::Failed, StateName::Cancelled]);
    let cancelled = RunState::Ended { ending: Ending::Cancelled(CancelCause::User), at: t(3) };
    assert!(world.runs.values().any(|run| run.notice.is_some() && run.state == cancelled));
    assert_eq!((world.scheduler.active(), world.scheduler.next_wake()), (0, None));
}

#[test]
fn what_is_under_way_goes_with_its_notifier_wherever_that_is() {
    let mut world = World::new(8);
    let to = |text: &str, on: &str| {
        let mut notifier = notifier(&json!([on]));
        notifier["with"]["text"] = json!(text);
        notifier
    };
    let job = |notifiers: &[Value]| json!({ "name": "a", "notify": notifiers });
    world.apply(t(0), job(&[to("ops", "failed")]));
    world.run_to(t(1), "a", FAILED);
    world.finish(t(1), FAILED);
    world.run_to(t(2), "a", FAILED);
    world.apply(t(3), job(&[to("others", "succeeded"), to("ops", "failed")]));
    world.restart(t(4));
    world.run_to(t(5), "a", DONE);
    // The one that tells of the success is the others'; what waits for more is not theirs, and takes in nothing more.
    assert_eq!(world.started.pop().unwrap().work.params, json!({ "text": "others" }).to_string());
    for secs in [11, 61] {
        world.at(t(secs), Event::Tick);
        assert_eq!(world.started.pop().unwrap().work.params, json!({ "text": "ops" }).to_string());
    }
    world.apply(t(62), job(&[to("others", "succeeded")]));
    world.run_to(t(63), "a", FAILED);
    assert_eq!(world.notifications().len(), 3, "nobody is told of failures any more");
}

/// How a random life goes on.
fn happens(world: &mut World, now: Timestamp, rng: &mut fastrand::Rng) {
    match rng.u8(0..10) {
        0..4 => {
            let name = ["a", "b", "c"][rng.usize(0..3)];
            world.start(now, name, true);
        }
        4..8 if !world.started.is_empty() => {
            let start = world.started.remove(rng.usize(0..world.started.len()));
            let outcome = [DONE, FAILED, AttemptOutcome::TimedOut][rng.usize(0..3)];
            world.at(now, Event::AttemptFinished(Box::new(report(&start, now, outcome))));
        }
        8 if rng.u8(0..4) == 0 => world.restart(now),
        _ => world.at(now, Event::Tick),
    }
}

#[test]
fn whatever_happens_each_end_is_told_once_to_each_who_asks() {
    for seed in 0..60 {
        println!("seed {seed}");
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut world = World::new(rng.u32(1..6));
        let ends = json!(["failed", "timed_out", "interrupted"]);
        world.put_notify(t(0), &ends);
        let job = world.apply(t(0), told("a", &ends));
        for name in ["b", "c"] {
            world.apply(t(0), json!({ "name": name, "retry": { "max_attempts": rng.u32(1..3) } }));
        }
        let mut secs = 1;
        for _ in 0..200 {
            secs += rng.i64(0..20);
            happens(&mut world, t(secs), &mut rng);
            let mut waiting: Vec<JobId> = Vec::new();
            for run in world.runs.values().filter(|run| run.notice.is_some() && run.attempts.is_empty()) {
                if run.state == RunState::Queued {
                    assert!(!waiting.contains(&run.job_id), "a notifier has two that wait");
                    waiting.push(run.job_id);
                }
            }
        }
        let is_end = |run: &&Arc<Run>| {
            let ends = [StateName::Failed, StateName::TimedOut, StateName::Interrupted];
            run.notice.is_none() && ends.contains(&run.state.name())
        };
        let all = world.runs.values().filter(is_end).count() as u64;
        let own = world.runs.values().filter(is_end).filter(|run| run.job_id == job.id).count() as u64;
        let told = |owner| {
            let notices = world.runs.values().filter_map(|run| run.notice.as_ref());
            notices.filter(|notice| notice.owner == owner).map(|notice| notice.count).sum::<u64>()
        };
        assert!(all > 10, "the life was too quiet: {all}");
        assert_eq!((told(NoticeOwner::Namespace), told(NoticeOwner::Job(job.id))), (all, own));
    }
}
