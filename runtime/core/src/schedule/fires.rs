//! The fires of a cron expression in a zone: its local times, put on the line of elapsed time.
//!
//! A period is a stretch in which the zone's offset stays the same; there, a local time is an instant. What a change of
//! offset does to an expression is decided at the start of the period after it:
//!
//! - The clocks went back: the period begins with local times that were there before. An expression of fixed times
//!   passes over them.
//! - The clocks went forward: local times are missing. For an expression of fixed times the period begins with as
//!   long a stretch in which the offset before still counts too, so that 02:30 fires when it would be 02:30 by
//!   unchanged clocks.

use super::calendar::{Calendar, Pace};
use super::zone::Zone;
use crate::time::Timestamp;

/// The least fire strictly after `at`.
pub(super) fn next_after(calendar: &Calendar, zone: &Zone, at: Timestamp) -> Option<Timestamp> {
    // Fires are whole seconds.
    let earliest = at.as_micros().div_euclid(1_000_000) + 1;
    let mut search = Search { calendar, looked_from: i64::MAX, found: None };
    (zone.index_at(earliest)..zone.periods().len())
        .find_map(|index| search.in_period(zone, index, earliest))
        .map(Timestamp::from_secs)
}

/// A search that goes on from period to period, and remembers what it last found: a job that fires once in years
/// passes many periods with one look at the calendar.
struct Search<'a> {
    calendar: &'a Calendar,
    /// Where the calendar was last looked at.
    looked_from: i64,
    /// The least local time from there on that is named.
    found: Option<i64>,
}

impl Search<'_> {
    fn least_local(&mut self, from: i64) -> Option<i64> {
        if from < self.looked_from || self.found.is_some_and(|found| found < from) {
            (self.looked_from, self.found) = (from, self.calendar.at_or_after(from));
        }
        self.found
    }

    /// The least fire, in seconds since the Unix epoch, at or after `earliest` that period `index` gives.
    fn in_period(&mut self, zone: &Zone, index: usize, earliest: i64) -> Option<i64> {
        let period = zone.periods()[index];
        let ends_at = zone.periods().get(index + 1).map_or(i64::MAX, |next| next.starts_at);
        let earliest = earliest.max(period.starts_at);
        let change = match (self.calendar.pace, index.checked_sub(1)) {
            (Pace::Fixed, Some(before)) => period.offset - zone.periods()[before].offset,
            _ => 0,
        };
        let shifted = (change > 0).then(|| self.within(earliest, period.starts_at + change, period.offset - change));
        let regular = self.within(earliest.max(period.starts_at - change.min(0)), ends_at, period.offset);
        [shifted.flatten(), regular].into_iter().flatten().min()
    }

    /// The least instant from `from` to before `end` whose local time by `offset` is named.
    fn within(&mut self, from: i64, end: i64, offset: i64) -> Option<i64> {
        if from >= end {
            return None;
        }
        let instant = self.least_local(from + offset)? - offset;
        (instant < end).then_some(instant)
    }
}
