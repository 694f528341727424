//! The reducer driven by hand: each test is a short story of events and what they must come to.

mod attempts;
mod calendars;
mod catch_up;
mod commands;
mod dependencies;
mod fires;
mod fleet;
mod hold;
mod job_templates;
mod limits;
mod line;
mod notify;
mod overlap;
mod random;
mod window;

use std::collections::HashSet;
use std::time::Duration;

use super::*;
use crate::batch::{Batch, Expectation};
use crate::calendar::Calendar;
use crate::capability::Grants;
use crate::event::{Command, Recall, Refusal, Reply, Ticket, Together, WaitsFor};
use crate::hold::HoldSubject;
use crate::id::{CalendarName, Digest, TargetGroupName, TargetName, TemplateName};
use crate::invocation::{AttemptReport, Invocation, RetryAdvice};
use crate::job_template::JobTemplate;
use crate::notice::NamespaceNotify;
use crate::plugin::{ActionInfo, Manifest};
use crate::run::{AttemptEnd, AttemptOutcome, Origin, StateName, Usage};
use crate::schedule::Calendars;
use crate::spec::{JobSpec, TimeZone};
use crate::target::{Target, TargetGroup};

const T0: i64 = 1_800_000_000;

fn t(secs: i64) -> Timestamp {
    Timestamp::from_secs(T0 + secs)
}

/// A scheduler with a clock, and a store that is a list of what was committed.
struct World {
    scheduler: Scheduler,
    rng: fastrand::Rng,
    runs: HashMap<RunId, Arc<Run>>,
    /// How many rows were inserted for them.
    records: usize,
    jobs: HashMap<JobId, (Arc<Job>, Cursor)>,
    holds: HashMap<HoldSubject, Holds>,
    calendars: HashMap<CalendarName, Arc<Calendar>>,
    notify: HashMap<Namespace, Arc<NamespaceNotify>>,
    templates: HashMap<TemplateName, Arc<JobTemplate>>,
    targets: HashMap<TargetName, Arc<Target>>,
    groups: HashMap<TargetGroupName, Arc<TargetGroup>>,
    plugin: Arc<Plugin>,
    started: Vec<Invocation>,
    cancels: Vec<(RunId, CancelReason)>,
    /// Of each of those, whether it was to be killed at once.
    at_once: Vec<bool>,
    replies: Vec<Reply>,
    /// What the store was asked and has not answered.
    recalls: Vec<Recall>,
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
            records: 0,
            jobs: HashMap::new(),
            holds: HashMap::new(),
            calendars: HashMap::new(),
            notify: HashMap::new(),
            templates: HashMap::new(),
            targets: HashMap::new(),
            groups: HashMap::new(),
            plugin,
            started: vec![],
            cancels: vec![],
            at_once: vec![],
            replies: vec![],
            recalls: vec![],
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
                Effect::Cancel(cancel) => {
                    self.cancels.push((cancel.run, cancel.reason));
                    self.at_once.push(cancel.at_once);
                }
                Effect::Reply { reply, .. } => self.replies.push(reply),
                Effect::Recall(recall) => self.recalls.push(recall),
                Effect::Ended(run) => assert!(run.state.name().is_terminal()),
            }
        }
    }

    /// Compares and writes as a store does.
    fn commit(&mut self, batch: Batch) {
        for write in batch.writes {
            match write {
                Write::InsertRun(run) => self.insert(run),
                Write::UpdateRun(run) => {
                    let old = self.runs.insert(run.id, Arc::clone(&run)).expect("an updated run is there");
                    assert_eq!(old.version + 1, run.version);
                    let asked = run.cancel.is_some() && old.cancel.is_none();
                    let told = run.late != old.late || run.notice != old.notice;
                    assert!(old.state.may_become(run.state) || ((asked || told) && old.state == run.state));
                }
                Write::PutJob(job) => {
                    // A job that is there keeps its cursor until another is written.
                    let cursor = self.jobs.remove(&job.id).map_or_else(Cursor::default, |(_, cursor)| cursor);
                    self.jobs.insert(job.id, (job, cursor));
                }
                Write::DeleteJob { id, .. } => {
                    self.jobs.remove(&id);
                    self.holds.remove(&HoldSubject::Job(id));
                }
                Write::PutHolds { subject, holds } if holds.is_empty() => _ = self.holds.remove(&subject),
                Write::PutHolds { subject, holds } => _ = self.holds.insert(subject, holds),
                Write::PutCalendar(calendar) => {
                    let key = calendar.spec.name.clone();
                    let old = self.calendars.insert(key, Arc::clone(&calendar));
                    assert_eq!(old.map_or(0, |old| old.revision) + 1, calendar.revision);
                }
                Write::DeleteCalendar { name, revision, .. } => {
                    assert_eq!(self.calendars.remove(&name).expect("it is there").revision, revision);
                }
                Write::PutNotify(notify) => {
                    let old = self.notify.insert(notify.namespace.clone(), Arc::clone(&notify));
                    assert_eq!(old.map_or(0, |old| old.revision) + 1, notify.revision);
                }
                Write::DeleteNotify { namespace, revision } => {
                    assert_eq!(self.notify.remove(&namespace).expect("they are there").revision, revision);
                }
                Write::PutTemplate(template) => {
                    let old = self.templates.insert(template.spec.name.clone(), Arc::clone(&template));
                    assert_eq!(old.map_or(0, |old| old.revision) + 1, template.revision);
                }
                Write::DeleteTemplate { name, revision, .. } => {
                    assert_eq!(self.templates.remove(&name).expect("it is there").revision, revision);
                }
                Write::PutTarget(target) => {
                    let old = self.targets.insert(target.spec.name.clone(), Arc::clone(&target));
                    assert_eq!(old.map_or(0, |old| old.revision) + 1, target.revision);
                }
                Write::DeleteTarget { name, revision, .. } => {
                    assert_eq!(self.targets.remove(&name).expect("it is there").revision, revision);
                }
                Write::PutTargetGroup(group) => {
                    let old = self.groups.insert(group.spec.name.clone(), Arc::clone(&group));
                    assert_eq!(old.map_or(0, |old| old.revision) + 1, group.revision);
                }
                Write::DeleteTargetGroup { name, revision, .. } => {
                    assert_eq!(self.groups.remove(&name).expect("it is there").revision, revision);
                }
                Write::PutCursor { job, cursor } => self.jobs.get_mut(&job).expect("the job is there").1 = cursor,
                other => panic!("unexpected write {other:?}"),
            }
        }
    }

    /// Inserts a run; of a record that stands for several fires, one for each, by the schedule that the store has.
    fn insert(&mut self, run: Arc<Run>) {
        self.records += 1;
        let Some(missed) = run.missed else {
            assert!(self.runs.insert(run.id, run).is_none(), "a run is inserted once");
            return;
        };
        let job = &self.jobs[&run.job_id].0;
        let mut calendars = Calendars::default();
        self.calendars.values().for_each(|calendar| calendars.insert(&calendar.spec));
        let planning = job.spec.planning(&job.namespace, job.scheduled_since, TimeZone::UTC, &calendars);
        let schedule = JobSchedule::new(&job.spec, &planning);
        let fires = std::iter::successors(Some(run.scheduled_at), |at| schedule.next_after(*at));
        let fires: Vec<_> = fires.take_while(|at| *at <= missed.until).collect();
        assert_eq!((fires.len() as u64, fires.last()), (missed.count, Some(&missed.until)));
        for at in fires {
            let id = RunId::of_fire(run.job_id, at);
            let one = Run { id, scheduled_at: at, missed: None, ..run.as_ref().clone() };
            assert!(self.runs.insert(id, Arc::new(one)).is_none(), "a fire is accounted for once");
        }
    }

    fn apply(&mut self, now: Timestamp, job: serde_json::Value) -> Arc<Job> {
        self.apply_in(&Namespace::default(), now, job)
    }

    fn apply_in(&mut self, namespace: &Namespace, now: Timestamp, job: serde_json::Value) -> Arc<Job> {
        let mut job = job;
        job["action"] = serde_json::json!({ "use": "noop" });
        let spec: Arc<JobSpec> = Arc::new(serde_json::from_value(job).unwrap());
        let command = Command::PutJob { namespace: namespace.clone(), job: spec.into(), expect: Expectation::Anything };
        self.at(now, Event::Command { ticket: Ticket(1), command });
        match self.replies.pop() {
            Some(Reply::Job(saved)) => saved.job,
            other => panic!("the job was not saved: {other:?}"),
        }
    }

    fn start(&mut self, now: Timestamp, name: &str, force: bool) -> Arc<Run> {
        self.start_as(&Namespace::default(), now, name, force)
    }

    fn start_in(&mut self, namespace: &Namespace, now: Timestamp, name: &str) -> Arc<Run> {
        self.start_as(namespace, now, name, false)
    }

    fn start_as(&mut self, namespace: &Namespace, now: Timestamp, name: &str, force: bool) -> Arc<Run> {
        let command =
            Command::StartRun { namespace: namespace.clone(), name: name.parse().unwrap(), force, params: None };
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
        self.load_with(now, &HashSet::new());
    }

    /// As [`World::load`], while attempts of these runs go on.
    fn load_with(&mut self, now: Timestamp, going: &HashSet<RunId>) {
        let snapshot = Snapshot {
            jobs: self.jobs.values().cloned().collect(),
            holds: self.holds.iter().map(|(subject, holds)| (subject.clone(), holds.clone())).collect(),
            calendars: self.calendars.values().cloned().collect(),
            notify: self.notify.values().cloned().collect(),
            templates: self.templates.values().cloned().collect(),
            targets: self.targets.values().cloned().collect(),
            groups: self.groups.values().cloned().collect(),
            plugins: vec![Arc::clone(&self.plugin)],
            active: self.runs.values().filter(|run| !run.state.name().is_terminal()).cloned().collect(),
        };
        self.started.clear();
        let options = self.scheduler.options.clone();
        let mut moment = Moment { now, rng: &mut self.rng };
        let (scheduler, step) = Scheduler::load(snapshot, options, going, false, &mut moment);
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
