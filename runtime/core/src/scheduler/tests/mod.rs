//! The reducer driven by hand: each test is a short story of events and what they must come to.

mod catch_up;
mod line;
mod random;
mod window;

use std::collections::HashSet;
use std::time::Duration;

use super::*;
use crate::batch::Batch;
use crate::calendar::Calendar;
use crate::event::{Command, JobExpectation, Refusal, Reply, Ticket};
use crate::id::{CalendarName, Digest};
use crate::invocation::{AttemptReport, Invocation, RetryAdvice};
use crate::plugin::{ActionInfo, Manifest};
use crate::run::{AttemptEnd, AttemptOutcome, Origin, StateName, Usage};
use crate::spec::JobSpec;

const T0: i64 = 1_800_000_000;

fn t(secs: i64) -> Timestamp {
    Timestamp::from_secs(T0 + secs)
}

/// A scheduler with a clock, and a store that is a list of what was committed.
struct World {
    scheduler: Scheduler,
    rng: fastrand::Rng,
    runs: HashMap<RunId, Arc<Run>>,
    jobs: HashMap<JobId, (Arc<Job>, Cursor)>,
    calendars: HashMap<CalendarName, Arc<Calendar>>,
    plugin: Arc<Plugin>,
    started: Vec<Invocation>,
    cancels: Vec<(RunId, CancelReason)>,
    replies: Vec<Reply>,
}

fn plugin() -> Arc<Plugin> {
    let action = ActionInfo {
        name: "run".into(),
        title: String::new(),
        description: String::new(),
        params_schema: serde_json::json!({}),
        output_schema: None,
        examples: vec![],
        idempotent: false,
    };
    Arc::new(Plugin {
        manifest: Manifest {
            name: "noop".parse().unwrap(),
            version: "1.0.0".into(),
            description: String::new(),
            capabilities: Grants::default(),
        },
        digest: Digest::of(b"noop"),
        size_bytes: 4,
        actions: vec![action],
        granted: Grants::default(),
        built_in: true,
        added_at: t(0),
    })
}

impl World {
    fn new(max_running: u32) -> Self {
        let options = Options { max_running, ..Options::default() };
        let mut rng = fastrand::Rng::with_seed(7);
        let mut moment = Moment { now: t(0), rng: &mut rng };
        let plugin = plugin();
        let snapshot = Snapshot { plugins: vec![Arc::clone(&plugin)], ..Snapshot::default() };
        let (scheduler, _) = Scheduler::load(snapshot, options, &HashSet::new(), false, &mut moment);
        Self {
            scheduler,
            rng,
            runs: HashMap::new(),
            jobs: HashMap::new(),
            calendars: HashMap::new(),
            plugin,
            started: vec![],
            cancels: vec![],
            replies: vec![],
        }
    }

    fn at(&mut self, now: Timestamp, event: Event) {
        let step = self.scheduler.handle(event, &mut Moment { now, rng: &mut self.rng });
        self.take(step);
    }

    fn take(&mut self, step: Step) {
        self.commit(step.batch);
        for effect in step.after {
            match effect {
                Effect::Start(invocation) => {
                    assert_eq!(
                        self.runs[&invocation.run].state,
                        RunState::Running,
                        "running is durable before the start"
                    );
                    self.started.push(invocation);
                }
                Effect::Cancel { run, reason, .. } => self.cancels.push((run, reason)),
                Effect::Reply { reply, .. } => self.replies.push(reply),
                Effect::Ended(run) => assert!(run.state.name().is_terminal()),
            }
        }
    }

    /// Compares and writes as a store does.
    fn commit(&mut self, batch: Batch) {
        for write in batch.writes {
            match write {
                Write::InsertRun(run) => assert!(self.runs.insert(run.id, run).is_none(), "a run is inserted once"),
                Write::UpdateRun(run) => {
                    let old = self.runs.insert(run.id, Arc::clone(&run)).expect("an updated run is there");
                    assert_eq!(old.version + 1, run.version);
                    let asked = run.cancel_requested_at.is_some() && old.cancel_requested_at.is_none();
                    assert!(old.state.may_become(run.state) || (asked && old.state == run.state));
                }
                Write::PutJob(job) => _ = self.jobs.insert(job.id, (job, Cursor::default())),
                Write::DeleteJob { id, .. } => _ = self.jobs.remove(&id),
                Write::PutCalendar(calendar) => {
                    let key = calendar.spec.name.clone();
                    let old = self.calendars.insert(key, Arc::clone(&calendar));
                    assert_eq!(old.map_or(0, |old| old.revision) + 1, calendar.revision);
                }
                Write::DeleteCalendar { name, revision, .. } => {
                    assert_eq!(self.calendars.remove(&name).expect("it is there").revision, revision);
                }
                Write::PutCursor { job, cursor } => self.jobs.get_mut(&job).expect("the job is there").1 = cursor,
                other => panic!("unexpected write {other:?}"),
            }
        }
    }

    fn apply(&mut self, now: Timestamp, job: serde_json::Value) -> Arc<Job> {
        let mut job = job;
        job["action"] = serde_json::json!({ "use": "noop" });
        let spec: Arc<JobSpec> = Arc::new(serde_json::from_value(job).unwrap());
        let command = Command::PutJob { namespace: Namespace::default(), spec, expect: JobExpectation::Anything };
        self.at(now, Event::Command { ticket: Ticket(1), command });
        match self.replies.pop() {
            Some(Reply::Job { job, .. }) => job,
            other => panic!("the job was not saved: {other:?}"),
        }
    }

    fn start(&mut self, now: Timestamp, name: &str, force: bool) -> Arc<Run> {
        let command = Command::StartRun { namespace: Namespace::default(), name: name.parse().unwrap(), force };
        self.at(now, Event::Command { ticket: Ticket(2), command });
        match self.replies.pop() {
            Some(Reply::Run(run)) => run,
            other => panic!("no run: {other:?}"),
        }
    }

    fn finish(&mut self, now: Timestamp, outcome: AttemptOutcome) -> RunId {
        let invocation = self.started.remove(0);
        self.at(now, Event::AttemptFinished(Box::new(report(&invocation, now, outcome))));
        invocation.run
    }

    fn states(&self) -> Vec<(i64, StateName)> {
        let mut states: Vec<_> =
            self.runs.values().map(|run| (run.scheduled_at.as_micros() / 1_000_000 - T0, run.state.name())).collect();
        states.sort();
        states
    }

    /// The daemon dies and comes back at `now` with what was committed.
    fn restart(&mut self, now: Timestamp) {
        self.load(now);
        self.at(now, Event::Tick);
    }

    /// As [`World::restart`], before the first tick.
    fn load(&mut self, now: Timestamp) {
        let snapshot = Snapshot {
            jobs: self.jobs.values().cloned().collect(),
            calendars: self.calendars.values().cloned().collect(),
            plugins: vec![Arc::clone(&self.plugin)],
            active: self.runs.values().filter(|run| !run.state.name().is_terminal()).cloned().collect(),
        };
        self.started.clear();
        let options = self.scheduler.options.clone();
        let mut moment = Moment { now, rng: &mut self.rng };
        let (scheduler, step) = Scheduler::load(snapshot, options, &HashSet::new(), false, &mut moment);
        self.scheduler = scheduler;
        self.take(step);
    }
}

fn report(invocation: &Invocation, now: Timestamp, outcome: AttemptOutcome) -> AttemptReport {
    AttemptReport {
        run: invocation.run,
        attempt: invocation.attempt,
        started_at: now,
        end: AttemptEnd { finished_at: now, outcome, error: None, exit_code: None, usage: Usage::default() },
        result: None,
        advice: RetryAdvice::ByJobPolicy,
    }
}

fn every_minute(name: &str) -> serde_json::Value {
    serde_json::json!({ "name": name, "triggers": [{ "every": "1m" }] })
}

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
        Cursor { done_until: t(60), next_fire_at: Some(t(120)), fired: 1, backlog: None }
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
fn after_an_absence_the_latest_fire_runs_and_the_others_are_recorded() {
    let mut world = World::new(8);
    world.apply(t(0), every_minute("a"));
    world.restart(t(60 * 5 + 30));
    let expected: Vec<_> = (1..=4).map(|n| (n * 60, StateName::Skipped)).chain([(300, StateName::Running)]).collect();
    assert_eq!(world.states(), expected);
    assert!(world.runs.values().all(|run| run.origin == Origin::CatchUp));
    assert_eq!(world.scheduler.next_wake(), Some(t(360)));
}

#[test]
fn outside_the_window_nothing_is_caught_up() {
    let mut world = World::new(8);
    world.apply(
        t(0),
        serde_json::json!({ "name": "a", "triggers": [{ "every": "1d" }], "catch_up": { "window": "1h" } }),
    );
    let day = 86_400;
    world.at(t(day), Event::Tick);
    world.finish(t(day), AttemptOutcome::Succeeded);
    world.restart(t(2 * day + 7200));
    assert_eq!(world.states(), [(day, StateName::Succeeded), (2 * day, StateName::Skipped)]);
    world.restart(t(3 * day + 1800));
    assert_eq!(world.states().last(), Some(&(3 * day, StateName::Running)));
}

#[test]
fn a_jobs_first_fire_is_never_missed() {
    let mut world = World::new(8);
    world.apply(t(0), serde_json::json!({ "name": "a", "triggers": [{ "at": t(60).to_string() }] }));
    world.restart(t(60 + 86_400));
    assert_eq!(world.states(), [(60, StateName::Running)]);
    assert_eq!(world.scheduler.next_wake(), None);
}

#[test]
fn a_long_absence_is_worked_off_in_bounded_steps() {
    let mut world = World::new(8);
    world.apply(t(0), serde_json::json!({ "name": "a", "triggers": [{ "every": "1s" }] }));
    world.at(t(2000), Event::Tick);
    assert!(world.runs.len() <= FIRES_PER_STEP);
    let moment = Duration::from_millis(1);
    assert!(world.scheduler.next_wake().unwrap() <= t(2000).after(moment));
    for turn in 1..100 {
        world.at(t(2000).after(moment * turn), Event::Tick);
    }
    assert_eq!(world.runs.len(), 2000);
    assert_eq!(world.started.len(), 1);
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
fn a_cancelled_run_is_not_tried_again_whatever_happens_to_the_daemon() {
    let mut world = World::new(1);
    let retried = serde_json::json!({ "name": "a", "idempotent": true, "retry": { "max_attempts": 5 } });
    world.apply(t(0), retried);
    let run = world.start(t(1), "a", false).id;
    for now in [t(2), t(3)] {
        world.at(now, Event::Command { ticket: Ticket(3), command: Command::CancelRun { run } });
    }
    assert_eq!(world.runs[&run].cancel_requested_at, Some(t(2)), "the first request is durable");
    assert_eq!(world.cancels.len(), 2, "the attempt is asked each time");
    world.restart(t(4));
    assert_eq!(world.runs[&run].state.name(), StateName::Interrupted);
    assert_eq!(world.runs[&run].attempts.len(), 1);
}

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
fn a_deleted_job_leaves_its_history() {
    let mut world = World::new(1);
    world.apply(t(0), serde_json::json!({ "name": "a", "triggers": [{ "every": "1m" }], "overlap": "allow_all" }));
    world.at(t(60), Event::Tick);
    world.at(t(120), Event::Tick);
    let command = Command::DeleteJob { namespace: Namespace::default(), name: "a".parse().unwrap() };
    world.at(t(121), Event::Command { ticket: Ticket(1), command });
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
fn plugins_in_use_stay() {
    let mut world = World::new(8);
    world.apply(t(0), every_minute("a"));
    let name: PluginName = "noop".parse().unwrap();
    world.at(t(1), Event::Command { ticket: Ticket(1), command: Command::RemovePlugin { name } });
    assert!(matches!(world.replies.last(), Some(Reply::Refused(Refusal::BuiltIn(_)))));
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
fn a_queued_run_does_what_the_job_is_when_it_starts() {
    let mut world = World::new(1);
    world.apply(t(0), serde_json::json!({ "name": "a", "overlap": "allow_all" }));
    world.start(t(1), "a", false);
    let queued = world.start(t(2), "a", false).id;
    world.apply(t(3), serde_json::json!({ "name": "a", "overlap": "allow_all", "description": "new" }));
    world.finish(t(4), AttemptOutcome::Succeeded);
    assert_eq!((world.runs[&queued].revision, world.started[0].work.revision), (2, 2));
}
