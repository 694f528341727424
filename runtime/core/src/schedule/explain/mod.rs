//! A trigger in plain English.

mod cron;

use chrono::NaiveTime;
use chrono_tz::Tz;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clock::{Heed, heed};
use super::words::{self, and};
use super::{ClockEffect, Planning, clock_effects};
use crate::spec::day::{DayOfMonth, Month, Nth, NthWeekday, Weekday};
use crate::spec::list::OneOrMany;
use crate::spec::{DayShift, DaysOfMonth, LocalOrUtc, TimeOfDay, Trigger, TriggerKind, Upstream};
use crate::time::Timestamp;

/// How far ahead changes of the clocks are told, in seconds: two years.
const AHEAD: std::time::Duration = std::time::Duration::from_secs(2 * 366 * 86_400);

/// What a trigger means.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Explanation {
    /// When it fires: a phrase such as `at 02:30 on weekdays, Europe/Berlin`.
    pub summary: String,
    /// What else there is to know, a phrase each: what its modifiers do.
    pub notes: Vec<String>,
    /// What changes of the clocks will do to it in the next two years, in order.
    pub clock_changes: Vec<ClockEffect>,
}

/// Says what `trigger` means to a job planned so; `now` is from when on changes of the clocks are told.
#[must_use]
pub fn explain(trigger: &Trigger, planning: &Planning<'_>, now: Timestamp) -> Explanation {
    let zone = trigger.timezone.map_or(planning.zone, |zone| zone.0);
    Explanation {
        summary: summary(trigger, zone),
        notes: notes(trigger),
        clock_changes: clock_effects(trigger, planning, now, now.after(AHEAD)),
    }
}

fn summary(trigger: &Trigger, zone: Tz) -> String {
    let local = match &trigger.kind {
        TriggerKind::Cron(expression) => cron::words(expression),
        TriggerKind::Every { interval, from } => {
            let from = match (from, trigger.start_at) {
                (Some(from), _) => format!("counted from {from}"),
                (None, Some(start)) => format!("counted from {}", moment(start)),
                (None, None) => "counted from when the schedule is saved".to_owned(),
            };
            return format!("every {}, {from}", spoken(interval.get()));
        }
        TriggerKind::Daily { at } => format!("{} every day", times(at)),
        TriggerKind::Weekly { days, at } => format!("{} {}", times(at), weekdays(days)),
        TriggerKind::Monthly { days, at } => format!("{} on {} of every month", times(at), month_days(days)),
        TriggerKind::Yearly { months, days, at } => format!("{} on {} every year", times(at), year_days(months, days)),
        TriggerKind::At(LocalOrUtc::Utc(at)) => return format!("once, on {}", moment(LocalOrUtc::Utc(*at))),
        TriggerKind::At(local) => format!("once, on {}", moment(*local)),
        TriggerKind::Startup => return "once at every start of the daemon".to_owned(),
        TriggerKind::After(upstreams) => return after(upstreams),
    };
    format!("{local}, {}", zone.name())
}

/// `after extract (succeeded) and load (any), each since it fired last`.
fn after(upstreams: &[Upstream]) -> String {
    let jobs: Vec<String> =
        upstreams.iter().map(|upstream| format!("{} ({})", upstream.job, upstream.outcome)).collect();
    let each = if jobs.len() > 1 { ", each since it fired last" } else { "" };
    format!("after every run of {}{each}", and(&jobs))
}

fn notes(trigger: &Trigger) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(start) = trigger.start_at {
        notes.push(format!("not before {}", moment(start)));
    }
    if let Some(end) = trigger.end_at {
        notes.push(format!("not after {}", moment(end)));
    }
    if let Some(jitter) = trigger.jitter {
        notes.push(format!("each fire up to {} later, by an amount that stays the same", spoken(jitter.get())));
    }
    if heed(&trigger.kind) == Some(Heed::Shown) {
        notes.push(
            "its minute or hour begins with '*', so it fires whenever the clock shows its times: those that the clocks skip \
             are lost, those that they show twice come twice, and 'gap' and 'fold' have no say"
                .to_owned(),
        );
    }
    let rules = &trigger.calendars;
    let names =
        |names: &[crate::id::CalendarName]| words::or(&names.iter().map(ToString::to_string).collect::<Vec<_>>());
    if !rules.include.is_empty() {
        notes.push(format!("only on dates in {}", names(&rules.include)));
    }
    if !rules.exclude.is_empty() {
        notes.push(format!("never on dates in {}", names(&rules.exclude)));
    }
    match rules.shift {
        DayShift::Previous => notes.push("on any other date it moves to the nearest allowed date before".to_owned()),
        DayShift::Next => notes.push("on any other date it moves to the nearest allowed date after".to_owned()),
        DayShift::None => {}
    }
    notes
}

/// `24 December 2026 at 18:00`, with `UTC` if it is no local time.
fn moment(at: LocalOrUtc) -> String {
    let (local, zone) = match at {
        LocalOrUtc::Local(local) => (local, ""),
        LocalOrUtc::Utc(at) => (at.to_chrono().naive_utc(), " UTC"),
    };
    format!("{} at {}{zone}", words::day(local.date()), words::time(local.time()))
}

/// `at 03:00`, `at 03:00, 09:00 and 15:00`; each time once, in order.
fn times(at: &OneOrMany<TimeOfDay>) -> String {
    let mut times: Vec<u32> = at.iter().map(|time| time.secs()).collect();
    times.sort_unstable();
    times.dedup();
    at_times(&times)
}

fn at_times(secs: &[u32]) -> String {
    let shown = |secs: &u32| NaiveTime::from_num_seconds_from_midnight_opt(*secs, 0).map_or(String::new(), words::time);
    format!("at {}", and(&secs.iter().map(shown).collect::<Vec<_>>()))
}

fn weekdays(days: &OneOrMany<Weekday>) -> String {
    on_weekdays(days.iter().map(|day| day.0.num_days_from_sunday()))
}

/// `on weekdays`, `on Mondays and Wednesdays`, `every day`; days are 0 (Sunday) to 6.
fn on_weekdays(days: impl Iterator<Item = u32>) -> String {
    // The week begins on Monday.
    let mut days: Vec<u32> = days.map(|day| (day + 6) % 7).collect();
    days.sort_unstable();
    days.dedup();
    match days.as_slice() {
        [0, 1, 2, 3, 4, 5, 6] => "every day".to_owned(),
        [0, 1, 2, 3, 4] => "on weekdays".to_owned(),
        days => {
            let names: Vec<String> = days.iter().map(|day| format!("{}s", words::weekday(day + 1))).collect();
            format!("on {}", and(&names))
        }
    }
}

/// `the 1st and the 15th`, `the last day`, `the first Monday`.
fn month_days(days: &DaysOfMonth) -> String {
    let names: Vec<String> = match days {
        DaysOfMonth::Days(days) => days.iter().map(|day| month_day(*day)).collect(),
        DaysOfMonth::Weekdays(days) => days.iter().map(|day| format!("the {}", nth_weekday(*day))).collect(),
    };
    and(&names)
}

fn month_day(day: DayOfMonth) -> String {
    match day.get() {
        day @ 1.. => format!("the {}", words::ordinal(day.unsigned_abs().into())),
        -1 => "the last day".to_owned(),
        day => format!("the {} day from the end", words::ordinal(day.unsigned_abs().into())),
    }
}

fn nth_weekday(day: NthWeekday) -> String {
    let which = match day.nth {
        Nth::First => "first",
        Nth::Second => "second",
        Nth::Third => "third",
        Nth::Fourth => "fourth",
        Nth::Fifth => "fifth",
        Nth::Last => "last",
    };
    format!("{which} {}", words::weekday(day.weekday.0.num_days_from_sunday()))
}

fn year_days(months: &OneOrMany<Month>, days: &DaysOfMonth) -> String {
    if let (DaysOfMonth::Days(days), [month]) = (days, months.as_slice())
        && days.iter().all(|day| day.get() > 0)
    {
        let dates: Vec<String> = days.iter().map(|day| format!("{} {}", day.get(), month.0.name())).collect();
        return and(&dates);
    }
    let months: Vec<String> = months.iter().map(|month| month.0.name().to_owned()).collect();
    format!("{} of {}", month_days(days), and(&months))
}

/// `90 seconds`, `10 minutes`, `1 hour and 30 minutes`.
fn spoken(length: std::time::Duration) -> String {
    let mut rest = u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    for (unit, millis) in
        [("day", 86_400_000), ("hour", 3_600_000), ("minute", 60_000), ("second", 1000), ("millisecond", 1)]
    {
        if rest >= millis {
            parts.push(words::count(rest / millis, unit));
            rest %= millis;
        }
    }
    // `every minute` rather than `every 1 minute`.
    match parts.as_slice() {
        [one] if one.starts_with("1 ") => one[2..].to_owned(),
        parts => and(parts),
    }
}

#[cfg(test)]
mod tests;
