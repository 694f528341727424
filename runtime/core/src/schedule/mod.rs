//! When a trigger fires: cron expressions, intervals and single instants, in a time zone.
//!
//! In reading order: `cron` is an expression as a value, `parse` reads one, `invalid` says what is wrong with one,
//! `calendar` finds the local times that one names, `zone` knows when a zone's clocks change, and `fires` puts the last
//! two together. `named` has the calendars that jobs name, `allowed` moves fires off the dates they refuse, and `window`
//! knows the hours in which runs may start. This module is the only place where local time exists.

#[cfg_attr(not(test), expect(dead_code, reason = "triggers do not yet ask it for their fires"))]
mod allowed;
mod calendar;
mod cron;
mod fires;
mod invalid;
mod named;
mod occurrence;
mod parse;
mod window;
mod zone;

use std::fmt;

use chrono_tz::Tz;

pub use cron::CronExpression;
pub use invalid::InvalidCron;
pub use named::{Calendars, NamedCalendar};
pub use occurrence::{ClockChange, Exclusion, Occurrence, job_seed};
pub use window::Window;

use crate::spec::{LocalOrUtc, Trigger, TriggerKind};
use crate::time::Timestamp;
use zone::Zone;

/// A trigger made ready to be asked for its fires. Small, and cheap to clone.
#[derive(Clone)]
pub struct Schedule(Kind);

#[derive(Clone)]
enum Kind {
    /// The expression and the zone's table are shared by all schedules that use them.
    Cron { expression: CronExpression, zone: &'static Zone },
    /// Fires are `first` and whole intervals after it; both in microseconds, the interval at least 1.
    Every { first: i64, interval: i64 },
    /// One fire.
    At(Timestamp),
    /// No fire.
    Never,
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
        let zone = trigger.timezone.map_or(planning.zone, |zone| zone.0);
        Self(match &trigger.kind {
            TriggerKind::Cron(expression) => Kind::Cron { expression: expression.clone(), zone: zone::table(zone) },
            TriggerKind::Every { interval, from } => {
                let interval = i64::try_from(interval.get().as_micros()).unwrap_or(i64::MAX).max(1);
                // A stated anchor is itself a fire; saving a schedule is not.
                let first = match from {
                    Some(from) => from.as_micros(),
                    None => planning.since.as_micros().saturating_add(interval),
                };
                Kind::Every { first, interval }
            }
            TriggerKind::At(LocalOrUtc::Utc(at)) => Kind::At(*at),
            TriggerKind::At(LocalOrUtc::Local(local)) => Kind::At(zone::instant_of(*local, zone)),
            TriggerKind::Daily { .. }
            | TriggerKind::Weekly { .. }
            | TriggerKind::Monthly { .. }
            | TriggerKind::Yearly { .. }
            | TriggerKind::Startup => Kind::Never,
        })
    }

    /// The least fire strictly after `at`, or none if there are no more.
    ///
    /// Cron fires lie in the years 1970 to 2099, as far as the zones are known. At a fixed local time that the clocks
    /// skip, the fire comes as long after midnight as on other days (02:30 becomes 03:30), and is one with a regular
    /// fire of that instant; at one that they show twice, it comes the first time. An expression whose minute or hour
    /// begins with `*` fires whenever the clock shows what it names, so it keeps its pace through both. An interval
    /// counts elapsed time and never heeds clocks.
    #[must_use]
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        match &self.0 {
            Kind::Cron { expression, zone } => fires::next_after(expression.calendar(), zone, at),
            Kind::Every { first, interval } => next_of_interval(*first, *interval, at),
            Kind::At(fire) => (*fire > at).then_some(*fire),
            Kind::Never => None,
        }
    }

    /// The least fire strictly after `at` in full; its instant is that of [`Schedule::next_after`].
    #[must_use]
    pub fn occurrence_after(&self, at: Timestamp) -> Option<Occurrence> {
        let at = self.next_after(at)?;
        Some(Occurrence { at, nominal: at, exclusion: None, change: None })
    }
}

fn next_of_interval(first: i64, interval: i64, at: Timestamp) -> Option<Timestamp> {
    let passed = at.as_micros().saturating_sub(first);
    let fire = if passed < 0 {
        first
    } else {
        (passed / interval).checked_add(1)?.checked_mul(interval)?.checked_add(first)?
    };
    (at.as_micros() < fire && fire <= Timestamp::MAX.as_micros()).then(|| Timestamp::from_micros(fire))
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Cron { expression, zone } => write!(f, "Schedule(cron '{expression}' in {})", zone.name()),
            Kind::Every { first, interval } => {
                write!(f, "Schedule(every {interval} µs from {})", Timestamp::from_micros(*first))
            }
            Kind::At(at) => write!(f, "Schedule(at {at})"),
            Kind::Never => f.write_str("Schedule(never)"),
        }
    }
}

#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;
