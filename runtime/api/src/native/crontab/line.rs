//! Lines: five fields and a command.

use chrono_tz::Tz;
use sandglass_core::schedule::{ALL_MONTH_DAYS, ALL_MONTHS, ALL_WEEKDAYS, DateSets, Pattern, Stars, TimeSets, Years};

use super::super::{Inexpressible, Times, values};
use super::field::{field, list};

/// How many lines a trigger may take.
const MOST_LINES: usize = 24;

/// The fields of a line, and what is asked or awaited before the command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Line {
    fields: String,
    /// The weekdays on which it goes on, if its days are not said by the fields alone.
    weekdays: Option<u8>,
    years: Years,
    /// How many seconds after the minute.
    second: u32,
}

/// The lines of a trigger.
pub(super) fn lines(times: &Times) -> Result<Vec<Line>, Inexpressible> {
    let (times, stars, days) = match times {
        Times::Local(pattern) => (&pattern.times, Some(pattern.stars), of_pattern(pattern)),
        Times::Utc { times, dates } => (times, None, vec![DayFields::of_sets(dates)]),
    };
    let seconds: u32 = times.iter().map(|sets| sets.seconds.count_ones()).sum();
    let count = days.len() * seconds as usize;
    if count > MOST_LINES {
        let often = "cron looks at its lines once a minute, and it would take";
        return Err(Inexpressible::new(format!("{often} {count} of them, which is more than {MOST_LINES}")));
    }
    let mut lines = Vec::with_capacity(count);
    for sets in times {
        for day in &days {
            for second in values(sets.seconds, 0, 59) {
                let fields = format!("{} {}", time_fields(sets, stars), day.fields);
                lines.push(Line { fields, weekdays: day.weekdays, years: day.years, second });
            }
        }
    }
    Ok(lines)
}

fn time_fields(sets: &TimeSets, stars: Option<Stars>) -> String {
    // In UTC no time is skipped or comes twice, so a star is only the shorter way to write several values.
    let in_utc =
        || Stars { minute: sets.minutes.count_ones() > 1, hour: sets.hours.count_ones() > 1, ..Stars::default() };
    let stars = stars.unwrap_or_else(in_utc);
    format!("{} {}", field(sets.minutes, 0, 59, stars.minute), field(sets.hours.into(), 0, 23, stars.hour))
}

/// The day fields of a line, and what they do not say.
struct DayFields {
    fields: String,
    weekdays: Option<u8>,
    years: Years,
}

impl DayFields {
    fn of_sets(sets: &DateSets) -> Self {
        let every_day = sets.month_days & ALL_MONTH_DAYS == ALL_MONTH_DAYS;
        let every_weekday = sets.weekdays == ALL_WEEKDAYS;
        // Cron starts a line on a day that either field names if both are restricted, so only one of them is.
        let month_day = if every_day { "*".to_owned() } else { list(sets.month_days.into(), 1, 31) };
        let weekday = if every_day && !every_weekday { list(sets.weekdays.into(), 0, 6) } else { "*".to_owned() };
        Self {
            fields: format!("{month_day} {} {weekday}", month(sets.months)),
            weekdays: (!every_day && !every_weekday).then_some(sets.weekdays),
            years: sets.years,
        }
    }
}

fn of_pattern(pattern: &Pattern) -> Vec<DayFields> {
    let (days, stars) = (&pattern.days, pattern.stars);
    if !days.is_plain() {
        return days.date_sets().iter().map(DayFields::of_sets).collect();
    }
    let fields = format!(
        "{} {} {}",
        field(days.month_days.into(), 1, 31, stars.month_day),
        month(days.months),
        field(days.weekdays.into(), 0, 6, stars.weekday)
    );
    vec![DayFields { fields, weekdays: None, years: Years::All }]
}

fn month(months: u16) -> String {
    field(months.into(), 1, 12, months == ALL_MONTHS)
}

impl Line {
    /// Whether the command asks for the date.
    pub(super) fn asks(&self) -> bool {
        self.weekdays.is_some() || self.years != Years::All
    }

    /// The whole line. Its questions are asked in `zone`.
    pub(super) fn text(&self, command: &str, zone: Tz) -> String {
        let zone = zone.name();
        let mut command = command.to_owned();
        if self.second > 0 {
            command = format!("sleep {} && {command}", self.second);
        }
        // A year with a 29 February, for as long as schedules are known: 1904 to 2096.
        let rest = match self.years {
            Years::All => None,
            Years::Leap => Some("-eq"),
            Years::Common => Some("-ne"),
        };
        if let Some(compares) = rest {
            command = format!("[ $(($(TZ={zone} date +%Y) % 4)) {compares} 0 ] && {command}");
        }
        if let Some(weekdays) = self.weekdays {
            // `date` counts from Monday, 1, to Sunday, 7.
            let mut days: Vec<u32> = values(weekdays.into(), 0, 6).map(|day| if day == 0 { 7 } else { day }).collect();
            days.sort_unstable();
            let days: String = days.iter().map(ToString::to_string).collect();
            command = format!("case $(TZ={zone} date +%u) in [{days}]) {command};; esac");
        }
        format!("{} {}", self.fields, escaped(&command))
    }
}

/// A command as it stands in a crontab, where a bare `%` ends it.
pub(super) fn escaped(command: &str) -> String {
    command.replace('%', "\\%")
}

/// Words as a POSIX shell reads them back.
pub(super) fn shell(words: &[&str]) -> String {
    let word = |word: &&str| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=,@+".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            (*word).to_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}
