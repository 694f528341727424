//! What to look for, and pages of what was found.

use std::collections::BTreeSet;

use sandglass_core::id::{JobId, JobName, Namespace, RunId};
use sandglass_core::run::{Origin, StateName};
use sandglass_core::time::Timestamp;

/// The most items in one page, whatever limit is asked for.
pub const MAX_PAGE: usize = 1000;

/// Which runs to find. The default finds all of them, newest first, a hundred at a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RunQuery {
    /// Of this namespace.
    pub namespace: Option<Namespace>,
    /// Of this job.
    pub job: Option<JobId>,
    /// In one of these states; in any if empty.
    pub states: BTreeSet<StateName>,
    /// Not before this instant, by the time in the run's id: the instant it was scheduled for, or made by hand. To the
    /// millisecond.
    pub from: Option<Timestamp>,
    /// Before this instant, by the same time.
    pub until: Option<Timestamp>,
    /// In which order.
    pub order: Order,
    /// Beyond this run in that order: the `next` of the page before.
    pub after: Option<RunId>,
    /// Also notifications. Those of the notifier that `job` stands for are found in any case.
    pub notifications: bool,
    /// At most this many; no more than [`MAX_PAGE`].
    pub limit: usize,
}

/// An order of runs by the time in their ids.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Order {
    /// The newest first.
    #[default]
    NewestFirst,
    /// The oldest first.
    OldestFirst,
}

/// A page of results.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T, P> {
    /// What was found.
    pub items: Vec<T>,
    /// Where to go on; none if this was the last page.
    pub next: Option<P>,
}

/// A position among the jobs, which are ordered by namespace and name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct JobPosition {
    /// The namespace.
    pub namespace: Namespace,
    /// The name.
    pub name: JobName,
}

impl Default for RunQuery {
    fn default() -> Self {
        Self {
            namespace: None,
            job: None,
            states: BTreeSet::new(),
            from: None,
            until: None,
            order: Order::NewestFirst,
            after: None,
            notifications: false,
            limit: 100,
        }
    }
}

impl RunQuery {
    /// The runs of a job.
    #[must_use]
    pub fn of_job(job: JobId) -> Self {
        Self { job: Some(job), ..Self::default() }
    }

    /// Whether a run of this state is looked for.
    #[must_use]
    pub fn wants(&self, state: StateName) -> bool {
        self.states.is_empty() || self.states.contains(&state)
    }

    /// Whether a run of this origin is looked for.
    #[must_use]
    pub fn wants_origin(&self, origin: Origin) -> bool {
        origin != Origin::Notification || self.notifications || self.job.is_some()
    }

    /// The ids that the times and the position leave: from the first to the last, both inclusive. None if nothing is left.
    #[must_use]
    pub fn id_range(&self) -> Option<(RunId, RunId)> {
        let floor = |at: Timestamp| u128::from(u64::try_from(at.as_millis()).unwrap_or(0)) << 80;
        let mut first = self.from.map_or(0, floor);
        let mut last = match self.until {
            None => u128::MAX,
            Some(until) => floor(until).checked_sub(1)?,
        };
        match (self.after, self.order) {
            (None, _) => {}
            (Some(after), Order::NewestFirst) => last = last.min(after.to_bits().checked_sub(1)?),
            (Some(after), Order::OldestFirst) => first = first.max(after.to_bits().checked_add(1)?),
        }
        (first <= last).then(|| (RunId::from_bits(first), RunId::from_bits(last)))
    }
}
