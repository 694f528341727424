//! Triggers: what says when a job fires, with what narrows it or moves it.

mod cron_fields;
mod fields;
mod instant;
mod times;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use cron_fields::{CronField, CronFields, CronValue};
pub use fields::InvalidTrigger;
pub use instant::LocalOrUtc;
pub use times::{InvalidTimeOfDay, TimeOfDay};

use super::day::{DayOfMonth, Month, NthWeekday, Weekday};
use super::list::OneOrMany;
use super::{TimeZone, Upstream};
use crate::id::CalendarName;
use crate::quantity::Period;
use crate::schedule::CronExpression;
use crate::time::Timestamp;
use fields::TriggerFields;

/// Says when a job fires. It is written as a map whose one defining key says the kind; the other keys modify it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "TriggerFields", into = "TriggerFields")]
#[schemars(with = "TriggerFields")]
pub struct Trigger {
    /// The times themselves.
    pub kind: TriggerKind,
    /// The zone of its local times; the job's if absent.
    pub timezone: Option<TimeZone>,
    /// What becomes of a local time that the clocks skip.
    pub gap: Gap,
    /// What becomes of a local time that the clocks show twice.
    pub fold: Fold,
    /// Every fire is this much later at most, by a stable hash of the fire; at most a day.
    pub jitter: Option<Period>,
    /// Times before it are no fires. The default anchor of an interval, which then fires at it.
    pub start_at: Option<LocalOrUtc>,
    /// Times after it are no fires.
    pub end_at: Option<LocalOrUtc>,
    /// On which dates it fires.
    pub calendars: CalendarRules,
}

/// The times of a trigger.
#[derive(Clone, PartialEq, Debug)]
pub enum TriggerKind {
    /// At the local times that a cron expression names.
    Cron(CronExpression),
    /// Every so often, counted in elapsed time from an anchor.
    Every {
        /// The time between fires; at least a second.
        interval: Period,
        /// The anchor: itself a fire. If absent, `start_at`, which is one too, or the instant the schedule was saved,
        /// which is none.
        from: Option<Timestamp>,
    },
    /// Every day.
    Daily {
        /// The times of the day.
        at: OneOrMany<TimeOfDay>,
    },
    /// On days of the week.
    Weekly {
        /// The days.
        days: OneOrMany<Weekday>,
        /// The times of each.
        at: OneOrMany<TimeOfDay>,
    },
    /// On days of every month; a month that lacks a day is passed over.
    Monthly {
        /// The days.
        days: DaysOfMonth,
        /// The times of each.
        at: OneOrMany<TimeOfDay>,
    },
    /// On days of some months of every year.
    Yearly {
        /// The months.
        months: OneOrMany<Month>,
        /// The days in each of them.
        days: DaysOfMonth,
        /// The times of each.
        at: OneOrMany<TimeOfDay>,
    },
    /// Once.
    At(LocalOrUtc),
    /// Once at every start of the daemon. It has no instants in time.
    Startup,
    /// Once runs of all these jobs have ended so since it fired last; there is at least one.
    After(Vec<Upstream>),
}

/// Days within a month.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum DaysOfMonth {
    /// Counted from either end.
    Days(OneOrMany<DayOfMonth>),
    /// By the day of the week.
    Weekdays(OneOrMany<NthWeekday>),
}

impl From<TriggerKind> for Trigger {
    /// The trigger without modifiers.
    fn from(kind: TriggerKind) -> Self {
        Self {
            kind,
            timezone: None,
            gap: Gap::default(),
            fold: Fold::default(),
            jitter: None,
            start_at: None,
            end_at: None,
            calendars: CalendarRules::default(),
        }
    }
}

impl TriggerKind {
    /// The key that says the kind.
    #[must_use]
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Cron(_) => "cron",
            Self::Every { .. } => "every",
            Self::Daily { .. } => "daily",
            Self::Weekly { .. } => "weekly",
            Self::Monthly { .. } => "monthly",
            Self::Yearly { .. } => "yearly",
            Self::At(_) => "at",
            Self::Startup => "startup",
            Self::After(_) => "after",
        }
    }

    /// Whether it fires at instants, and not when something happens.
    #[must_use]
    pub const fn is_timed(&self) -> bool {
        !matches!(self, Self::Startup | Self::After(_))
    }
}

/// What becomes of a local time that the clocks skip, as 02:30 when they go from 02:00 to 03:00.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// The offset before the gap counts on: 02:30 becomes 03:30.
    #[default]
    Shift,
    /// The first instant after the gap: 02:30 becomes 03:00.
    End,
    /// There is no fire.
    Skip,
}

/// What becomes of a local time that the clocks show twice.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fold {
    /// It fires the first time.
    #[default]
    First,
    /// It fires the last time.
    Last,
    /// It fires both times.
    Both,
}

/// On which dates a trigger fires, by named calendars. The date is that of the fire in the trigger's zone.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CalendarRules {
    /// Never on a date in any of these; this wins over `include`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub exclude: Vec<CalendarName>,
    /// Only on a date in any of these. All dates, if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub include: Vec<CalendarName>,
    /// What becomes of a fire on any other date.
    #[serde(default, skip_serializing_if = "is_default")]
    pub shift: DayShift,
}

impl CalendarRules {
    /// Whether all dates are allowed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.exclude.is_empty() && self.include.is_empty()
    }
}

/// What becomes of a fire on a date that calendars do not allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DayShift {
    /// It starts nothing; a `skipped` record says so.
    #[default]
    None,
    /// It moves to the same time on the nearest allowed date before.
    Previous,
    /// It moves to the same time on the nearest allowed date after.
    Next,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests;
