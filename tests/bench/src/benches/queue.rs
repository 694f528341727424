//! What it costs to give a place that is free to the run whose turn it is, however many wait: by the scheduler itself, with
//! nothing written and nothing run.

use std::collections::HashSet;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sandglass_core::event::{Command, Effect, Event, Step, Ticket};
use sandglass_core::id::{JobId, RunId};
use sandglass_core::invocation::{AttemptReport, Invocation, RetryAdvice};
use sandglass_core::job::{Cursor, Job};
use sandglass_core::run::{AttemptEnd, AttemptOutcome, Run, Usage};
use sandglass_core::scheduler::{Moment, Options, Scheduler, Snapshot};
use sandglass_core::time::Timestamp;
use serde_json::json;

use super::{Scale, schedule};
use crate::measure::{Sample, micros, timed};
use crate::report::{Reach, Report};
use crate::rig;

/// How many runs wait, in three measurements.
const QUEUED: [(usize, &str); 3] = [(1_000, "1,000"), (10_000, "10,000"), (100_000, "100,000")];
const NAMESPACES: usize = 20;
const GROUPS: usize = 50;
/// How many attempts of a group may go.
const OF_GROUP: u32 = 2;
/// How many attempts may go: fewer than all groups would let, so that some wait for their group and some for the daemon.
const AT_ONCE: u32 = 64;
/// How many places are given for one figure.
const CLAIMS: usize = 20_000;
/// 2026-01-01T00:00:00Z.
const BEGIN: Timestamp = Timestamp::from_secs(1_767_225_600);

pub(super) fn run(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let mut medians = Vec::new();
    for (count, queued) in QUEUED {
        let mut line = Line::new(count)?;
        // What is done for the first time costs more.
        line.claims(scale.of(CLAIMS) / 10)?;
        let times = line.claims(scale.of(CLAIMS))?;
        report.tell(format!("a place given, {queued} queued, median"), micros(times.median()), "µs");
        report.tell(format!("a place given, {queued} queued, p99"), micros(times.p99()), "µs");
        medians.push(times.median().as_secs_f64());
    }
    let ratio = medians[QUEUED.len() - 1] / medians[0];
    report.hold("a place given, 100,000 queued against 1,000", ratio, "times", Reach::AtMost(1.5));
    report.note(format!(
        "{NAMESPACES} namespaces, {GROUPS} concurrency groups of {OF_GROUP}, {AT_ONCE} attempts at once; an attempt ends \
         and the next begins in one step"
    ));
    Ok(())
}

/// A scheduler with runs that wait, and the attempts that go.
struct Line {
    scheduler: Scheduler,
    jobs: Vec<Arc<Job>>,
    going: Vec<Invocation>,
    rng: fastrand::Rng,
    now: Timestamp,
}

impl Line {
    fn new(queued: usize) -> anyhow::Result<Self> {
        let mut rng = fastrand::Rng::with_seed(1);
        let jobs = (0..GROUPS).map(|number| job(number, &mut rng)).collect::<anyhow::Result<Vec<_>>>()?;
        let waiting = (0..queued).map(|place| {
            let job = &jobs[rng.usize(..jobs.len())];
            let due = BEGIN.after(Duration::from_millis(place as u64));
            let id = RunId::random(due, &mut rng);
            Arc::new(Run::queued(id, job.namespace.clone(), job.id, job.spec.name.clone(), due))
        });
        let snapshot = Snapshot {
            active: waiting.collect(),
            jobs: jobs.iter().map(|job| (Arc::clone(job), Cursor::default())).collect(),
            plugins: vec![Arc::new(schedule::plugin()?)],
            ..Snapshot::default()
        };
        let options = Options { max_running: AT_ONCE, ..Options::default() };
        let now = BEGIN.after(Duration::from_secs(3600));
        let mut moment = Moment { now, rng: &mut rng };
        let (scheduler, step) = Scheduler::load(snapshot, options, &HashSet::new(), false, &mut moment);
        let mut line = Self { scheduler, jobs, going: Vec::new(), rng, now };
        line.take_in(step);
        Ok(line)
    }

    /// Ends an attempt and starts another so many times, as many runs waiting each time, and says how long each took.
    fn claims(&mut self, count: usize) -> anyhow::Result<Sample> {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            self.now = self.now.after(Duration::from_micros(10));
            let place = self.rng.usize(..self.going.len());
            let report = succeeded(&self.going.swap_remove(place), self.now);
            let going = self.going.len();
            let (step, time) = timed(|| self.handle(Event::AttemptFinished(Box::new(report))));
            times.push(time);
            self.take_in(step);
            anyhow::ensure!(self.going.len() > going, "no run was started in the place of one that ended");
            self.queue_one_more();
        }
        Ok(Sample::new(times))
    }

    fn handle(&mut self, event: Event) -> Step {
        let mut moment = Moment { now: self.now, rng: &mut self.rng };
        black_box(self.scheduler.handle(event, &mut moment))
    }

    fn take_in(&mut self, step: Step) {
        self.going.extend(step.after.into_iter().filter_map(|effect| match effect {
            Effect::Start(invocation) => Some(invocation),
            _ => None,
        }));
    }

    fn queue_one_more(&mut self) {
        let job = &self.jobs[self.rng.usize(..self.jobs.len())];
        let (namespace, name) = (job.namespace.clone(), job.spec.name.clone());
        let command = Command::StartRun { namespace, name, force: true, params: None };
        let step = self.handle(Event::Command { ticket: Ticket(0), command });
        self.take_in(step);
    }
}

/// A job of a group of its own, in one of the namespaces.
fn job(number: usize, rng: &mut fastrand::Rng) -> anyhow::Result<Arc<Job>> {
    let group = json!({ "group": format!("group-{number}"), "limit": OF_GROUP });
    let rest = json!({ "concurrency": group, "overlap": "allow_all" });
    let spec = rig::job(&format!("job-{number}"), json!({ "use": "noop" }), rest)?;
    let namespace = format!("namespace-{}", number % NAMESPACES).parse().context("a name")?;
    Ok(Arc::new(Job {
        id: JobId::random(BEGIN, rng),
        namespace,
        revision: 1,
        spec: Arc::new(spec),
        created_at: BEGIN,
        updated_at: BEGIN,
        scheduled_since: BEGIN,
        overlay: None,
    }))
}

fn succeeded(invocation: &Invocation, now: Timestamp) -> AttemptReport {
    AttemptReport {
        run: invocation.run,
        attempt: invocation.attempt,
        started_at: now,
        end: AttemptEnd {
            finished_at: now,
            outcome: AttemptOutcome::Succeeded,
            error: None,
            exit_code: None,
            usage: Usage::default(),
        },
        result: None,
        advice: RetryAdvice::ByJobPolicy,
    }
}
