//! Jobs are paused, resumed, disabled and enabled.
//!
//! A pause takes effect on every fire that has not been dealt with yet, also on late ones: nothing starts by itself once
//! it is durable. Before it ends, the fires that are due are recorded as paused. Before a job is disabled, its fires that
//! are due are dealt with as ever; once it is enabled again, it counts strictly from then.

use super::{Entry, Scheduler};
use crate::batch::Write;
use crate::event::{HoldChange, HoldScope, Refusal, Reply, Step};
use crate::hold::{Hold, HoldKind, HoldSubject, Holds, Standing};
use crate::id::{JobId, JobName, Namespace};
use crate::job::Job;
use crate::run::SkipReason;
use crate::time::Timestamp;

use super::catch_up::Verdict;

impl Entry {
    /// Whether the job is disabled, itself or with its namespace.
    pub(super) fn is_disabled(&self) -> bool {
        self.standing.as_ref().is_some_and(|standing| standing.is_disabled())
    }

    /// What becomes of the fire at `at` that came to `verdict`, as the job may be paused.
    pub(super) fn unless_paused(&self, at: Timestamp, verdict: Verdict) -> Verdict {
        let Some(since) = self.standing.as_ref().and_then(|standing| standing.paused_since()) else { return verdict };
        match verdict {
            // It was lost before the pause began.
            Verdict::Skip(SkipReason::Missed) if at < since => verdict,
            Verdict::Skip(SkipReason::Missed) | Verdict::Start | Verdict::StandIn | Verdict::Hold => {
                Verdict::Skip(SkipReason::Paused)
            }
            Verdict::Skip(_) => verdict,
        }
    }

    /// Whether the job is paused, itself or with its namespace.
    pub(super) fn is_paused(&self) -> bool {
        self.standing.as_ref().is_some_and(|standing| standing.paused_since().is_some())
    }

    /// Why fires that were held back start nothing, if they do not: the job was paused meanwhile, or has had all the runs
    /// it may have.
    pub(super) fn refuses_held(&self) -> Option<SkipReason> {
        if self.is_paused() {
            return Some(SkipReason::Paused);
        }
        self.is_exhausted().then_some(SkipReason::Missed)
    }

    fn edit_standing(&mut self, edit: impl FnOnce(&mut Standing)) {
        let mut standing = self.standing.take().unwrap_or_default();
        edit(&mut standing);
        self.standing = (!standing.is_free()).then_some(standing);
    }
}

/// A hold that is to begin or to end.
struct Change {
    kind: HoldKind,
    hold: Option<Hold>,
}

impl Change {
    /// Whether it would change something in `holds`.
    fn concerns(&self, holds: &Holds) -> bool {
        holds.of(self.kind).is_some() != self.hold.is_some()
    }

    /// Whether fires that are due must be dealt with before: those of a pause that ends, and of a job that is disabled.
    fn settles(&self) -> bool {
        (self.kind == HoldKind::Disabled) == self.hold.is_some()
    }
}

impl Scheduler {
    /// Begins or ends holds. What is so already stays as it is, with who asked for it and since when.
    pub(super) fn change_holds(
        &mut self,
        namespace: &Namespace,
        scope: &HoldScope,
        (kind, change): (HoldKind, HoldChange),
        now: Timestamp,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        let hold = match change {
            HoldChange::Begin { by, reason } => Some(Hold { by, since: now, reason }),
            HoldChange::End => None,
        };
        let change = Change { kind, hold };
        let jobs = self.in_scope(namespace, scope)?;
        if *scope == HoldScope::Namespace {
            return self.hold_namespace(namespace, &jobs, &change, now, step);
        }
        let concerned: Vec<JobId> = jobs.iter().copied().filter(|id| change.concerns(&self.own_holds(*id))).collect();
        self.check_settled(&concerned, &change, now)?;
        for id in &concerned {
            let mut holds = self.own_holds(*id);
            holds.set(kind, change.hold.clone());
            step.batch.writes.push(Write::PutHolds { subject: HoldSubject::Job(*id), holds: holds.clone() });
            self.apply_holds(*id, &change, now, step, |standing| standing.own = holds);
        }
        Ok(Reply::Held { jobs: jobs.len(), changed: self.names_of(&concerned), namespace: None })
    }

    fn hold_namespace(
        &mut self,
        namespace: &Namespace,
        jobs: &[JobId],
        change: &Change,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        let mut holds = self.held_namespaces.get(namespace).cloned().unwrap_or_default();
        if !change.concerns(&holds) {
            return Ok(Reply::Held { jobs: jobs.len(), changed: Vec::new(), namespace: Some(holds) });
        }
        self.check_settled(jobs, change, now)?;
        holds.set(change.kind, change.hold.clone());
        let subject = HoldSubject::Namespace(namespace.clone());
        step.batch.writes.push(Write::PutHolds { subject, holds: holds.clone() });
        for id in jobs {
            self.apply_holds(*id, change, now, step, |standing| standing.namespace = holds.clone());
        }
        self.adopt_namespace_holds(namespace.clone(), holds.clone());
        Ok(Reply::Held { jobs: jobs.len(), changed: self.names_of(jobs), namespace: Some(holds) })
    }

    /// The jobs of a scope, by id, so that what follows is the same whenever it is done.
    fn in_scope(&self, namespace: &Namespace, scope: &HoldScope) -> Result<Vec<JobId>, Refusal> {
        let of_namespace = self.names.get(namespace).into_iter().flat_map(|names| names.values().copied());
        let mut jobs: Vec<JobId> = match scope {
            HoldScope::Job(name) => vec![self.job_named(namespace, name)?],
            HoldScope::EveryJob | HoldScope::Namespace => of_namespace.collect(),
            HoldScope::Tag(tag) => of_namespace.filter(|id| self.jobs[id].job.spec.tags.contains(tag)).collect(),
        };
        if let (HoldScope::Tag(tag), true) = (scope, jobs.is_empty()) {
            return Err(Refusal::NoJobTagged { namespace: namespace.clone(), tag: tag.clone() });
        }
        jobs.sort_unstable();
        Ok(jobs)
    }

    fn names_of(&self, jobs: &[JobId]) -> Vec<JobName> {
        let mut names: Vec<_> = jobs.iter().map(|id| self.jobs[id].job.spec.name.clone()).collect();
        names.sort_unstable();
        names
    }

    fn own_holds(&self, id: JobId) -> Holds {
        self.jobs[&id].standing.as_ref().map(|standing| standing.own.clone()).unwrap_or_default()
    }

    fn check_settled(&self, jobs: &[JobId], change: &Change, now: Timestamp) -> Result<(), Refusal> {
        if change.settles() { self.check_overdue(jobs.iter().copied(), now) } else { Ok(()) }
    }

    /// Changes what holds a job back, and its schedule with it if it is disabled or enabled by that.
    fn apply_holds(
        &mut self,
        id: JobId,
        change: &Change,
        now: Timestamp,
        step: &mut Step,
        edit: impl FnOnce(&mut Standing),
    ) {
        if change.settles() {
            self.settle(id, now, step);
        }
        let entry = self.jobs.get_mut(&id).expect("holds are changed of jobs that are there");
        let before = entry.is_disabled();
        entry.edit_standing(edit);
        if entry.is_disabled() != before {
            entry.cursor.done_until = now.max(entry.cursor.done_until);
            entry.cursor.next_fire_at = entry.next_fire_after(entry.cursor.done_until);
            self.put_cursor(id, now, step);
        }
        self.watch_held(id, change.hold.is_none(), now, step);
    }

    /// Takes in the holds of a namespace that the store has, or will have.
    pub(super) fn adopt_namespace_holds(&mut self, namespace: Namespace, holds: Holds) {
        if holds.is_empty() {
            self.held_namespaces.remove(&namespace);
        } else {
            self.held_namespaces.insert(namespace, holds);
        }
    }

    /// All that holds `job` back, as far as it is known: a job that is new here has no holds of its own yet.
    pub(super) fn standing_of(&self, job: &Job) -> Option<Box<Standing>> {
        let own = self.jobs.get(&job.id).and_then(|entry| entry.standing.as_ref()).map(|standing| standing.own.clone());
        let namespace = self.held_namespaces.get(&job.namespace).cloned();
        let standing = Standing { own: own.unwrap_or_default(), namespace: namespace.unwrap_or_default() };
        (!standing.is_free()).then(|| Box::new(standing))
    }

    /// Refuses what a disabled job does not do.
    pub(super) fn check_enabled(&self, id: JobId) -> Result<(), Refusal> {
        #[cfg(feature = "defects")]
        if self.starts_disabled() {
            return Ok(());
        }
        let entry = &self.jobs[&id];
        match entry.standing.as_ref().and_then(|standing| standing.of(HoldKind::Disabled)) {
            None => Ok(()),
            Some((hold, whole_namespace)) => Err(Refusal::Disabled {
                name: entry.job.spec.name.clone(),
                by: hold.by.clone(),
                since: hold.since,
                whole_namespace,
            }),
        }
    }
}
