//! What users ask for.

use std::sync::Arc;

use sandglass_core::batch::Expectation;
use sandglass_core::event::{BackfillOverlap, Command, HoldChange, HoldScope, Together};
use sandglass_core::hold::HoldKind;
use sandglass_core::id::{JobName, Namespace, RunId};
use sandglass_core::job::Job;
use sandglass_core::run::{Origin, Rerun, Run, RunState};
use sandglass_core::spec::{CalendarSpec, JobSpec, ParamValues};
use sandglass_core::time::Timestamp;

use crate::model::Model;
use crate::plan::{self, NAMESPACES, Plan, TAGS};

/// What a user knows, and chooses by.
pub(crate) struct User<'a> {
    pub(crate) model: &'a Model,
    /// New plans are added to it.
    pub(crate) plans: &'a mut Vec<Plan>,
    pub(crate) rng: &'a mut fastrand::Rng,
    pub(crate) now: Timestamp,
}

impl User<'_> {
    /// Something that users ask for; none if there is nothing to ask it of.
    pub(crate) fn asks(mut self) -> Option<Command> {
        match self.rng.u8(..28) {
            0..4 => Some(self.saves_a_job()),
            4..8 => self.changes_a_job(),
            8 => self.deletes_a_job(),
            9..14 => self.starts_a_run(),
            14..16 => self.makes_a_run_again(),
            16..19 => self.cancels_a_run(),
            19 | 20 => self.makes_up(),
            21..25 => self.holds(),
            25 => Some(self.saves_a_calendar()),
            26 => Some(self.applies()),
            _ => Some(self.deletes_a_calendar()),
        }
    }

    /// A job of `plan`, as a file says it.
    pub(crate) fn spec(&mut self, plan: Plan) -> (Namespace, Arc<JobSpec>) {
        let spec = plan.spec(self.plans.len());
        let namespace = plan.namespace.parse().expect("a name");
        self.plans.push(plan);
        (namespace, Arc::new(serde_json::from_value(spec).expect("a specification")))
    }

    fn a_job(&mut self) -> Option<Arc<Job>> {
        let jobs: Vec<_> = self.model.jobs.values().collect();
        if jobs.is_empty() {
            return None;
        }
        Some(Arc::clone(&jobs[self.rng.usize(..jobs.len())].0))
    }

    fn expectation(&mut self, revision: u64) -> Expectation {
        match self.rng.u8(..6) {
            0 => Expectation::At(revision),
            1 => Expectation::Absent,
            _ => Expectation::Anything,
        }
    }

    fn saves_a_job(&mut self) -> Command {
        let plan = Plan::random(self.rng, self.now);
        let (namespace, spec) = self.spec(plan);
        Command::PutJob { namespace, job: spec.into(), expect: self.expectation(1) }
    }

    fn changes_a_job(&mut self) -> Option<Command> {
        let job = self.a_job()?;
        let number: usize = job.spec.description.as_deref()?.parse().ok()?;
        let plan = self.plans[number].changed(self.rng, self.now);
        let (namespace, spec) = self.spec(plan);
        Some(Command::PutJob { namespace, job: spec.into(), expect: self.expectation(job.revision) })
    }

    fn deletes_a_job(&mut self) -> Option<Command> {
        let job = self.a_job()?;
        let (namespace, name) = name_of(&job);
        Some(Command::DeleteJob { namespace, name, expect: self.expectation(job.revision) })
    }

    fn starts_a_run(&mut self) -> Option<Command> {
        let job = self.a_job()?;
        let (namespace, name) = name_of(&job);
        let force = self.rng.u8(..3) == 0;
        let params = (self.rng.u8(..3) == 0).then(|| self.a_shard());
        Some(Command::StartRun { namespace, name, force, params })
    }

    fn a_shard(&mut self) -> Arc<ParamValues> {
        let shard = ["a", "b", "c"][self.rng.usize(..3)];
        Arc::new(ParamValues::from_iter([(plan::SHARD.0.to_owned(), shard.into())]))
    }

    /// Whoever asks has looked whether the run is over.
    fn makes_a_run_again(&mut self) -> Option<Command> {
        let is_over = |run: &&Arc<Run>| matches!(run.state, RunState::Ended { .. });
        let over: Vec<_> = self.model.runs.values().filter(is_over).collect();
        if over.is_empty() {
            return None;
        }
        let run = over[self.rng.usize(..over.len())];
        Some(Command::RetryRun {
            namespace: run.namespace.clone(),
            name: run.job.clone(),
            job: run.job_id,
            rerun: Rerun { run: run.id, resumes: run.id.to_bits() % 2 == 0 },
            force: self.rng.u8(..4) == 0,
            params: run.params.clone(),
            upstream: run.upstream.clone(),
        })
    }

    /// Ends holds more often than it begins them, or nothing would go on.
    fn holds(&mut self) -> Option<Command> {
        let job = self.a_job()?;
        let scope = match self.rng.u8(..8) {
            0..4 => HoldScope::Job(job.spec.name.clone()),
            4 | 5 => HoldScope::Tag(TAGS[self.rng.usize(..TAGS.len())].to_owned()),
            6 => HoldScope::EveryJob,
            _ => HoldScope::Namespace,
        };
        let kind = if self.rng.u8(..3) == 0 { HoldKind::Disabled } else { HoldKind::Paused };
        let ends = self.rng.u8(..5) < 3;
        let change = if ends { HoldChange::End } else { HoldChange::Begin { by: "user".to_owned(), reason: None } };
        Some(Command::Hold { namespace: job.namespace.clone(), scope, kind, change })
    }

    fn cancels_a_run(&mut self) -> Option<Command> {
        let runs: Vec<&RunId> = self.model.active.keys().collect();
        if runs.is_empty() {
            return None;
        }
        Some(Command::CancelRun { run: *runs[self.rng.usize(..runs.len())] })
    }

    /// Whoever asks leaves out fires that were made up for.
    fn makes_up(&mut self) -> Option<Command> {
        let job = self.a_job()?;
        let again = self.rng.bool();
        let of_job = self.model.runs.values().filter(|run| run.job_id == job.id);
        let fires = of_job.filter(|run| matches!(run.origin, Origin::Schedule | Origin::CatchUp));
        let is_new = |at: &Timestamp| again || !self.model.runs.contains_key(&RunId::of_backfill(job.id, *at));
        let mut fires: Vec<Timestamp> = fires.map(|run| run.scheduled_at).filter(is_new).collect();
        fires.truncate(self.rng.usize(1..6));
        let overlap = if self.rng.bool() { BackfillOverlap::OneByOne } else { BackfillOverlap::AllowAll };
        let (namespace, name) = name_of(&job);
        Some(Command::Backfill { namespace, name, fires, again, overlap })
    }

    fn a_calendar(&mut self) -> Arc<CalendarSpec> {
        let weekdays = self.rng.u8(..0x80);
        Arc::new(serde_json::from_value(plan::calendar(weekdays)).expect("a calendar"))
    }

    fn saves_a_calendar(&mut self) -> Command {
        let (namespace, spec) = (self.a_namespace(), self.a_calendar());
        Command::PutCalendar { namespace, spec, expect: Expectation::Anything }
    }

    fn deletes_a_calendar(&mut self) -> Command {
        Command::DeleteCalendar { namespace: self.a_namespace(), name: "off".parse().expect("a name") }
    }

    fn applies(&mut self) -> Command {
        let plan = Plan::random(self.rng, self.now);
        let (namespace, spec) = self.spec(plan);
        let (calendars, jobs) = (vec![self.a_calendar()], vec![spec.into()]);
        Command::Apply { namespace, together: Together { calendars, jobs, ..Together::default() } }
    }

    fn a_namespace(&mut self) -> Namespace {
        NAMESPACES[self.rng.usize(..NAMESPACES.len())].parse().expect("a name")
    }
}

pub(crate) fn name_of(job: &Job) -> (Namespace, JobName) {
    (job.namespace.clone(), job.spec.name.clone())
}
