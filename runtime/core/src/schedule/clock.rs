//! What changes of the clocks will do to a trigger: the fixed local times that they skip or show twice.

use chrono::{NaiveDateTime, TimeDelta};
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::allowed::AllowedDates;
use super::cron_words::{CronWords, is_any};
use super::words::{day, time};
use super::zone::{self, Period};
use super::{Planning, Schedule};
use crate::spec::{CalendarRules, Fold, Gap, LocalOrUtc, TimeZone, Trigger, TriggerKind};
use crate::time::Timestamp;

/// How many times of one trigger are named for one change of the clocks.
const MOST_READINGS: usize = 10;

/// A local time that a trigger names, and that the clocks skip or show twice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClockEffect {
    /// When the clocks change.
    pub changes_at: Timestamp,
    /// The zone whose clocks change.
    pub timezone: TimeZone,
    /// The local time, as `2027-03-28T02:30:00`.
    #[schemars(with = "String")]
    pub local: LocalTime,
    /// What the clocks do to it.
    pub change: LocalChange,
    /// When it fires for that; skipped, at most once; repeated, up to twice.
    pub fires_at: Vec<Timestamp>,
}

/// A date and time on a local clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LocalTime(pub NaiveDateTime);

/// What a change of the clocks does to a local time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LocalChange {
    /// The clocks go forward over it: it does not exist.
    Skipped,
    /// The clocks go back over it: it comes twice.
    Repeated,
}

impl Serialize for LocalTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        LocalOrUtc::Local(self.0).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LocalTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match LocalOrUtc::deserialize(deserializer)? {
            LocalOrUtc::Local(local) => Ok(Self(local)),
            LocalOrUtc::Utc(_) => Err(serde::de::Error::custom("a local time has no offset")),
        }
    }
}

impl std::fmt::Display for ClockEffect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (date, at) = (day(self.local.0.date()), time(self.local.0.time()));
        let zone = self.timezone.0;
        let shown = |fire: &Timestamp| fire.to_chrono().with_timezone(&zone).naive_local();
        match (self.change, self.fires_at.as_slice()) {
            (LocalChange::Skipped, []) => write!(f, "not on {date}, as {at} does not exist that day"),
            (LocalChange::Skipped, [fire, ..]) => {
                write!(f, "on {} at {}, ", day(shown(fire).date()), time(shown(fire).time()))?;
                write!(
                    f,
                    "as {at} does not exist{}",
                    if shown(fire).date() == self.local.0.date() { " that day" } else { "" }
                )
            }
            (LocalChange::Repeated, [_, _, ..]) => write!(f, "on {date} at {at} twice, as that time comes twice"),
            (LocalChange::Repeated, fires) => {
                let first = fires.first().is_some_and(|fire| *fire < self.changes_at);
                let which = if first { "first" } else { "second" };
                write!(f, "on {date} at {at} only the {which} time, as that time comes twice")
            }
        }
    }
}

/// What the changes of the clocks after `from` and up to `until` do to the local times of `trigger`, in order; at most
/// ten times for each change. Nothing, if the trigger counts elapsed time or names instants.
#[must_use]
pub fn clock_effects(
    trigger: &Trigger,
    planning: &Planning<'_>,
    from: Timestamp,
    until: Timestamp,
) -> Vec<ClockEffect> {
    let mut effects = Vec::new();
    each_clock_effect(trigger, planning, from, until, MOST_READINGS, |effect| effects.extend(effect));
    effects
}

/// As [`clock_effects`], one by one; of each change at most `most` times are looked at. Times beyond the first ten come as
/// none: they are to be counted.
pub(super) fn each_clock_effect(
    trigger: &Trigger,
    planning: &Planning<'_>,
    from: Timestamp,
    until: Timestamp,
    most: usize,
    mut each: impl FnMut(Option<ClockEffect>),
) {
    let Some(heed) = heed(&trigger.kind) else { return };
    let readings = readings(trigger, planning);
    let zone = trigger.timezone.map_or(planning.zone, |zone| zone.0);
    let allowed = AllowedDates::new(&trigger.calendars, planning.calendars);
    let bounds = Bounds::of(trigger, zone);
    for change in changes(zone, from, until).filter(|change| bounds.contain(change.at)) {
        // Read by a clock in UTC, the instants of this schedule are local times.
        let mut reading = Timestamp::from_micros(change.from.as_micros() - 1);
        for number in 0..most {
            reading = match readings.next_after(reading) {
                Some(next) if next < change.to => next,
                _ => break,
            };
            let local = reading.to_chrono().naive_utc();
            if allowed.as_ref().is_none_or(|allowed| allowed.refuses(local.date()).is_none()) {
                each((number < MOST_READINGS).then(|| change.effect(trigger, heed, zone, local)));
            }
        }
    }
}

/// How a trigger heeds the clocks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Heed {
    /// Its times are fixed: `gap` and `fold` have their say.
    Fixed,
    /// It fires whenever the clock shows its times, of which not every hour has some.
    Shown,
}

/// How a trigger of this kind heeds the clocks; none, if it does not, or keeps its pace through every change.
pub(super) fn heed(kind: &TriggerKind) -> Option<Heed> {
    match kind {
        TriggerKind::Cron(expression) => {
            let words = CronWords::of(&expression.to_string())?;
            match words.is_fixed() {
                true => Some(Heed::Fixed),
                false => (!is_any(&words.hour)).then_some(Heed::Shown),
            }
        }
        TriggerKind::At(LocalOrUtc::Local(_))
        | TriggerKind::Daily { .. }
        | TriggerKind::Weekly { .. }
        | TriggerKind::Monthly { .. }
        | TriggerKind::Yearly { .. } => Some(Heed::Fixed),
        TriggerKind::At(LocalOrUtc::Utc(_))
        | TriggerKind::Every { .. }
        | TriggerKind::Startup
        | TriggerKind::After(_) => None,
    }
}

/// The schedule whose instants, read in UTC, are the local times that `trigger` names.
fn readings(trigger: &Trigger, planning: &Planning<'_>) -> Schedule {
    let plain = Trigger {
        timezone: Some(TimeZone::UTC),
        jitter: None,
        start_at: None,
        end_at: None,
        calendars: CalendarRules::default(),
        ..trigger.clone()
    };
    Schedule::new(&plain, planning)
}

/// Between which instants a trigger fires.
struct Bounds {
    start: Timestamp,
    end: Timestamp,
}

impl Bounds {
    fn of(trigger: &Trigger, zone: Tz) -> Self {
        let instant = |bound| instant_of(bound, zone);
        Self {
            start: trigger.start_at.map_or(Timestamp::from_micros(i64::MIN), instant),
            end: trigger.end_at.map_or(Timestamp::MAX, instant),
        }
    }

    fn contain(&self, at: Timestamp) -> bool {
        self.start <= at && at <= self.end
    }
}

/// The first instant at which the clock shows `at` or more.
pub(super) fn instant_of(at: LocalOrUtc, zone: Tz) -> Timestamp {
    match at {
        LocalOrUtc::Utc(at) => at,
        LocalOrUtc::Local(local) => {
            Timestamp::from_micros(zone::table(zone).first_instant_of(local.and_utc().timestamp_micros()))
        }
    }
}

/// A change of the clocks, and the readings that it skips or repeats: from `from` to before `to`, read in UTC.
struct Change {
    at: Timestamp,
    kind: LocalChange,
    from: Timestamp,
    to: Timestamp,
    before: Period,
    after: Period,
}

/// The changes of the clocks in `zone` after `from` and up to `until`.
fn changes(zone: Tz, from: Timestamp, until: Timestamp) -> impl Iterator<Item = Change> {
    let secs = |at: Timestamp| at.as_micros().div_euclid(1_000_000);
    let table = zone::table(zone);
    let periods = &table.periods()[table.index_at(secs(from))..];
    periods.windows(2).map_while(move |pair| {
        let (before, after) = (pair[0], pair[1]);
        let one = Timestamp::from_secs(after.starts_at + before.offset);
        let other = Timestamp::from_secs(after.starts_at + after.offset);
        let kind = if one < other { LocalChange::Skipped } else { LocalChange::Repeated };
        let at = Timestamp::from_secs(after.starts_at);
        (at <= until).then_some(Change { at, kind, from: one.min(other), to: one.max(other), before, after })
    })
}

impl Change {
    fn effect(&self, trigger: &Trigger, heed: Heed, zone: Tz, local: NaiveDateTime) -> ClockEffect {
        let (gap, fold) = match heed {
            Heed::Fixed => (trigger.gap, trigger.fold),
            Heed::Shown => (Gap::Skip, Fold::Both),
        };
        let by = |period: Period| Timestamp::from(local.and_utc() - TimeDelta::seconds(period.offset));
        let fires_at = match self.kind {
            LocalChange::Skipped => match gap {
                Gap::Shift => vec![by(self.before)],
                Gap::End => vec![self.at],
                Gap::Skip => vec![],
            },
            LocalChange::Repeated => match fold {
                Fold::First => vec![by(self.before)],
                Fold::Last => vec![by(self.after)],
                Fold::Both => vec![by(self.before), by(self.after)],
            },
        };
        ClockEffect {
            changes_at: self.at,
            timezone: TimeZone(zone),
            local: LocalTime(local),
            change: self.kind,
            fires_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Calendars;

    /// What happens in 2027 to the trigger, in Berlin.
    fn effects(trigger: &str) -> Vec<String> {
        let planning = Planning {
            zone: Tz::Europe__Berlin,
            since: Timestamp::EPOCH,
            seed: 7,
            calendars: &[serde_json::from_str(r#"{"name": "sundays", "weekdays": ["sun"]}"#).unwrap()]
                .iter()
                .collect::<Calendars>(),
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let effects = clock_effects(
            &serde_json::from_str(trigger).unwrap(),
            &planning,
            at("2027-01-01T00:00:00Z"),
            at("2027-12-31T00:00:00Z"),
        );
        effects.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn skipped_and_repeated_times_are_told() {
        let skipped = "on 28 March 2027 at 03:30, as 02:30 does not exist that day";
        let repeated = "on 31 October 2027 at 02:30 only the first time, as that time comes twice";
        assert_eq!(effects(r#"{"daily": "02:30"}"#), [skipped, repeated]);
        assert_eq!(effects(r#"{"cron": "30 2 * * *"}"#), [skipped, repeated]);
        assert_eq!(effects(r#"{"weekly": {"days": "sun", "at": "02:30"}}"#), [skipped, repeated]);
        assert_eq!(effects(r#"{"at": "2027-03-28T02:30:00"}"#), [skipped]);
        assert_eq!(
            effects(r#"{"daily": "02:30", "gap": "end", "fold": "last"}"#),
            [
                "on 28 March 2027 at 03:00, as 02:30 does not exist that day",
                "on 31 October 2027 at 02:30 only the second time, as that time comes twice"
            ]
        );
        assert_eq!(
            effects(r#"{"daily": "02:30", "gap": "skip", "fold": "both"}"#),
            [
                "not on 28 March 2027, as 02:30 does not exist that day",
                "on 31 October 2027 at 02:30 twice, as that time comes twice"
            ]
        );
    }

    #[test]
    fn times_with_steps_are_lost_and_doubled() {
        let lost = |at: &str| format!("not on 28 March 2027, as {at} does not exist that day");
        let doubled = |at: &str| format!("on 31 October 2027 at {at} twice, as that time comes twice");
        let all = [lost("02:00"), lost("02:30"), doubled("02:00"), doubled("02:30")];
        assert_eq!(effects(r#"{"cron": "*/30 1-3 * * *"}"#), all);
        assert_eq!(effects(r#"{"cron": "0 */2 * * *"}"#), [lost("02:00"), doubled("02:00")]);
        assert_eq!(effects(r#"{"cron": "* 4-6 * * *"}"#), Vec::<String>::new());
    }

    #[test]
    fn nothing_is_told_of_what_is_not_concerned() {
        for trigger in [
            r#"{"daily": "03:00"}"#,
            r#"{"daily": "01:59:59"}"#,
            r#"{"cron": "30 2 * * 1-5"}"#,
            r#"{"cron": "*/15 * * * *"}"#,
            r#"{"cron": "30 * * * *"}"#,
            r#"{"every": "1h"}"#,
            r#"{"startup": true}"#,
            r#"{"at": "2027-03-28T02:30:00Z"}"#,
            r#"{"daily": "02:30", "timezone": "UTC"}"#,
            r#"{"daily": "02:30", "start_at": "2028-01-01T00:00:00"}"#,
            r#"{"daily": "02:30", "end_at": "2027-01-01T00:00:00"}"#,
            r#"{"daily": "02:30", "calendars": {"exclude": ["sundays"]}}"#,
        ] {
            assert_eq!(effects(trigger), Vec::<String>::new(), "{trigger}");
        }
    }

    #[test]
    fn at_most_ten_times_of_a_change_are_told() {
        assert_eq!(effects(r#"{"cron": "0-59 2 * * *"}"#).len(), 20);
    }
}
