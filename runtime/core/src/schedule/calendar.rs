//! The local times that a cron expression names, as bit sets, and the search for the next of them.
//!
//! Local time is counted in seconds since 1970-01-01T00:00:00 on the local clock, as if every day had 24 hours.

use chrono::{Datelike, NaiveDate};

/// The last year that is searched: zones are known up to its end.
const LAST_YEAR: i32 = 2099;
/// Days from 0000-12-31, chrono's day 0, to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_163;
const MINUTES_A_DAY: i64 = 24 * 60;

/// Sets of minutes, hours and days. Bit `n` of a set stands for the value `n`. No set is empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(super) struct Calendar {
    /// Bits 0 to 59.
    pub minutes: u64,
    /// Bits 0 to 23.
    pub hours: u32,
    /// Bits 1 to 31.
    pub month_days: u32,
    /// Bits 1 to 12.
    pub months: u16,
    /// Bits 0 (Sunday) to 6.
    pub weekdays: u8,
    /// How the two day sets go together.
    pub days: DayRule,
    /// How the times go with changes of the clock.
    pub pace: Pace,
}

/// How the two day sets of an expression go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(super) enum DayRule {
    /// A day is in both sets.
    Both,
    /// A day is in either set.
    Either,
}

/// How the times of an expression go with changes of the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(super) enum Pace {
    /// Each local time once: shifted if the clock skips it, the first if the clock shows it twice.
    Fixed,
    /// Whenever the clock shows the local time: never, once or twice.
    Elapsed,
}

impl Calendar {
    /// The least local time at or after `from` that the sets name, or none before the end of [`LAST_YEAR`].
    pub(super) fn at_or_after(&self, from: i64) -> Option<i64> {
        let minute = from.div_euclid(60) + i64::from(from.rem_euclid(60) != 0);
        let day = minute.div_euclid(MINUTES_A_DAY);
        let found = self.day_at_or_after(day)?;
        if found > day {
            return Some((found * MINUTES_A_DAY + self.first_minute()) * 60);
        }
        if let Some(minute) = self.minute_at_or_after(minute.rem_euclid(MINUTES_A_DAY)) {
            return Some((day * MINUTES_A_DAY + minute) * 60);
        }
        Some((self.day_at_or_after(day + 1)? * MINUTES_A_DAY + self.first_minute()) * 60)
    }

    fn first_minute(&self) -> i64 {
        i64::from(self.hours.trailing_zeros() * 60 + self.minutes.trailing_zeros())
    }

    /// The least minute of the day, counted from midnight, at or after `from` (0 to 1439).
    fn minute_at_or_after(&self, from: i64) -> Option<i64> {
        let (hour, minute) = (from / 60, from % 60);
        if (self.hours >> hour) & 1 == 1 {
            let rest = self.minutes >> minute;
            if rest != 0 {
                return Some(from + i64::from(rest.trailing_zeros()));
            }
        }
        let later = self.hours & (u32::MAX << (hour + 1));
        (later != 0).then(|| i64::from(later.trailing_zeros() * 60 + self.minutes.trailing_zeros()))
    }

    /// The least day at or after `from`; days are counted from 1970-01-01. It goes from month to month, so the longest
    /// way, from one 29 February to another, is some hundred steps.
    fn day_at_or_after(&self, from: i64) -> Option<i64> {
        let date = NaiveDate::from_num_days_from_ce_opt(i32::try_from(from + DAYS_TO_EPOCH).ok()?)?;
        let (mut year, mut month, mut month_day) = (date.year(), date.month(), date.day());
        while year <= LAST_YEAR {
            let months = u32::from(self.months) >> month;
            if months == 0 {
                (year, month, month_day) = (year + 1, 1, 1);
                continue;
            }
            if months & 1 == 0 {
                (month, month_day) = (month + months.trailing_zeros(), 1);
            }
            let first = i64::from(NaiveDate::from_ymd_opt(year, month, 1)?.num_days_from_ce()) - DAYS_TO_EPOCH;
            let days = self.days_of_month(first, days_in_month(year, month)) & (u32::MAX << month_day);
            if days != 0 {
                return Some(first + i64::from(days.trailing_zeros()) - 1);
            }
            (month, month_day) = (month + 1, 1);
        }
        None
    }

    /// The days, as bits 1 to 31, of the month that begins on the day `first` and has `length` days.
    fn days_of_month(&self, first: i64, length: u32) -> u32 {
        // 1970-01-01 was a Thursday.
        let weekday = (first + 4).rem_euclid(7);
        let weekdays = u64::from(self.weekdays);
        let week = ((weekdays >> weekday) | (weekdays << (7 - weekday))) & 0x7f;
        let weeks = week * (1 | (1 << 7) | (1 << 14) | (1 << 21) | (1 << 28));
        let by_weekday = (weeks << 1) as u32;
        let days = match self.days {
            DayRule::Both => self.month_days & by_weekday,
            DayRule::Either => self.month_days | by_weekday,
        };
        days & (u32::MAX >> (31 - length)) & !1
    }
}

/// The days that `month` (1 to 12) has in `year`.
pub(super) fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}
