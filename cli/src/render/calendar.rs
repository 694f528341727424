//! Calendars as people read them.

use chrono::NaiveDate;
use chrono_tz::Tz;
use sandglass_api::wire::Calendar;
use sandglass_core::schedule::NamedCalendar;
use sandglass_core::spec::{CalendarSpec, Dates};
use sandglass_core::time::Timestamp;

use super::amount::{counted, instant, relative};
use super::changes;
use super::paint::Paint;
use super::table::{Table, facts};
use super::yaml;
use crate::commands::calendar::Outcome;

/// The most stretches of dates that are shown.
const SHOWN: usize = 20;
/// The most entries of `dates` that are shown.
const SHOWN_ENTRIES: usize = 40;
/// For how many days ahead dates are shown.
const AHEAD: usize = 366;

/// A listing.
pub(crate) fn list(calendars: &[Calendar], wide: bool, now: Timestamp, paint: Paint) -> String {
    let mut headings = vec!["CALENDAR", "HOLDS", "DESCRIPTION"];
    if wide {
        headings.extend(["REVISION", "UPDATED"]);
    }
    let mut table = Table::new(&headings);
    for calendar in calendars {
        let spec = &calendar.spec;
        let description = spec.description.clone().unwrap_or_else(|| "-".to_owned());
        let mut row = vec![calendar.name.to_string(), holds(spec), description];
        if wide {
            row.push(calendar.revision.to_string());
            row.push(relative(calendar.updated_at, now, Tz::UTC));
        }
        table.row(row);
    }
    table.render(paint)
}

/// What a calendar is made of, in a few words.
fn holds(spec: &CalendarSpec) -> String {
    let parts = [(days(spec), "date"), (spec.weekdays.len(), "weekday"), (spec.yearly.len(), "yearly date")];
    let present: Vec<String> =
        parts.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| counted(count, what)).collect();
    if present.is_empty() { "nothing".to_owned() } else { present.join(", ") }
}

/// How many days the listed dates are.
fn days(spec: &CalendarSpec) -> usize {
    let of = |dates: &Dates| usize::try_from((dates.to() - dates.from()).num_days() + 1).unwrap_or(0);
    spec.dates.iter().map(of).sum()
}

/// One calendar in full, and its dates of the next twelve months.
pub(crate) fn show(calendar: &Calendar, now: Timestamp, paint: Paint) -> String {
    let head = facts(
        &[
            ("calendar", Some(calendar.name.to_string())),
            ("namespace", Some(calendar.namespace.to_string())),
            ("revision", Some(calendar.revision.to_string())),
            ("updated", Some(instant(calendar.updated_at, now, Tz::UTC))),
        ],
        paint,
    );
    let ahead = ahead(&calendar.spec, now.to_chrono().date_naive());
    let mut shown = CalendarSpec::clone(&calendar.spec);
    let left = shown.dates.len().saturating_sub(SHOWN_ENTRIES);
    shown.dates.truncate(SHOWN_ENTRIES);
    let more = match left {
        0 => String::new(),
        left => paint.dim(&format!("and {left} more entries of 'dates'; --output yaml shows all\n")),
    };
    format!("{head}\n{}{more}\n{}\n{ahead}", spec(&shown), paint.bold("the next twelve months:"))
}

/// As it is written, in the order that people write it.
pub(crate) fn spec(spec: &CalendarSpec) -> String {
    let value = serde_json::to_value(spec).unwrap_or_default();
    let keys = ["name", "description", "dates", "weekdays", "yearly"];
    let keys = keys.into_iter().filter_map(|key| Some((key, value.get(key)?)));
    keys.map(|(key, value)| yaml::document(&serde_json::json!({ key: value }))).collect()
}

/// The dates from `today` on, stretches of them in one line.
fn ahead(spec: &CalendarSpec, today: NaiveDate) -> String {
    let calendar = NamedCalendar::new(spec);
    let mut stretches: Vec<(NaiveDate, NaiveDate)> = Vec::new();
    for date in today.iter_days().take(AHEAD).filter(|date| calendar.contains(*date)) {
        match stretches.last_mut() {
            Some((_, last)) if last.succ_opt() == Some(date) => *last = date,
            _ => stretches.push((date, date)),
        }
    }
    let written = |date: NaiveDate| date.format("%a %Y-%m-%d").to_string();
    let mut text: String = stretches
        .iter()
        .take(SHOWN)
        .map(|(first, last)| match first == last {
            true => format!("  {}\n", written(*first)),
            false => format!("  {} to {}\n", written(*first), written(*last)),
        })
        .collect();
    match stretches.len() {
        0 => text.push_str("  none\n"),
        found if found > SHOWN => text.push_str(&format!("  and {} more\n", found - SHOWN)),
        _ => {}
    }
    text
}

/// What saving calendars came to, or would come to.
pub(crate) fn applied(outcomes: &[Outcome], dry_run: bool, paint: Paint) -> String {
    let mut table = Table::new(&["CALENDAR", "CHANGE", "HOLDS"]);
    for outcome in outcomes {
        let change = changes::word(outcome.change, dry_run, paint);
        table.row(vec![outcome.spec.name.to_string(), change, holds(&outcome.spec)]);
    }
    table.render(paint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_ahead_are_shown_by_stretches() {
        let spec: CalendarSpec = serde_json::from_value(serde_json::json!({
            "name": "holidays", "dates": [{ "from": "2027-12-24", "to": "2028-01-02" }, "2020-01-01"],
            "yearly": ["05-01", { "easter": -2 }]
        }))
        .unwrap();
        let today = NaiveDate::from_ymd_opt(2027, 1, 15).unwrap();
        insta::assert_snapshot!(ahead(&spec, today), @r"
          Fri 2027-03-26
          Sat 2027-05-01
          Fri 2027-12-24 to Sun 2028-01-02
        ");
        assert_eq!(holds(&spec), "11 dates, 2 yearly dates");
        let empty: CalendarSpec = serde_json::from_value(serde_json::json!({ "name": "none" })).unwrap();
        assert_eq!((ahead(&empty, today).as_str(), holds(&empty).as_str()), ("  none\n", "nothing"));
    }
}
