//! What a job says of its runs beside one another, of those that fail, and of those that wait too long.

use sandglass_core::id::Namespace;
use sandglass_core::run::{AttemptOutcome, Gate, Run};
use sandglass_core::time::Timestamp;
use serde_json::{Value, json};

use super::{Hours, Plan, SECOND};

/// The overlap policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Overlap {
    /// `skip`
    Skip,
    /// `buffer_one`
    BufferOne,
    /// `buffer_all`
    BufferAll,
    /// `cancel_other`
    CancelOther,
    /// `terminate_other`
    TerminateOther,
    /// `allow_all`
    AllowAll,
}

impl Overlap {
    /// Whether a run takes the place of others.
    #[must_use]
    pub fn supersedes(self) -> bool {
        matches!(self, Self::CancelOther | Self::TerminateOther)
    }
}

/// The catch-up policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CatchUp {
    /// `latest`
    Latest,
    /// `earliest`
    Earliest,
    /// `all`
    All,
    /// `none`
    None,
}

/// When a failed attempt is made again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Retry {
    /// How many attempts a run has at most.
    pub max_attempts: u32,
    /// The first wait in seconds.
    pub initial: i64,
    /// By how much a wait grows from one to the next.
    pub factor: i64,
    /// The longest wait in seconds.
    pub max: i64,
    /// Whether a wait may be shorter by chance.
    pub jitter: bool,
    /// The outcomes after which it is made again, if the job names them.
    pub on: Option<Vec<&'static str>>,
    /// The only exit codes after which it is made again, from one to another.
    pub again_after: Option<(i32, i32)>,
    /// Exit codes after which it is not.
    pub stop_after: Option<(i32, i32)>,
    /// How long after the first attempt began another may be due, in seconds.
    pub max_elapsed: Option<i64>,
}

impl Retry {
    pub(super) fn random(rng: &mut fastrand::Rng) -> Self {
        let codes = |rng: &mut fastrand::Rng| {
            (rng.u8(..6) == 0).then(|| {
                let first = rng.i32(1..100);
                (first, first + rng.i32(0..60))
            })
        };
        let outcomes = ["failed", "timed_out", "interrupted"];
        Self {
            max_attempts: [1, 1, 2, 3, 5][rng.usize(..5)],
            initial: rng.i64(1..30),
            factor: rng.i64(1..4),
            max: rng.i64(5..90),
            jitter: rng.bool(),
            on: (rng.u8(..5) == 0).then(|| outcomes.into_iter().filter(|_| rng.bool()).collect()),
            again_after: codes(rng),
            stop_after: codes(rng),
            max_elapsed: (rng.u8(..5) == 0).then(|| rng.i64(5..200)),
        }
    }

    pub(super) fn text(&self) -> Value {
        let mut retry = json!({
            "max_attempts": self.max_attempts,
            "initial": format!("{}s", self.initial),
            "factor": self.factor,
            "max": format!("{}s", self.max),
            "jitter": if self.jitter { "full" } else { "none" },
        });
        if let Some(on) = &self.on {
            retry["on"] = json!(on);
        }
        let range = |(first, last): (i32, i32)| vec![format!("{first}-{last}")];
        if self.again_after.is_some() || self.stop_after.is_some() {
            retry["exit_codes"] = json!({ "stop": self.stop_after.map(range).unwrap_or_default() });
        }
        if let Some(codes) = self.again_after {
            retry["exit_codes"]["retry"] = json!(range(codes));
        }
        if let Some(most) = self.max_elapsed {
            retry["max_elapsed"] = json!(format!("{most}s"));
        }
        retry
    }

    /// The wait after attempt `number`, in microseconds: at least and at most.
    #[must_use]
    pub fn wait(&self, number: u32) -> (i64, i64) {
        let grown = (1..number).fold(self.initial, |wait, _| (wait * self.factor).min(self.max));
        let full = grown.min(self.max) * SECOND;
        (if self.jitter { 0 } else { full }, full)
    }

    /// Whether an attempt that ended so is made again, as far as outcome and exit code say.
    #[must_use]
    pub fn permits(&self, outcome: AttemptOutcome, exit_code: Option<i32>, idempotent: bool) -> bool {
        let (name, by_default) = match outcome {
            AttemptOutcome::Failed => ("failed", true),
            AttemptOutcome::TimedOut => ("timed_out", true),
            AttemptOutcome::Interrupted if idempotent => ("interrupted", true),
            AttemptOutcome::Interrupted | AttemptOutcome::Succeeded | AttemptOutcome::Cancelled => return false,
        };
        let within = |codes: Option<(i32, i32)>, code: i32| codes.map(|(first, last)| first <= code && code <= last);
        let coded = exit_code.is_none_or(|code| {
            within(self.again_after, code) != Some(false) && within(self.stop_after, code) != Some(true)
        });
        coded && self.on.as_ref().map_or(by_default, |on| on.contains(&name))
    }
}

/// The parameter of every job by whose value groups may count apart, with what it is unless a start says otherwise.
pub const SHARD: (&str, &str) = ("shard", "a");

/// What attempts of a group count apart by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Nothing.
    Whole,
    /// A name.
    Named(&'static str),
    /// The parameter [`SHARD`] of each run.
    Shard,
}

/// A concurrency group that a job names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Group {
    /// Its name.
    pub name: &'static str,
    /// How many may go.
    pub limit: u32,
    /// What attempts count apart by.
    pub part: Part,
}

impl Group {
    pub(super) fn some(rng: &mut fastrand::Rng) -> Vec<Self> {
        let names = ["db", "net"].into_iter().filter(|_| rng.u8(..4) == 0).collect::<Vec<_>>();
        let parts = [Part::Whole, Part::Whole, Part::Named("west"), Part::Shard];
        let group = |name| Self { name, limit: rng.u32(1..4), part: parts[rng.usize(..parts.len())] };
        names.into_iter().map(group).collect()
    }

    pub(super) fn text(&self) -> Value {
        let mut group = json!({ "group": self.name, "limit": self.limit });
        match self.part {
            Part::Whole => {}
            Part::Named(name) => group["key"] = json!(name),
            Part::Shard => group["key"] = json!(format!("{{{{ params.{} }}}}", SHARD.0)),
        }
        group
    }

    /// The part of the group that a run counts in.
    #[must_use]
    pub fn part_of(&self, run: &Run) -> Option<String> {
        match self.part {
            Part::Whole => None,
            Part::Named(name) => Some(name.to_owned()),
            Part::Shard => {
                let given = run.params.as_ref().and_then(|params| params.get(SHARD.0)?.as_str());
                Some(given.unwrap_or(SHARD.1).to_owned())
            }
        }
    }
}

/// What a run takes a place of.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Bound {
    /// Its namespace.
    Namespace(Namespace),
    /// Its plugin.
    Plugin(&'static str),
    /// A part of a concurrency group of its namespace.
    Group(Namespace, &'static str, Option<String>),
}

/// A run that was to be over, or begun, by then.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadlines {
    /// When it must have begun.
    pub start: Option<Timestamp>,
    /// When it must be over.
    pub whole: Option<Timestamp>,
}

impl Plan {
    /// What a run of the job takes a place of when it starts.
    #[must_use]
    pub fn bounds(&self, run: &Run) -> Vec<Bound> {
        let groups = self.groups.iter();
        let groups = groups.map(|group| Bound::Group(run.namespace.clone(), group.name, group.part_of(run)));
        [Bound::Namespace(run.namespace.clone()), Bound::Plugin(self.plugin)].into_iter().chain(groups).collect()
    }

    /// What the waits of a run count from: when it was made, or when the window opens that it was made before.
    #[must_use]
    pub fn counts_from(&self, run: &Run) -> Timestamp {
        let waits = |hours: &Hours| run.gate != Gate::Open && !hours.contains(run.queued_at);
        self.hours.filter(waits).map_or(run.queued_at, |hours| hours.next_open(run.queued_at))
    }

    /// The deadlines of a run.
    #[must_use]
    pub fn deadlines(&self, run: &Run) -> Deadlines {
        let from = self.counts_from(run);
        let after = |secs: i64| Timestamp::from_micros(from.as_micros() + secs * SECOND);
        Deadlines { start: self.start_deadline.map(after), whole: self.deadline.map(after) }
    }
}

impl Deadlines {
    /// When a queued run may not start any more.
    #[must_use]
    pub fn expiry(&self, run: &Run) -> Option<Timestamp> {
        self.start.filter(|_| run.attempts.is_empty()).into_iter().chain(self.whole).min()
    }
}
