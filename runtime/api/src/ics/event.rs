//! One event, and the dates that it is on.

use std::collections::BTreeSet;

use chrono::{Days, NaiveDate, NaiveDateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use rrule::{RRule, Unvalidated};

use super::InvalidIcs;
use super::lines::Line;

/// How many recurrences of one event are followed.
const MOST_RECURRENCES: u16 = 50_000;
/// How many days one event may last.
const MOST_DAYS: i64 = 3660;

/// An event, by its own clock.
#[derive(Debug)]
pub(super) struct Event {
    /// Where it begins in the file.
    pub line: usize,
    /// What it and the events that replace recurrences of it have in common.
    pub uid: String,
    /// The start of the recurrence that it takes the place of.
    pub replaces: Option<NaiveDateTime>,
    /// It is not held.
    pub cancelled: bool,
    start: Moment,
    /// From its start to the last moment in it.
    length: TimeDelta,
    rules: Vec<Line>,
    further: Vec<Moment>,
    except: Vec<Moment>,
}

/// A date, or a date and time by a clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    reading: NaiveDateTime,
    all_day: bool,
    zone: Option<Tz>,
}

impl Event {
    /// Reads the lines between `BEGIN:VEVENT`, in line `begins`, and `END:VEVENT`.
    pub(super) fn read(begins: usize, lines: &[Line]) -> Result<Self, InvalidIcs> {
        let all = |name: &'static str| lines.iter().filter(move |line| line.name == name);
        let start = all("DTSTART").next().ok_or_else(|| InvalidIcs::new(begins, "the event has no DTSTART"))?;
        let start = Moment::of(start)?;
        let lists = |name| all(name).map(Moment::list).collect::<Result<Vec<_>, _>>().map(|lists| lists.concat());
        let replaces = all("RECURRENCE-ID").next().map(Moment::of).transpose()?;
        Ok(Self {
            line: begins,
            uid: all("UID").next().map(|line| line.value.clone()).unwrap_or_default(),
            replaces: replaces.map(|moment| moment.by(start).reading),
            cancelled: all("STATUS").any(|line| line.value.eq_ignore_ascii_case("CANCELLED")),
            start,
            length: length(start, all("DTEND").next(), all("DURATION").next())?,
            rules: all("RRULE").cloned().collect(),
            further: lists("RDATE")?,
            except: lists("EXDATE")?,
        })
    }

    /// The dates on which it begins, with the number of dates that it is on, but for the recurrences that `replaced` names
    /// by their start. `left` is how many recurrences of the file may still be followed; those of this event are taken off.
    pub(super) fn days(
        &self,
        replaced: impl Fn(NaiveDateTime) -> bool,
        left: &mut usize,
    ) -> Result<impl Iterator<Item = (NaiveDate, usize)>, InvalidIcs> {
        let mut starts = BTreeSet::from([self.start.reading]);
        for rule in &self.rules {
            let found = self.recurrences(rule)?;
            *left = left.checked_sub(found.len()).ok_or_else(|| {
                let most = super::MOST_RECURRENCES;
                rule.fault(format!(
                    "the events up to this one recur more than {most} times up to 2099; divide the file"
                ))
            })?;
            starts.extend(found);
        }
        starts.extend(self.further.iter().map(|moment| moment.by(self.start).reading));
        for except in &self.except {
            // Some programs except whole dates of events that have a time.
            let except_at = except.by(self.start);
            starts.retain(|start| {
                if except.all_day { start.date() != except.reading.date() } else { *start != except_at.reading }
            });
        }
        if self.replaces.is_none() {
            starts.retain(|start| !replaced(*start));
        }
        let length = self.length;
        Ok(starts.into_iter().map(move |start| {
            let days = ((start + length).date() - start.date()).num_days() + 1;
            (start.date(), usize::try_from(days).unwrap_or(1))
        }))
    }

    /// The starts that a rule gives, up to the end of 2099. Readings of the event's clock pass as UTC, as a rule is about
    /// readings.
    fn recurrences(&self, line: &Line) -> Result<Vec<NaiveDateTime>, InvalidIcs> {
        let parts = || line.value.split(';').filter(|part| !part.is_empty());
        let rest: Vec<&str> = parts().filter(|part| until_of(part).is_none()).collect();
        let mut rule: RRule<Unvalidated> = rest.join(";").parse().map_err(|error| line.fault(error))?;
        if let Some(value) = parts().find_map(until_of) {
            let until = Moment::read(value, self.start.zone).ok_or_else(|| line.fault(no_moment(value)))?;
            let until = if until.all_day { end_of(until.reading.date()) } else { until.by(self.start).reading };
            rule = rule.until(rrule::Tz::UTC.from_utc_datetime(&until));
        }
        let utc = |reading| rrule::Tz::UTC.from_utc_datetime(&reading);
        let last = end_of(NaiveDate::from_ymd_opt(2099, 12, 31).expect("the last day of 2099 is a date"));
        let set = rule.build(utc(self.start.reading)).map_err(|error| line.fault(error))?.before(utc(last));
        let found = set.all(MOST_RECURRENCES);
        if found.limited {
            return Err(line.fault(format!("the event recurs more than {MOST_RECURRENCES} times up to 2099")));
        }
        Ok(found.dates.into_iter().map(|date| date.naive_utc()).collect())
    }
}

/// The value of the part of a rule that says when it ends.
fn until_of(part: &str) -> Option<&str> {
    part.split_once('=').filter(|(key, _)| key.eq_ignore_ascii_case("UNTIL")).map(|(_, value)| value)
}

/// From the start to the last moment inside. The end itself is outside; an event without any length is on its date.
fn length(start: Moment, end: Option<&Line>, duration: Option<&Line>) -> Result<TimeDelta, InvalidIcs> {
    let (line, length) = match (end, duration) {
        (Some(line), _) => (line, Moment::of(line)?.by(start).reading - start.reading),
        (None, Some(line)) => {
            (line, read_duration(&line.value).ok_or_else(|| line.fault("write a duration such as P1D"))?)
        }
        (None, None) => return Ok(TimeDelta::zero()),
    };
    if length < TimeDelta::zero() {
        return Err(line.fault("the event ends before it begins"));
    }
    if length > TimeDelta::days(MOST_DAYS) {
        return Err(line.fault(format!("the event lasts longer than {MOST_DAYS} days")));
    }
    Ok((length - TimeDelta::seconds(1)).max(TimeDelta::zero()))
}

/// A duration of RFC 5545, section 3.3.6: `P1W`, `P2DT3H`, `PT15M`.
fn read_duration(text: &str) -> Option<TimeDelta> {
    let text = text.strip_prefix('+').unwrap_or(text).strip_prefix('P')?;
    let (mut total, mut number, mut timed, mut empty) = (TimeDelta::zero(), String::new(), false, true);
    for letter in text.chars() {
        let unit = match (letter, timed) {
            ('0'..='9', _) => {
                number.push(letter);
                continue;
            }
            ('T', false) if number.is_empty() => {
                timed = true;
                continue;
            }
            ('W', false) => 7 * 86_400,
            ('D', false) => 86_400,
            ('H', true) => 3600,
            ('M', true) => 60,
            ('S', true) => 1,
            _ => return None,
        };
        let seconds = std::mem::take(&mut number).parse::<i64>().ok()?.checked_mul(unit)?;
        total = total.checked_add(&TimeDelta::try_seconds(seconds)?)?;
        empty = false;
    }
    (number.is_empty() && !empty).then_some(total)
}

impl Moment {
    fn of(line: &Line) -> Result<Self, InvalidIcs> {
        Self::read(&line.value, Self::zone(line)).ok_or_else(|| line.fault(no_moment(&line.value)))
    }

    fn list(line: &Line) -> Result<Vec<Self>, InvalidIcs> {
        let zone = Self::zone(line);
        // Of a period, the start counts.
        let moments = line.value.split(',').map(|item| item.split('/').next().unwrap_or_default());
        moments.map(|item| Self::read(item, zone).ok_or_else(|| line.fault(no_moment(item)))).collect()
    }

    /// The zone named; none if it is one of the file's own, whose clock then counts as it is written.
    fn zone(line: &Line) -> Option<Tz> {
        line.param("TZID").and_then(|name| name.parse().ok())
    }

    /// Reads `20270101`, `20270101T120000` or `20270101T120000Z`.
    fn read(text: &str, zone: Option<Tz>) -> Option<Self> {
        let text = text.trim();
        let digits = |text: &str, count| text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit());
        let Some((date, time)) = text.split_once('T') else {
            let date = digits(text, 8).then(|| NaiveDate::parse_from_str(text, "%Y%m%d").ok()).flatten()?;
            return Some(Self { reading: date.and_hms_opt(0, 0, 0)?, all_day: true, zone: None });
        };
        let (time, zone) = time.strip_suffix('Z').map_or((time, zone), |time| (time, Some(Tz::UTC)));
        if !digits(date, 8) || !digits(time, 6) {
            return None;
        }
        let reading = NaiveDateTime::parse_from_str(&format!("{date}{time}"), "%Y%m%d%H%M%S").ok()?;
        Some(Self { reading, all_day: false, zone })
    }

    /// The same moment by the clock of `other`, if both clocks are known.
    fn by(self, other: Self) -> Self {
        match (self.zone, other.zone) {
            (Some(zone), Some(target)) if zone != target => {
                let instant = match zone.from_local_datetime(&self.reading).earliest() {
                    Some(instant) => instant.with_timezone(&Utc),
                    // A time that the clocks skip: as if they had not changed.
                    None => zone.from_utc_datetime(&self.reading).with_timezone(&Utc),
                };
                Self { reading: instant.with_timezone(&target).naive_local(), zone: Some(target), ..self }
            }
            _ => self,
        }
    }
}

fn end_of(date: NaiveDate) -> NaiveDateTime {
    (date + Days::new(1)).and_hms_opt(0, 0, 0).map_or(date.into(), |midnight| midnight - TimeDelta::seconds(1))
}

fn no_moment(text: &str) -> String {
    let text: String = text.chars().take(40).collect();
    format!("'{text}' is neither a date such as 20270101 nor a time such as 20270101T120000Z")
}
