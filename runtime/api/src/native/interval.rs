//! Intervals as times of a day, where they come to that.

use chrono::{LocalResult, TimeZone as _};
use chrono_tz::{GapInfo, Tz};
use sandglass_core::quantity::Period;
use sandglass_core::schedule::{DateSets, TimeSets};
use sandglass_core::spec::{LocalOrUtc, Trigger};
use sandglass_core::time::Timestamp;

use super::Source;

const DAY: i64 = 86_400;
const WEEK: i64 = 7 * DAY;

/// An interval and an instant at which it fires.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Interval {
    /// Seconds since the Unix epoch; what is less than a second is left out.
    pub(super) anchor: i64,
    /// What the anchor is.
    pub(super) counts_from: CountsFrom,
    /// In milliseconds.
    pub(super) millis: i64,
}

/// What an interval counts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum CountsFrom {
    /// An instant that the job states.
    Stated,
    /// When the job was saved.
    Saved,
    /// When the job is saved, which it is not yet; meanwhile from midnight in UTC.
    Saving,
}

impl Interval {
    /// The interval of a trigger.
    pub(super) fn of(interval: Period, from: Option<Timestamp>, trigger: &Trigger, source: &Source<'_>) -> Self {
        let stated = from.or_else(|| trigger.start_at.map(|at| start(at, source.zone_of(trigger))));
        let (anchor, counts_from) = match (stated, source.since) {
            (Some(at), _) => (at, CountsFrom::Stated),
            (None, Some(at)) => (at, CountsFrom::Saved),
            // A midnight in UTC.
            (None, None) => (Timestamp::from_secs(946_684_800), CountsFrom::Saving),
        };
        let millis = i64::try_from(interval.get().as_millis()).unwrap_or(i64::MAX);
        Self { anchor: anchor.as_micros().div_euclid(1_000_000), counts_from, millis }
    }

    /// The times of each of some days in UTC, if it comes to that: it goes into a day without rest, or is a week.
    pub(super) fn times(self) -> Option<(Vec<TimeSets>, DateSets)> {
        let secs = (self.millis % 1000 == 0).then_some(self.millis / 1000).filter(|secs| *secs > 0)?;
        let second = |at: i64| u32::try_from(at.rem_euclid(DAY)).expect("it is less than a day");
        if secs == WEEK {
            // 1970-01-01 was a Thursday, the weekday 4.
            let weekday = (self.anchor.div_euclid(DAY) + 4).rem_euclid(7);
            let dates = DateSets { weekdays: 1 << weekday, ..DateSets::ALL };
            return Some((TimeSets::of_times(&[second(self.anchor)]), dates));
        }
        if DAY % secs != 0 {
            return None;
        }
        let times: Vec<u32> =
            (0..DAY / secs).map(|count| second(self.anchor.rem_euclid(secs) + count * secs)).collect();
        Some((TimeSets::of_times(&times), DateSets::ALL))
    }

    /// The same at whole minutes, unless the job states its instants.
    pub(super) fn at_minutes(self) -> Self {
        match self.counts_from {
            CountsFrom::Stated => self,
            CountsFrom::Saved | CountsFrom::Saving => Self { anchor: self.anchor - self.anchor.rem_euclid(60), ..self },
        }
    }
}

/// The instant of `start_at`, as schedules take it: of local times that the clocks skip the end of the gap, of those that they
/// show twice the first.
fn start(at: LocalOrUtc, zone: Tz) -> Timestamp {
    match at {
        LocalOrUtc::Utc(at) => at,
        LocalOrUtc::Local(local) => match zone.from_local_datetime(&local) {
            LocalResult::Single(at) | LocalResult::Ambiguous(at, _) => at.into(),
            LocalResult::None => {
                let end = GapInfo::new(&local, &zone).and_then(|gap| gap.end);
                end.map_or_else(|| local.and_utc().into(), Into::into)
            }
        },
    }
}
