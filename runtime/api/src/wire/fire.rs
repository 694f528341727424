//! Fires on the wire: those ahead, those to be made up for, and why there was or was not one.

use serde::{Deserialize, Serialize};

use sandglass_core::event::BackfillOverlap;
use sandglass_core::id::{JobName, RunId};
use sandglass_core::schedule::{self, Admission, ClockChange, Exclusion, Window};
use sandglass_core::time::Timestamp;

use super::Run;

/// One fire of a job.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fire {
    /// Its instant.
    pub at: Timestamp,
    /// Which of the job's triggers fires, counted from 0.
    pub trigger: u16,
    /// Its instant before jitter, if that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nominal: Option<Timestamp>,
    /// The date on which it would be if calendars allowed it, such as `2027-03-29`, if they moved it from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<String>,
    /// Why calendars or the job's window let it start nothing, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<String>,
    /// When the job's window opens, if its run waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_until: Option<Timestamp>,
    /// What a change of the clocks did to it: `moved`, or `first` or `second` of a local time that comes twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_change: Option<String>,
}

impl Fire {
    /// A fire of a job whose runs may start in `window`; at any time, if it has none.
    #[must_use]
    pub fn new(fire: &schedule::Fire, window: Option<&Window>) -> Self {
        let occurrence = &fire.occurrence;
        let admission = window.map_or(Admission::Open, |window| window.admission(occurrence.at));
        let excluded = match (&occurrence.exclusion, admission) {
            (Some(exclusion), _) => Some(refusal(exclusion)),
            (None, Admission::Skipped) => Some("the job's window is closed then".to_owned()),
            (None, Admission::Open | Admission::Waits(_)) => None,
        };
        let waits_until = match admission {
            Admission::Waits(opens_at) if excluded.is_none() => Some(opens_at),
            _ => None,
        };
        let change = occurrence.change.map(|change| match change {
            ClockChange::Moved => "moved",
            ClockChange::First => "first",
            ClockChange::Second => "second",
        });
        Self {
            at: occurrence.at,
            trigger: fire.trigger,
            nominal: (occurrence.nominal != occurrence.at).then_some(occurrence.nominal),
            moved_from: occurrence.moved_from.map(|date| date.to_string()),
            excluded,
            waits_until,
            clock_change: change.map(str::to_owned),
        }
    }
}

/// Why calendars refuse a date, in words.
#[must_use]
pub fn refusal(exclusion: &Exclusion) -> String {
    match exclusion {
        Exclusion::In(calendar) => format!("calendar '{calendar}' has its date"),
        Exclusion::NotIn(calendar) => format!("its date is not in calendar '{calendar}'"),
    }
}

/// The body of `POST …/jobs/{name}/backfill`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackfillRequest {
    /// Fires from this instant on.
    pub from: Timestamp,
    /// Fires before this instant, as far as they are past. Default: now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// How the runs pass one another: `one_by_one`, the default, or `allow_all`.
    #[serde(default)]
    pub overlap: Overlap,
    /// Also fires that have run, or were made up for, before.
    #[serde(default)]
    pub all: bool,
}

/// How the runs of a backfill pass one another.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// One after another, the earliest first.
    #[default]
    OneByOne,
    /// As many at once as there are places.
    AllowAll,
}

impl From<Overlap> for BackfillOverlap {
    fn from(overlap: Overlap) -> Self {
        match overlap {
            Overlap::OneByOne => Self::OneByOne,
            Overlap::AllowAll => Self::AllowAll,
        }
    }
}

/// The answer to a backfill.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Backfill {
    /// From when on fires were looked for.
    pub from: Timestamp,
    /// Up to when, exclusive.
    pub to: Timestamp,
    /// How many fires the schedule has in that time, those left out.
    pub fires: usize,
    /// How many more it would have, did calendars or the job's window not leave them out.
    #[serde(default)]
    pub left_out: usize,
    /// How many of them have run or are going, or have been made up for.
    pub present: usize,
    /// How many of them are due and not dealt with yet: the job's schedule starts them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pending: usize,
    /// How many runs were made; in a dry run, would be.
    pub runs: usize,
    /// Whether this was a dry run.
    pub dry_run: bool,
    /// The runs that were made, the earliest fire first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<RunId>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Why a job ran or did not run at an instant.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Why {
    /// The job.
    pub job: JobName,
    /// The instant asked about.
    pub at: Timestamp,
    /// The answer in one word, for programs.
    pub verdict: Verdict,
    /// The answer in words.
    pub summary: String,
    /// The fire at that time, if the schedule has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fire: Option<Fire>,
    /// The runs of that time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Run>,
    /// The latest fire before that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Fire>,
    /// The record of the fire before, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_run: Option<Run>,
    /// The first fire after that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Fire>,
    /// The record of the fire after, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_run: Option<Run>,
}

/// Why a job ran or did not run, in one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// There is a run, in whatever state.
    Run,
    /// The fire was recorded as skipped.
    Skipped,
    /// A fire is there, and lies ahead.
    Ahead,
    /// A fire is there, and is to be dealt with yet.
    Pending,
    /// A fire is there by the present schedule, but the schedule was saved later.
    SavedLater,
    /// A fire is there, but the runs have been as many as `max_runs` permits.
    Exhausted,
    /// By its triggers a fire would be there, but the job is disabled.
    Disabled,
    /// A fire is there, but no record of it is kept any more.
    NoRecord,
    /// Calendars refuse the date of the fire that would be there: it has moved, or there is none.
    LeftOut,
    /// The schedule has no fire there.
    NoFire,
    /// The job has no triggers that fire in time.
    NoSchedule,
}
