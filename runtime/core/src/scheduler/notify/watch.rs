//! What is watched for notifiers besides the ends of runs: whether a job is doing well, whether its runs start in time, and
//! whether any succeeds.

use std::sync::Arc;

use super::super::{Entry, Scheduler};
use super::Found;
use crate::batch::Write;
use crate::event::Step;
use crate::id::{JobId, RunId};
use crate::notice::{Health, NoticeEvent, NoticeKind};
use crate::run::{Gate, Origin, Run, RunState};
use crate::spec::NoticeOn;
use crate::time::Timestamp;

impl Entry {
    /// From when on a run is late: from when it was due, or from when the window opens that it was made to wait for.
    fn due_at(&self, run: &Run) -> Timestamp {
        let window = self.window.as_ref().filter(|_| run.gate != Gate::Open);
        let closed = window.filter(|window| !window.contains(run.scheduled_at));
        closed.and_then(|window| window.next_open(run.scheduled_at)).unwrap_or(run.scheduled_at)
    }

    fn health(&self) -> Health {
        self.cursor.health.as_deref().cloned().unwrap_or_default()
    }
}

impl Scheduler {
    /// Takes the end of `run` into the health of its job, if a notifier asks for that, and says whether the job has
    /// recovered with it.
    pub(super) fn take_health(&mut self, run: &Run, at: Timestamp, step: &mut Step) -> bool {
        let watchers = self.watchers(&run.namespace, run.job_id);
        let (recoveries, silences) = watchers.fold((false, false), |(recoveries, silences), watcher| {
            let notifier = watcher.notifier;
            (recoveries || notifier.tells_of(NoticeOn::Recovered), silences || notifier.silences().next().is_some())
        });
        if !recoveries && !silences {
            return false;
        }
        let Some(entry) = self.jobs.get(&run.job_id) else { return false };
        let before = entry.health();
        let mut health = before.clone();
        let recovered = health.take(run.state.name(), at);
        if !silences {
            health.since = before.since;
        }
        if health != before || entry.cursor.health.is_none() {
            self.put_health(run.job_id, health, step);
            self.watch_successes(run.job_id);
        }
        recovered
    }

    fn put_health(&mut self, job: JobId, health: Health, step: &mut Step) {
        let entry = self.jobs.get_mut(&job).expect("health is of jobs that are there");
        entry.cursor.health = Some(Box::new(health));
        step.batch.writes.push(Write::PutCursor { job, cursor: entry.cursor.clone() });
    }

    /// A job, or what watches it, is another than before.
    pub(in super::super) fn watch_again(&mut self, job: JobId) {
        if self.notify.is_unused() {
            return;
        }
        self.watch_successes(job);
        let Some(entry) = self.jobs.get(&job) else { return };
        let runs: Vec<RunId> = entry.runs.line().chain(entry.runs.active()).collect();
        for run in runs {
            self.watch_start(run);
        }
    }

    /// Holds on a job have changed. Once nothing holds it back any more, the time without a success counts anew.
    pub(in super::super) fn watch_held(&mut self, job: JobId, is_end: bool, now: Timestamp, step: &mut Step) {
        if self.notify.is_idle() {
            return;
        }
        let Some(entry) = self.jobs.get(&job) else { return };
        let is_free = !entry.is_paused() && !entry.is_disabled();
        let health = Health { since: now, ..entry.health() };
        let is_watched =
            self.watchers(&entry.job.namespace, job).any(|watcher| watcher.notifier.silences().next().is_some());
        if is_end && is_free && is_watched {
            self.put_health(job, health, step);
        }
        self.watch_successes(job);
    }

    /// Each time without a success that some notifier of the job tells of and has not told yet: when it is too long, and who
    /// tells. A job that is held back has none.
    fn silences(&self, job: JobId) -> impl Iterator<Item = (Timestamp, super::Watcher<'_>, Timestamp)> {
        let entry = self.jobs.get(&job).filter(|entry| !entry.is_paused() && !entry.is_disabled());
        entry.into_iter().flat_map(move |entry| {
            let health = entry.health();
            let saved = entry.job.updated_at.max(health.since);
            self.watchers(&entry.job.namespace, job).flat_map(move |watcher| {
                let since = saved.max(watcher.since);
                let ends = watcher.notifier.silences().map(move |period| since.after(period.get()));
                ends.filter(move |end| *end > health.told_until).map(move |end| (end, watcher, since))
            })
        })
    }

    /// Sets when the job has had no success for too long.
    fn watch_successes(&mut self, job: JobId) {
        if self.notify.is_unused() {
            return;
        }
        let next = self.silences(job).map(|(end, ..)| end).min();
        self.notify.silences.set(job, next);
    }

    /// Finds jobs that have had no success for too long.
    pub(in super::super) fn due_silences(&mut self, now: Timestamp, step: &mut Step) {
        while let Some(job) = self.notify.silences.take_due(now) {
            let Some(entry) = self.jobs.get(&job) else { continue };
            let (namespace, name) = (entry.job.namespace.clone(), entry.job.spec.name.clone());
            let health = Health { told_until: now, ..entry.health() };
            let due = self.silences(job).filter(|(end, ..)| *end <= now);
            let found: Vec<Found> = due
                .map(|(_, watcher, since)| watcher.found(&namespace, NoticeEvent::of_silence(name.clone(), since, now)))
                .collect();
            if !found.is_empty() {
                self.notify.found.extend(found);
                self.put_health(job, health, step);
            }
            self.watch_successes(job);
        }
    }

    /// Each delay of a run's start that some notifier tells of and has not told yet: when it is too long, and who tells.
    /// What somebody makes up for is late by nature.
    fn delays<'a>(&'a self, run: &'a Run) -> impl Iterator<Item = (Timestamp, super::Watcher<'a>)> {
        let waits = run.attempts.is_empty() && run.origin != Origin::Backfill && run.notice.is_none();
        let entry = self.jobs.get(&run.job_id).filter(|_| waits);
        entry.into_iter().flat_map(move |entry| {
            let due = entry.due_at(run);
            self.watchers(&run.namespace, run.job_id).flat_map(move |watcher| {
                let ends = watcher.notifier.lates().map(move |period| due.after(period.get()));
                ends.filter(move |end| run.late.is_none_or(|told| told < *end)).map(move |end| (end, watcher))
            })
        })
    }

    /// Sets when a run is late, if it is queued and somebody is told of that.
    pub(in super::super) fn watch_start(&mut self, id: RunId) {
        if self.notify.is_unused() {
            return;
        }
        let Some(run) = self.active.get(&id).map(|active| &active.run) else { return };
        let queued = Some(run).filter(|run| run.state == RunState::Queued);
        let next = queued.and_then(|run| self.delays(run).map(|(end, _)| end).min());
        self.notify.lates.set(id, next);
    }

    /// Finds queued runs that are late.
    pub(in super::super) fn due_lates(&mut self, now: Timestamp, step: &mut Step) {
        while let Some(id) = self.notify.lates.take_due(now) {
            if self.find_delays(id, |end| end <= now, now) {
                self.edit_active(id, step, |run| run.late = Some(now));
            }
            self.watch_start(id);
        }
    }

    /// The first or a further attempt of a run begins. If the run is late, those are found who are told of it, and when that
    /// was is given.
    pub(in super::super) fn begins_late(&mut self, id: RunId, now: Timestamp) -> Option<Timestamp> {
        if self.notify.is_idle() && self.notify.lines.is_empty() {
            return None;
        }
        let run = &self.active[&id].run;
        if !run.attempts.is_empty() {
            return None;
        }
        if run.notice.is_some() {
            self.close_notification(id, run.job_id, Some(now));
            return None;
        }
        if self.notify.is_idle() {
            return None;
        }
        self.notify.lates.set(id, None);
        // At the very instant it is still in time.
        self.find_delays(id, |end| end < now, now).then_some(now)
    }

    /// Finds those who are told of delays of a run that have ended as `is_over` says; says whether there are any.
    fn find_delays(&mut self, id: RunId, is_over: impl Fn(Timestamp) -> bool, now: Timestamp) -> bool {
        let Some(run) = self.active.get(&id).map(|active| Arc::clone(&active.run)) else { return false };
        let over = self.delays(&run).filter(|(end, _)| is_over(*end));
        let found: Vec<Found> = over
            .map(|(_, watcher)| watcher.found(&run.namespace, NoticeEvent::of_run(NoticeKind::Late, &run, now)))
            .collect();
        let any = !found.is_empty();
        self.notify.found.extend(found);
        any
    }

    /// A run is over.
    pub(in super::super) fn end_watch(&mut self, run: &Run) {
        if run.notice.is_some() {
            self.close_notification(run.id, run.job_id, None);
        } else if self.notify.lates.first().is_some() {
            self.notify.lates.set(run.id, None);
        }
    }
}
