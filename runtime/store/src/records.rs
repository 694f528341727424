//! What a store hands out besides runs and plugins.

use std::sync::Arc;

use sandglass_core::calendar::Calendar;
use sandglass_core::hold::{HoldSubject, Holds, Standing};
use sandglass_core::id::RunId;
use sandglass_core::job::{Cursor, Job};
use sandglass_core::job_template::JobTemplate;
use sandglass_core::notice::NamespaceNotify;
use sandglass_core::plugin::Plugin;
use sandglass_core::run::{Run, StateName};
use sandglass_core::target::{Target, TargetGroup};
use sandglass_core::time::Timestamp;

/// Everything that the scheduler needs to begin.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Snapshot {
    /// All jobs with their cursors.
    pub jobs: Vec<StoredJob>,
    /// What holds jobs and namespaces back.
    pub holds: Vec<(HoldSubject, Holds)>,
    /// All calendars.
    pub calendars: Vec<Arc<Calendar>>,
    /// The notifiers of namespaces.
    pub notify: Vec<Arc<NamespaceNotify>>,
    /// All job templates.
    pub templates: Vec<Arc<JobTemplate>>,
    /// All targets.
    pub targets: Vec<Arc<Target>>,
    /// All groups of targets.
    pub groups: Vec<Arc<TargetGroup>>,
    /// All plugins, without their components.
    pub plugins: Vec<Arc<Plugin>>,
    /// All runs that are not over, by id.
    pub active: Vec<Arc<Run>>,
}

/// A job with its cursor. A job whose cursor was never written has the default one.
#[derive(Clone, PartialEq, Debug)]
pub struct StoredJob {
    /// The job.
    pub job: Arc<Job>,
    /// How far its schedule has been worked off.
    pub cursor: Cursor,
    /// What holds the job back, itself or with its namespace; none if nothing does.
    pub standing: Option<Box<Standing>>,
}

/// An entry of a job's state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StateEntry {
    /// Grows by one with every write of the key, from 1.
    pub revision: u64,
    /// The value.
    pub value: Vec<u8>,
    /// When it is forgotten, if ever.
    pub expires_at: Option<Timestamp>,
}

/// Counts and sizes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Runs by state, without notifications.
    pub runs: RunCounts,
    /// Notifications by state.
    pub notifications: RunCounts,
    /// How many jobs there are.
    pub jobs: u64,
    /// How many plugins there are.
    pub plugins: u64,
    /// Size of the records on disk, without output, in bytes.
    pub size_bytes: u64,
}

/// How many runs are in each state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RunCounts([u64; StateName::ALL.len()]);

impl RunCounts {
    /// How many runs are in `state`.
    #[must_use]
    pub fn of(&self, state: StateName) -> u64 {
        self.0[Self::place(state)]
    }

    /// How many runs there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    pub(crate) fn add(&mut self, state: StateName) {
        self.0[Self::place(state)] += 1;
    }

    pub(crate) fn subtract(&mut self, state: StateName) {
        let count = &mut self.0[Self::place(state)];
        *count = count.saturating_sub(1);
    }

    pub(crate) fn set(&mut self, state: StateName, count: u64) {
        self.0[Self::place(state)] = count;
    }

    fn place(state: StateName) -> usize {
        StateName::ALL.iter().position(|name| *name == state).expect("ALL has every state")
    }
}

/// Which runs to remove. Runs that are not over stay whatever is said here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Prune {
    /// Those of before this instant, by the time in their ids; the oldest first.
    Before(Timestamp),
    /// These.
    Runs(Vec<RunId>),
}

/// What compacting came to: the size of the records on disk, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Compacted {
    /// Before.
    pub before_bytes: u64,
    /// After.
    pub after_bytes: u64,
}

/// What was removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Pruned {
    /// How many runs.
    pub runs: usize,
    /// Whether the limit was reached and more may be left.
    pub more: bool,
    /// How many expired entries of state. There may be more if it is not 0.
    pub expired: usize,
}
