//! Instants as people type them.

use std::str::FromStr;

use chrono::{Duration, NaiveDate, NaiveDateTime, TimeZone as _};
use chrono_tz::Tz;
use sandglass_core::quantity::Period;
use sandglass_core::time::Timestamp;

/// The forms, for `--help`.
pub(crate) const FORMS: &str = "Times: 2027-03-28T01:30:00Z, 2027-03-28T01:30 or '2027-03-28 01:30' (local), a day 2027-03-28, a month \
     2027-03, a year 2027 (each its first instant), now, -2h (two hours ago, 2h means the same) or +2h (in two hours).";

/// The local forms with a time of day.
const LOCAL: [&str; 4] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];

/// An instant as it was typed: what it means may depend on a time zone and on now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum When {
    /// With an offset from UTC.
    At(Timestamp),
    /// By the clock on the wall.
    Local(NaiveDateTime),
    Ago(Period),
    Ahead(Period),
}

impl When {
    /// The instant it means at `now` in `zone`. A local time that occurs twice is the first; one that a clock change left
    /// out is as much later.
    pub(crate) fn instant(self, now: Timestamp, zone: Tz) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(period) => now.before(period.get()),
            Self::Ahead(period) => now.after(period.get()),
            Self::Local(local) => {
                let first = |local: NaiveDateTime| zone.from_local_datetime(&local).earliest();
                // No gap is longer than a day: read as if the clocks had not changed since the day before.
                let shifted = || first(local - Duration::days(1)).map(|before| before + Duration::days(1));
                first(local).or_else(shifted).map_or_else(|| local.and_utc().into(), Timestamp::from)
            }
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let found = match text.as_bytes() {
            b"now" => Some(Self::Ago(Period::from_secs(0))),
            [b'-', ..] => period(&text[1..]).map(Self::Ago),
            [b'+', ..] => period(&text[1..]).map(Self::Ahead),
            _ => text
                .parse()
                .ok()
                .map(Self::At)
                .or_else(|| local(text).map(Self::Local))
                .or_else(|| period(text).map(Self::Ago)),
        };
        found.ok_or_else(|| {
            "write 2027-03-28T01:30:00Z, a local time 2027-03-28T01:30, a day 2027-03-28, a month 2027-03, a year 2027, \
             'now', or -2h for two hours ago"
                .to_owned()
        })
    }
}

/// A period with its unit: a bare number is more likely a year with a slip in it than seconds.
fn period(text: &str) -> Option<Period> {
    text.ends_with(|char: char| char.is_ascii_alphabetic()).then(|| text.parse().ok()).flatten()
}

/// A date and time, or the first instant of a day, a month or a year.
fn local(text: &str) -> Option<NaiveDateTime> {
    let with_time = LOCAL.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    with_time.or_else(|| {
        let day = match text.len() {
            4 => format!("{text}-01-01"),
            7 => format!("{text}-01"),
            10 => text.to_owned(),
            _ => return None,
        };
        let digits = day.bytes().enumerate().all(|(at, byte)| byte.is_ascii_digit() != matches!(at, 4 | 7));
        let day = digits.then(|| NaiveDate::parse_from_str(&day, "%Y-%m-%d").ok()).flatten()?;
        day.and_hms_opt(0, 0, 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, zone: Tz) -> String {
        let now = "2027-01-15T08:00:00Z".parse().unwrap();
        text.parse::<When>().map_or_else(|_| "not a time".to_owned(), |when| when.instant(now, zone).to_string())
    }

    #[test]
    fn every_form_is_read() {
        for (text, berlin) in [
            ("2027-03-28T01:30:00Z", "2027-03-28T01:30:00Z"),
            ("2027-03-28T01:30:00+02:00", "2027-03-27T23:30:00Z"),
            ("2027-06-01T12:00", "2027-06-01T10:00:00Z"),
            ("2027-06-01 12:00:30", "2027-06-01T10:00:30Z"),
            ("2027-06-01", "2027-05-31T22:00:00Z"),
            ("2027-06", "2027-05-31T22:00:00Z"),
            ("2099", "2098-12-31T23:00:00Z"),
            ("now", "2027-01-15T08:00:00Z"),
            ("-2h", "2027-01-15T06:00:00Z"),
            ("90m", "2027-01-15T06:30:00Z"),
            ("+1d", "2027-01-16T08:00:00Z"),
            // In the gap: as if the clocks had not changed. In the fold: the first.
            ("2027-03-28T02:30", "2027-03-28T01:30:00Z"),
            ("2027-10-31T02:30", "2027-10-31T00:30:00Z"),
        ] {
            assert_eq!(read(text, Tz::Europe__Berlin), berlin, "{text}");
        }
        for bad in ["", "20270328", "90", "-90", "2027-13", "2027-02-30", "tomorrow", "2027-6-1", "-", "+2099"] {
            assert_eq!(read(bad, Tz::UTC), "not a time", "{bad}");
        }
    }
}
