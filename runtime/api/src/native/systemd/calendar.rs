//! `OnCalendar=` lines, as `systemd.time(7)` has them.

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use sandglass_core::schedule::{ALL_MONTH_DAYS, ALL_MONTHS, ALL_WEEKDAYS, DateSets, Days, TimeSets, Years};

use super::super::{Times, runs, values};

/// What each line begins with.
pub(super) const KEY: &str = "OnCalendar=";

/// How many days systemd counts back from a month's end: every month has them.
const MOST_BEFORE_END: u32 = 28;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The lines of a trigger.
pub(super) fn lines(times: &Times, zone: Tz) -> Vec<String> {
    let (times, dates) = match times {
        Times::Local(pattern) => (&pattern.times, dates(&pattern.days)),
        Times::Utc { times, dates } => (times, vec![date(dates)]),
    };
    let zone = zone.name();
    let line = |date: &String, time: &TimeSets| format!("{KEY}{date} {} {zone}", clock(time));
    dates.iter().flat_map(|date| times.iter().map(move |time| line(date, time))).collect()
}

/// The line of one local time.
pub(super) fn once(at: NaiveDateTime, zone: Tz) -> String {
    format!("{KEY}{} {}", at.format("%Y-%m-%d %H:%M:%S%.f"), zone.name())
}

/// Days that are only counted from a month's end have a word of their own, which is shorter than all dates they can be.
fn dates(days: &Days) -> Vec<String> {
    let bare = Days { from_end: 0, nth_weekdays: [0; 6], ..*days };
    let nothing_by_day = bare.month_days == 0 && bare.nearest_workdays == 0;
    let months = list(days.months.into(), 1, 12, ALL_MONTHS.into());
    let last_weekdays = days.nth_weekdays[5];
    let is_known = days.from_end >> MOST_BEFORE_END == 0;
    let no_weekday = days.nth_weekdays == [0; 6] && days.weekdays == ALL_WEEKDAYS;
    if nothing_by_day && no_weekday && is_known && !days.either_will_do() {
        return values(days.from_end.into(), 0, 30).map(|before| format!("*-{months}~{:02}", before + 1)).collect();
    }
    let only_last = days.nth_weekdays[..5] == [0; 5] && last_weekdays != 0 && days.weekdays == 0;
    let every_day = days.month_days == ALL_MONTH_DAYS && days.from_end == 0 && days.nearest_workdays == 0;
    if only_last && every_day && !days.either_will_do() {
        return vec![format!("{} *-{months}~07/1", weekdays(last_weekdays))];
    }
    days.date_sets().iter().map(date).collect()
}

fn date(sets: &DateSets) -> String {
    let on = if sets.weekdays == ALL_WEEKDAYS { String::new() } else { weekdays(sets.weekdays) + " " };
    let years = match sets.years {
        Years::All => "*",
        Years::Leap => "2000/4",
        Years::Common => "2001/4,2002/4,2003/4",
    };
    let months = list(sets.months.into(), 1, 12, ALL_MONTHS.into());
    format!("{on}{years}-{months}-{}", list(sets.month_days.into(), 1, 31, ALL_MONTH_DAYS.into()))
}

fn clock(sets: &TimeSets) -> String {
    let hours = list(sets.hours.into(), 0, 23, 0x00ff_ffff);
    let minutes = list(sets.minutes, 0, 59, (1 << 60) - 1);
    let seconds = list(sets.seconds, 0, 59, (1 << 60) - 1);
    format!("{hours}:{minutes}:{seconds}")
}

/// Values as systemd reads them: with two digits, and a star for all of them.
fn list(set: u64, min: u32, max: u32, all: u64) -> String {
    if set & all == all {
        return "*".to_owned();
    }
    let item = |(first, last, step): (u32, u32, u32)| match (first == last, step) {
        (true, _) => format!("{first:02}"),
        (false, 1) => format!("{first:02}..{last:02}"),
        // A step without an end goes on to the greatest value. Where the next step is not the smallest value again, systemd 252
        // leaves out the first one after a longer unit's end.
        (false, step) if first == min && last + step == max + 1 => format!("{first:02}/{step}"),
        (false, step) => format!("{first:02}..{last:02}/{step}"),
    };
    runs(set, min, max).into_iter().map(item).collect::<Vec<_>>().join(",")
}

fn weekdays(set: u8) -> String {
    // The week begins on Monday here, and on Sunday there.
    let from_monday = u64::from(set >> 1 | (set & 1) << 6);
    let mut items = Vec::new();
    for (first, last, step) in runs(from_monday, 0, 6) {
        let name = |day: u32| WEEKDAYS[day as usize];
        match (last - first, step) {
            (2.., 1) => items.push(format!("{}..{}", name(first), name(last))),
            (_, step) => items.extend((first..=last).step_by(step as usize).map(|day| name(day).to_owned())),
        }
    }
    items.join(",")
}
