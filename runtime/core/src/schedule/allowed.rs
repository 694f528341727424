//! Which dates named calendars allow, and the fires of a trigger when those on other dates move.
//!
//! Days and readings of the local clock are counted from 1970-01-01, as if every day had 24 hours. A fire on a date
//! that is not allowed moves, if it is told to, to the same reading on the nearest allowed date, [`FARTHEST`] days away
//! at most; if there is none it stays where it is, as one that its calendar excludes. All fires of a stretch of refused
//! dates move to one date, so a search goes from day to day with the date that the day's fires move to, which never
//! goes back. Fires that stay and fires that move are looked for apart, both up to the same instant, which is put off
//! until there is one: so the search is about as long as the way to the fire that it finds.

use std::sync::Arc;

use chrono::NaiveDate;

use super::named::{Calendars, NamedCalendar};
use super::occurrence::Exclusion;
use super::zone::Zone;
use crate::spec::{CalendarRules, DayShift, bounds};
use crate::time::Timestamp;

/// How far a fire may move, in days.
const FARTHEST: i64 = 366;
/// A day in microseconds.
const DAY: i64 = 86_400_000_000;
/// Days from 0000-12-31, chrono's day 0, to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_163;
/// How far beyond the first fire of the trigger its fires are looked for at first; four times as far each time that there is
/// none.
const FIRST_SPAN: i64 = 16 * DAY;
/// How many days the date of an instant is mistrusted: no clock has changed by more than one.
const NEAR: i64 = 2;

/// The fires of a trigger before any of them moves.
pub(super) trait Fires {
    /// The least fire strictly after `at`.
    fn next_after(&self, at: Timestamp) -> Option<Timestamp>;
    /// The least reading of the local clock at or after `from` at which the trigger fires by unchanged clocks. Both in
    /// microseconds.
    fn reading_at_or_after(&self, from: i64) -> Option<i64>;
    /// The instant of a fire at this reading, as the trigger deals with gaps and folds; the first, if it fires twice.
    fn at_reading(&self, reading: i64) -> Option<Timestamp>;
}

/// The dates that the calendars of a trigger allow.
#[derive(Clone, Debug)]
pub(super) struct AllowedDates {
    exclude: Box<[Arc<NamedCalendar>]>,
    include: Box<[Arc<NamedCalendar>]>,
    shift: DayShift,
}

/// A fire, and what calendars did to it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Allowed {
    /// The fire.
    pub at: Timestamp,
    /// Why its date is refused, if it is; then it starts nothing.
    pub exclusion: Option<Exclusion>,
    /// The date on which it would be without calendars.
    pub moved_from: Option<NaiveDate>,
}

impl AllowedDates {
    /// Prepares `rules`; none, if all dates are allowed. A calendar that is not among `calendars` has no say: what names
    /// it is refused when it is saved, so only a forecast can meet it.
    pub(super) fn new(rules: &CalendarRules, calendars: &Calendars) -> Option<Self> {
        let find = |names| bounds::calendars(names).filter_map(|name| calendars.get(name).cloned()).collect();
        let (exclude, include): (Box<[_]>, Box<[_]>) = (find(&rules.exclude), find(&rules.include));
        (!exclude.is_empty() || !include.is_empty()).then_some(Self { exclude, include, shift: rules.shift })
    }

    /// Why `date` is refused, if it is.
    pub(super) fn refuses(&self, date: NaiveDate) -> Option<Exclusion> {
        if let Some(excluding) = self.exclude.iter().find(|calendar| calendar.contains(date)) {
            return Some(Exclusion::In(excluding.name().clone()));
        }
        let first = self.include.first()?;
        let included = self.include.iter().any(|calendar| calendar.contains(date));
        (!included).then(|| Exclusion::NotIn(first.name().clone()))
    }

    /// The least fire strictly after `at`.
    pub(super) fn next_after(&self, fires: &impl Fires, zone: &Zone, at: Timestamp) -> Option<Allowed> {
        let mut targets = Targets { allowed: self, refused: None };
        if self.shift == DayShift::None {
            return targets.staying_after(fires, zone, at, Timestamp::MAX).found();
        }
        let to_first = fires.next_after(at).map_or(0, |first| first.as_micros() - at.as_micros());
        let mut span = to_first.saturating_add(FIRST_SPAN);
        loop {
            let until = Timestamp::from_micros(at.as_micros().saturating_add(span));
            match targets.staying_after(fires, zone, at, until) {
                Staying::Found(staying) => {
                    let moved = targets.moved_after(fires, zone, at, Some(staying.at));
                    return moved.filter(|moved| moved.at < staying.at).or(Some(staying));
                }
                Staying::Never => return targets.moved_after(fires, zone, at, None),
                Staying::Later => {
                    let moved = targets.moved_after(fires, zone, at, Some(until));
                    if let Some(moved) = moved.filter(|moved| moved.at <= until) {
                        return Some(moved);
                    }
                }
            }
            span = span.saturating_mul(4);
        }
    }

    /// The day to which fires move from `day`; none if they stay. Days are counted from 1970-01-01.
    pub(super) fn target_of(&self, day: i64) -> Option<i64> {
        match (Targets { allowed: self, refused: None }).of(day) {
            Target::Day(target) => Some(target),
            Target::Same | Target::Excluded => None,
        }
    }

    fn refuses_day(&self, day: i64) -> bool {
        date_of(day).is_some_and(|date| {
            let among = |calendars: &[Arc<NamedCalendar>]| calendars.iter().any(|calendar| calendar.contains(date));
            among(&self.exclude) || !self.include.is_empty() && !among(&self.include)
        })
    }
}

/// Where the fires of a day move to, and a stretch of days known to be refused, so that no day is asked for twice in a
/// search.
struct Targets<'a> {
    allowed: &'a AllowedDates,
    /// The first and the last day.
    refused: Option<(i64, i64)>,
}

/// What becomes of the fires of a day.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Target {
    /// The day is allowed.
    Same,
    /// They move to this day.
    Day(i64),
    /// The day is refused, and they stay.
    Excluded,
}

/// What a search for a fire that stays where it is came to.
enum Staying {
    Found(Allowed),
    /// There may be one after the instant up to which it was looked for.
    Later,
    /// There is none at all.
    Never,
}

impl Staying {
    fn found(self) -> Option<Allowed> {
        match self {
            Self::Found(fire) => Some(fire),
            Self::Later | Self::Never => None,
        }
    }
}

impl Targets<'_> {
    fn of(&mut self, day: i64) -> Target {
        if !self.allowed.refuses_day(day) {
            return Target::Same;
        }
        let (mut first, mut last) =
            self.refused.filter(|(first, last)| (*first..=*last).contains(&day)).unwrap_or((day, day));
        let refused = |day| self.allowed.refuses_day(day);
        let found = match self.allowed.shift {
            DayShift::None => None,
            DayShift::Next => {
                while last < day + FARTHEST && refused(last + 1) {
                    last += 1;
                }
                (last < day + FARTHEST).then_some(last + 1)
            }
            DayShift::Previous => {
                while first > day - FARTHEST && refused(first - 1) {
                    first -= 1;
                }
                (first > day - FARTHEST).then_some(first - 1)
            }
        };
        self.refused = Some((first, last));
        found.map_or(Target::Excluded, Target::Day)
    }

    /// The least fire after `at`, and not after `until`, that does not move.
    fn staying_after(&mut self, fires: &impl Fires, zone: &Zone, mut at: Timestamp, until: Timestamp) -> Staying {
        loop {
            let Some(fire) = fires.next_after(at) else { return Staying::Never };
            if fire > until {
                return Staying::Later;
            }
            match self.of(day_of(zone, fire)) {
                Target::Same => return Staying::Found(Allowed { at: fire, exclusion: None, moved_from: None }),
                Target::Excluded => {
                    let exclusion = date_of(day_of(zone, fire)).and_then(|date| self.allowed.refuses(date));
                    return Staying::Found(Allowed { at: fire, exclusion, moved_from: None });
                }
                // All up to the end of the stretch move as well, but for those too far from the next allowed day.
                Target::Day(target) => {
                    let day = day_of(zone, fire);
                    let end = if target > day { target } else { day + 1 };
                    at = fire.max(Timestamp::from_micros(zone.first_instant_of(end * DAY) - 1));
                }
            }
        }
    }

    /// The least fire after `at` that moved to where it is. What comes later than `until` need not be found.
    fn moved_after(
        &mut self,
        fires: &impl Fires,
        zone: &Zone,
        at: Timestamp,
        until: Option<Timestamp>,
    ) -> Option<Allowed> {
        let earliest = day_of(zone, at) - NEAR;
        // Local times lie in 1970 and later, so there are no fires to move before.
        let mut day = self.first_source(earliest).max(0);
        let mut latest = until.map_or(i64::MAX, |until| day_of(zone, until) + NEAR);
        let mut found: Option<Allowed> = None;
        while let Some(reading) = fires.reading_at_or_after(day * DAY) {
            day = reading.div_euclid(DAY);
            let (target, moves) = match self.of(day) {
                Target::Same => (day, false),
                Target::Day(target) => (target, true),
                // No later day's fires move to before this stretch of refused days, and nothing moves into it.
                Target::Excluded => (day, false),
            };
            if target > latest {
                break;
            }
            if moves
                && target >= earliest
                && let Some(fire) = moved(fires, zone, at, reading, target)
                && found.as_ref().is_none_or(|found| fire < found.at)
            {
                found = Some(Allowed { at: fire, exclusion: None, moved_from: date_of(day) });
                latest = latest.min(day_of(zone, fire) + NEAR);
            }
            day += 1;
        }
        found
    }

    /// The first day whose fires can move to `earliest` or later.
    fn first_source(&self, earliest: i64) -> i64 {
        let mut day = earliest;
        if self.allowed.shift == DayShift::Next {
            while day > earliest - FARTHEST && self.allowed.refuses_day(day - 1) {
                day -= 1;
            }
        }
        day
    }
}

/// The least instant after `at` to which a fire moves from the day of `reading`, its first, to the day `target`.
fn moved(fires: &impl Fires, zone: &Zone, at: Timestamp, mut reading: i64, target: i64) -> Option<Timestamp> {
    let day = reading.div_euclid(DAY);
    // Readings well before the one at `at` need not be looked at; well means more than what clocks change hereabouts.
    let shown = zone.reading_at(at) - zone.change_near(at);
    let skipped = shown - target * DAY;
    if skipped > reading.rem_euclid(DAY) {
        reading = fires.reading_at_or_after(day * DAY + skipped)?;
    }
    let mut least: Option<Timestamp> = None;
    while reading.div_euclid(DAY) == day {
        let there = reading + (target - day) * DAY;
        // What a gap moved comes after later readings, up to the one that the clock shows then.
        if least.is_some_and(|least| zone.reading_at(least) <= there) {
            break;
        }
        let here = fires.at_reading(reading);
        // A fire that a gap carried over midnight belongs to the date on which it is.
        let belongs = here.is_some_and(|here| day_of(zone, here) == day);
        let found = fires.at_reading(there).filter(|found| belongs && *found > at);
        least = [least, found].into_iter().flatten().min();
        let Some(next) = fires.reading_at_or_after(reading + 1) else { break };
        reading = next;
    }
    least
}

pub(super) fn day_of(zone: &Zone, at: Timestamp) -> i64 {
    zone.reading_at(at).div_euclid(DAY)
}

pub(super) fn date_of(day: i64) -> Option<NaiveDate> {
    NaiveDate::from_num_days_from_ce_opt(i32::try_from(day + DAYS_TO_EPOCH).ok()?)
}

impl Zone {
    /// What the local clock shows at an instant, in microseconds.
    pub(super) fn reading_at(&self, at: Timestamp) -> i64 {
        let offset = self.periods()[self.index_at(at.as_micros().div_euclid(1_000_000))].offset;
        at.as_micros() + offset * 1_000_000
    }

    /// The first instant, in microseconds since the Unix epoch, at which the local clock shows `reading` or more.
    pub(super) fn first_instant_of(&self, reading: i64) -> i64 {
        const LARGEST_OFFSET: i64 = 16 * 3600;
        let mut index = self.index_at(reading.div_euclid(1_000_000) - LARGEST_OFFSET);
        loop {
            let period = self.periods()[index];
            let shown_at = (reading - period.offset * 1_000_000).max(period.starts_at * 1_000_000);
            match self.periods().get(index + 1) {
                Some(next) if shown_at >= next.starts_at * 1_000_000 => index += 1,
                _ => return shown_at,
            }
        }
    }

    /// The largest difference between offsets from UTC within two days of `at`, in microseconds.
    fn change_near(&self, at: Timestamp) -> i64 {
        let secs = at.as_micros().div_euclid(1_000_000);
        let near = &self.periods()[self.index_at(secs - NEAR * 86_400)..=self.index_at(secs + NEAR * 86_400)];
        let offsets = || near.iter().map(|period| period.offset);
        (offsets().max().unwrap_or(0) - offsets().min().unwrap_or(0)) * 1_000_000
    }
}

#[cfg(test)]
mod tests;
