//! Triggers as they are written: a flat map of which one key says the kind.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cron_fields::{CronFields, CronText};
use super::{CalendarRules, DayShift, DaysOfMonth, Fold, Gap, LocalOrUtc, TimeOfDay, Trigger, TriggerKind};
use crate::quantity::Period;
use crate::schedule::{self, CronExpression, InvalidCron};
use crate::spec::day::{DayOfMonth, Month, NthWeekday, Weekday};
use crate::spec::list::OneOrMany;
use crate::spec::{TimeZone, Upstream, dependency};
use crate::time::Timestamp;

/// The longest jitter.
const MAX_JITTER: Period = Period::from_secs(86_400);

/// The map names no trigger.
#[derive(Debug, thiserror::Error)]
pub enum InvalidTrigger {
    /// No defining key, or more than one.
    #[error("a trigger needs exactly one of {KINDS}, but this one has {found}")]
    Kind {
        /// The defining keys that were there.
        found: String,
    },
    /// A modifier that makes no sense with the kind.
    #[error("'{modifier}' does not go with '{kind}': {why}; remove it")]
    Stray {
        /// The modifier's key.
        modifier: &'static str,
        /// The kind's key.
        kind: &'static str,
        /// What the modifier is for.
        why: &'static str,
    },
    /// An interval of less than a second.
    #[error("'every: {0}' is too short: the shortest interval is 1s")]
    TooOften(Period),
    /// A jitter of nothing or of more than a day.
    #[error("'jitter: {0}' is not allowed: more than nothing and at most {MAX_JITTER} is")]
    Jitter(Period),
    /// `startup: false`.
    #[error("'startup' can only be true: remove the trigger instead")]
    StartupFalse,
    /// Neither or both of `day` and `weekday`.
    #[error("'{kind}' needs either 'day', such as 1 or last, or 'weekday', such as 'first mon'")]
    DayOrWeekday {
        /// The kind's key.
        kind: &'static str,
    },
    /// `after` without a job.
    #[error("'after' names no job: name at least one")]
    AfterNothing,
    /// A map of cron fields without any.
    #[error("'cron' needs an expression or at least one of second, minute, hour, day_of_month, month, day_of_week")]
    NoCronField,
    /// A field of a cron map that is more than one field.
    #[error("cron field {field}: '{value}' is not the value of one field")]
    CronField {
        /// The field's key.
        field: &'static str,
        /// Its value.
        value: String,
    },
    /// `seconds: false` with a map that has `second`.
    #[error("'seconds: false' contradicts the field 'second': remove one of them")]
    SecondsFalse,
    /// A jitter that could change the order of fires.
    #[error("'jitter: {jitter}' is longer than the {distance} between two fires: at most that is allowed")]
    JitterTooLong {
        /// The jitter.
        jitter: Period,
        /// The shortest distance of two fires.
        distance: Period,
    },
    /// A shift without calendars.
    #[error(
        "'calendars.shift' moves fires off dates that 'include' or 'exclude' refuse, and neither is there: name a \
         calendar, or remove it"
    )]
    ShiftOffNothing,
    /// Days that do not exist.
    #[error("'{kind}' never fires: none of its months has such a day")]
    Never {
        /// The kind's key.
        kind: &'static str,
    },
    /// The text is no cron expression.
    #[error(transparent)]
    Cron(#[from] InvalidCron),
}

const KINDS: &str = "'cron', 'every', 'daily', 'weekly', 'monthly', 'yearly', 'at', 'startup', 'after'";

/// The keys of a trigger. Exactly one of `cron`, `every`, `daily`, `weekly`, `monthly`, `yearly`, `at`, `startup` and
/// `after` is there.
#[derive(Serialize, Deserialize, JsonSchema, Default, Clone)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Trigger")]
pub(super) struct TriggerFields {
    /// Five fields: minute, hour, day of month, month, day of week. Or a map of fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cron: Option<CronText>,
    /// With `cron`: the expression has six fields, seconds first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seconds: Option<bool>,
    /// The time between fires, counted in elapsed time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    every: Option<Period>,
    /// With `every`: the instant to count from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Timestamp>,
    /// Every day at this time, or these.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    daily: Option<OneOrMany<TimeOfDay>>,
    /// On days of the week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weekly: Option<WeeklyFields>,
    /// On days of every month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    monthly: Option<MonthlyFields>,
    /// On days of some months of every year.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    yearly: Option<YearlyFields>,
    /// Once, at this instant: local to the trigger's zone unless an offset is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<LocalOrUtc>,
    /// True: once at every start of the daemon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    startup: Option<bool>,
    /// Once runs of all these jobs have ended so since it fired last: a job's name, or a list of names or of maps with
    /// `job` and `outcome`.
    #[serde(default, deserialize_with = "dependency::read_some", skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "dependency::schema::<Upstream>")]
    after: Option<Vec<Upstream>>,
    /// The IANA time zone of its local times. Default: the job's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    timezone: Option<TimeZone>,
    /// What becomes of a local time that the clocks skip. Default: `shift`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gap: Option<Gap>,
    /// What becomes of a local time that the clocks show twice. Default: `first`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fold: Option<Fold>,
    /// Every fire is this much later at most, the same on every look. At most the distance of two fires, and a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jitter: Option<Period>,
    /// Times before it are no fires. An interval counts from it unless it has `from`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    start_at: Option<LocalOrUtc>,
    /// Times after it are no fires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    end_at: Option<LocalOrUtc>,
    /// On which dates it fires, by named calendars.
    #[serde(default, skip_serializing_if = "CalendarRules::is_empty")]
    calendars: CalendarRules,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone)]
#[serde(deny_unknown_fields)]
struct WeeklyFields {
    /// The days.
    days: OneOrMany<Weekday>,
    /// The time of each, or the times.
    at: OneOrMany<TimeOfDay>,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone)]
#[serde(deny_unknown_fields)]
struct MonthlyFields {
    /// 1 to 31, -1 to -31 from the end, `last`, or a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    day: Option<OneOrMany<DayOfMonth>>,
    /// `first mon` to `fifth sun`, `last fri`, or a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weekday: Option<OneOrMany<NthWeekday>>,
    /// The time of each, or the times.
    at: OneOrMany<TimeOfDay>,
}

#[derive(Serialize, Deserialize, JsonSchema, Clone)]
#[serde(deny_unknown_fields)]
struct YearlyFields {
    /// The month, or the months.
    month: OneOrMany<Month>,
    /// 1 to 31, -1 to -31 from the end, `last`, or a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    day: Option<OneOrMany<DayOfMonth>>,
    /// `first mon` to `fifth sun`, `last fri`, or a list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weekday: Option<OneOrMany<NthWeekday>>,
    /// The time of each, or the times.
    at: OneOrMany<TimeOfDay>,
}

fn days_of_month(
    kind: &'static str,
    day: Option<OneOrMany<DayOfMonth>>,
    weekday: Option<OneOrMany<NthWeekday>>,
) -> Result<DaysOfMonth, InvalidTrigger> {
    match (day, weekday) {
        (Some(days), None) => Ok(DaysOfMonth::Days(days)),
        (None, Some(days)) => Ok(DaysOfMonth::Weekdays(days)),
        _ => Err(InvalidTrigger::DayOrWeekday { kind }),
    }
}

impl TriggerFields {
    fn kind(&mut self) -> Result<TriggerKind, InvalidTrigger> {
        let present = [
            ("cron", self.cron.is_some()),
            ("every", self.every.is_some()),
            ("daily", self.daily.is_some()),
            ("weekly", self.weekly.is_some()),
            ("monthly", self.monthly.is_some()),
            ("yearly", self.yearly.is_some()),
            ("at", self.at.is_some()),
            ("startup", self.startup.is_some()),
            ("after", self.after.is_some()),
        ];
        let names: Vec<&str> = present.into_iter().filter(|(_, is)| *is).map(|(name, _)| name).collect();
        if names.len() != 1 {
            let found = if names.is_empty() { "none of them".to_owned() } else { names.join(" and ") };
            return Err(InvalidTrigger::Kind { found });
        }
        if let Some(cron) = self.cron.take() {
            return self.cron_kind(cron).map(TriggerKind::Cron);
        }
        if let Some(interval) = self.every {
            let short = interval < Period::from_secs(1);
            let from = self.from.take();
            return if short {
                Err(InvalidTrigger::TooOften(interval))
            } else {
                Ok(TriggerKind::Every { interval, from })
            };
        }
        if let Some(at) = self.daily.take() {
            return Ok(TriggerKind::Daily { at });
        }
        if let Some(WeeklyFields { days, at }) = self.weekly.take() {
            return Ok(TriggerKind::Weekly { days, at });
        }
        if let Some(MonthlyFields { day, weekday, at }) = self.monthly.take() {
            return Ok(TriggerKind::Monthly { days: days_of_month("monthly", day, weekday)?, at });
        }
        if let Some(YearlyFields { month, day, weekday, at }) = self.yearly.take() {
            return Ok(TriggerKind::Yearly { months: month, days: days_of_month("yearly", day, weekday)?, at });
        }
        if let Some(at) = self.at {
            return Ok(TriggerKind::At(at));
        }
        if let Some(upstreams) = self.after.take() {
            let empty = upstreams.is_empty();
            return if empty { Err(InvalidTrigger::AfterNothing) } else { Ok(TriggerKind::After(upstreams)) };
        }
        if self.startup == Some(true) { Ok(TriggerKind::Startup) } else { Err(InvalidTrigger::StartupFalse) }
    }

    fn cron_kind(&mut self, cron: CronText) -> Result<CronExpression, InvalidTrigger> {
        match (cron, self.seconds.take()) {
            (CronText::Expression(text), Some(true)) => Ok(CronExpression::with_seconds(&text)?),
            (CronText::Expression(text), _) => Ok(text.parse()?),
            (CronText::Fields(CronFields { second: Some(_), .. }), Some(false)) => Err(InvalidTrigger::SecondsFalse),
            // A map says by itself whether it has seconds; without them it fires at second 0.
            (CronText::Fields(fields), Some(true)) if fields.second.is_none() => {
                CronFields { second: Some(OneOrMany::one("0".to_owned().into())), ..fields }.expression()
            }
            (CronText::Fields(fields), _) => fields.expression(),
        }
    }

    /// The first modifier that makes no sense with `kind`, and what it is for.
    fn stray(&self, kind: &TriggerKind) -> Option<(&'static str, &'static str)> {
        let untimed = !kind.is_timed();
        let local = !untimed && !matches!(kind, TriggerKind::Every { .. });
        let instant = matches!(kind, TriggerKind::At(LocalOrUtc::Utc(_)));
        let once = matches!(kind, TriggerKind::At(_));
        let dated = self.start_at.is_some() || self.end_at.is_some() || !self.calendars.is_empty();
        let strays = [
            ("seconds", self.seconds.is_some(), "it says that a cron expression has six fields"),
            ("from", self.from.is_some(), "it is the anchor of 'every'"),
            ("timezone", self.timezone.is_some() && (untimed || !(local && !instant || dated)), "it has no local time"),
            ("gap", self.gap.is_some() && (!local || instant), "it has no local time that clocks could skip"),
            ("fold", self.fold.is_some() && (!local || instant), "it has no local time that clocks could repeat"),
            ("jitter", self.jitter.is_some() && untimed, "it has no instants that could be spread"),
            ("start_at", self.start_at.is_some() && (untimed || once), "it limits times that repeat"),
            ("end_at", self.end_at.is_some() && (untimed || once), "it limits times that repeat"),
            ("calendars", !self.calendars.is_empty() && untimed, "it has no dates"),
        ];
        strays.into_iter().find(|(_, is, _)| *is).map(|(modifier, _, why)| (modifier, why))
    }
}

impl TryFrom<TriggerFields> for Trigger {
    type Error = InvalidTrigger;

    fn try_from(mut fields: TriggerFields) -> Result<Self, InvalidTrigger> {
        let kind = fields.kind()?;
        if let Some((modifier, why)) = fields.stray(&kind) {
            return Err(InvalidTrigger::Stray { modifier, kind: kind.key(), why });
        }
        if let Some(jitter) = fields.jitter.filter(|jitter| jitter.get().is_zero() || *jitter > MAX_JITTER) {
            return Err(InvalidTrigger::Jitter(jitter));
        }
        if fields.calendars.shift != DayShift::None && fields.calendars.is_empty() {
            return Err(InvalidTrigger::ShiftOffNothing);
        }
        if fields.calendars.shift != DayShift::None && matches!(kind, TriggerKind::Every { .. }) {
            return Err(InvalidTrigger::Stray {
                modifier: "calendars.shift",
                kind: kind.key(),
                why: "an interval has no time of day to keep on another date",
            });
        }
        if !schedule::ever_fires(&kind) {
            return Err(InvalidTrigger::Never { kind: kind.key() });
        }
        if let (Some(jitter), Some(distance)) = (fields.jitter, schedule::shortest_distance(&kind))
            && jitter > distance
        {
            return Err(InvalidTrigger::JitterTooLong { jitter, distance });
        }
        Ok(Self {
            kind,
            timezone: fields.timezone,
            gap: fields.gap.unwrap_or_default(),
            fold: fields.fold.unwrap_or_default(),
            jitter: fields.jitter,
            start_at: fields.start_at,
            end_at: fields.end_at,
            calendars: fields.calendars,
        })
    }
}

impl From<Trigger> for TriggerFields {
    fn from(trigger: Trigger) -> Self {
        let modifiers = Self {
            timezone: trigger.timezone,
            gap: (trigger.gap != Gap::default()).then_some(trigger.gap),
            fold: (trigger.fold != Fold::default()).then_some(trigger.fold),
            jitter: trigger.jitter,
            start_at: trigger.start_at,
            end_at: trigger.end_at,
            calendars: trigger.calendars,
            ..Self::default()
        };
        match trigger.kind {
            TriggerKind::Cron(cron) => Self {
                seconds: cron.has_seconds().then_some(true),
                cron: Some(CronText::Expression(cron.to_string())),
                ..modifiers
            },
            TriggerKind::Every { interval, from } => Self { every: Some(interval), from, ..modifiers },
            TriggerKind::Daily { at } => Self { daily: Some(at), ..modifiers },
            TriggerKind::Weekly { days, at } => Self { weekly: Some(WeeklyFields { days, at }), ..modifiers },
            TriggerKind::Monthly { days, at } => {
                let (day, weekday) = listed_days(days);
                Self { monthly: Some(MonthlyFields { day, weekday, at }), ..modifiers }
            }
            TriggerKind::Yearly { months, days, at } => {
                let (day, weekday) = listed_days(days);
                Self { yearly: Some(YearlyFields { month: months, day, weekday, at }), ..modifiers }
            }
            TriggerKind::At(at) => Self { at: Some(at), ..modifiers },
            TriggerKind::Startup => Self { startup: Some(true), ..modifiers },
            TriggerKind::After(upstreams) => Self { after: Some(upstreams), ..modifiers },
        }
    }
}

fn listed_days(days: DaysOfMonth) -> (Option<OneOrMany<DayOfMonth>>, Option<OneOrMany<NthWeekday>>) {
    match days {
        DaysOfMonth::Days(days) => (Some(days), None),
        DaysOfMonth::Weekdays(days) => (None, Some(days)),
    }
}
