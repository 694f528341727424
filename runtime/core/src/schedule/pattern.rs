//! What a trigger by the clock names, in numbers: what other schedulers are told of it.

use std::collections::BTreeMap;

use super::cron_words::{CronWords, is_star};
use super::days::{DayRule, Days};
use super::recurrence::{Pace, Recurrence, Times};
use crate::spec::TriggerKind;

/// Local times on days.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pattern {
    /// The times of each of the days. Each is in exactly one of them.
    pub times: Vec<TimeSets>,
    /// The days.
    pub days: Days,
    /// Which fields of the cron expression that says the same begin with `*`.
    pub stars: Stars,
    /// Whether it fires whenever the clock shows its times: never if the clock skips one, and twice if it shows one twice.
    pub as_shown: bool,
}

/// Every combination of a second, a minute and an hour. Bit `n` of a set stands for the value `n`; no set is empty.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct TimeSets {
    /// Bits 0 to 59.
    pub seconds: u64,
    /// Bits 0 to 59.
    pub minutes: u64,
    /// Bits 0 to 23.
    pub hours: u32,
}

/// Which fields of a cron expression begin with `*`, which decides more than which values they have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stars {
    /// The minute.
    pub minute: bool,
    /// The hour.
    pub hour: bool,
    /// The day of the month.
    pub month_day: bool,
    /// The day of the week.
    pub weekday: bool,
}

impl Pattern {
    /// What a cron expression or a trigger by the calendar names, for the job with this seed; none for other kinds.
    #[must_use]
    pub fn of(kind: &TriggerKind, seed: u64) -> Option<Self> {
        if let TriggerKind::Cron(expression) = kind {
            let words = CronWords::of(&expression.to_string())?;
            let stars = Stars {
                minute: is_star(&words.minute),
                hour: is_star(&words.hour),
                month_day: is_star(&words.day_of_month),
                weekday: is_star(&words.day_of_week),
            };
            return Some(Self::new(&expression.recurrence(seed), stars));
        }
        let recurrence = Recurrence::of_calendar(kind)?;
        let days = &recurrence.days;
        let stars = Stars {
            month_day: days.month_days == Days::ALL.month_days,
            weekday: days.weekdays == Days::ALL.weekdays,
            ..Stars::default()
        };
        Some(Self::new(&recurrence, stars))
    }

    fn new(recurrence: &Recurrence, stars: Stars) -> Self {
        let times = match &recurrence.times {
            Times::Fields { seconds, minutes, hours } => {
                vec![TimeSets { seconds: *seconds, minutes: *minutes, hours: *hours }]
            }
            Times::Listed(times) => TimeSets::of_times(times),
        };
        Self { times, days: recurrence.days, stars, as_shown: recurrence.pace == Pace::Elapsed }
    }
}

impl TimeSets {
    /// Times of a day, in seconds since midnight and below 86,400, as few combinations.
    #[must_use]
    pub fn of_times(times: &[u32]) -> Vec<Self> {
        // Hours that share a minute and a second go together, then minutes that share hours, then seconds.
        let mut hours: BTreeMap<(u32, u32), u32> = BTreeMap::new();
        for time in times {
            *hours.entry((time % 60, time / 60 % 60)).or_default() |= 1 << (time / 3600);
        }
        let mut minutes: BTreeMap<(u32, u32), u64> = BTreeMap::new();
        for ((second, minute), hours) in hours {
            *minutes.entry((second, hours)).or_default() |= 1 << minute;
        }
        let mut seconds: BTreeMap<(u64, u32), u64> = BTreeMap::new();
        for ((second, hours), minutes) in minutes {
            *seconds.entry((minutes, hours)).or_default() |= 1 << second;
        }
        let mut sets: Vec<Self> =
            seconds.into_iter().map(|((minutes, hours), seconds)| Self { seconds, minutes, hours }).collect();
        sets.sort_by_key(|set| {
            (set.hours.trailing_zeros(), set.minutes.trailing_zeros(), set.seconds.trailing_zeros())
        });
        sets
    }

    /// The times, in seconds since midnight, in order.
    pub fn times(self) -> impl Iterator<Item = u32> {
        let hours = (0..24).filter(move |hour| self.hours >> hour & 1 == 1);
        hours.flat_map(move |hour| {
            let minutes = (0..60).filter(move |minute| self.minutes >> minute & 1 == 1);
            minutes.flat_map(move |minute| {
                let seconds = (0..60).filter(move |second| self.seconds >> second & 1 == 1);
                seconds.map(move |second| hour * 3600 + minute * 60 + second)
            })
        })
    }
}

impl Days {
    /// Whether months, days of the month and days of the week say it all: nothing is counted from a month's end or by
    /// weeks.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.from_end == 0 && self.nearest_workdays == 0 && self.nth_weekdays == [0; 6]
    }

    /// Whether a day that is named by the month or by the week alone will do.
    #[must_use]
    pub fn either_will_do(&self) -> bool {
        self.rule == DayRule::Either
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::Trigger;

    fn pattern(trigger: serde_json::Value) -> Option<Pattern> {
        let trigger: Trigger = serde_json::from_value(trigger).unwrap();
        Pattern::of(&trigger.kind, 7)
    }

    #[test]
    fn times_go_together_where_they_can() {
        let times = [0, 1800, 3600, 5400, 7200 + 300];
        let sets = TimeSets::of_times(&times);
        assert_eq!(sets.len(), 2);
        assert_eq!((sets[0].minutes, sets[0].hours, sets[1].hours), (1 | 1 << 30, 3, 4));
        let mut again: Vec<u32> = sets.iter().flat_map(|set| set.times()).collect();
        again.sort_unstable();
        assert_eq!(again, times);
        let every_8_minutes: Vec<u32> = (0..180).map(|count| count * 480).collect();
        assert_eq!(TimeSets::of_times(&every_8_minutes).len(), 2);
    }

    #[test]
    fn stars_are_those_that_are_written() {
        let cron = pattern(serde_json::json!({ "cron": "0-59 ?/2 */2 * 1-7" })).unwrap();
        assert_eq!(cron.stars, Stars { hour: true, month_day: true, ..Stars::default() });
        assert!(cron.as_shown && !cron.days.either_will_do());
        let weekly = pattern(serde_json::json!({ "weekly": { "days": ["mon"], "at": ["02:00", "03:30"] } })).unwrap();
        assert_eq!((weekly.stars.month_day, weekly.stars.weekday, weekly.times.len()), (true, false, 2));
        assert!(!weekly.as_shown && weekly.days.is_plain());
        assert!(!pattern(serde_json::json!({ "cron": "0 0 L * *" })).unwrap().days.is_plain());
        assert!(pattern(serde_json::json!({ "every": "5m" })).is_none());
        let hashed = pattern(serde_json::json!({ "cron": "H H * * *" })).unwrap();
        assert_eq!(hashed.times[0].times().count(), 1);
    }
}
