//! The local times that a trigger names, and the search for the next of them.
//!
//! Local time is counted in seconds since 1970-01-01T00:00:00 on the local clock, as if every day had 24 hours.

use super::days::Days;
use crate::spec::day::{NthWeekday, Weekday};
use crate::spec::list::OneOrMany;
use crate::spec::{DaysOfMonth, TimeOfDay, TriggerKind};

const DAY: i64 = 86_400;

/// Times on days.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub(super) struct Recurrence {
    pub days: Days,
    /// The times of each of the days.
    pub times: Times,
    /// How the times go with changes of the clock.
    pub pace: Pace,
}

/// How times go with changes of the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub(super) enum Pace {
    /// Each local time once: what becomes of it in a gap or a fold is the trigger's to say.
    Fixed,
    /// Whenever the clock shows the local time: never, once or twice.
    Elapsed,
}

/// Times of a day, in seconds since midnight. There is at least one.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub(super) enum Times {
    /// Every combination of a second, a minute and an hour. No set is empty.
    Fields {
        /// Bits 0 to 59.
        seconds: u64,
        /// Bits 0 to 59.
        minutes: u64,
        /// Bits 0 to 23.
        hours: u32,
    },
    /// These, in their order.
    Listed(Box<[u32]>),
}

impl Recurrence {
    /// The days and times of a trigger by the calendar; none for the other kinds.
    pub(super) fn of_calendar(kind: &TriggerKind) -> Option<Self> {
        let (days, at) = match kind {
            TriggerKind::Daily { at } => (Days::ALL, at),
            TriggerKind::Weekly { days, at } => {
                let weekdays = days.iter().fold(0, |set, day| set | bit(*day));
                (Days { weekdays, ..Days::ALL }, at)
            }
            TriggerKind::Monthly { days, at } => (of_month(days), at),
            TriggerKind::Yearly { months, days, at } => {
                let months = months.iter().fold(0, |set, month| set | 1 << month.0.number_from_month());
                (Days { months, ..of_month(days) }, at)
            }
            TriggerKind::Cron(_)
            | TriggerKind::Every { .. }
            | TriggerKind::At(_)
            | TriggerKind::Startup
            | TriggerKind::After(_) => return None,
        };
        Some(Self { days, times: Times::listed(at), pace: Pace::Fixed })
    }

    /// The least local time at or after `from` that is named, or none before the end of the years that are searched.
    pub(super) fn at_or_after(&self, from: i64) -> Option<i64> {
        let day = from.div_euclid(DAY);
        let found = self.days.at_or_after(day)?;
        if found > day {
            return Some(found * DAY + self.times.first());
        }
        if let Some(time) = self.times.at_or_after(from.rem_euclid(DAY)) {
            return Some(day * DAY + time);
        }
        Some(self.days.at_or_after(day + 1)? * DAY + self.times.first())
    }

    /// Whether this local time is named.
    pub(super) fn names(&self, local: i64) -> bool {
        self.at_or_after(local) == Some(local)
    }

    /// The shortest distance of two local times, in seconds, if it is less than a day.
    pub(super) fn shortest_distance(&self) -> Option<i64> {
        let mut shortest = None;
        let mut last = self.times.first();
        while let Some(next) = self.times.at_or_after(last + 1) {
            shortest = Some(shortest.map_or(next - last, |shortest: i64| shortest.min(next - last)));
            if shortest == Some(1) {
                return shortest;
            }
            last = next;
        }
        let over_midnight = DAY - last + self.times.first();
        let nearer = over_midnight < DAY && shortest.is_none_or(|shortest| over_midnight < shortest);
        if nearer && self.days.adjoin() { Some(over_midnight) } else { shortest }
    }
}

fn bit(day: Weekday) -> u8 {
    1 << day.0.num_days_from_sunday()
}

fn of_month(days: &DaysOfMonth) -> Days {
    match days {
        DaysOfMonth::Days(days) => {
            let mut set = Days { month_days: 0, ..Days::ALL };
            for day in days {
                let number = u32::from(day.get().unsigned_abs());
                if day.get() > 0 { set.month_days |= 1 << number } else { set.from_end |= 1 << (number - 1) }
            }
            set
        }
        DaysOfMonth::Weekdays(days) => {
            let mut set = Days { weekdays: 0, ..Days::ALL };
            for NthWeekday { nth, weekday } in days {
                set.nth_weekdays[*nth as usize] |= bit(*weekday);
            }
            set
        }
    }
}

impl Times {
    fn listed(times: &OneOrMany<TimeOfDay>) -> Self {
        let mut times: Vec<u32> = times.iter().map(|time| time.secs()).collect();
        times.sort_unstable();
        times.dedup();
        match times.as_slice() {
            // One time needs no memory of its own this way.
            [time] => {
                Self::Fields { seconds: 1 << (time % 60), minutes: 1 << (time / 60 % 60), hours: 1 << (time / 3600) }
            }
            _ => Self::Listed(times.into()),
        }
    }

    fn first(&self) -> i64 {
        match self {
            Self::Fields { seconds, minutes, hours } => {
                i64::from(hours.trailing_zeros() * 3600 + minutes.trailing_zeros() * 60 + seconds.trailing_zeros())
            }
            Self::Listed(times) => i64::from(times[0]),
        }
    }

    /// Whether the time of day of this local time is one of them.
    pub(super) fn contain(&self, local: i64) -> bool {
        let time = local.rem_euclid(DAY);
        self.at_or_after(time) == Some(time)
    }

    /// The least of them at or after `from`, which is not negative.
    fn at_or_after(&self, from: i64) -> Option<i64> {
        let (seconds, minutes, hours) = match self {
            Self::Listed(times) => {
                let next = times.partition_point(|time| i64::from(*time) < from);
                return times.get(next).map(|time| i64::from(*time));
            }
            Self::Fields { seconds, minutes, hours } => (*seconds, *minutes, *hours),
        };
        let (hour, minute, second) = (from / 3600, from / 60 % 60, from % 60);
        let first_second = i64::from(seconds.trailing_zeros());
        let first_minute = i64::from(minutes.trailing_zeros());
        if hour < 24 && (hours >> hour) & 1 == 1 {
            let rest = seconds >> second;
            if (minutes >> minute) & 1 == 1 && rest != 0 {
                return Some(from + i64::from(rest.trailing_zeros()));
            }
            let later = minutes & (u64::MAX << (minute + 1));
            if later != 0 {
                return Some(hour * 3600 + i64::from(later.trailing_zeros()) * 60 + first_second);
            }
        }
        let later = u64::from(hours) & (u64::MAX << (hour + 1));
        (later != 0).then(|| i64::from(later.trailing_zeros()) * 3600 + first_minute * 60 + first_second)
    }
}
