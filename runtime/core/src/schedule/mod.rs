//! When a trigger fires, in a time zone.
//!
//! In reading order: `cron` is an expression as a value, `parse` and `field` read one, `hashed` is `H` in it, `invalid`
//! says what is wrong with one. `days` finds the days that a trigger names and `recurrence` its local times; `zone` knows
//! when a zone's clocks change, and `fires` puts local times and zone together. `nominal` has the fires of every kind of
//! trigger. `pattern` and `date_sets` are what a trigger names in plain sets, for other schedulers. `named` has the calendars that jobs name, and `allowed` moves fires off the dates they refuse; `modifiers` has
//! those, the limits of a trigger and its jitter. `moved` tells where a fire went that calendars took from its date. `occurrence` is a fire in full. `window` knows the hours in which runs
//! may start. `clock` and `explain` (with `cron_words` and `words`) say what a trigger means and what changes of the clocks
//! will do to it, `lint` finds likely slips, and `simulate` forecasts whole sets of jobs. This module is the only place where local time exists.

mod allowed;
mod clock;
mod cron;
mod cron_words;
mod date_sets;
mod days;
mod explain;
mod field;
mod fires;
mod hashed;
mod invalid;
mod job;
mod lint;
mod modifiers;
mod moved;
mod named;
mod nominal;
mod occurrence;
mod parse;
mod pattern;
mod recurrence;
mod simulate;
mod window;
mod words;
mod zone;

use std::fmt;

use chrono_tz::Tz;

pub use clock::{ClockEffect, LocalChange, LocalTime, clock_effects};
pub use cron::CronExpression;
pub use date_sets::{ALL_MONTH_DAYS, ALL_MONTHS, ALL_WEEKDAYS, DateSets, Years};
pub use days::{DayRule, Days};
pub use explain::{Explanation, explain};
pub use invalid::InvalidCron;
pub use job::{Fire, JobSchedule};
pub use lint::{Warning, WarningCode, lint};
pub use moved::MovedFire;
pub use named::{Calendars, NamedCalendar};
pub use occurrence::{ClockChange, Exclusion, Occurrence, job_seed};
pub use pattern::{Pattern, Stars, TimeSets};
pub use simulate::{
    BusyMinute, Collision, Collisions, Fires, Forecast, ForecastFire, JobClockEffect, JobForecast, Simulation,
};
pub use window::{Admission, Window};

use crate::quantity::Period;
use crate::spec::{Trigger, TriggerKind};
use crate::time::Timestamp;
use modifiers::Modifiers;
use nominal::Nominal;
use recurrence::Recurrence;
use zone::Zone;

/// A trigger made ready to be asked for its fires. Small, and cheap to clone.
#[derive(Clone)]
pub struct Schedule {
    nominal: Nominal,
    /// All schedules of a zone share its table.
    zone: &'static Zone,
    /// Most triggers have none.
    modifiers: Option<Box<Modifiers>>,
}

/// What the fires of a trigger depend on beside the trigger itself.
#[derive(Clone, Copy, Debug)]
pub struct Planning<'a> {
    /// The zone of local times, unless the trigger has its own: the job's, or the daemon's.
    pub zone: Tz,
    /// When the schedule was saved: the default anchor of intervals.
    pub since: Timestamp,
    /// The job's identity in numbers, [`job_seed`]: what `H` and jitter depend on.
    pub seed: u64,
    /// The calendars of the job's namespace.
    pub calendars: &'a Calendars,
}

impl Schedule {
    /// Prepares `trigger`.
    ///
    /// The first use of a zone in a process reads its clock changes, which takes about a millisecond.
    #[must_use]
    pub fn new(trigger: &Trigger, planning: &Planning<'_>) -> Self {
        let zone = zone::table(trigger.timezone.map_or(planning.zone, |zone| zone.0));
        let modifiers = Modifiers::new(trigger, planning, zone);
        let start_at = trigger.start_at.map(|at| modifiers::first_instant(at, zone));
        Self { nominal: Nominal::new(trigger, planning, zone, start_at), zone, modifiers }
    }

    /// The least fire strictly after `at`, or none if there are no more. A fire on a date that calendars exclude is one
    /// too; [`Schedule::occurrence_after`] tells it from others.
    ///
    /// Local times lie in the years 1970 to 2099, as far as the zones are known. Of a fixed local time that the clocks
    /// skip or show twice, the trigger's `gap` and `fold` say what becomes; fires that meet are one. A cron expression
    /// whose minute or hour begins with `*` fires whenever the clock shows what it names, so it keeps its pace through
    /// both. An interval counts elapsed time and never heeds clocks. A trigger at startup has no instants.
    ///
    /// `start_at` and `end_at` limit the times before jitter. Jitter adds to a time a part of itself that follows from
    /// the seed and the time alone.
    #[must_use]
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        match &self.modifiers {
            None => self.nominal.next_after(self.zone, at),
            Some(modifiers) => Some(modifiers.next_after(&self.nominal, self.zone, at)?.at),
        }
    }

    /// The least fire strictly after `at` in full; its instant is that of [`Schedule::next_after`].
    #[must_use]
    pub fn occurrence_after(&self, at: Timestamp) -> Option<Occurrence> {
        let mut occurrence = match &self.modifiers {
            None => Occurrence::at(self.nominal.next_after(self.zone, at)?),
            Some(modifiers) => modifiers.next_after(&self.nominal, self.zone, at)?,
        };
        let moved = occurrence.moved_from.is_some();
        occurrence.change = self.nominal.change_of(self.zone, occurrence.nominal, moved);
        Some(occurrence)
    }

    /// The distance from each fire to the next, in microseconds, if it is the same for ever.
    fn interval(&self) -> Option<i64> {
        match self.nominal {
            Nominal::Every { interval, .. } if self.modifiers.is_none() => Some(interval),
            _ => None,
        }
    }

    /// The zone of its local times.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.zone.tz()
    }
}

/// Whether times of this kind ever come.
pub(crate) fn ever_fires(kind: &TriggerKind) -> bool {
    // A cron expression that never fires is refused when it is read.
    Recurrence::of_calendar(kind).is_none_or(|recurrence| recurrence.days.come())
}

/// The shortest distance of two local times or of two fires of this kind, if it is less than a day.
pub(crate) fn shortest_distance(kind: &TriggerKind) -> Option<Period> {
    let secs = match kind {
        TriggerKind::Every { interval, .. } => return Some(*interval),
        // What `H` chooses for a job is not known here; the distance is that for one of them.
        TriggerKind::Cron(expression) => expression.recurrence(0).shortest_distance(),
        kind => Recurrence::of_calendar(kind)?.shortest_distance(),
    };
    secs.and_then(|secs| u64::try_from(secs).ok()).map(Period::from_secs)
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({:?} in {}, {:?})", self.nominal, self.zone.name(), self.modifiers)
    }
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
