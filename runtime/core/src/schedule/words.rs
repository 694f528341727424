//! Dates, times and lists in plain English.

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};

/// `28 March 2027`.
pub(super) fn day(date: NaiveDate) -> String {
    format!("{} {} {}", date.day(), month(date.month()), date.year())
}

/// `02:30`, or `02:30:05` if there are seconds.
pub(super) fn time(time: NaiveTime) -> String {
    time.format(if time.second() == 0 { "%H:%M" } else { "%H:%M:%S" }).to_string()
}

/// The month with this number, 1 to 12.
pub(super) fn month(number: u32) -> &'static str {
    u8::try_from(number).ok().and_then(|number| chrono::Month::try_from(number).ok()).map_or("?", |month| month.name())
}

/// The day of the week with this number, 0 or 7 for Sunday.
pub(super) fn weekday(number: u32) -> &'static str {
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"][number as usize % 7]
}

/// `1st`, `2nd`, `3rd`, `11th`.
pub(super) fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn and(items: &[String]) -> String {
    joined(items, "and")
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn or(items: &[String]) -> String {
    joined(items, "or")
}

fn joined(items: &[String], last: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [rest @ .., end] => format!("{} {last} {end}", rest.join(", ")),
    }
}

/// `1 minute`, `2 minutes`.
pub(super) fn count(number: u64, unit: &str) -> String {
    if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
}
