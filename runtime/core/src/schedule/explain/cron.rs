//! A cron expression in plain English.

use std::collections::BTreeSet;

use super::{at_times, on_weekdays};
use crate::schedule::CronExpression;
use crate::schedule::cron_words::{self, CronWords, DAYS, HOURS, MONTHS, SIXTIETHS, WEEKDAYS, is_any, star_step};
use crate::schedule::words::{and, count, month, ordinal, weekday};

/// How many times of day are listed.
const MOST_TIMES: usize = 8;

/// When the expression fires: `at 02:30 on weekdays`.
pub(super) fn words(expression: &CronExpression) -> String {
    let text = expression.to_string();
    let Some(words) = CronWords::of(&text) else { return format!("when '{text}' says") };
    let (times, days) = (times(&words), days(&words));
    match days {
        Some(days) => format!("{times} {days}"),
        None if times.starts_with("at ") && !times.contains("past") && !times.contains("decides (") => {
            format!("{times} every day")
        }
        None => times,
    }
}

fn times(words: &CronWords) -> String {
    let minutes_and_hours = minutes_and_hours(words);
    match words.second.as_deref() {
        None | Some("0" | "00") => minutes_and_hours,
        Some(second) => {
            let always = is_any(&words.minute) && is_any(&words.hour);
            let seconds = pace(second, "second", 60).unwrap_or_else(|| format!("at {}", listed(second, "second")));
            if always { seconds } else { format!("{seconds} of the minute, {minutes_and_hours}") }
        }
    }
}

fn minutes_and_hours(words: &CronWords) -> String {
    let (minute, hour) = (words.minute.as_str(), words.hour.as_str());
    let (minutes, hours) = (cron_words::values(minute, &SIXTIETHS), cron_words::values(hour, &HOURS));
    if let (Some(minutes), Some(hours)) = (&minutes, &hours)
        && minutes.len() * hours.len() <= MOST_TIMES
        && !is_any(hour)
    {
        let times: Vec<u32> =
            hours.iter().flat_map(|hour| minutes.iter().map(move |minute| hour * 3600 + minute * 60)).collect();
        return at_times(&times);
    }
    if let Some(text) = hashed(minute, hour, hours.as_ref()) {
        return text;
    }
    let range = || within(hour, hours.as_ref());
    match (pace(minute, "minute", 60), is_any(hour), pace(hour, "hour", 24)) {
        (Some(pace), true, _) => pace,
        (Some(pace), false, _) => format!("{pace} {}", range()),
        (None, true, _) if matches!(minute, "0" | "00") => "every hour".to_owned(),
        (None, true, _) => format!("at {} past every hour", past(minute)),
        (None, false, Some(pace)) if matches!(minute, "0" | "00") => pace,
        (None, false, Some(pace)) => format!("{pace}, at {} past", past(minute)),
        (None, false, None) => format!("at {} past the hour {}", past(minute), range()),
    }
}

/// With a minute that the job's name decides.
fn hashed(minute: &str, hour: &str, hours: Option<&BTreeSet<u32>>) -> Option<String> {
    let from_name = |field: &str| field.starts_with('h');
    match (minute, hour) {
        ("h", "h") => Some("at a time of day that the job's name decides".to_owned()),
        ("h", hour) if is_any(hour) => Some("every hour, at a minute that the job's name decides".to_owned()),
        (minute, hour) if from_name(minute) || from_name(hour) => {
            let minutes = if from_name(minute) {
                format!("at minutes that the job's name decides ({})", minute.to_uppercase())
            } else {
                format!("at {} past the hour", past(minute))
            };
            Some(match (is_any(hour), from_name(hour)) {
                (true, _) => minutes,
                (_, true) => format!("{minutes}, in hours that the job's name decides ({})", hour.to_uppercase()),
                (_, false) => format!("{minutes} {}", within(hour, hours)),
            })
        }
        _ => None,
    }
}

/// `5 minutes`, `0 and 30 minutes`.
fn past(minute: &str) -> String {
    match cron_words::values(minute, &SIXTIETHS) {
        Some(values) => {
            let plural = if values.len() == 1 && values.contains(&1) { "" } else { "s" };
            format!("{} minute{plural}", and(&values.iter().map(ToString::to_string).collect::<Vec<_>>()))
        }
        None => format!("{} minutes", minute.to_uppercase()),
    }
}

/// `every minute`, `every 15 minutes`; a step that does not divide the round is said to start anew.
fn pace(field: &str, unit: &str, round: u32) -> Option<String> {
    if is_any(field) {
        return Some(format!("every {unit}"));
    }
    let step = star_step(field)?;
    let anew = match (round % step, unit) {
        (0, _) => "",
        (_, "second") => ", counted anew every minute",
        (_, "minute") => ", counted anew every hour",
        _ => ", counted anew every day",
    };
    Some(format!("every {}{anew}", count(step.into(), unit)))
}

/// `from 09:00 to 17:59`, or the hours.
fn within(field: &str, hours: Option<&BTreeSet<u32>>) -> String {
    if let Some(hours) = hours
        && let (Some(first), Some(last)) = (hours.first(), hours.last())
        && usize::try_from(last - first + 1) == Ok(hours.len())
    {
        return format!("from {first:02}:00 to {last:02}:59");
    }
    format!("in {}", listed(field, "hour"))
}

/// `minute 5`, `minutes 5, 10 and 15`; what is more than a list of values is shown as it is written.
fn listed(field: &str, unit: &str) -> String {
    let range = if unit == "hour" { &HOURS } else { &SIXTIETHS };
    match cron_words::values(field, range) {
        Some(values) if values.len() == 1 => {
            format!("{unit} {}", field.trim_start_matches('0').parse().unwrap_or(0_u32))
        }
        Some(values) => format!("{unit}s {}", and(&values.iter().map(ToString::to_string).collect::<Vec<_>>())),
        None => format!("{unit} {}", field.to_uppercase()),
    }
}

/// The days and months; none, if every day will do.
fn days(words: &CronWords) -> Option<String> {
    let day_of_month = (!is_any(&words.day_of_month)).then(|| days_of_month(&words.day_of_month));
    let day_of_week = (!is_any(&words.day_of_week)).then(|| days_of_week(&words.day_of_week));
    let days = match (day_of_month, day_of_week) {
        (Some(month), Some(week)) if words.has_both_days() => Some(format!("on {month}, and also {week}")),
        (Some(month), Some(week)) => Some(format!("on {month}, but only {week}")),
        (Some(month), None) => Some(format!("on {month}")),
        (None, week) => week,
    };
    if let Some(dates) = dates(words) {
        return Some(dates);
    }
    let months = (!is_any(&words.month)).then(|| months(&words.month));
    match (days, months) {
        (Some(days), Some(months)) => Some(format!("{days} in {months}")),
        (None, Some(months)) => Some(format!("every day in {months}")),
        (Some(days), None) if is_any(&words.day_of_week) => Some(format!("{days} of every month")),
        (days, None) => days,
    }
}

/// `on 1 January every year`: days of a single month.
fn dates(words: &CronWords) -> Option<String> {
    let months = cron_words::values(&words.month, &MONTHS).filter(|months| months.len() == 1)?;
    let days = cron_words::values(&words.day_of_month, &DAYS).filter(|days| days.len() <= MOST_TIMES)?;
    let name = month(*months.first()?);
    let dates: Vec<String> = days.iter().map(|day| format!("{day} {name}")).collect();
    is_any(&words.day_of_week).then(|| format!("on {} every year", and(&dates)))
}

fn days_of_month(field: &str) -> String {
    if let Some(step) = star_step(field) {
        return format!("every {} day from the 1st", ordinal(step));
    }
    and(&field.split(',').map(day_of_month).collect::<Vec<_>>())
}

fn day_of_month(item: &str) -> String {
    let number = |text: &str| text.parse::<u32>().ok();
    match item {
        "l" => return "the last day".to_owned(),
        "lw" | "wl" => return "the last weekday (Monday to Friday)".to_owned(),
        _ => {}
    }
    if let Some(days) = item.strip_prefix("l-").and_then(number) {
        return format!("the day {} before the last", count(days.into(), "day"));
    }
    if let Some(day) = item.strip_suffix('w').and_then(number) {
        return format!("the weekday (Monday to Friday) nearest to the {}", ordinal(day));
    }
    if item.starts_with('h') {
        return format!("a day that the job's name decides ({})", item.to_uppercase());
    }
    match (item.split_once('-'), cron_words::values(item, &DAYS)) {
        (Some((first, last)), Some(_)) if number(last).is_some() && number(first).is_some() => {
            format!("the {} to the {}", ordinal(number(first).unwrap_or(1)), ordinal(number(last).unwrap_or(1)))
        }
        (_, Some(days)) => and(&days.iter().map(|day| format!("the {}", ordinal(*day))).collect::<Vec<_>>()),
        (_, None) => format!("day {}", item.to_uppercase()),
    }
}

fn days_of_week(field: &str) -> String {
    if let Some(days) = cron_words::values(field, &WEEKDAYS) {
        return on_weekdays(days.into_iter());
    }
    let day = |text: &str| cron_words::values(text, &WEEKDAYS).and_then(|days| days.first().copied()).map(weekday);
    let item = |item: &str| {
        if let Some((name, nth)) = item.split_once('#') {
            let which = nth.parse::<u32>().map_or_else(|_| nth.to_uppercase(), ordinal);
            return format!("the {which} {} of the month", day(name).unwrap_or(name));
        }
        match item.strip_suffix('l').filter(|name| !name.is_empty()).and_then(day) {
            Some(name) => format!("the last {name} of the month"),
            None if item == "l" => "Saturdays".to_owned(),
            None if item.starts_with('h') => {
                format!("a day of the week that the job's name decides ({})", item.to_uppercase())
            }
            None => day(item).map_or_else(|| item.to_uppercase(), |name| format!("{name}s")),
        }
    };
    format!("on {}", and(&field.split(',').map(item).collect::<Vec<_>>()))
}

fn months(field: &str) -> String {
    match cron_words::values(field, &MONTHS) {
        Some(months) => and(&months.into_iter().map(|number| month(number).to_owned()).collect::<Vec<_>>()),
        None => format!("months {}", field.to_uppercase()),
    }
}
