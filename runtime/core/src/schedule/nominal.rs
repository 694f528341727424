//! The fires of a trigger before calendars and jitter do anything to them.

use std::fmt;
use std::sync::Arc;

use chrono::DateTime;

use super::Planning;
use super::allowed::Fires;
use super::fires::{self, ClockRules};
use super::occurrence::ClockChange;
use super::recurrence::{Pace, Recurrence};
use super::zone::{self, Zone};
use crate::spec::{Fold, Gap, LocalOrUtc, Trigger, TriggerKind};
use crate::time::Timestamp;

/// Fires by kind.
#[derive(Clone)]
pub(super) enum Nominal {
    /// At local times, which all schedules of one expression share.
    Recurring { recurrence: Arc<Recurrence>, rules: ClockRules },
    /// At `first` and whole intervals after it; both in microseconds, the interval at least 1.
    Every { first: i64, interval: i64 },
    /// At one local time.
    Once(Arc<Once>),
    /// At one instant.
    At(Timestamp),
    /// Never.
    Never,
}

/// One local time.
pub(super) struct Once {
    /// In microseconds since 1970-01-01T00:00:00 on the local clock.
    reading: i64,
    /// Its instants, of which there are two at most, the earlier one first.
    fires: [Option<Timestamp>; 2],
    rules: ClockRules,
}

impl Nominal {
    /// Prepares the times of `trigger`. `start_at` is the trigger's, in microseconds.
    pub(super) fn new(trigger: &Trigger, planning: &Planning<'_>, zone: &Zone, start_at: Option<i64>) -> Self {
        let rules = ClockRules { gap: trigger.gap, fold: trigger.fold };
        match &trigger.kind {
            TriggerKind::Cron(expression) => {
                Self::Recurring { recurrence: expression.recurrence(planning.seed), rules }
            }
            TriggerKind::Daily { .. }
            | TriggerKind::Weekly { .. }
            | TriggerKind::Monthly { .. }
            | TriggerKind::Yearly { .. } => Recurrence::of_calendar(&trigger.kind)
                .map_or(Self::Never, |recurrence| Self::Recurring { recurrence: Arc::new(recurrence), rules }),
            TriggerKind::Every { interval, from } => {
                let interval = i64::try_from(interval.get().as_micros()).unwrap_or(i64::MAX).max(1);
                // A stated anchor is itself a fire; saving a schedule is not.
                let anchor = from.map(Timestamp::as_micros).or(start_at);
                let first = anchor.unwrap_or_else(|| planning.since.as_micros().saturating_add(interval));
                Self::Every { first, interval }
            }
            TriggerKind::At(LocalOrUtc::Utc(at)) => Self::At(*at),
            TriggerKind::At(LocalOrUtc::Local(local)) => {
                let fires = zone::instants_of(*local, zone.tz(), rules);
                Self::Once(Arc::new(Once { reading: local.and_utc().timestamp_micros(), fires, rules }))
            }
            TriggerKind::Startup | TriggerKind::After(_) => Self::Never,
        }
    }

    /// The least fire strictly after `at`.
    pub(super) fn next_after(&self, zone: &Zone, at: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Recurring { recurrence, rules } => fires::next_after(recurrence, *rules, zone, at),
            Self::Every { first, interval } => next_of_interval(*first, *interval, at),
            Self::Once(once) => once.fires.into_iter().flatten().find(|fire| *fire > at),
            Self::At(fire) => (*fire > at).then_some(*fire),
            Self::Never => None,
        }
    }

    /// What a change of the clocks did to the fire `at`. `moved` says that calendars moved it here, so that its date need
    /// not be one that the trigger names.
    pub(super) fn change_of(&self, zone: &Zone, at: Timestamp, moved: bool) -> Option<ClockChange> {
        let secs = at.as_micros().div_euclid(1_000_000);
        let index = zone.index_at(secs);
        let reading = zone.reading_at(at);
        let regular = match self {
            Self::Recurring { recurrence, .. } => {
                let local = reading.div_euclid(1_000_000);
                recurrence.names(local) || moved && recurrence.times.contain(local)
            }
            Self::Once(once) => moved || once.reading == reading,
            Self::Every { .. } | Self::At(_) | Self::Never => return None,
        };
        if !regular {
            return Some(ClockChange::Moved);
        }
        if secs - zone.periods()[index].starts_at < -zone.change_at(index) {
            return Some(ClockChange::Second);
        }
        let first = zone.ends_at(index) - secs <= -zone.change_at(index + 1);
        first.then_some(ClockChange::First)
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

/// The fires in a zone, as calendars ask for them.
pub(super) struct InZone<'a> {
    pub nominal: &'a Nominal,
    pub zone: &'a Zone,
}

impl Fires for InZone<'_> {
    fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        self.nominal.next_after(self.zone, at)
    }

    fn reading_at_or_after(&self, from: i64) -> Option<i64> {
        let once = |reading: i64| (reading >= from).then_some(reading);
        match self.nominal {
            Nominal::Recurring { recurrence, .. } => {
                let from = from.div_euclid(1_000_000) + i64::from(from.rem_euclid(1_000_000) != 0);
                recurrence.at_or_after(from).map(|local| local * 1_000_000)
            }
            Nominal::Once(fire) => once(fire.reading),
            Nominal::At(at) => once(self.zone.reading_at(*at)),
            Nominal::Every { .. } => {
                // Elapsed time has no readings of its own; those of its instants stand for them.
                let at = Timestamp::from_micros(self.zone.first_instant_of(from) - 1);
                self.nominal.next_after(self.zone, at).map(|fire| self.zone.reading_at(fire))
            }
            Nominal::Never => None,
        }
    }

    fn at_reading(&self, reading: i64) -> Option<Timestamp> {
        let rules = match self.nominal {
            Nominal::Recurring { recurrence, rules } if recurrence.pace == Pace::Fixed => *rules,
            Nominal::Once(once) => once.rules,
            Nominal::Recurring { .. } => ClockRules { gap: Gap::Skip, fold: Fold::First },
            Nominal::Every { .. } | Nominal::At(_) | Nominal::Never => {
                ClockRules { gap: Gap::Shift, fold: Fold::First }
            }
        };
        let local = DateTime::from_timestamp_micros(reading)?.naive_utc();
        zone::instants_of(local, self.zone.tz(), rules)[0]
    }
}

impl fmt::Debug for Nominal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Recurring { recurrence, rules } => write!(f, "{recurrence:?} {rules:?}"),
            Self::Every { first, interval } => write!(f, "every {interval} µs from {}", Timestamp::from_micros(*first)),
            Self::Once(once) => write!(f, "at {:?}", once.fires),
            Self::At(at) => write!(f, "at {at}"),
            Self::Never => f.write_str("never"),
        }
    }
}
