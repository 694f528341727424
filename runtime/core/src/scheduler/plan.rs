//! What follows from a saved job: its schedules, and the work that every run of it does.

use std::sync::Arc;

use super::{Entry, Options, RunsOfJob, Scheduler};
use crate::capability::EffectiveGrants;
use crate::invocation::Work;
use crate::job::{Cursor, Job};
use crate::plugin::Plugin;
use crate::run::Run;
use crate::schedule::{Calendars, JobSchedule};
use crate::spec::bounds::MAX_TRIGGERS;
use crate::spec::{JobSpec, TriggerKind};
use crate::template::{Scope, is_template};
use crate::time::Timestamp;

/// The grants that a run of `spec` has with `plugin` under `options`.
#[must_use]
pub(super) fn effective_grants(spec: &JobSpec, plugin: &Plugin, options: &Options) -> EffectiveGrants {
    EffectiveGrants {
        request: plugin.manifest.capabilities.clone(),
        ceiling: options.ceiling.clone(),
        plugin: plugin.granted.clone(),
        job: spec.grants.clone(),
    }
}

/// Whether `plugin` is what `spec` names: the version, if it names one, and the action.
pub(super) fn serves(plugin: &Plugin, spec: &JobSpec) -> bool {
    let uses = &spec.action.uses;
    let version = uses.version.as_ref().is_none_or(|version| *version == plugin.manifest.version);
    version && plugin.action(uses.action.as_deref()).is_some()
}

fn work(entry: &Entry, run: &Run, plugin: &Plugin, options: &Options, now: Timestamp) -> Option<Work> {
    let job = &entry.job;
    let spec = &job.spec;
    if !serves(plugin, spec) {
        return None;
    }
    let action = plugin.action(spec.action.uses.action.as_deref())?;
    let params = serde_json::to_string(&spec.action.with).expect("a JSON object is always writable");
    // JSON itself has neither of a template's marks, so its text can be asked at once.
    let has_templates = is_template(&params)
        || spec.env.values().any(|value| is_template(value))
        || spec.working_dir.as_deref().is_some_and(is_template);
    let scope = || {
        let attempt = run.attempts.last().map_or(1, |attempt| attempt.number);
        Box::new(Scope::of(run, attempt, spec, job.revision, options.timezone))
    };
    let (timeout, time_limit) = entry.time_of_attempt(run, now);
    Some(Work {
        namespace: job.namespace.clone(),
        job_id: job.id,
        job: spec.name.clone(),
        revision: job.revision,
        plugin: plugin.manifest.name.clone(),
        digest: plugin.digest,
        action: action.name.clone(),
        params,
        scope: has_templates.then(scope),
        env: spec.env.clone(),
        working_dir: spec.working_dir.clone(),
        timeout,
        time_limit,
        grace: spec.grace.get(),
        limits: spec.limits,
        grants: effective_grants(spec, plugin, options),
    })
}

/// The schedule of `job` with the calendars of its namespace.
pub(super) fn schedule(job: &Job, options: &Options, calendars: &Calendars) -> JobSchedule {
    let planning = job.spec.planning(&job.namespace, job.scheduled_since, options.timezone, calendars);
    JobSchedule::new(&job.spec, &planning)
}

impl Entry {
    /// The fire that follows the one at `at`, unless the job has had all the runs it may have, or is disabled.
    pub(super) fn next_fire_after(&self, at: Timestamp) -> Option<Timestamp> {
        if self.is_exhausted() || self.is_disabled() { None } else { self.schedule.next_after(at) }
    }

    /// When the job is to be looked at first: at its next fire, or at once if fires are held back, which start even if there
    /// is none behind them any more.
    pub(super) fn wants_to_wake(&self, now: Timestamp) -> Option<Timestamp> {
        let held = (!self.cursor.held().is_empty()).then_some(now);
        self.cursor.next_fire_at.into_iter().chain(held).min()
    }

    /// The trigger that fires at `at`.
    pub(super) fn trigger_at(&self, at: Timestamp) -> Option<u16> {
        self.schedule.fire_at(at).map(|fire| fire.trigger)
    }

    /// The first trigger that fires when the daemon starts.
    pub(super) fn startup_trigger(&self) -> Option<u16> {
        let mut triggers = self.job.spec.triggers.iter().take(MAX_TRIGGERS);
        let place = triggers.position(|trigger| matches!(trigger.kind, TriggerKind::Startup))?;
        u16::try_from(place).ok()
    }

    /// Whether the job has had all the runs that `max_runs` permits.
    pub(super) fn is_exhausted(&self) -> bool {
        self.job.spec.max_runs.is_some_and(|most| self.cursor.fired >= most.get())
    }
}

impl Scheduler {
    /// Makes the entry of `job`, whose schedule is worked off as far as `cursor` says.
    pub(super) fn entry(&self, job: Arc<Job>, cursor: Cursor) -> Entry {
        let schedule = schedule(&job, &self.options, self.calendars_of(&job.namespace));
        let window = job.spec.open_window(self.options.timezone).map(Box::new);
        let standing = self.standing_of(&job);
        Entry { job, cursor, wake_at: None, schedule, window, standing, runs: RunsOfJob::default() }
    }

    /// What an attempt of `run` does that starts at `now`. It is made for every attempt, as it would fill more memory than
    /// all else that is kept of a job. None only if the store has lost the plugin; runs of such a job fail and say so.
    pub(super) fn work(&self, entry: &Entry, run: &Run, now: Timestamp) -> Option<Arc<Work>> {
        let plugin = self.plugins.get(&entry.job.spec.action.uses.plugin)?;
        work(entry, run, plugin, &self.options, now).map(Arc::new)
    }
}
