//! A job as it is kept: a specification with its revision, and how far its schedule has been worked off.

use std::sync::Arc;

use crate::dependency::Arrivals;
use crate::id::{CalendarName, JobId, JobName, Namespace};
use crate::notice::Health;
use crate::schedule::{Calendars, JobSchedule, Planning, Window, job_seed};
use crate::spec::{ActionRef, JobSpec, Overlay, TimeZone, TriggerKind, WrittenJob};
use crate::time::Timestamp;

/// A saved job.
#[derive(Clone, PartialEq, Debug)]
pub struct Job {
    /// Its identity.
    pub id: JobId,
    /// Who owns it.
    pub namespace: Namespace,
    /// Counts from 1; grows by one with every change.
    pub revision: u64,
    /// What it is.
    pub spec: Arc<JobSpec>,
    /// When it was first saved.
    pub created_at: Timestamp,
    /// When this revision was saved.
    pub updated_at: Timestamp,
    /// When its present triggers and zone were saved: the default anchor of intervals.
    pub scheduled_since: Timestamp,
    /// What was written, if the job extends a template: `spec` is what that comes to.
    pub overlay: Option<Arc<Overlay>>,
}

impl Job {
    /// The job as it was written.
    #[must_use]
    pub fn written(&self) -> WrittenJob {
        match &self.overlay {
            Some(overlay) => WrittenJob::Extending(Arc::clone(overlay)),
            None => WrittenJob::Whole(Arc::clone(&self.spec)),
        }
    }
}

/// How far a job's schedule has been worked off.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cursor {
    /// Every fire up to and including this instant has been dealt with, but for those that the backlog holds.
    pub done_until: Timestamp,
    /// The next fire, if there is one.
    pub next_fire_at: Option<Timestamp>,
    /// Runs that fires have come to since the present triggers were saved; `max_runs` bounds them.
    pub fired: u64,
    /// What was decided of fires that came due late, while their successors have not all been looked at.
    pub backlog: Option<Box<Backlog>>,
    /// What its `after` triggers have seen since each fired last; none if nothing.
    pub arrivals: Option<Box<Arrivals>>,
    /// How the job has been doing; none unless a notifier asks for that.
    pub health: Option<Box<Health>>,
}

/// What a job's late fires have come to so far.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Backlog {
    /// These fires, the earliest first, start once every fire that is due has been looked at. Later ones may take their
    /// place meanwhile.
    Held(Vec<Timestamp>),
    /// A run stands for every fire up to and including this instant: they are missed.
    StoodForUntil(Timestamp),
}

impl Cursor {
    /// Whether the fire at `at` is still to be dealt with.
    #[must_use]
    pub fn is_pending(&self, at: Timestamp) -> bool {
        self.next_fire_at.is_some_and(|next| at >= next) || self.held().binary_search(&at).is_ok()
    }

    /// The fires that the backlog holds.
    #[must_use]
    pub fn held(&self) -> &[Timestamp] {
        match self.backlog.as_deref() {
            Some(Backlog::Held(fires)) => fires,
            _ => &[],
        }
    }
}

impl JobSpec {
    /// What the fires of the job's triggers depend on. `since` is when its schedule was saved; `default_zone` is used if
    /// it names no zone.
    #[must_use]
    pub fn planning<'a>(
        &self,
        namespace: &Namespace,
        since: Timestamp,
        default_zone: TimeZone,
        calendars: &'a Calendars,
    ) -> Planning<'a> {
        let zone = self.timezone.unwrap_or(default_zone).0;
        Planning { zone, since, seed: job_seed(namespace, &self.name), calendars }
    }

    /// The actions that the job names: its own, and those of its notifiers.
    pub fn actions(&self) -> impl Iterator<Item = &ActionRef> {
        std::iter::once(&self.action.uses).chain(self.notify.actions())
    }

    /// The jobs that its `after` triggers name.
    pub fn comes_after(&self) -> impl Iterator<Item = &JobName> {
        let upstreams = self.triggers.iter().filter_map(|trigger| match &trigger.kind {
            TriggerKind::After(upstreams) => Some(upstreams),
            _ => None,
        });
        upstreams.flatten().map(|upstream| &upstream.job)
    }

    /// All jobs that it names: those that it comes after and those that it requires.
    pub fn upstreams(&self) -> impl Iterator<Item = &JobName> {
        self.comes_after().chain(self.requires.iter().map(|requirement| &requirement.job))
    }

    /// The calendars that the job's triggers name.
    pub fn calendars(&self) -> impl Iterator<Item = &CalendarName> {
        self.triggers.iter().flat_map(|trigger| trigger.calendars.exclude.iter().chain(&trigger.calendars.include))
    }

    /// The job's window made ready; none if it may start at all times.
    #[must_use]
    pub fn open_window(&self, default_zone: TimeZone) -> Option<Window> {
        self.window.as_ref().map(|window| Window::new(window, self.timezone.unwrap_or(default_zone).0))
    }

    /// The first fire strictly after the instant `planning.since`, at which the job would be saved.
    #[must_use]
    pub fn next_fire(&self, planning: &Planning<'_>) -> Option<Timestamp> {
        JobSchedule::new(self, planning).next_after(planning.since)
    }

    /// Whether `other` fires at the same instants, given the same anchor, and what its fires come to is decided alike.
    #[must_use]
    pub fn same_fires(&self, other: &Self) -> bool {
        self.same_schedule(other)
            && self.catch_up == other.catch_up
            && self.max_runs == other.max_runs
            && self.overlap == other.overlap
            && self.window == other.window
    }

    /// Whether `other` fires at the same instants, given the same anchor.
    #[must_use]
    pub fn same_schedule(&self, other: &Self) -> bool {
        self.triggers == other.triggers && self.timezone == other.timezone
    }
}
