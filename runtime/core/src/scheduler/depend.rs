//! Jobs that come after others: what their triggers have seen so far, and when they fire.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::start::Start;
use super::{Entry, Scheduler};
use crate::dependency::UpstreamRun;
use crate::event::{Refusal, Step};
use crate::id::{JobId, JobName, Namespace, RunId};
use crate::run::{Origin, Run};
use crate::spec::bounds::MAX_TRIGGERS;
use crate::spec::{JobSpec, TriggerKind, Upstream};
use crate::spelling::nearest;
use crate::time::Timestamp;

/// The jobs that others wait for, by name.
#[derive(Default)]
pub(super) struct Upstreams(HashMap<Namespace, HashMap<JobName, Watched>>);

/// What is known of a job that others wait for.
#[derive(Default)]
pub(super) struct Watched {
    /// The jobs that come after it.
    after: BTreeSet<JobId>,
    /// The jobs that require it.
    pub(super) required_by: BTreeSet<JobId>,
    /// Its last run that is over, as far as it is known. Kept up only while a job requires it.
    pub(super) last: Last,
}

/// The last run of a job that is over.
#[derive(Default, PartialEq, Eq, Debug)]
pub(super) enum Last {
    /// Nobody asked for it.
    #[default]
    Unasked,
    /// The store is asked for it.
    Asked,
    /// It is this one; none if there is none.
    Known(Option<UpstreamRun>),
}

impl Upstreams {
    /// Whether a job waits for this one.
    pub(super) fn is_watched(&self, namespace: &Namespace, job: &JobName) -> bool {
        self.get(namespace, job).is_some()
    }

    pub(super) fn get(&self, namespace: &Namespace, job: &JobName) -> Option<&Watched> {
        self.0.get(namespace)?.get(job)
    }

    pub(super) fn get_mut(&mut self, namespace: &Namespace, job: &JobName) -> Option<&mut Watched> {
        self.0.get_mut(namespace)?.get_mut(job)
    }

    /// A job waits for what `new` says, and no longer for what `old` said. Gives the jobs that it requires and that the
    /// store is to be asked for.
    fn change(
        &mut self,
        namespace: &Namespace,
        job: JobId,
        old: Option<&JobSpec>,
        new: Option<&JobSpec>,
    ) -> Vec<JobName> {
        let mut unasked = Vec::new();
        if let Some(new) = new.filter(|new| new.upstreams().next().is_some()) {
            let watched = self.0.entry(namespace.clone()).or_default();
            for name in new.comes_after() {
                watched.entry(name.clone()).or_default().after.insert(job);
            }
            for requirement in &new.requires {
                let watched = watched.entry(requirement.job.clone()).or_default();
                watched.required_by.insert(job);
                if watched.last == Last::Unasked {
                    watched.last = Last::Asked;
                    unasked.push(requirement.job.clone());
                }
            }
        }
        let Some((old, watched)) = old.zip(self.0.get_mut(namespace)) else { return unasked };
        for name in old.upstreams() {
            let Some(of_job) = watched.get_mut(name) else { continue };
            if !new.is_some_and(|new| new.comes_after().any(|after| after == name)) {
                of_job.after.remove(&job);
            }
            if !new.is_some_and(|new| new.requires.iter().any(|requirement| requirement.job == *name)) {
                of_job.required_by.remove(&job);
            }
            if of_job.required_by.is_empty() {
                of_job.last = Last::Unasked;
                if of_job.after.is_empty() {
                    watched.remove(name);
                }
            }
        }
        if watched.is_empty() {
            self.0.remove(namespace);
        }
        unasked
    }
}

impl Entry {
    /// Its `after` triggers, each with its place.
    fn after_triggers(&self) -> impl Iterator<Item = (u16, &[Upstream])> {
        let triggers = self.job.spec.triggers.iter().take(MAX_TRIGGERS).zip(0..);
        triggers.filter_map(|(trigger, place)| match &trigger.kind {
            TriggerKind::After(upstreams) => Some((place, upstreams.as_slice())),
            _ => None,
        })
    }

    /// Takes note that a run ended that its triggers may wait for. Gives the first trigger that has seen all it waits for,
    /// and what it and others that have too have seen; and whether anything was noted.
    fn arrive(&mut self, run: &UpstreamRun) -> (bool, Option<(u16, Vec<UpstreamRun>)>) {
        let waits = |upstreams: &[Upstream]| {
            upstreams.iter().any(|upstream| upstream.job == run.job && upstream.outcome.contains(run.state))
        };
        let waiting = self.after_triggers().filter(|(_, upstreams)| waits(upstreams));
        let waiting: Vec<(u16, usize)> = waiting.map(|(place, upstreams)| (place, distinct(upstreams))).collect();
        if waiting.is_empty() {
            return (false, None);
        }
        let mut arrivals = self.cursor.arrivals.take().unwrap_or_default();
        let mut fired: Option<(u16, BTreeMap<JobName, UpstreamRun>)> = None;
        for (place, all) in waiting {
            arrivals.put(place, run.clone());
            if arrivals.count(place) < all {
                continue;
            }
            // Two triggers that fall on one instant are one fire.
            let (_, seen) = fired.get_or_insert_with(|| (place, BTreeMap::new()));
            for upstream in arrivals.take(place) {
                seen.entry(upstream.job.clone()).or_insert(upstream);
            }
        }
        self.cursor.arrivals = (!arrivals.as_slice().is_empty()).then_some(arrivals);
        (true, fired.map(|(place, seen)| (place, seen.into_values().collect())))
    }
}

/// How many jobs a trigger waits for, should a store have one that names a job twice.
fn distinct(upstreams: &[Upstream]) -> usize {
    upstreams.iter().map(|upstream| &upstream.job).collect::<BTreeSet<_>>().len()
}

impl Scheduler {
    /// A job waits for what `new` says, and no longer for what `old` said.
    pub(super) fn change_upstreams(
        &mut self,
        namespace: &Namespace,
        job: JobId,
        old: Option<&JobSpec>,
        new: Option<&JobSpec>,
    ) {
        let unasked = self.upstreams.change(namespace, job, old, new);
        self.to_recall.extend(unasked.into_iter().map(|name| (namespace.clone(), name)));
    }

    /// A run is over, or a fire came to nothing, and jobs wait for it.
    pub(super) fn tell_dependants(&mut self, run: &Arc<Run>, now: Timestamp, step: &mut Step) {
        // A job of the same name that is gone is another.
        if self.job_named(&run.namespace, &run.job) != Ok(run.job_id) {
            return;
        }
        let Some(ended) = UpstreamRun::of(run) else { return };
        self.last_has_ended(&run.namespace, &ended);
        let watched = self.upstreams.get(&run.namespace, &run.job);
        let after: Vec<JobId> = watched.map(|watched| watched.after.iter().copied().collect()).unwrap_or_default();
        for job in after {
            self.upstream_has_ended(job, &ended, now, step);
        }
    }

    fn upstream_has_ended(&mut self, id: JobId, ended: &UpstreamRun, now: Timestamp, step: &mut Step) {
        #[cfg(feature = "defects")]
        if self.forgets(id, ended) {
            return;
        }
        // A job that is disabled, or has had all its runs, does not look.
        let entry = self.jobs.get_mut(&id).filter(|entry| !entry.is_exhausted() && !entry.is_disabled());
        let Some(entry) = entry else { return };
        let next = entry.cursor.next_fire_at;
        let (noted, fired) = entry.arrive(ended);
        if let Some((trigger, upstream)) = fired {
            self.fire_after(id, trigger, upstream, ended, now, step);
        }
        if !noted {
            return;
        }
        // A fire that is due is not put off by this.
        if self.jobs[&id].cursor.next_fire_at == next {
            self.write_cursor(id, step);
        } else {
            self.put_cursor(id, now, step);
        }
    }

    fn fire_after(
        &mut self,
        id: JobId,
        trigger: u16,
        upstream: Vec<UpstreamRun>,
        ended: &UpstreamRun,
        now: Timestamp,
        step: &mut Step,
    ) {
        let run = RunId::of_dependency(id, ended.run, ended.finished_at);
        let start = Start { trigger: Some(trigger), upstream, ..Start::of(run, Origin::Dependency, ended.finished_at) };
        self.fire_unless_paused(id, start, now, step);
    }

    /// Refuses jobs that name one that neither is there nor is `coming` with them, or that would come after themselves.
    pub(super) fn check_upstreams(&self, namespace: &Namespace, coming: &[Arc<JobSpec>]) -> Result<(), Refusal> {
        let coming: HashMap<&JobName, &JobSpec> = coming.iter().map(|spec| (&spec.name, spec.as_ref())).collect();
        let spec_of = |name: &JobName| {
            let there = || self.job_named(namespace, name).ok().map(|id| self.jobs[&id].job.spec.as_ref());
            coming.get(name).copied().or_else(there)
        };
        let mut names: Vec<&JobName> = coming.keys().copied().collect();
        names.sort_unstable();
        let mut looked_at = BTreeSet::new();
        for name in names {
            let spec = coming[name];
            if let Some(missing) = spec.upstreams().find(|upstream| spec_of(upstream).is_none()) {
                let there = self.names.get(namespace).into_iter().flat_map(HashMap::keys);
                let known = there.chain(coming.keys().copied()).map(JobName::as_str);
                return Err(Refusal::NoUpstream {
                    name: name.clone(),
                    upstream: missing.clone(),
                    nearest: nearest(missing.as_str(), known).map(str::to_owned),
                });
            }
            if let Some(circle) = circle_of(spec, spec_of, &mut looked_at) {
                return Err(Refusal::Circle { jobs: circle });
            }
        }
        Ok(())
    }

    /// Refuses to let a job go that others wait for.
    pub(super) fn check_unwatched(&self, namespace: &Namespace, name: &JobName, id: JobId) -> Result<(), Refusal> {
        let Some(watched) = self.upstreams.get(namespace, name) else { return Ok(()) };
        let users: BTreeSet<&JobId> =
            watched.after.iter().chain(&watched.required_by).filter(|user| **user != id).collect();
        let Some(example) = users.first() else { return Ok(()) };
        let example = self.jobs[*example].job.spec.name.clone();
        Err(Refusal::JobInUse { name: name.clone(), jobs: users.len(), example })
    }
}

/// A circle of jobs that is reached from `start`, each coming after the next; none if there is none. What was `looked_at`
/// reaches none, and neither does what is added to it.
fn circle_of<'a>(
    start: &'a JobSpec,
    spec_of: impl Fn(&'a JobName) -> Option<&'a JobSpec>,
    looked_at: &mut BTreeSet<&'a JobName>,
) -> Option<Vec<JobName>> {
    if looked_at.contains(&start.name) {
        return None;
    }
    // The way to where we are, and what is still to be looked at from each place on it.
    let mut way: Vec<(&JobName, Vec<&JobName>)> = vec![(&start.name, start.comes_after().collect())];
    let mut on_way = BTreeSet::from([&start.name]);
    while let Some((here, left)) = way.last_mut() {
        let Some(name) = left.pop() else {
            on_way.remove(*here);
            looked_at.insert(*here);
            way.pop();
            continue;
        };
        if on_way.contains(name) {
            let circle = way.iter().map(|(name, _)| *name).skip_while(|on_way| *on_way != name);
            return Some(circle.chain([name]).cloned().collect());
        }
        if let Some(spec) = spec_of(name).filter(|_| !looked_at.contains(name)) {
            on_way.insert(name);
            way.push((name, spec.comes_after().collect()));
        }
    }
    None
}
