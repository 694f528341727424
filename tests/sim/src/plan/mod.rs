//! Jobs as the simulation knows them: what a job file says, and independently of it what follows from that.

mod need;
mod policy;
mod text;
mod when;

use std::collections::BTreeSet;

use sandglass_core::job::Job;
use sandglass_core::time::Timestamp;

pub use need::Need;
pub use policy::{Bound, CatchUp, Deadlines, Group, Overlap, Part, Retry, SHARD};
pub use text::{NOTIFIER, TOLD, calendar};
pub use when::{Hours, When, weekday};

/// Microseconds in a second.
pub const SECOND: i64 = 1_000_000;

/// A job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Its namespace.
    pub namespace: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its triggers.
    pub when: Vec<When>,
    /// What it requires of others.
    pub requires: Vec<Need>,
    /// Whether the calendar `off` leaves out fires.
    pub calendar: bool,
    /// Its window.
    pub hours: Option<Hours>,
    /// The tags to find it by.
    pub tags: Vec<&'static str>,
    /// The plugin that it uses.
    pub plugin: &'static str,
    /// How many of its runs go at once before the overlap policy says what happens.
    pub max_instances: usize,
    /// Its overlap policy.
    pub overlap: Overlap,
    /// Its concurrency groups.
    pub groups: Vec<Group>,
    /// How long a run may wait for its start, in seconds.
    pub start_deadline: Option<i64>,
    /// How long a run may take with all its attempts, in seconds.
    pub deadline: Option<i64>,
    /// Its catch-up policy, with the window in seconds and the limit.
    pub catch_up: (CatchUp, i64, usize),
    /// Its retries.
    pub retry: Retry,
    /// How many runs its triggers start at most.
    pub max_runs: Option<u64>,
    /// Its priority.
    pub priority: u8,
    /// Whether an interrupted attempt may be made again.
    pub idempotent: bool,
    /// How long an attempt may take, in seconds.
    pub timeout: i64,
    /// How long it has to end once it is asked to, in seconds.
    pub grace: i64,
}

/// The namespaces of the jobs.
pub const NAMESPACES: [&str; 2] = ["default", "other"];
/// The names of jobs.
pub const NAMES: [&str; 4] = ["a", "b", "c", "d"];
/// The tags that jobs have.
pub const TAGS: [&str; 2] = ["red", "blue"];
/// The plugins that jobs use.
pub const PLUGINS: [&str; 2] = ["noop", "spare"];

impl Plan {
    /// The plan by which a job was saved.
    pub(crate) fn of<'a>(job: &Job, plans: &'a [Self]) -> &'a Self {
        let number = job.spec.description.as_deref().and_then(|text| text.parse::<usize>().ok());
        number.and_then(|number| plans.get(number)).expect("every job is saved with the number of its plan")
    }

    /// A random job, saved about `now`.
    pub fn random(rng: &mut fastrand::Rng, now: Timestamp) -> Self {
        let triggers = [0, 1, 1, 1, 1, 2][rng.usize(..6)];
        let policies = [CatchUp::Latest, CatchUp::Latest, CatchUp::Earliest, CatchUp::All, CatchUp::None];
        let overlaps = [
            Overlap::Skip,
            Overlap::Skip,
            Overlap::BufferOne,
            Overlap::BufferAll,
            Overlap::CancelOther,
            Overlap::TerminateOther,
            Overlap::AllowAll,
        ];
        let name = rng.usize(..NAMES.len());
        let mut when: Vec<When> = (0..triggers).map(|_| When::random(rng, now)).collect();
        if rng.u8(..3) == 0 {
            // Of those before it, so that none comes after itself.
            when.extend(When::after(rng, &NAMES[..name]));
        }
        Self {
            namespace: NAMESPACES[rng.usize(..NAMESPACES.len())],
            name: NAMES[name],
            when,
            // Of those before it too, or none could be saved first.
            requires: Need::some(rng, &NAMES[..name]),
            calendar: rng.u8(..4) == 0,
            hours: (rng.u8(..4) == 0).then(|| Hours::random(rng, now)),
            tags: TAGS.into_iter().filter(|_| rng.u8(..3) == 0).collect(),
            plugin: PLUGINS[usize::from(rng.u8(..4) == 0)],
            max_instances: [1, 1, 1, 2, 3][rng.usize(..5)],
            overlap: overlaps[rng.usize(..overlaps.len())],
            groups: Group::some(rng),
            start_deadline: (rng.u8(..5) == 0).then(|| rng.i64(1..180)),
            deadline: (rng.u8(..6) == 0).then(|| rng.i64(20..400)),
            catch_up: (policies[rng.usize(..policies.len())], [20, 120, 3600][rng.usize(..3)], rng.usize(1..6)),
            retry: Retry::random(rng),
            max_runs: (rng.u8(..6) == 0).then(|| rng.u64(1..12)),
            priority: if rng.bool() { 5 } else { rng.u8(..10) },
            idempotent: rng.bool(),
            timeout: rng.i64(10..120),
            grace: rng.i64(1..20),
        }
    }

    /// Within how many seconds what is told of the job's runs is told together; none if nobody is told of them. It follows
    /// from what is there, so that there are lives with and without.
    #[must_use]
    pub fn tells_within(&self) -> Option<i64> {
        (self.grace % 3 == 0).then_some(self.timeout % 40)
    }

    /// The same job with one thing changed.
    #[must_use]
    pub fn changed(&self, rng: &mut fastrand::Rng, now: Timestamp) -> Self {
        let other = Self::random(rng, now);
        let mut plan = self.clone();
        match rng.u8(..16) {
            0 => plan.when = other.when,
            15 => plan.requires = other.requires,
            1 => plan.hours = other.hours,
            2 => plan.overlap = other.overlap,
            3 => plan.catch_up = other.catch_up,
            4 => plan.retry = other.retry,
            5 => plan.max_runs = other.max_runs,
            6 => plan.priority = other.priority,
            7 => plan.idempotent = other.idempotent,
            8 => plan.calendar = other.calendar,
            9 => plan.tags = other.tags,
            10 => plan.plugin = other.plugin,
            11 => plan.max_instances = other.max_instances,
            12 => plan.groups = other.groups,
            13 => (plan.start_deadline, plan.deadline) = (other.start_deadline, other.deadline),
            _ => (plan.timeout, plan.grace) = (other.timeout, other.grace),
        }
        plan
    }

    /// The job's fires after `from` up to and including `to`, if its schedule was saved at `since`.
    #[must_use]
    pub fn fires(&self, since: Timestamp, from: Timestamp, to: Timestamp) -> BTreeSet<Timestamp> {
        self.when.iter().flat_map(|when| when.fires(since, from, to)).collect()
    }

    /// Whether the triggers are the same, with what modifies them.
    #[must_use]
    pub fn same_schedule(&self, other: &Self) -> bool {
        let asks_calendar = self.when.iter().any(When::is_timed);
        self.when == other.when && (self.calendar == other.calendar || !asks_calendar)
    }

    /// Whether the trigger of this place is one that fires at every start of the daemon.
    #[must_use]
    pub fn is_startup(&self, trigger: Option<u16>) -> bool {
        trigger.and_then(|place| self.when.get(usize::from(place))) == Some(&When::Startup)
    }
}
