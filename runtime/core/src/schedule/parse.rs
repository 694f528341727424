//! Reading cron expressions.

use std::fmt;
use std::ops::Range;

use super::calendar::{Calendar, DayRule, Pace, days_in_month};
use super::invalid::{Fault, InvalidCron};

/// The longest expression that is read, in characters. The longest sensible one, all minutes listed, has less.
pub(super) const MAX_CHARS: usize = 256;

/// One of the five fields: its values and their names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    name: &'static str,
    min: u8,
    max: u8,
    /// Names of the values from `min` on.
    names: &'static [&'static str],
    /// The values, in words for people.
    pub allowed: &'static str,
}

static MINUTE: Field = Field { name: "minute", min: 0, max: 59, names: &[], allowed: "0-59" };
static HOUR: Field = Field { name: "hour", min: 0, max: 23, names: &[], allowed: "0-23" };
static MONTH_DAY: Field = Field { name: "day of month", min: 1, max: 31, names: &[], allowed: "1-31" };
static MONTH: Field = Field {
    name: "month",
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    allowed: "1-12 or jan-dec",
};
/// Its values are 0 to 6; that 7 is Sunday too is [`Field::value`]'s and [`Field::range`]'s to know.
static WEEKDAY: Field = Field {
    name: "day of week",
    min: 0,
    max: 6,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    allowed: "0-7 or sun-sat",
};

const SHORT_FORMS: [(&str, &str); 7] = [
    ("@hourly", "0 * * * *"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@weekly", "0 0 * * 0"),
    ("@monthly", "0 0 1 * *"),
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
];

/// A part of the expression and the byte it begins at.
#[derive(Clone, Copy)]
struct Part<'a> {
    text: &'a str,
    start: usize,
}

/// The values of a field, and whether it begins with `*`.
struct Set {
    values: u64,
    star: bool,
}

/// A fault, and the part of the expression where it is.
type Faulty = (Fault, Range<usize>);

/// Reads an expression or a short form.
pub(super) fn parse(text: &str) -> Result<Calendar, InvalidCron> {
    if text.chars().nth(MAX_CHARS).is_some() {
        return Err(InvalidCron::new(text, 0..0, Fault::TooLong));
    }
    let words = words(text);
    let result = match words.first() {
        Some(first) if first.text.starts_with('@') => short_form(*first, &words),
        _ => fields(&words, text.len()),
    };
    result.map_err(|(fault, span)| InvalidCron::new(text, span, fault))
}

/// Reads an expression of six fields, seconds first.
pub(super) fn with_seconds(text: &str) -> Result<Calendar, InvalidCron> {
    Err(InvalidCron::new(text, 0..text.len(), Fault::SecondsLater))
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

fn short_form(form: Part<'_>, words: &[Part<'_>]) -> Result<Calendar, Faulty> {
    let name = form.text.to_ascii_lowercase();
    if name == "@every" {
        return Err((Fault::EveryForm(form.text.to_owned()), form.span()));
    }
    match (SHORT_FORMS.iter().find(|(known, _)| *known == name), words.get(1)) {
        (Some((_, meaning)), None) => fields(&self::words(meaning), meaning.len()),
        (Some(_), Some(stray)) => Err((Fault::FieldCount { found: words.len() }, stray.span())),
        (None, _) => Err((Fault::ShortForm(form.text.to_owned()), form.span())),
    }
}

fn fields(words: &[Part<'_>], end: usize) -> Result<Calendar, Faulty> {
    let &[minute, hour, month_day, month, weekday] = words else { return Err(wrong_count(words, end)) };
    let (minutes, hours) = (MINUTE.read(minute)?, HOUR.read(hour)?);
    let (month_days, months, weekdays) = (MONTH_DAY.read(month_day)?, MONTH.read(month)?, WEEKDAY.read(weekday)?);
    let days = if month_days.star || weekdays.star { DayRule::Both } else { DayRule::Either };
    // A leap year: it has every day that any year has, and in time on every weekday.
    let longest =
        (1..=12).filter(|month| months.values & (1 << month) != 0).map(|month| days_in_month(2000, month)).max();
    let longest = longest.expect("no set is empty");
    if days == DayRule::Both && month_days.values.trailing_zeros() > longest {
        return Err((Fault::Never { longest }, month_day.span()));
    }
    let narrow = "the field's values are below the bits of its set";
    Ok(Calendar {
        minutes: minutes.values,
        hours: u32::try_from(hours.values).expect(narrow),
        month_days: u32::try_from(month_days.values).expect(narrow),
        months: u16::try_from(months.values).expect(narrow),
        weekdays: u8::try_from(weekdays.values).expect(narrow),
        days,
        pace: if minutes.star || hours.star { Pace::Elapsed } else { Pace::Fixed },
    })
}

fn wrong_count(words: &[Part<'_>], end: usize) -> Faulty {
    let Some(first) = words.first() else { return (Fault::Empty, 0..0) };
    if first.text.starts_with("TZ=") || first.text.starts_with("CRON_TZ=") {
        return (Fault::ZonePrefix, first.span());
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
    let reads = |words: &[Part<'_>]| fields(words, 0).is_ok();
    let mut readings = Vec::new();
    let (seconds, rest) = (words[0].text, &words[1..]);
    if reads(rest) && MINUTE.read(words[0]).is_ok() {
        let step = seconds.strip_prefix("*/").or_else(|| seconds.strip_prefix("0/"));
        let step = if seconds == "*" { Some("1") } else { step };
        readings.push(match step {
            Some(step) if rest.iter().all(|word| matches!(word.text, "*" | "?")) => {
                format!("if the first field is seconds, the trigger 'every' does it: write 'every: {step}s'")
            }
            _ if seconds.bytes().all(|byte| byte == b'0') => {
                format!("if the first field is seconds, leave it out: write '{}'", join(rest))
            }
            _ => format!(
                "if the first field is seconds, cron here cannot heed it: write '{}' to fire at second 0",
                join(rest)
            ),
        });
    }
    if reads(&words[..5]) {
        let five = join(&words[..5]);
        readings.push(format!(
            "if the first field is minutes and the last a year or a command, leave the last out: write '{five}'"
        ));
    }
    readings
}

impl Part<'_> {
    fn span(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// Splits at the first `separator`.
    fn split(&self, separator: char) -> (Self, Option<Self>) {
        match self.text.split_once(separator) {
            Some((head, tail)) => {
                let start = self.start + head.len() + separator.len_utf8();
                (Self { text: head, start: self.start }, Some(Self { text: tail, start }))
            }
            None => (*self, None),
        }
    }
}

impl Field {
    /// How many values the field has: the longest step that differs from a longer one.
    pub(super) fn count(&self) -> u8 {
        self.max - self.min + 1
    }

    /// A further sentence for those who expect steps to run over the end of the field.
    pub(super) fn step_hint(&self) -> &'static str {
        if self.max > 12 { ", as steps start anew with each round; the trigger 'every' has any interval" } else { "" }
    }

    fn is_weekday(&self) -> bool {
        std::ptr::eq(self, &WEEKDAY)
    }

    fn read(&'static self, field: Part<'_>) -> Result<Set, Faulty> {
        let mut set = Set { values: 0, star: field.text.starts_with(['*', '?']) };
        let mut rest = Some(field);
        while let Some(list) = rest {
            let (item, tail) = list.split(',');
            set.values |= self.item(item)?;
            rest = tail;
        }
        Ok(set)
    }

    fn item(&'static self, item: Part<'_>) -> Result<u64, Faulty> {
        let (base, step) = item.split('/');
        let (first, last) = self.range(base, step.is_some())?;
        let step = step.map_or(Ok(1), |step| self.step(step))?;
        // A range of weekdays may run past the end of the week.
        let wrap = |value: u8| if value > self.max { value - self.count() } else { value };
        Ok((first..=last).step_by(step).fold(0, |set, value| set | 1 << wrap(value)))
    }

    /// The first and the last value; the last is past the field's end if the range wraps.
    fn range(&'static self, base: Part<'_>, open: bool) -> Result<(u8, u8), Faulty> {
        if matches!(base.text, "*" | "?") {
            return Ok((self.min, self.max));
        }
        if is_extension(base.text) {
            return Err((Fault::Extension { field: self, value: base.text.to_owned() }, base.span()));
        }
        let (first, last) = base.split('-');
        let first = self.value(first)?;
        let Some(last) = last else {
            let first = if first > self.max { self.min } else { first };
            return Ok((first, if open { self.max } else { first }));
        };
        match (first, self.value(last)?) {
            // Sunday has two numbers, and either may stand at either end.
            (7, 7) if self.is_weekday() => Ok((0, 0)),
            (7, last) if self.is_weekday() => Ok((0, last)),
            (first, last) if first <= last => Ok((first, last)),
            (first, last) if self.is_weekday() => Ok((first, last + self.count())),
            (first, last) => {
                let mend = format!("{first}-{},{}-{last}", self.max, self.min);
                Err((Fault::Backwards { field: self, range: base.text.to_owned(), mend }, base.span()))
            }
        }
    }

    fn value(&'static self, value: Part<'_>) -> Result<u8, Faulty> {
        let text = value.text;
        if text.is_empty() {
            return Err((Fault::Missing { field: self }, value.span()));
        }
        let named = self.names.iter().zip(self.min..).find(|(name, _)| name.eq_ignore_ascii_case(text));
        let number = || if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None };
        let highest = self.max + u8::from(self.is_weekday());
        named
            .map(|(_, value)| value)
            .or_else(number)
            .filter(|value| (self.min..=highest).contains(value))
            .ok_or_else(|| (Fault::Value { field: self, value: text.to_owned() }, value.span()))
    }

    fn step(&'static self, step: Part<'_>) -> Result<usize, Faulty> {
        let digits = !step.text.is_empty() && step.text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { step.text.parse::<u8>().ok() } else { None };
        match number {
            Some(number) if (1..=self.count()).contains(&number) => Ok(usize::from(number)),
            _ => Err((Fault::Step { field: self, step: step.text.to_owned() }, step.span())),
        }
    }
}

/// Whether `text` is one of the forms that other schedulers have beyond the five fields.
fn is_extension(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    let value =
        |text: &str| WEEKDAY.value(Part { text, start: 0 }).is_ok() || text.bytes().all(|byte| byte.is_ascii_digit());
    matches!(text.as_str(), "L" | "W" | "LW" | "WL" | "H")
        || text.starts_with("L-")
        || text.starts_with("H(")
        || text.contains('#')
        || text.strip_suffix(['L', 'W']).is_some_and(value)
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
