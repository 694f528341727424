//! The fires of local times in a zone: put on the line of elapsed time.
//!
//! A period is a stretch in which the zone's offset stays the same; there, a local time is an instant. Times that follow
//! the clock need no more. For fixed times, what a change of offset does is decided at the edges of the periods:
//!
//! - The clocks go back: a period ends, and the next begins, with the same local times. Of these two stretches one or
//!   none is passed over.
//! - The clocks go forward: local times are missing. The period after may begin with as long a stretch in which the offset
//!   before still counts too, so that 02:30 fires when it would be 02:30 by unchanged clocks; or with one fire for all of
//!   them.

use super::recurrence::{Pace, Recurrence};
use super::zone::Zone;
use crate::spec::{Fold, Gap};
use crate::time::Timestamp;

/// What becomes of fixed local times that the clocks skip or show twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct ClockRules {
    pub gap: Gap,
    pub fold: Fold,
}

/// The least fire strictly after `at`.
pub(super) fn next_after(recurrence: &Recurrence, rules: ClockRules, zone: &Zone, at: Timestamp) -> Option<Timestamp> {
    // Fires are whole seconds.
    let earliest = at.as_micros().div_euclid(1_000_000) + 1;
    let mut search = Search { recurrence, rules, looked_from: i64::MAX, found: None };
    (zone.index_at(earliest)..zone.periods().len())
        .find_map(|index| search.in_period(zone, index, earliest))
        .map(Timestamp::from_secs)
}

/// A search that goes on from period to period, and remembers what it last found: a job that fires once in years
/// passes many periods with one look at the days.
struct Search<'a> {
    recurrence: &'a Recurrence,
    rules: ClockRules,
    /// Where local times were last looked for.
    looked_from: i64,
    /// The least local time from there on that is named.
    found: Option<i64>,
}

impl Search<'_> {
    fn least_local(&mut self, from: i64) -> Option<i64> {
        if from < self.looked_from || self.found.is_some_and(|found| found < from) {
            (self.looked_from, self.found) = (from, self.recurrence.at_or_after(from));
        }
        self.found
    }

    /// The least fire, in seconds since the Unix epoch, at or after `earliest` that period `index` gives.
    fn in_period(&mut self, zone: &Zone, index: usize, earliest: i64) -> Option<i64> {
        let period = zone.periods()[index];
        let (starts_at, ends_at) = (period.starts_at, zone.ends_at(index));
        let earliest = earliest.max(starts_at);
        if self.recurrence.pace == Pace::Elapsed {
            return self.within(earliest, ends_at, period.offset);
        }
        let (repeats, repeated) = match self.rules.fold {
            Fold::First => (zone.change_at(index).min(0), 0),
            Fold::Last => (0, zone.change_at(index + 1).min(0)),
            Fold::Both => (0, 0),
        };
        let skipped = self.of_gap(zone, index, earliest);
        let regular = self.within(earliest.max(starts_at - repeats), ends_at + repeated, period.offset);
        [skipped, regular].into_iter().flatten().min()
    }

    /// The least fire of a local time that the clocks skipped when period `index` began.
    fn of_gap(&mut self, zone: &Zone, index: usize, earliest: i64) -> Option<i64> {
        let (starts_at, change) = (zone.periods()[index].starts_at, zone.change_at(index));
        if change <= 0 || earliest >= starts_at + change {
            return None;
        }
        let before = zone.periods()[index].offset - change;
        match self.rules.gap {
            Gap::Shift => self.within(earliest, starts_at + change, before),
            Gap::End if earliest > starts_at => None,
            Gap::End => self.within(starts_at, starts_at + change, before).map(|_| starts_at),
            Gap::Skip => None,
        }
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
