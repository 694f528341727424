//! What follows from a saved job: its schedules, and the work that every run of it does.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::{Entry, Options, RunsOfJob, Scheduler};
use crate::capability::{EffectiveGrants, Grants};
use crate::id::{JobId, JobName, Namespace, SecretName};
use crate::invocation::{TimeLimit, Work};
use crate::job::{Cursor, Job};
use crate::plugin::Plugin;
use crate::run::Run;
use crate::schedule::{Calendars, JobSchedule};
use crate::spec::bounds::MAX_TRIGGERS;
use crate::spec::{ActionRef, Limits, TriggerKind};
use crate::template::{Scope, is_template};
use crate::time::Timestamp;

/// Whether `plugin` is what `uses` names: the version, if it names one, and the action.
pub(super) fn serves(plugin: &Plugin, uses: &ActionRef) -> bool {
    let version = uses.version.as_ref().is_none_or(|version| *version == plugin.manifest.version);
    version && plugin.action(uses.action.as_deref()).is_some()
}

/// What an attempt does, as a job or a notifier has it written.
pub(super) struct Doing<'a> {
    pub(super) job_id: JobId,
    pub(super) job: &'a JobName,
    pub(super) revision: u64,
    pub(super) uses: &'a ActionRef,
    pub(super) with: &'a serde_json::Map<String, serde_json::Value>,
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) secrets: &'a [SecretName],
    pub(super) working_dir: Option<&'a str>,
    pub(super) grants: Option<&'a Grants>,
    pub(super) timeout: Duration,
    pub(super) time_limit: TimeLimit,
    pub(super) grace: Duration,
    pub(super) limits: Limits,
}

/// The attempt that does this with `plugin` in `namespace`; `scope` is asked for only if there is a template.
pub(super) fn work(
    doing: &Doing<'_>,
    namespace: &Namespace,
    plugin: &Plugin,
    options: &Options,
    scope: impl FnOnce() -> Scope,
) -> Option<Work> {
    if !serves(plugin, doing.uses) {
        return None;
    }
    let action = plugin.action(doing.uses.action.as_deref())?;
    let params = serde_json::to_string(doing.with).expect("a JSON object is always writable");
    // JSON itself has neither of a template's marks, so its text can be asked at once.
    let has_templates = is_template(&params)
        || doing.env.values().any(|value| is_template(value))
        || doing.working_dir.is_some_and(is_template);
    Some(Work {
        namespace: namespace.clone(),
        job_id: doing.job_id,
        job: doing.job.clone(),
        revision: doing.revision,
        plugin: plugin.manifest.name.clone(),
        digest: plugin.digest,
        action: action.name.clone(),
        params,
        scope: has_templates.then(|| Box::new(scope())),
        env: doing.env.clone(),
        secrets: doing.secrets.into(),
        working_dir: doing.working_dir.map(str::to_owned),
        timeout: doing.timeout,
        time_limit: doing.time_limit,
        grace: doing.grace,
        limits: doing.limits,
        grants: EffectiveGrants {
            request: plugin.manifest.capabilities.clone(),
            ceiling: options.ceiling.clone(),
            plugin: plugin.granted.clone(),
            job: doing.grants.cloned(),
            looks_only: false,
        },
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
        let Job { id, namespace, revision, spec, .. } = &*entry.job;
        let plugin = self.plugins.get(&spec.action.uses.plugin)?;
        let (timeout, time_limit) = entry.time_of_attempt(run, now);
        let doing = Doing {
            job_id: *id,
            job: &spec.name,
            revision: *revision,
            uses: &spec.action.uses,
            with: &spec.action.with,
            env: &spec.env,
            secrets: &spec.secrets,
            working_dir: spec.working_dir.as_deref(),
            grants: spec.grants.as_deref(),
            timeout,
            time_limit,
            grace: spec.grace.get(),
            limits: spec.limits,
        };
        let scope = || {
            let attempt = run.attempts.last().map_or(1, |attempt| attempt.number);
            Scope::of(run, attempt, spec, *revision, self.options.timezone)
        };
        work(&doing, namespace, plugin, &self.options, scope).map(Arc::new)
    }
}
