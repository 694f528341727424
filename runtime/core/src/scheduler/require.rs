//! Jobs that need others to have ended well before they start.

use super::depend::Last;
use super::{Entry, Scheduler, Stands};
use crate::dependency::UpstreamRun;
use crate::event::{Effect, Recall, Step};
use crate::id::{JobId, JobName, Namespace, RunId};
use crate::run::{Gate, Run, StateName};
use crate::spec::Requirement;
use crate::time::Timestamp;

/// What a job's requirements say of a start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Needed {
    /// They are met.
    Met,
    /// One is not met and is waited for: until then at most, as by then one of them can no longer be met; for as long as it
    /// takes to ask the store, if there is no instant.
    Waits(Option<Timestamp>),
    /// One is not met.
    Unmet,
}

impl Scheduler {
    /// What the requirements of its job say of a start of `run` at `now`.
    pub(super) fn needed(&self, entry: &Entry, run: &Run, now: Timestamp) -> Needed {
        let spec = &entry.job.spec;
        // What was forced, or has begun, is not asked.
        if spec.requires.is_empty() || run.gate == Gate::Open || !run.attempts.is_empty() {
            return Needed::Met;
        }
        #[cfg(feature = "defects")]
        if self.ignores_requirement(run.id) {
            return Needed::Met;
        }
        let (mut waits, mut until) = (false, None);
        let mut ends_at = |end: Timestamp| until = Some(until.map_or(end, |until: Timestamp| until.min(end)));
        for requirement in &spec.requires {
            let Some(last) = self.last_of(&entry.job.namespace, &requirement.job) else {
                waits = true;
                continue;
            };
            let end = wait_end(requirement, entry.counts_from(run));
            if requirement.is_met(last, now) {
                // While another is waited for, it may not be any more.
                if let Some(lapse) = last.and_then(|last| requirement.lapses_at(last)) {
                    ends_at(end.map_or(lapse, |end| end.max(lapse)));
                }
                continue;
            }
            let Some(end) = end.filter(|end| now < *end) else { return Needed::Unmet };
            ends_at(end);
            waits = true;
        }
        if waits { Needed::Waits(until) } else { Needed::Met }
    }

    /// Whether a fire at `now` need not become a run, as what it needs is not so and not waited for.
    pub(super) fn is_unmet(&self, entry: &Entry, now: Timestamp) -> bool {
        let waits = |requirement: &Requirement| requirement.wait.is_some_and(|wait| !wait.get().is_zero());
        entry.job.spec.requires.iter().filter(|requirement| !waits(requirement)).any(|requirement| {
            let last = self.last_of(&entry.job.namespace, &requirement.job);
            last.is_some_and(|last| !requirement.is_met(last, now))
        })
    }

    /// The last run of a required job that is over, none if there is none. None at all while the store is asked.
    fn last_of(&self, namespace: &Namespace, job: &JobName) -> Option<Option<&UpstreamRun>> {
        match &self.upstreams.get(namespace, job)?.last {
            Last::Known(last) => Some(last.as_ref()),
            Last::Asked | Last::Unasked => None,
        }
    }

    /// The last runs of what a job requires, for a run of it that begins and has no others from there.
    pub(super) fn needed_by(&self, entry: &Entry, run: &Run) -> Vec<UpstreamRun> {
        let requires = entry.job.spec.requires.iter().map(|requirement| &requirement.job);
        let new = requires.filter(|job| run.upstream.iter().all(|upstream| upstream.job != **job));
        new.filter_map(|job| self.last_of(&entry.job.namespace, job).flatten().cloned()).collect()
    }

    /// Puts a run that has left the queue aside until a run of a job that it needs ends, or it has waited long enough.
    pub(super) fn await_upstream(&mut self, id: RunId, until: Option<Timestamp>) {
        let active = self.active.get_mut(&id).expect("only active runs are queued");
        active.stands = Stands::Upstream(until);
        self.set_expiry(id);
    }

    /// A run of a job is over that others may require.
    pub(super) fn last_has_ended(&mut self, namespace: &Namespace, ended: &UpstreamRun) {
        let watched = self.upstreams.get_mut(namespace, &ended.job);
        let Some(watched) = watched.filter(|watched| !watched.required_by.is_empty()) else { return };
        if ended.state == StateName::Skipped {
            return;
        }
        watched.last = Last::Known(Some(ended.clone()));
        self.ask_again(namespace, &ended.job);
    }

    /// The store has been asked for the last run of a job that is over.
    pub(super) fn recalled(&mut self, namespace: &Namespace, job: &JobName, last: Option<UpstreamRun>) {
        // One that ended since is later.
        let watched = self.upstreams.get_mut(namespace, job).filter(|watched| watched.last == Last::Asked);
        if let Some(watched) = watched {
            watched.last = Last::Known(last);
            self.ask_again(namespace, job);
        }
    }

    /// Lets the store be asked for the jobs that are required from now on. Once the step is durable, so is every run that
    /// ended before.
    pub(super) fn recall(&mut self, step: &mut Step) {
        for (namespace, name) in std::mem::take(&mut self.to_recall) {
            match self.job_named(&namespace, &name) {
                Ok(job) => step.after.push(Effect::Recall(Recall { namespace, name, job })),
                Err(_) => self.recalled(&namespace, &name, None),
            }
        }
    }

    /// Lets the runs that wait for a job come back into the queue, where they are asked again whether they may start.
    fn ask_again(&mut self, namespace: &Namespace, job: &JobName) {
        let watched = self.upstreams.get(namespace, job);
        let users: Vec<JobId> =
            watched.map(|watched| watched.required_by.iter().copied().collect()).unwrap_or_default();
        for user in users {
            let Some(entry) = self.jobs.get(&user) else { continue };
            let waits = |run: &RunId| matches!(self.active[run].stands, Stands::Upstream(_));
            let waiting: Vec<RunId> = entry.runs.active().filter(waits).collect();
            for run in waiting {
                self.leave(run);
                self.enqueue(run);
            }
        }
    }
}

/// Until when a run whose deadlines count from `from` waits for what is required; none if it does not.
fn wait_end(requirement: &Requirement, from: Timestamp) -> Option<Timestamp> {
    requirement.wait.map(|wait| from.after(wait.get()))
}
