//! Reading one field of a cron expression.

use std::fmt;
use std::ops::Range;

use super::hashed::{Hashed, Place, add};
use super::invalid::Fault;
use super::recurrence::Recurrence;

/// A field: its values and their names.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    name: &'static str,
    place: Place,
    min: u8,
    max: u8,
    /// Names of the values from `min` on.
    names: &'static [&'static str],
    /// The values, in words for people.
    pub allowed: &'static str,
}

pub(super) static SECOND: Field =
    Field { name: "second", place: Place::Second, min: 0, max: 59, names: &[], allowed: "0-59" };
pub(super) static MINUTE: Field =
    Field { name: "minute", place: Place::Minute, min: 0, max: 59, names: &[], allowed: "0-59" };
pub(super) static HOUR: Field =
    Field { name: "hour", place: Place::Hour, min: 0, max: 23, names: &[], allowed: "0-23" };
pub(super) static MONTH_DAY: Field =
    Field { name: "day of month", place: Place::MonthDay, min: 1, max: 31, names: &[], allowed: "1-31" };
pub(super) static MONTH: Field = Field {
    name: "month",
    place: Place::Month,
    min: 1,
    max: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    allowed: "1-12 or jan-dec",
};
/// Its values are 0 to 6; that 7 is Sunday too is [`Field::value`]'s and [`Field::range`]'s to know.
pub(super) static WEEKDAY: Field = Field {
    name: "day of week",
    place: Place::Weekday,
    min: 0,
    max: 6,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
    allowed: "0-7 or sun-sat",
};

/// The highest day of month that `H` chooses by itself: every month has it.
const HIGHEST_HASHED_DAY: u8 = 28;

/// A part of the expression and the byte it begins at.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub text: &'a str,
    pub start: usize,
}

/// A fault, and the part of the expression where it is.
pub(super) type Faulty = (Fault, Range<usize>);

impl Part<'_> {
    pub(super) fn span(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    /// Whether it begins with `*`, or with `?`, which means the same.
    pub(super) fn is_starred(&self) -> bool {
        self.text.starts_with(['*', '?'])
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

    /// What stands before `suffix`, in either case.
    fn before(&self, suffix: char) -> Option<Self> {
        let last = self.text.chars().next_back().filter(|last| last.eq_ignore_ascii_case(&suffix))?;
        Some(Self { text: &self.text[..self.text.len() - last.len_utf8()], start: self.start })
    }

    fn is(&self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
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
        self.place == Place::Weekday
    }

    fn wrong_value<T>(&'static self, part: Part<'_>) -> Result<T, Faulty> {
        Err((Fault::Value { field: self, value: part.text.to_owned() }, part.span()))
    }

    fn wrong_form<T>(&'static self, part: Part<'_>, rule: &'static str) -> Result<T, Faulty> {
        Err((Fault::Form { field: self, value: part.text.to_owned(), rule }, part.span()))
    }

    /// Reads the field: adds its values to `recurrence`, and those that depend on the job to `hashed`.
    pub(super) fn read(
        &'static self,
        field: Part<'_>,
        recurrence: &mut Recurrence,
        hashed: &mut Vec<Hashed>,
    ) -> Result<(), Faulty> {
        let mut rest = Some(field);
        while let Some(list) = rest {
            let (item, tail) = list.split(',');
            if item.text.starts_with(['H', 'h']) {
                hashed.push(self.hashed(item)?);
            } else if !self.named_days(item, recurrence)? {
                add(recurrence, self.place, self.item(item)?);
            }
            rest = tail;
        }
        Ok(())
    }

    fn item(&'static self, item: Part<'_>) -> Result<u64, Faulty> {
        let (base, step) = item.split('/');
        let (first, last) = self.range(base, step.is_some())?;
        let step = step.map_or(Ok(1), |step| self.step(step))?;
        // A range of weekdays may run past the end of the week.
        let wrap = |value: u8| if value > self.max { value - self.count() } else { value };
        Ok((first..=last).step_by(usize::from(step)).fold(0, |set, value| set | 1 << wrap(value)))
    }

    /// `H`, `H/15`, `H(0-29)` or `H(0-29)/10`.
    fn hashed(&'static self, item: Part<'_>) -> Result<Hashed, Faulty> {
        const RULE: &str = "write H, H/15, H(0-29) or H(0-29)/10";
        let rest = Part { text: &item.text[1..], start: item.start + 1 };
        let (range, rest) = match rest.text.strip_prefix('(') {
            Some(_) => match rest.split(')') {
                (open, Some(rest)) => (Some(Part { text: &open.text[1..], start: open.start + 1 }), rest),
                (_, None) => return self.wrong_form(item, RULE),
            },
            None => (None, rest),
        };
        let highest = if self.place == Place::MonthDay { HIGHEST_HASHED_DAY } else { self.max };
        let (first, last) = range.map_or(Ok((self.min, highest)), |range| self.range(range, false))?;
        let step = match rest.text.strip_prefix('/') {
            Some(step) => Some(self.step(Part { text: step, start: rest.start + 1 })?),
            None if rest.text.is_empty() => None,
            None => return self.wrong_form(item, RULE),
        };
        Ok(Hashed { place: self.place, first, last, step })
    }

    /// Adds days that only a month can tell: `L`, `L-3`, `15W` and `LW` as days of month, `mon#2` and `friL` as days of
    /// week. False if the item is none of these.
    fn named_days(&'static self, item: Part<'_>, recurrence: &mut Recurrence) -> Result<bool, Faulty> {
        match self.place {
            Place::MonthDay => self.counted_day(item, recurrence),
            Place::Weekday => self.counted_weekday(item, recurrence),
            _ => Ok(false),
        }
    }

    fn counted_day(&'static self, item: Part<'_>, recurrence: &mut Recurrence) -> Result<bool, Faulty> {
        let days = &mut recurrence.days;
        if item.is("L") {
            days.from_end |= 1;
        } else if item.is("LW") || item.is("WL") {
            days.nearest_workdays |= 1;
        } else if let (Part { text: "L" | "l", .. }, Some(before)) = item.split('-') {
            let digits = before.text.bytes().all(|byte| byte.is_ascii_digit());
            match before.text.parse::<u8>() {
                Ok(before @ 0..=30) if digits => days.from_end |= 1 << before,
                _ => {
                    return self
                        .wrong_form(item, "write L for the last day of the month, L-1 to L-30 for days before it");
                }
            }
        } else if let Some(day) = item.before('W') {
            if day.text.is_empty() || !day.text.bytes().all(|byte| byte.is_ascii_digit()) {
                return self.wrong_form(item, "write one day before W, such as 15W, or LW for the last of them");
            }
            days.nearest_workdays |= 1 << self.value(day)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn counted_weekday(&'static self, item: Part<'_>, recurrence: &mut Recurrence) -> Result<bool, Faulty> {
        let nths = &mut recurrence.days.nth_weekdays;
        if let (day, Some(nth)) = item.split('#') {
            let weekday = self.value(day)? % 7;
            match nth.text.as_bytes() {
                [nth @ b'1'..=b'5'] => nths[usize::from(nth - b'1')] |= 1 << weekday,
                _ => {
                    return self
                        .wrong_form(item, "write 1 to 5 after #, such as mon#2 for the second Monday of the month");
                }
            }
        } else if let Some(day) = item.before('L') {
            if day.text.is_empty() {
                return self.wrong_form(item, "write a day before L, such as friL for the last Friday of the month");
            }
            nths[5] |= 1 << (self.value(day)? % 7);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// The first and the last value; the last is past the field's end if the range wraps.
    fn range(&'static self, base: Part<'_>, open: bool) -> Result<(u8, u8), Faulty> {
        if matches!(base.text, "*" | "?") {
            return Ok((self.min, self.max));
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
        let value_of = named.map(|(_, value)| value).or_else(number);
        value_of.filter(|value| (self.min..=highest).contains(value)).map_or_else(|| self.wrong_value(value), Ok)
    }

    fn step(&'static self, step: Part<'_>) -> Result<u8, Faulty> {
        let digits = !step.text.is_empty() && step.text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { step.text.parse::<u8>().ok() } else { None };
        match number {
            Some(number) if (1..=self.count()).contains(&number) => Ok(number),
            _ => Err((Fault::Step { field: self, step: step.text.to_owned() }, step.span())),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
