//! A job as it is kept: a specification with its revision, and how far its schedule has been worked off.

use std::sync::Arc;

use crate::id::{JobId, Namespace};
use crate::schedule::Schedule;
use crate::spec::{JobSpec, TimeZone};
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
}

/// How far a job's schedule has been worked off.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Cursor {
    /// Every fire up to and including this instant has been dealt with.
    pub done_until: Timestamp,
    /// The next fire, if there is one.
    pub next_fire_at: Option<Timestamp>,
}

impl JobSpec {
    /// The first fire strictly after `at`, if the job were saved then; `default_zone` is used if it names no zone.
    #[must_use]
    pub fn next_fire_after(&self, at: Timestamp, default_zone: TimeZone) -> Option<Timestamp> {
        let zone = self.timezone.unwrap_or(default_zone).0;
        self.triggers.iter().filter_map(|trigger| Schedule::new(trigger, zone, at).next_after(at)).min()
    }

    /// Whether `other` fires at the same instants, given the same anchor.
    #[must_use]
    pub fn same_schedule(&self, other: &Self) -> bool {
        self.triggers == other.triggers && self.timezone == other.timezone
    }
}
