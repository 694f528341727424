//! Named calendars from iCalendar files (RFC 5545), as calendar programs and authorities publish them.
//!
//! A file becomes dates: every date on which one of its events is, as the event's own clock has it. Recurring events are
//! followed to the end of 2099. What is no event, such as tasks and alarms, is passed over.

mod event;
mod lines;

use std::collections::{BTreeSet, HashMap, HashSet};

use chrono::NaiveDate;
use sandglass_core::id::CalendarName;
use sandglass_core::spec::{CalendarSpec, Dates};

use event::Event;
use lines::{Line, Lines};

/// How many dates a file may name.
const MOST_DATES: usize = 100_000;
/// How many recurrences of all events of a file are followed.
const MOST_RECURRENCES: usize = 1_000_000;
/// How many bytes a file may have.
pub const MOST_BYTES: usize = 16 << 20;

/// The text is no calendar that can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct InvalidIcs {
    /// The line, counted from 1, in which the fault begins.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

impl InvalidIcs {
    fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// Reads an iCalendar file as the calendar `name`, whose description is the file's own name for itself.
///
/// # Errors
/// The text is no iCalendar file, an event in it is malformed, or it names more dates than a calendar may have.
pub fn read(text: &str, name: CalendarName) -> Result<CalendarSpec, InvalidIcs> {
    if text.len() > MOST_BYTES {
        return Err(InvalidIcs::new(1, format!("the file has more than {} MiB", MOST_BYTES >> 20)));
    }
    let file = File::read(text)?;
    let mut dates = BTreeSet::new();
    let mut left = MOST_RECURRENCES;
    for event in &file.events {
        let replaced = |start| file.replaced.contains(&(event.uid.as_str(), start));
        for (date, length) in event.days(replaced, &mut left)? {
            dates.extend(date.iter_days().take(length));
            if dates.len() > MOST_DATES {
                let most = format!("the events up to this one are on more than {MOST_DATES} dates; divide the file");
                return Err(InvalidIcs::new(event.line, most));
            }
        }
    }
    Ok(CalendarSpec {
        name,
        description: file.title.clone(),
        dates: stretches(&dates),
        weekdays: vec![],
        yearly: vec![],
    })
}

/// The same dates, those that follow one another as one stretch.
fn stretches(dates: &BTreeSet<NaiveDate>) -> Vec<Dates> {
    let mut stretches: Vec<(NaiveDate, NaiveDate)> = Vec::new();
    for date in dates {
        match stretches.last_mut() {
            Some((_, last)) if last.succ_opt() == Some(*date) => *last = *date,
            _ => stretches.push((*date, *date)),
        }
    }
    stretches.into_iter().filter_map(|(first, last)| Dates::between(first, last).ok()).collect()
}

/// What is used of a file.
struct File {
    title: Option<String>,
    events: Vec<Event>,
    /// Events that another one takes the place of: what identifies them, and their start.
    replaced: Replaced,
}

/// Starts of recurrences by the event's identity.
#[derive(Default)]
struct Replaced(HashMap<String, HashSet<chrono::NaiveDateTime>>);

impl Replaced {
    fn contains(&self, (uid, start): &(&str, chrono::NaiveDateTime)) -> bool {
        self.0.get(*uid).is_some_and(|starts| starts.contains(start))
    }
}

impl File {
    fn read(text: &str) -> Result<Self, InvalidIcs> {
        let mut file = Self { title: None, events: Vec::new(), replaced: Replaced::default() };
        // The components that the present line is in, and where they begin.
        let mut open: Vec<(String, usize)> = Vec::new();
        let mut event: Vec<Line> = Vec::new();
        let mut last_line = 1;
        for line in Lines::new(text) {
            let line = line?;
            last_line = line.number;
            match (line.name.as_str(), open.last()) {
                ("BEGIN", _) => open.push((line.value.to_ascii_uppercase(), line.number)),
                (_, None) => return Err(InvalidIcs::new(line.number, "an iCalendar file begins with BEGIN:VCALENDAR")),
                ("END", Some((name, begins))) => {
                    if !name.eq_ignore_ascii_case(&line.value) {
                        let message = format!("this ends {}, but {name}, begun in line {begins}, is open", line.value);
                        return Err(InvalidIcs::new(line.number, message));
                    }
                    if name == "VEVENT" {
                        file.add(Event::read(*begins, &std::mem::take(&mut event))?);
                    }
                    open.pop();
                }
                ("X-WR-CALNAME", Some((name, _))) if name == "VCALENDAR" => file.title = Some(line.text()),
                (_, Some((name, _))) if name == "VEVENT" => event.push(line),
                _ => {}
            }
            if open.first().is_some_and(|(outermost, _)| outermost != "VCALENDAR") {
                return Err(InvalidIcs::new(last_line, "an iCalendar file begins with BEGIN:VCALENDAR"));
            }
        }
        match open.last() {
            Some((name, line)) => Err(InvalidIcs::new(*line, format!("{name} begins here and never ends"))),
            None if file.events.is_empty() && text.trim().is_empty() => {
                Err(InvalidIcs::new(last_line, "the file is empty; an iCalendar file begins with BEGIN:VCALENDAR"))
            }
            None => Ok(file),
        }
    }

    fn add(&mut self, event: Event) {
        if let Some(start) = event.replaces {
            self.replaced.0.entry(event.uid.clone()).or_default().insert(start);
        }
        if !event.cancelled {
            self.events.push(event);
        }
    }
}

#[cfg(test)]
mod tests;
