//! Fires in a row that come to nothing for one reason, such as those of a week in which the daemon was down: one record
//! stands for all of them, or a long absence would fill the store with as many records as there were fires.

use super::Entry;
use super::catch_up::Verdict;
use crate::run::{Missed, SkipReason};
use crate::schedule::Occurrence;
use crate::time::Timestamp;

/// The most fires that are looked at one by one for one record.
const MOST_LOOKED_AT: u64 = 10_000;

/// A fire, or several in a row that come to the same.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Stretch {
    /// The last of them.
    pub(super) until: Timestamp,
    pub(super) count: u64,
    /// How many of them had to be looked at one by one.
    pub(super) looked_at: u64,
}

impl Stretch {
    const fn of_one(at: Timestamp) -> Self {
        Self { until: at, count: 1, looked_at: 1 }
    }

    /// What the record of the first one says of the others.
    pub(super) fn missed(self) -> Option<Missed> {
        (self.count > 1).then_some(Missed { until: self.until, count: self.count })
    }
}

impl Entry {
    /// What a fire comes to at `now`.
    pub(super) fn comes_to(&self, at: Timestamp, excluded: bool, now: Timestamp) -> Verdict {
        if excluded {
            return Verdict::Skip(SkipReason::Calendar);
        }
        self.unless_paused(at, self.verdict(at, now))
    }

    /// The fire at `first`, which came to `verdict`, with those behind it that are due and can share its record.
    pub(super) fn stretch(&self, first: Timestamp, verdict: Verdict, now: Timestamp) -> Stretch {
        if !matches!(verdict, Verdict::Skip(_)) {
            return Stretch::of_one(first);
        }
        // Without calendars and a window, fires that are missed, or paused, come before all that are not.
        match self.schedule.interval().filter(|_| self.window.is_none()) {
            Some(interval) => by_interval(first, interval, now, |at| self.comes_to(at, false, now) == verdict),
            None => self.one_by_one(first, verdict, now),
        }
    }

    fn one_by_one(&self, first: Timestamp, verdict: Verdict, now: Timestamp) -> Stretch {
        let mut stretch = Stretch::of_one(first);
        while stretch.count < MOST_LOOKED_AT {
            let next = self.schedule.fire_after(stretch.until);
            let next = next.map(|fire| fire.occurrence).filter(|next| next.at <= now);
            let same = |next: &Occurrence| self.comes_to(next.at, next.exclusion.is_some(), now) == verdict;
            let Some(at) = next.filter(same).map(|next| next.at) else { break };
            stretch = Stretch { until: at, count: stretch.count + 1, looked_at: stretch.looked_at + 1 };
        }
        stretch
    }
}

/// As many fires as there are from `first` to `now`, `interval` microseconds from one to the next, of which the first ones
/// are the `same`: halving what is between finds the last of these.
fn by_interval(first: Timestamp, interval: i64, now: Timestamp, same: impl Fn(Timestamp) -> bool) -> Stretch {
    let at = |place: i64| Timestamp::from_micros(first.as_micros() + place * interval);
    let (mut last, mut end) = (0, (now.as_micros() - first.as_micros()) / interval + 1);
    while last + 1 < end {
        let middle = last.midpoint(end);
        if same(at(middle)) {
            last = middle;
        } else {
            end = middle;
        }
    }
    Stretch { until: at(last), count: u64::try_from(last).unwrap_or(0) + 1, looked_at: 1 }
}
