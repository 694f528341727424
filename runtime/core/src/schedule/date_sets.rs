//! Days of months written out as plain sets, for schedulers that know nothing of `L`, `W` and `#`.

use std::collections::BTreeMap;

use super::days::Days;

/// January to December, as bits 1 to 12.
pub const ALL_MONTHS: u16 = 0x1ffe;
/// The 1st to the 31st, as bits 1 to 31.
pub const ALL_MONTH_DAYS: u32 = !1;
/// Sunday to Saturday, as bits 0 to 6.
pub const ALL_WEEKDAYS: u8 = 0x7f;

const FEBRUARY: u16 = 1 << 2;
const OF_30_DAYS: u16 = 1 << 4 | 1 << 6 | 1 << 9 | 1 << 11;
const OF_31_DAYS: u16 = ALL_MONTHS & !FEBRUARY & !OF_30_DAYS;

/// The dates that lie in one of the months, on one of the days, and on one of the weekdays. Bit `n` of a set stands for the
/// value `n`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DateSets {
    /// Which years.
    pub years: Years,
    /// Bits 1 to 12.
    pub months: u16,
    /// Bits 1 to 31; days that a month lacks name nothing.
    pub month_days: u32,
    /// Bits 0 (Sunday) to 6.
    pub weekdays: u8,
}

/// Years by the length of their February.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Years {
    /// Every year.
    All,
    /// Years with a 29 February: of 1904 to 2096 those that four divides.
    Leap,
    /// Years without.
    Common,
}

/// The days, as bits 1 to 31, that are named if they fall on exactly these weekdays.
type Groups = BTreeMap<u8, u32>;

impl DateSets {
    /// Every date.
    pub const ALL: Self =
        Self { years: Years::All, months: ALL_MONTHS, month_days: ALL_MONTH_DAYS, weekdays: ALL_WEEKDAYS };
}

impl Days {
    /// The days as sets: every day that is named is in exactly one of them, and no other day is in any.
    #[must_use]
    pub fn date_sets(&self) -> Vec<DateSets> {
        let mut sets = Vec::new();
        for (months, length) in [(OF_31_DAYS, 31), (OF_30_DAYS, 30)] {
            if self.months & months != 0 {
                for (weekdays, month_days) in self.groups(length) {
                    let set = DateSets { years: Years::All, months: self.months & months, month_days, weekdays };
                    insert(&mut sets, set, length);
                }
            }
        }
        if self.months & FEBRUARY != 0 {
            self.february(&mut sets);
        }
        sets
    }

    fn february(&self, sets: &mut Vec<DateSets>) {
        let mut common = self.groups(28);
        for (weekdays, month_days) in self.groups(29) {
            let of_common = month_days & of_length(28);
            // A 29th needs no year to be said: only leap years have one.
            let same = of_common == 0 || common.get(&weekdays) == Some(&of_common);
            if same {
                common.retain(|of, days| !(*of == weekdays && *days == of_common));
            }
            let years = if same { Years::All } else { Years::Leap };
            insert(sets, DateSets { years, months: FEBRUARY, month_days, weekdays }, 29);
        }
        for (weekdays, month_days) in common {
            insert(sets, DateSets { years: Years::Common, months: FEBRUARY, month_days, weekdays }, 28);
        }
    }

    /// The days of a month of this length, together by the weekdays on which they are named.
    fn groups(&self, length: u32) -> Groups {
        let mut weekdays_of = [0_u8; 32];
        for first in 0..7 {
            // 1970-01-01 was a Thursday, the weekday 4.
            let days = self.of_month(i64::from(first) - 4, length);
            for day in (1..=length).filter(|day| days >> day & 1 == 1) {
                weekdays_of[day as usize] |= 1 << ((first + day - 1) % 7);
            }
        }
        let mut groups = Groups::new();
        for (day, weekdays) in (0..).zip(weekdays_of).filter(|(_, weekdays)| *weekdays != 0) {
            *groups.entry(weekdays).or_default() |= 1 << day;
        }
        groups
    }
}

/// Adds a set, to one that says the same of longer months if there is one.
fn insert(sets: &mut Vec<DateSets>, set: DateSets, length: u32) {
    let same = sets.iter_mut().find(|other| {
        (other.years, other.weekdays) == (set.years, set.weekdays)
            && other.month_days & of_length(length) == set.month_days
    });
    match same {
        Some(other) => other.months |= set.months,
        None => sets.push(set),
    }
}

/// The days that a month of this length has.
fn of_length(length: u32) -> u32 {
    u32::MAX >> (31 - length) & !1
}

#[cfg(test)]
mod tests {
    use chrono::{Datelike, NaiveDate};

    use super::*;

    fn days(cron: &str) -> Days {
        cron.parse::<super::super::CronExpression>().unwrap().recurrence(0).days
    }

    fn names(set: &DateSets, date: NaiveDate) -> bool {
        let year = match set.years {
            Years::All => true,
            Years::Leap => date.leap_year(),
            Years::Common => !date.leap_year(),
        };
        year && set.months >> date.month() & 1 == 1
            && set.month_days >> date.day() & 1 == 1
            && set.weekdays >> date.weekday().num_days_from_sunday() & 1 == 1
    }

    #[test]
    fn sets_name_the_same_days_once() {
        let fields = [
            ("*", "*", "*"),
            ("1,15", "*", "mon"),
            ("*/2", "1-6", "fri"),
            ("L", "*", "*"),
            ("L-3,7", "2,4", "*"),
            ("15W", "*", "*"),
            ("1W,LW", "*", "*"),
            ("28W,29W,31W", "*", "*"),
            ("*", "*", "mon#2"),
            ("*", "2", "mon#5,friL"),
            ("13", "*", "sun#1"),
            ("29", "feb", "*"),
        ];
        for (month_day, month, weekday) in fields {
            let days = days(&format!("0 0 {month_day} {month} {weekday}"));
            let sets = days.date_sets();
            let begin = NaiveDate::from_ymd_opt(2000, 1, 1).unwrap();
            for (day, date) in (10_957..).zip(begin.iter_days().take(30 * 366)) {
                let named = days.at_or_after(day) == Some(day);
                let count = sets.iter().filter(|set| names(set, date)).count();
                assert_eq!(count, usize::from(named), "{month_day} {month} {weekday} on {date}: {sets:?}");
            }
        }
    }

    #[test]
    fn as_few_sets_as_the_calendar_allows() {
        assert_eq!(days("0 0 * * *").date_sets(), [DateSets::ALL]);
        let second_monday = DateSets { month_days: 0x7f00, weekdays: 2, ..DateSets::ALL };
        assert_eq!(days("0 0 * * mon#2").date_sets(), [second_monday]);
        // Months of 31 days, of 30, and February in leap years and in others.
        let last = days("0 0 L * *").date_sets();
        assert_eq!(
            last.iter().map(|set| set.years).collect::<Vec<_>>(),
            [Years::All, Years::All, Years::All, Years::Common]
        );
        assert_eq!(days("0 0 29 2 *").date_sets().len(), 1);
    }
}
