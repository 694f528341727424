//! The scheduler with a virtual clock, a store that is a few maps, and runs that take whole minutes.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use sandglass_core::batch::{Batch, Expectation, Write};
use sandglass_core::calendar::Calendar;
use sandglass_core::capability::Grants;
use sandglass_core::event::{Command, Effect, Event, Step, Ticket};
use sandglass_core::id::{Digest, JobId, Namespace, RunId};
use sandglass_core::invocation::{AttemptReport, Invocation, RetryAdvice};
use sandglass_core::job::{Cursor, Job as Kept};
use sandglass_core::plugin::{ActionInfo, Manifest, Plugin};
use sandglass_core::run::{AttemptEnd, AttemptOutcome, Run, SkipReason, Usage};
use sandglass_core::schedule::{Calendars, JobSchedule};
use sandglass_core::scheduler::{Moment, Options, Scheduler, Snapshot};
use sandglass_core::spec::JobSpec;
use sandglass_core::time::Timestamp;

use crate::jobs::Job;
use crate::oracle::{Outcome, Record};

pub(crate) struct World {
    scheduler: Scheduler,
    rng: fastrand::Rng,
    now: Timestamp,
    jobs: HashMap<JobId, (Arc<Kept>, Cursor)>,
    places: HashMap<JobId, usize>,
    takes: Vec<i64>,
    calendars: Vec<Arc<Calendar>>,
    active: HashMap<RunId, Arc<Run>>,
    going: HashMap<RunId, Invocation>,
    /// When runs end, soonest first.
    ends: BinaryHeap<Reverse<(Timestamp, RunId)>>,
    pub(crate) records: Vec<Record>,
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_secs(minute * 60)
}

fn options() -> Options {
    Options { max_running: 1_000_000, ..Options::default() }
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
            name: "noop".parse().expect("a name"),
            version: "1.0.0".into(),
            description: String::new(),
            capabilities: Grants::default(),
        },
        digest: Digest::of(b"noop"),
        size_bytes: 4,
        actions: vec![action],
        granted: Grants::default(),
        built_in: true,
        added_at: Timestamp::EPOCH,
    })
}

impl World {
    pub(crate) fn new(jobs: &[Job], since: i64) -> Self {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut moment = Moment { now: at(since), rng: &mut rng };
        let snapshot = Snapshot { plugins: vec![plugin()], ..Snapshot::default() };
        let (scheduler, _) = Scheduler::load(snapshot, options(), &HashSet::new(), false, &mut moment);
        let mut world = Self {
            scheduler,
            rng,
            now: at(since),
            jobs: HashMap::new(),
            places: HashMap::new(),
            takes: jobs.iter().map(|job| job.takes).collect(),
            calendars: Vec::new(),
            active: HashMap::new(),
            going: HashMap::new(),
            ends: BinaryHeap::new(),
            records: Vec::new(),
        };
        let namespace = Namespace::default();
        let expect = Expectation::Anything;
        let calendar = serde_json::json!({ "name": "weekends", "weekdays": ["sat", "sun"] });
        let spec = Arc::new(serde_json::from_value(calendar).expect("a calendar"));
        world.command(at(since), Command::PutCalendar { namespace: namespace.clone(), spec, expect });
        for (place, job) in jobs.iter().enumerate() {
            let spec: Arc<JobSpec> =
                Arc::new(serde_json::from_value(job.spec(&place.to_string())).expect("a specification"));
            world.command(at(since), Command::PutJob { namespace: namespace.clone(), job: spec.into(), expect });
        }
        assert_eq!(world.places.len(), jobs.len(), "every job was saved");
        world
    }

    /// Saves a job again, with another description.
    pub(crate) fn describe(&mut self, jobs: &[Job], place: usize) {
        let mut spec = jobs[place].spec(&place.to_string());
        spec["description"] = self.now.to_string().into();
        let spec: Arc<JobSpec> = Arc::new(serde_json::from_value(spec).expect("a specification"));
        let (namespace, expect) = (Namespace::default(), Expectation::Anything);
        self.command(self.now, Command::PutJob { namespace, job: spec.into(), expect });
    }

    fn command(&mut self, now: Timestamp, command: Command) {
        self.handle(now, Event::Command { ticket: Ticket(1), command });
    }

    fn handle(&mut self, now: Timestamp, event: Event) {
        self.now = now;
        let step = self.scheduler.handle(event, &mut Moment { now, rng: &mut self.rng });
        self.take(now, step);
    }

    fn take(&mut self, now: Timestamp, step: Step) {
        self.commit(step.batch);
        for effect in step.after {
            if let Effect::Start(invocation) = effect {
                // Runs end on the minute, whatever microsecond of it they began in.
                let minute = now.as_micros() / 60_000_000;
                let place = self.places[&invocation.work.job_id];
                self.ends.push(Reverse((at(minute + self.takes[place]), invocation.run)));
                self.going.insert(invocation.run, invocation);
            }
        }
    }

    fn commit(&mut self, batch: Batch) {
        for write in batch.writes {
            match write {
                Write::InsertRun(run) => {
                    self.record(&run);
                    self.keep(run);
                }
                Write::UpdateRun(run) => self.keep(run),
                Write::PutJob(job) => {
                    self.places.insert(job.id, job.spec.name.as_str().parse().expect("names are places"));
                    // A job that is there keeps its cursor until another is written.
                    let cursor = self.jobs.remove(&job.id).map_or_else(Cursor::default, |(_, cursor)| cursor);
                    self.jobs.insert(job.id, (job, cursor));
                }
                Write::PutCursor { job, cursor } => self.jobs.get_mut(&job).expect("it is there").1 = cursor,
                Write::PutCalendar(calendar) => self.calendars.push(calendar),
                other => panic!("unexpected write {other:?}"),
            }
        }
    }

    fn keep(&mut self, run: Arc<Run>) {
        if run.state.name().is_terminal() {
            self.active.remove(&run.id);
        } else {
            self.active.insert(run.id, run);
        }
    }

    fn record(&mut self, run: &Run) {
        let outcomes = [
            (SkipReason::Missed, Outcome::Missed),
            (SkipReason::Overlap, Outcome::Overlap),
            (SkipReason::OutsideWindow, Outcome::OutsideWindow),
            (SkipReason::Calendar, Outcome::Calendar),
        ];
        let outcome = outcomes.into_iter().find(|(reason, _)| run.reason() == Some(reason.as_str()));
        let outcome = outcome.map_or(Outcome::Ran, |(_, outcome)| outcome);
        for at in self.fires_of(run) {
            assert_eq!(at.as_micros() % 60_000_000, 0, "fires are on the minute");
            self.records.push((self.places[&run.job_id], at.as_micros() / 60_000_000, outcome));
        }
    }

    /// The fires that a record stands for.
    fn fires_of(&self, run: &Run) -> Vec<Timestamp> {
        let Some(missed) = run.missed else { return vec![run.scheduled_at] };
        let job = &self.jobs[&run.job_id].0;
        let mut calendars = Calendars::default();
        self.calendars.iter().for_each(|calendar| calendars.insert(&calendar.spec));
        let planning = job.spec.planning(&job.namespace, job.scheduled_since, options().timezone, &calendars);
        let schedule = JobSchedule::new(&job.spec, &planning);
        let fires = std::iter::successors(Some(run.scheduled_at), |at| schedule.next_after(*at));
        let fires: Vec<_> = fires.take_while(|at| *at <= missed.until).collect();
        assert_eq!((fires.len() as u64, fires.last()), (missed.count, Some(&missed.until)));
        fires
    }

    /// Lets time pass until the end of what happens in `minute`.
    pub(crate) fn run_until(&mut self, minute: i64) {
        loop {
            let wake = self.scheduler.next_wake();
            let end = self.ends.peek().map(|Reverse((at, _))| *at);
            match (wake, end) {
                // What ends makes room for what fires in the same instant.
                (wake, Some(end)) if end <= at(minute) && wake.is_none_or(|wake| end <= wake) => self.end_one(),
                (Some(wake), _) if wake < at(minute).after(Duration::from_secs(30)) => {
                    // What is overdue since a restart wants to be looked at long ago.
                    self.handle(wake.max(self.now), Event::Tick);
                }
                _ => return,
            }
        }
    }

    fn end_one(&mut self) {
        let Some(Reverse((now, run))) = self.ends.pop() else { return };
        let Some(invocation) = self.going.remove(&run) else { return };
        let outcome = if run.to_bits().is_multiple_of(2) { AttemptOutcome::Succeeded } else { AttemptOutcome::Failed };
        let end = AttemptEnd { finished_at: now, outcome, error: None, exit_code: None, usage: Usage::default() };
        let report = AttemptReport {
            run,
            attempt: invocation.attempt,
            started_at: now,
            end,
            result: None,
            advice: RetryAdvice::ByJobPolicy,
        };
        self.handle(now, Event::AttemptFinished(Box::new(report)));
    }

    /// The daemon dies, and comes back in `minute` with what was committed.
    pub(crate) fn restart(&mut self, minute: i64) {
        self.ends.clear();
        self.going.clear();
        let snapshot = Snapshot {
            jobs: self.jobs.values().cloned().collect(),
            calendars: self.calendars.clone(),
            templates: Vec::new(),
            targets: Vec::new(),
            groups: Vec::new(),
            holds: Vec::new(),
            notify: Vec::new(),
            plugins: vec![plugin()],
            active: self.active.values().cloned().collect(),
        };
        let now = at(minute);
        let mut moment = Moment { now, rng: &mut self.rng };
        let (scheduler, step) = Scheduler::load(snapshot, options(), &HashSet::new(), false, &mut moment);
        self.scheduler = scheduler;
        self.take(now, step);
        self.handle(now, Event::Tick);
        self.run_until(minute);
    }
}
