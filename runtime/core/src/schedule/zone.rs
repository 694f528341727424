//! When the clocks of a time zone change.

use std::sync::{LazyLock, OnceLock};

use chrono::offset::{LocalResult, Offset};
use chrono::{DateTime, NaiveDateTime, TimeZone};
use chrono_tz::{GapInfo, TZ_VARIANTS, Tz};

use super::fires::ClockRules;
use crate::spec::{Fold, Gap};
use crate::time::Timestamp;

/// The first instant that tables cover, in seconds since the Unix epoch: 1970 begins.
const FIRST: i64 = 0;
/// The last instant that tables cover: a few days into 2100.
const LAST: i64 = 4_102_444_800 + 3 * 86_400;
/// Changes are looked for in steps of this many seconds. No zone changes its offset and takes the change back within
/// one step; a test compares all zones with a finer look.
const STEP: i64 = 2 * 86_400;

/// The offsets of a zone from UTC since 1970.
pub(super) struct Zone {
    zone: Tz,
    periods: Box<[Period]>,
}

/// A stretch of time with one offset. It ends where the next one starts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Period {
    /// The first instant, in seconds since the Unix epoch.
    pub starts_at: i64,
    /// What to add to UTC to get local time, in seconds.
    pub offset: i64,
}

/// The table of `zone`, made at the first use and kept: it depends on nothing but the tz database compiled in.
pub(super) fn table(zone: Tz) -> &'static Zone {
    static TABLES: LazyLock<Box<[OnceLock<Zone>]>> =
        LazyLock::new(|| std::iter::repeat_with(OnceLock::new).take(TZ_VARIANTS.len()).collect());
    TABLES[zone as usize].get_or_init(|| Zone::read(zone))
}

impl Zone {
    fn read(zone: Tz) -> Self {
        let mut last = Period { starts_at: FIRST, offset: offset_at(zone, FIRST) };
        let mut periods = vec![last];
        let mut seen = FIRST;
        while seen < LAST {
            let next = (seen + STEP).min(LAST);
            if offset_at(zone, next) == last.offset {
                seen = next;
                continue;
            }
            let (mut before, mut after) = (seen, next);
            while after - before > 1 {
                let middle = before + (after - before) / 2;
                if offset_at(zone, middle) == last.offset { before = middle } else { after = middle }
            }
            last = Period { starts_at: after, offset: offset_at(zone, after) };
            periods.push(last);
            seen = after;
        }
        Self { zone, periods: periods.into() }
    }

    /// The zone itself.
    pub(super) fn tz(&self) -> Tz {
        self.zone
    }

    /// The zone's IANA name.
    pub(super) fn name(&self) -> &'static str {
        self.zone.name()
    }

    /// By how many seconds the clocks were set forward when period `index` began, or back if it is negative; 0 for the
    /// first period and beyond the last.
    pub(super) fn change_at(&self, index: usize) -> i64 {
        match (index.checked_sub(1).and_then(|before| self.periods.get(before)), self.periods.get(index)) {
            (Some(before), Some(period)) => period.offset - before.offset,
            _ => 0,
        }
    }

    /// The instant after period `index`, in seconds since the Unix epoch; the last period has no end.
    pub(super) fn ends_at(&self, index: usize) -> i64 {
        self.periods.get(index + 1).map_or(i64::MAX, |next| next.starts_at)
    }

    /// All periods, the earliest first. There is at least one.
    pub(super) fn periods(&self) -> &[Period] {
        &self.periods
    }

    /// The index of the period that `secs` since the Unix epoch lies in; the first, if it lies before all.
    pub(super) fn index_at(&self, secs: i64) -> usize {
        self.periods.partition_point(|period| period.starts_at <= secs).saturating_sub(1)
    }
}

fn offset_at(zone: Tz, secs: i64) -> i64 {
    let instant = DateTime::from_timestamp(secs, 0).expect("tables end within the years that chrono can hold");
    i64::from(zone.offset_from_utc_datetime(&instant.naive_utc()).fix().local_minus_utc())
}

/// The instants of `local` in `zone` by `rules`, the earlier one first: none if the clocks skip it and it is not to be
/// moved, two if they show it twice and both are wanted. It may lie beyond the years that tables cover.
pub(super) fn instants_of(local: NaiveDateTime, zone: Tz, rules: ClockRules) -> [Option<Timestamp>; 2] {
    let by =
        |offset: i32| Some(Timestamp::from_micros(local.and_utc().timestamp_micros() - i64::from(offset) * 1_000_000));
    match zone.offset_from_local_datetime(&local) {
        LocalResult::Single(offset) => [by(offset.fix().local_minus_utc()), None],
        LocalResult::Ambiguous(one, other) => {
            let (one, other) = (one.fix().local_minus_utc(), other.fix().local_minus_utc());
            // The larger offset is reached earlier.
            match rules.fold {
                Fold::First => [by(one.max(other)), None],
                Fold::Last => [by(one.min(other)), None],
                Fold::Both => [by(one.max(other)), by(one.min(other))],
            }
        }
        LocalResult::None => {
            let gap = GapInfo::new(&local, &zone);
            let before = gap.as_ref().and_then(|gap| gap.begin).map(|(_, before)| before.fix().local_minus_utc());
            let end = gap.and_then(|gap| gap.end).map(|end| Timestamp::from_micros(end.timestamp_micros()));
            match rules.gap {
                Gap::Shift => {
                    [by(before.unwrap_or_else(|| zone.offset_from_utc_datetime(&local).fix().local_minus_utc())), None]
                }
                Gap::End => [end, None],
                Gap::Skip => [None, None],
            }
        }
    }
}
