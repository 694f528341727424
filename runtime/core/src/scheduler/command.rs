//! What people and programs ask for.

use std::sync::Arc;
use std::time::Duration;

use super::backfill::Backfill;
use super::overlap::Passage;
use super::start::Start;
use super::{Moment, Scheduler, plan};
use crate::batch::{Expectation, Write};
use crate::dependency::UpstreamRun;
use crate::event::{Command, Refusal, Reply, Step};
use crate::id::{JobId, JobName, Namespace, PluginName, RunId};
use crate::invocation::Invocation;
use crate::job::Job;
use crate::plugin::Plugin;
use crate::run::{CancelCause, Origin, Rerun, RunState};
use crate::spec::{ActionRef, JobSpec, ParamValues};
use crate::time::Timestamp;

/// How long a plugin may take to say what it would do.
const PLANNING: Duration = Duration::from_secs(60);

/// How a run is asked for.
#[derive(Default)]
struct Asked {
    rerun_of: Option<Rerun>,
    force: bool,
    params: Option<Arc<ParamValues>>,
    upstream: Vec<UpstreamRun>,
}

impl Scheduler {
    pub(super) fn command(&mut self, command: Command, moment: &mut Moment<'_>, step: &mut Step) -> Reply {
        let done = if self.stopping {
            Err(Refusal::Stopping)
        } else {
            match command {
                Command::PutJob { namespace, job, expect } => self.put_job(&namespace, &job, expect, moment, step),
                Command::DeleteJob { namespace, name, expect } => {
                    self.delete_job(namespace, name, expect, moment.now, step)
                }
                Command::Hold { namespace, scope, kind, change } => {
                    self.change_holds(&namespace, &scope, (kind, change), moment.now, step)
                }
                Command::StartRun { namespace, name, force, params } => {
                    let job = self.job_named(&namespace, &name);
                    job.and_then(|job| self.start_run(job, Asked { force, params, ..Asked::default() }, moment, step))
                }
                Command::PlanJob { namespace, name, params } => {
                    let job = self.job_named(&namespace, &name);
                    job.and_then(|job| self.plan_job(job, params, moment))
                }
                Command::RetryRun { namespace, name, job, rerun, force, params, upstream } => {
                    // Another job may have the name by now.
                    let found = self.job_named(&namespace, &name).ok().filter(|found| *found == job);
                    let found = found.ok_or(Refusal::NoJob { namespace, name });
                    let asked = Asked { rerun_of: Some(rerun), force, params, upstream };
                    found.and_then(|job| self.start_run(job, asked, moment, step))
                }
                Command::PutCalendar { namespace, spec, expect } => {
                    self.put_calendar(&namespace, &spec, expect, moment.now, step)
                }
                Command::Apply { namespace, together } => self.apply(&namespace, &together, moment, step),
                Command::Rehearse { namespace, together } => {
                    self.check_together(&namespace, &together).map(|()| Reply::Acceptable)
                }
                Command::Waits { run } => self.waits(run),
                Command::PutTarget { namespace, spec, expect } => {
                    self.put_target(&namespace, &spec, expect, moment.now, step)
                }
                Command::DeleteTarget { namespace, name, expect } => self.delete_target(namespace, name, expect, step),
                Command::PutTargetGroup { namespace, spec, expect } => {
                    self.put_group(&namespace, &spec, expect, moment.now, step)
                }
                Command::DeleteTargetGroup { namespace, name, expect } => {
                    self.delete_group(namespace, name, expect, step)
                }
                Command::DeleteTemplate { namespace, name } => self.delete_template(namespace, name, step),
                Command::PutNotify { namespace, notify, expect } => {
                    self.put_notify(&namespace, &notify, expect, moment.now, step)
                }
                Command::DeleteNotify { namespace, expect } => self.delete_notify(namespace, expect, step),
                Command::DeleteCalendar { namespace, name } => self.delete_calendar(namespace, name, step),
                Command::Backfill { namespace, name, fires, again, overlap } => {
                    self.backfill(&namespace, &name, &Backfill { fires, again, overlap }, moment, step)
                }
                Command::CancelRun { run } => self.cancel_run(run, moment.now, step),
                Command::PutPlugin { plugin, wasm } => self.put_plugin(plugin, wasm, step),
                Command::RemovePlugin { name } => self.remove_plugin(&name, step),
            }
        };
        done.unwrap_or_else(Reply::Refused)
    }

    fn delete_job(
        &mut self,
        namespace: Namespace,
        name: JobName,
        expect: Expectation,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        let id = self.job_named(&namespace, &name)?;
        let actual = self.jobs.get(&id).expect("names point to jobs that are there").job.revision;
        if !expect.holds(actual) {
            return Err(Refusal::RevisionConflict { name, actual });
        }
        self.check_unwatched(&namespace, &name, id)?;
        let entry = &self.jobs[&id];
        let runs: Vec<RunId> = entry.runs.line().chain(entry.runs.active()).collect();
        for run in runs {
            self.stop_run(run, CancelCause::JobDeleted, false, now, step);
        }
        let entry = self.jobs.remove(&id).expect("names point to jobs that are there");
        self.leave_groups(&namespace, &entry.job.spec);
        self.change_upstreams(&namespace, id, Some(&entry.job.spec), None);
        self.forget_notifiers(&entry.job, now, step);
        if let Some(names) = self.names.get_mut(&namespace) {
            names.remove(&name);
        }
        step.batch.writes.push(Write::DeleteJob { id, revision: entry.job.revision });
        Ok(Reply::JobDeleted(id))
    }

    fn start_run(
        &mut self,
        job: JobId,
        asked: Asked,
        moment: &mut Moment<'_>,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        let Asked { rerun_of, force, params, upstream } = asked;
        self.check_enabled(job)?;
        // The job may have been changed since the values were checked.
        check_params(&self.jobs[&job].job.spec, params.as_deref())?;
        let now = moment.now;
        let id = RunId::random(now, moment.rng);
        let passage = if force { Passage::Forced } else { Passage::ByPolicy };
        let origin = if rerun_of.is_some() { Origin::Retry } else { Origin::Manual };
        let start = Start { rerun_of, passage, params, upstream, ..Start::of(id, origin, now) };
        Ok(Reply::Run(self.start(job, start, now, step)))
    }

    /// The attempt that a run made now would make, with leave to look and not to touch.
    fn plan_job(
        &self,
        job: JobId,
        params: Option<Arc<ParamValues>>,
        moment: &mut Moment<'_>,
    ) -> Result<Reply, Refusal> {
        let entry = &self.jobs[&job];
        check_params(&entry.job.spec, params.as_deref())?;
        let now = moment.now;
        let start = Start { params, ..Start::of(RunId::random(now, moment.rng), Origin::Manual, now) };
        let run = self.new_run(job, &start, RunState::Queued, now);
        let Some(work) = self.work(entry, &run, now) else {
            return Err(Refusal::NoPlugin(entry.job.spec.action.uses.plugin.clone()));
        };
        let mut work = Arc::unwrap_or_clone(work);
        work.grants.looks_only = true;
        work.timeout = work.timeout.min(PLANNING);
        let invocation = Invocation {
            run: run.id,
            attempt: 1,
            origin: run.origin,
            scheduled_at: now,
            resumes: None,
            work: Arc::new(work),
        };
        Ok(Reply::Planned(Box::new(invocation)))
    }

    fn cancel_run(&mut self, id: RunId, now: Timestamp, step: &mut Step) -> Result<Reply, Refusal> {
        let active = self.active.get(&id).ok_or(Refusal::NoActiveRun(id))?;
        let before = Arc::clone(&active.run);
        self.stop_run(id, CancelCause::User, false, now, step);
        // A running run goes on until its attempt has ended; any other is over now.
        Ok(Reply::Run(self.active.get(&id).map_or_else(
            || match step.batch.writes.last() {
                Some(Write::UpdateRun(run)) if run.id == id => Arc::clone(run),
                _ => before,
            },
            |active| Arc::clone(&active.run),
        )))
    }

    fn put_plugin(&mut self, plugin: Arc<Plugin>, wasm: Arc<[u8]>, step: &mut Step) -> Result<Reply, Refusal> {
        let name = plugin.manifest.name.clone();
        if let Some(old) = self.plugins.get(&name) {
            if old.built_in && !plugin.built_in {
                return Err(Refusal::BuiltIn(name));
            }
            let unserved: Vec<_> = self.jobs_using(&name).filter(|job| !served(&plugin, job.spec.actions())).collect();
            if let Some(example) = unserved.first() {
                let (jobs, job) = (unserved.len(), example.spec.name.clone());
                let lacks = |uses: &&ActionRef| uses.plugin == name && !plan::serves(&plugin, uses);
                let missing = example.spec.actions().find(lacks).map(ToString::to_string).unwrap_or_default();
                return Err(Refusal::PluginLacks { name: name.clone(), missing, jobs, example: job });
            }
            self.check_notified(&name, |actions| !served(&plugin, actions))?;
        }
        step.batch.writes.push(Write::PutPlugin { plugin: Arc::clone(&plugin), wasm });
        self.plugins.insert(name, Arc::clone(&plugin));
        Ok(Reply::Plugin(plugin))
    }

    fn remove_plugin(&mut self, name: &PluginName, step: &mut Step) -> Result<Reply, Refusal> {
        let plugin = self.plugins.get(name).ok_or_else(|| Refusal::NoPlugin(name.clone()))?;
        if plugin.built_in {
            return Err(Refusal::BuiltIn(name.clone()));
        }
        let users: Vec<_> = self.jobs_using(name).collect();
        if let Some(example) = users.first() {
            let example = example.spec.name.clone();
            return Err(Refusal::PluginInUse { name: name.clone(), jobs: users.len(), example });
        }
        self.check_notified(name, |_| true)?;
        step.batch.writes.push(Write::RemovePlugin { name: name.clone(), digest: plugin.digest });
        Ok(Reply::PluginRemoved(self.plugins.remove(name).expect("looked up above")))
    }

    fn jobs_using<'a>(&'a self, name: &'a PluginName) -> impl Iterator<Item = &'a Arc<Job>> {
        self.jobs
            .values()
            .map(|entry| &entry.job)
            .filter(move |job| job.spec.actions().any(|uses| uses.plugin == *name))
    }

    pub(super) fn job_named(&self, namespace: &Namespace, name: &JobName) -> Result<JobId, Refusal> {
        let no_job = || Refusal::NoJob { namespace: namespace.clone(), name: name.clone() };
        self.names.get(namespace).and_then(|names| names.get(name)).copied().ok_or_else(no_job)
    }
}

/// Whether `plugin` is what each of `actions` names that names it at all.
fn served<'a>(plugin: &Plugin, mut actions: impl Iterator<Item = &'a ActionRef>) -> bool {
    actions.all(|uses| uses.plugin != plugin.manifest.name || plan::serves(plugin, uses))
}

/// Refuses values of parameters that the job does not declare, and a start without a value that it cannot be without.
pub(super) fn check_params(spec: &JobSpec, given: Option<&ParamValues>) -> Result<(), Refusal> {
    let unknown = given.and_then(|given| given.keys().find(|name| spec.parameters.get(name).is_none()));
    if let Some(parameter) = unknown {
        return Err(Refusal::NoParameter { name: spec.name.clone(), parameter: parameter.clone() });
    }
    let is_given = |name: &String| given.is_some_and(|given| given.contains_key(name));
    match spec.parameters.required().find(|name| !is_given(name)) {
        Some(parameter) => Err(Refusal::MissingParameter { name: spec.name.clone(), parameter: parameter.clone() }),
        None => Ok(()),
    }
}
