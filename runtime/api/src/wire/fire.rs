//! Fires on the wire: those ahead, those to be made up for, and why there was or was not one.

use serde::{Deserialize, Serialize};

use sandglass_core::event::BackfillOverlap;
use sandglass_core::id::{JobName, RunId};
use sandglass_core::schedule::{self, ClockChange, Exclusion};
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
    /// The date, such as `2027-03-29`, on which it would be if calendars allowed that, if it moved from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_from: Option<String>,
    /// Why calendars let it start nothing, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded: Option<String>,
    /// What a change of the clocks did to it: `moved`, or `first` or `second` of a local time that comes twice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_change: Option<String>,
}

impl From<&schedule::Fire> for Fire {
    fn from(fire: &schedule::Fire) -> Self {
        let occurrence = &fire.occurrence;
        let excluded = occurrence.exclusion.as_ref().map(|exclusion| match exclusion {
            Exclusion::In(calendar) => format!("calendar '{calendar}' has its date"),
            Exclusion::NotIn(calendar) => format!("its date is not in calendar '{calendar}'"),
        });
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
            clock_change: change.map(str::to_owned),
        }
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
    /// How many of them have run or are going, or have been made up for.
    pub present: usize,
    /// How many runs were made; in a dry run, would be.
    pub runs: usize,
    /// Whether this was a dry run.
    pub dry_run: bool,
    /// The runs that were made, the earliest fire first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<RunId>,
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
    /// The first fire after that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Fire>,
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
    /// A fire is there, but no record of it is kept any more.
    NoRecord,
    /// Calendars refuse the date of the fire that would be there: it has moved, or there is none.
    LeftOut,
    /// The schedule has no fire there.
    NoFire,
    /// The job has no triggers that fire in time.
    NoSchedule,
}
