//! A cron expression's fields as they are written, for what has to speak of them.

use std::collections::BTreeSet;

/// The fields of an expression, its short form written out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct CronWords {
    /// None in an expression of five fields.
    pub second: Option<String>,
    pub minute: String,
    pub hour: String,
    pub day_of_month: String,
    pub month: String,
    pub day_of_week: String,
}

/// What a field may hold, to read it by.
pub(super) struct Range {
    pub min: u32,
    pub max: u32,
    names: &'static [&'static str],
}

impl Range {
    /// Where an open step ends: at Saturday, as Sunday is the first day of the week.
    fn last(&self) -> u32 {
        if self.max == 7 { 6 } else { self.max }
    }
}

pub(super) const SIXTIETHS: Range = Range { min: 0, max: 59, names: &[] };
pub(super) const HOURS: Range = Range { min: 0, max: 23, names: &[] };
pub(super) const DAYS: Range = Range { min: 1, max: 31, names: &[] };
pub(super) const MONTHS: Range = Range {
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
/// Sunday is 0 and 7.
pub(super) const WEEKDAYS: Range = Range { min: 0, max: 7, names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"] };

impl CronWords {
    /// Divides `text`; none, if it has not the fields of an expression.
    pub(super) fn of(text: &str) -> Option<Self> {
        let text = match text.trim().to_ascii_lowercase().as_str() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            _ => text,
        };
        let words: Vec<String> = text.split_whitespace().map(str::to_ascii_lowercase).collect();
        let (second, rest) = match words.as_slice() {
            [second, rest @ ..] if rest.len() == 5 => (Some(second.clone()), rest),
            rest => (None, rest),
        };
        let [minute, hour, day_of_month, month, day_of_week] = rest else { return None };
        Some(Self {
            second,
            minute: minute.clone(),
            hour: hour.clone(),
            day_of_month: day_of_month.clone(),
            month: month.clone(),
            day_of_week: day_of_week.clone(),
        })
    }

    /// Whether it names times of day rather than a pace: neither minute nor hour begins with `*`.
    pub(super) fn is_fixed(&self) -> bool {
        !is_star(&self.minute) && !is_star(&self.hour)
    }

    /// Whether both day fields are restricted, so that a day that either names will do.
    pub(super) fn has_both_days(&self) -> bool {
        !is_star(&self.day_of_month) && !is_star(&self.day_of_week)
    }
}

/// Whether the field begins with a star, or with the question mark that means the same.
pub(super) fn is_star(field: &str) -> bool {
    field.starts_with(['*', '?'])
}

/// Whether the field is a star alone.
pub(super) fn is_any(field: &str) -> bool {
    matches!(field, "*" | "?" | "*/1")
}

/// The step of a field that is a star with a step.
pub(super) fn star_step(field: &str) -> Option<u32> {
    field.strip_prefix("*/").or_else(|| field.strip_prefix("?/")).and_then(|step| step.parse().ok())
}

/// The values of a field made of stars, numbers, names, ranges and steps; none, if it has more than these.
pub(super) fn values(field: &str, range: &Range) -> Option<BTreeSet<u32>> {
    let mut values = BTreeSet::new();
    for item in field.split(',') {
        let (base, step) = item.split_once('/').map_or((item, None), |(base, step)| (base, Some(step)));
        let (first, last) = match base.split_once('-') {
            _ if matches!(base, "*" | "?") => (range.min, range.max),
            Some((first, last)) => (value(first, range)?, value(last, range)?),
            None => (value(base, range)?, if step.is_some() { range.last() } else { value(base, range)? }),
        };
        let step = step.map_or(Some(1), |step| step.parse().ok().filter(|step| *step > 0))?;
        // Only a range of days of the week may run over its end.
        let last = if last < first { last + 7 } else { last };
        values.extend((first..=last).step_by(step));
    }
    if range.max == 7 {
        values = values.into_iter().map(|day| day % 7).collect();
    }
    Some(values)
}

fn value(text: &str, range: &Range) -> Option<u32> {
    let named = range.names.iter().zip(if range.max == 7 { 0.. } else { range.min.. }).find(|(name, _)| **name == text);
    named.map(|(_, value)| value).or_else(|| text.parse().ok()).filter(|value| (range.min..=range.max).contains(value))
}
