//! Reading cron expressions.

use super::days::{DayRule, Days, days_in_month};
use super::field::{Faulty, Field, HOUR, MINUTE, MONTH, MONTH_DAY, Part, SECOND, WEEKDAY};
use super::hashed::{Hashed, Place};
use super::invalid::{Fault, InvalidCron};
use super::recurrence::{Pace, Recurrence, Times};

/// The longest expression that is read, in characters. The longest sensible one, all minutes listed, has less.
pub(super) const MAX_CHARS: usize = 256;

static FIELDS: [&Field; 6] = [&SECOND, &MINUTE, &HOUR, &MONTH_DAY, &MONTH, &WEEKDAY];

const SHORT_FORMS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// What an expression names, without `H` and with.
type Read = (Recurrence, Box<[Hashed]>);

/// Reads an expression of five fields, or of six if it has `seconds`, or a short form.
pub(super) fn parse(text: &str, seconds: bool) -> Result<Read, InvalidCron> {
    if text.chars().nth(MAX_CHARS).is_some() {
        return Err(InvalidCron::new(text, vec![(Fault::TooLong, 0..0)]));
    }
    let words = words(text);
    let result = match words.first() {
        Some(first) if first.text.starts_with('@') => short_form(*first, &words),
        _ if seconds => with_seconds(&words, text.len()),
        _ => without_seconds(&words, text.len()),
    };
    result.map_err(|faults| InvalidCron::new(text, faults))
}

fn words(text: &str) -> Vec<Part<'_>> {
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        words.push(Part { text: &rest[..end], start: text.len() - rest.len() });
        rest = rest[end..].trim_start();
    }
    words
}

fn short_form(form: Part<'_>, words: &[Part<'_>]) -> Result<Read, Vec<Faulty>> {
    let name = form.text.to_ascii_lowercase();
    if name == "@every" {
        return Err(vec![(Fault::EveryForm(form.text.to_owned()), form.span())]);
    }
    match (SHORT_FORMS.iter().find(|(known, _)| *known == name), words.get(1)) {
        (Some((_, meaning)), None) => without_seconds(&self::words(meaning), meaning.len()),
        (Some(_), Some(stray)) => Err(vec![(Fault::FieldCount { found: words.len() }, stray.span())]),
        (None, _) => Err(vec![(Fault::ShortForm(form.text.to_owned()), form.span())]),
    }
}

fn with_seconds(words: &[Part<'_>], end: usize) -> Result<Read, Vec<Faulty>> {
    let Some(first) = words.first() else { return Err(vec![(Fault::Empty, 0..0)]) };
    if let Some(fault) = zone_prefix(*first) {
        return Err(vec![fault]);
    }
    match words {
        &[second, minute, hour, month_day, month, weekday] => {
            fields([Some(second), Some(minute), Some(hour), Some(month_day), Some(month), Some(weekday)])
        }
        [_, _, _, _, _, _, seventh, ..] => Err(vec![(Fault::SecondsCount { found: words.len() }, seventh.start..end)]),
        _ => Err(vec![(Fault::SecondsCount { found: words.len() }, end..end)]),
    }
}

fn without_seconds(words: &[Part<'_>], end: usize) -> Result<Read, Vec<Faulty>> {
    match words {
        &[minute, hour, month_day, month, weekday] => {
            fields([None, Some(minute), Some(hour), Some(month_day), Some(month), Some(weekday)])
        }
        _ => Err(vec![wrong_count(words, end)]),
    }
}

/// Reads the fields; that of seconds is 0 if absent. All faults are found, one a field at most.
fn fields(words: [Option<Part<'_>>; 6]) -> Result<Read, Vec<Faulty>> {
    let starred = words.map(|word| word.is_some_and(|word| word.is_starred()));
    let [_, minutes_starred, hours_starred, month_days_starred, _, weekdays_starred] = starred;
    let mut recurrence = Recurrence {
        days: Days {
            rule: if month_days_starred || weekdays_starred { DayRule::Both } else { DayRule::Either },
            ..Days::NONE
        },
        times: Times::Fields { seconds: u64::from(words[0].is_none()), minutes: 0, hours: 0 },
        pace: if minutes_starred || hours_starred { Pace::Elapsed } else { Pace::Fixed },
    };
    let (mut hashed, mut faults) = (Vec::new(), Vec::new());
    for (field, word) in FIELDS.into_iter().zip(words) {
        let Some(word) = word else { continue };
        faults.extend(field.read(word, &mut recurrence, &mut hashed).err());
    }
    if faults.is_empty() && !always_comes(&recurrence, &hashed) {
        let month_day = words[3].expect("every expression has a day of month");
        faults.push((never(&recurrence.days), month_day.span()));
    }
    if faults.is_empty() { Ok((recurrence, hashed.into())) } else { Err(faults) }
}

/// Whether there are days for every job, whatever `H` chooses for it.
fn always_comes(recurrence: &Recurrence, hashed: &[Hashed]) -> bool {
    let of = |place: Place| hashed.iter().copied().filter(move |hashed| hashed.place == place);
    // All choices of a field, unless it has more than one `H`, of which each for itself is chosen from all it can be.
    let choices = |place, count: u64| if of(place).next().is_some() { 0..count } else { 0..1 };
    choices(Place::MonthDay, 31).all(|day| {
        choices(Place::Month, 12).all(|month| {
            choices(Place::Weekday, 7).all(|weekday| {
                let mut chosen = recurrence.clone();
                for (place, choice) in [(Place::MonthDay, day), (Place::Month, month), (Place::Weekday, weekday)] {
                    of(place).for_each(|hashed| hashed.add_chosen(&mut chosen, choice));
                }
                chosen.days.come()
            })
        })
    })
}

/// Why days never come.
fn never(days: &Days) -> Fault {
    // A leap year: it has every day that any year has, and in time on every weekday.
    let months = (1..=12).filter(|month| days.months & (1 << month) != 0);
    Fault::Never { longest: months.map(|month| days_in_month(2000, month)).max() }
}

fn zone_prefix(first: Part<'_>) -> Option<Faulty> {
    let prefixed = first.text.starts_with("TZ=") || first.text.starts_with("CRON_TZ=");
    prefixed.then(|| (Fault::ZonePrefix, first.span()))
}

fn wrong_count(words: &[Part<'_>], end: usize) -> Faulty {
    let Some(first) = words.first() else { return (Fault::Empty, 0..0) };
    if let Some(fault) = zone_prefix(*first) {
        return fault;
    }
    match words {
        [_, _, _, _, _, sixth] => {
            let fault = match readings(words) {
                readings if readings.is_empty() => Fault::FieldCount { found: 6 },
                readings => Fault::SixFields { readings: readings.into() },
            };
            (fault, sixth.span())
        }
        [_, _, _, _, _, sixth, ..] => (Fault::FieldCount { found: words.len() }, sixth.start..end),
        _ => (Fault::FieldCount { found: words.len() }, end..end),
    }
}

/// How six fields may have been meant, each with its mend.
fn readings(words: &[Part<'_>]) -> Vec<String> {
    let join = |words: &[Part<'_>]| words.iter().map(|word| word.text).collect::<Vec<_>>().join(" ");
    let mut readings = Vec::new();
    let (seconds, rest) = (words[0].text, &words[1..]);
    if with_seconds(words, 0).is_ok() {
        let step = seconds.strip_prefix("*/").or_else(|| seconds.strip_prefix("0/"));
        let step = if seconds == "*" { Some("1") } else { step };
        let mend = match step {
            Some(step) if rest.iter().all(|word| matches!(word.text, "*" | "?")) => format!("write 'every: {step}s'"),
            _ if seconds.bytes().all(|byte| byte == b'0') => format!("leave it out: write '{}'", join(rest)),
            _ => format!("write '{}' to fire at second 0", join(rest)),
        };
        readings.push(format!("if the first field is seconds, add 'seconds: true', or {mend}"));
    }
    if without_seconds(&words[..5], 0).is_ok() {
        let five = join(&words[..5]);
        readings.push(format!(
            "if the first field is minutes and the last a year or a command, leave the last out: write '{five}'"
        ));
    }
    readings
}
