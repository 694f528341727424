//! The days that a trigger names, as bit sets, and the search for the next of them.
//!
//! Which days of a month are named follows from the month's length and the weekday it begins with; the search goes from
//! month to month. Days are counted from 1970-01-01.

use chrono::{Datelike, NaiveDate};

/// The last year that is searched: zones are known up to its end.
const LAST_YEAR: i32 = 2099;
/// Days from 0000-12-31, chrono's day 0, to 1970-01-01.
const DAYS_TO_EPOCH: i64 = 719_163;
/// 2000-01-01. Every kind of year comes within the 28 years from here on.
const CYCLE_BEGINS: i64 = 10_957;
const CYCLE_ENDS: i64 = CYCLE_BEGINS + 28 * 366;
/// The 1st, the 8th and so on, as bits 0 to 28.
const WEEKS: u64 = 1 | (1 << 7) | (1 << 14) | (1 << 21) | (1 << 28);

/// Sets of days. Bit `n` of a set stands for the value `n`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Days {
    /// Bits 1 to 12.
    pub months: u16,
    /// Bits 1 to 31.
    pub month_days: u32,
    /// Bits 0 (the last day of the month) to 30.
    pub from_end: u32,
    /// Bits 1 to 31: the day from Monday to Friday that is nearest to this one, in the same month. Bit 0 stands for the
    /// last such day of the month.
    pub nearest_workdays: u32,
    /// Bits 0 (Sunday) to 6.
    pub weekdays: u8,
    /// Bits 0 to 6 for the first of this weekday in a month, the second, up to the fifth, and for the last.
    pub nth_weekdays: [u8; 6],
    /// How days of the month and days of the week go together.
    pub rule: DayRule,
}

/// How days of the month and days of the week go together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum DayRule {
    /// A day is named by both.
    Both,
    /// A day is named by either.
    Either,
}

impl Days {
    /// No day, until something is added to the sets.
    pub(super) const NONE: Self = Self {
        months: 0,
        month_days: 0,
        from_end: 0,
        nearest_workdays: 0,
        weekdays: 0,
        nth_weekdays: [0; 6],
        rule: DayRule::Both,
    };

    /// Every day.
    pub(super) const ALL: Self = Self { months: 0x1ffe, month_days: !1, weekdays: 0x7f, ..Self::NONE };

    /// Whether there is such a day at all.
    pub(super) fn come(&self) -> bool {
        self.at_or_after(CYCLE_BEGINS).is_some()
    }

    /// Whether two of the days can follow one another.
    pub(super) fn adjoin(&self) -> bool {
        let mut day = CYCLE_BEGINS;
        while let Some(found) = self.at_or_after(day).filter(|found| *found < CYCLE_ENDS) {
            if found == day && day != CYCLE_BEGINS {
                return true;
            }
            day = found + 1;
        }
        false
    }

    /// The least day at or after `from`, or none before the end of [`LAST_YEAR`]. The longest way, from one 29 February on
    /// a given weekday to the next, is some hundred steps.
    pub(super) fn at_or_after(&self, from: i64) -> Option<i64> {
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
            let days = self.of_month(first, days_in_month(year, month)) & (u32::MAX << month_day);
            if days != 0 {
                return Some(first + i64::from(days.trailing_zeros()) - 1);
            }
            (month, month_day) = (month + 1, 1);
        }
        None
    }

    /// The days, as bits 1 to 31, of the month that begins on the day `first` and has `length` days.
    pub(super) fn of_month(&self, first: i64, length: u32) -> u32 {
        // 1970-01-01 was a Thursday.
        let first = (first + 4).rem_euclid(7) as u32;
        let all = (u32::MAX >> (31 - length)) & !1;
        // Bit n from the end is bit `length - n`.
        let from_end = self.from_end.reverse_bits() >> (31 - length);
        let by_day = self.month_days | from_end | nearest_workdays(self.nearest_workdays, first, length);
        let by_weekday = ((week(self.weekdays, first) * WEEKS) << 1) as u32 | self.nth_weekdays(first, length);
        all & match self.rule {
            DayRule::Both => by_day & by_weekday,
            DayRule::Either => by_day | by_weekday,
        }
    }

    fn nth_weekdays(&self, first: u32, length: u32) -> u32 {
        let [nths @ .., last] = &self.nth_weekdays;
        let mut days = 0;
        for (nth, weekdays) in (0..).zip(nths) {
            days |= (week(*weekdays, first) << (7 * nth + 1)) as u32;
        }
        if *last != 0 {
            // The last seven days begin on this weekday.
            let weekday = (first + length) % 7;
            days |= (week(*last, weekday) << (length - 6)) as u32;
        }
        days
    }
}

/// A set of weekdays as bits 0 to 6 of a week that begins on the weekday `first`.
fn week(weekdays: u8, first: u32) -> u64 {
    let weekdays = u64::from(weekdays);
    ((weekdays >> first) | (weekdays << (7 - first))) & 0x7f
}

/// For each of `days` that the month has, the nearest one from Monday to Friday.
fn nearest_workdays(days: u32, first: u32, length: u32) -> u32 {
    const SUNDAY: u32 = 0;
    const SATURDAY: u32 = 6;
    let weekday = |day: u32| (first + day - 1) % 7;
    let mut rest = days & (u32::MAX >> (31 - length));
    let mut nearest = 0;
    while rest != 0 {
        let day = rest.trailing_zeros();
        rest &= rest - 1;
        let workday = match (day, weekday(day.max(1))) {
            (0, _) => match weekday(length) {
                SATURDAY => length - 1,
                SUNDAY => length - 2,
                _ => length,
            },
            (1, SATURDAY) => 3,
            (day, SATURDAY) => day - 1,
            (day, SUNDAY) if day == length => day - 2,
            (day, SUNDAY) => day + 1,
            (day, _) => day,
        };
        nearest |= 1 << workday;
    }
    nearest
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
