//! Instants as people type them.

use std::str::FromStr;

use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, NaiveTime, TimeZone as _};
use chrono_tz::Tz;
use sandglass_core::quantity::Period;
use sandglass_core::time::Timestamp;

/// The forms, for `--help`.
pub(crate) const FORMS: &str = "Times: 2027-03-28T01:30:00Z, 2027-03-28T01:30 or '2027-03-28 01:30' (local), a day 2027-03-28, a month \
     2027-03, a year 2027 (each its first instant), 14:30 (today), now, -2h (two hours ago, 2h means the same) or +2h (in two hours).";

/// The local forms with a time of day.
const LOCAL: [&str; 4] = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];

/// An instant as it was typed: what it means may depend on a time zone and on now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum When {
    /// With an offset from UTC.
    At(Timestamp),
    /// By the clock on the wall.
    Local(NaiveDateTime),
    /// A day, or the first one of a month or a year.
    Day(NaiveDate),
    /// By the clock on the wall, today.
    Today(NaiveTime),
    Ago(Period),
    Ahead(Period),
}

impl When {
    /// The instant after which to look for fires from then on: a day begins with its first instant.
    pub(crate) fn fires_after(self, now: Timestamp, zone: Tz) -> Timestamp {
        let at = self.instant(now, zone);
        match self {
            Self::Day(_) => Timestamp::from_micros(at.as_micros() - 1),
            _ => at,
        }
    }

    /// The instant it means at `now` in `zone`. A local time that occurs twice is the first; one that a clock change left
    /// out is as much later.
    pub(crate) fn instant(self, now: Timestamp, zone: Tz) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Ago(period) => now.before(period.get()),
            Self::Ahead(period) => now.after(period.get()),
            Self::Day(day) => Self::Local(day.and_time(NaiveTime::MIN)).instant(now, zone),
            Self::Today(time) => {
                let today = now.to_chrono().with_timezone(&zone).date_naive();
                Self::Local(today.and_time(time)).instant(now, zone)
            }
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
            _ => at(text).map(Self::At).or_else(|| local(text)).or_else(|| period(text).map(Self::Ago)),
        };
        found.ok_or_else(|| {
            "write 2027-03-28T01:30:00Z, a local time 2027-03-28T01:30, a day 2027-03-28, a month 2027-03, a year 2027, \
             14:30 today, 'now', or -2h for two hours ago"
                .to_owned()
        })
    }
}

/// An instant with its offset from UTC, the seconds written or not.
fn at(text: &str) -> Option<Timestamp> {
    let short = || DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M%#z").ok().map(|at| Timestamp::from(at.to_utc()));
    text.parse().ok().or_else(short)
}

/// A period with its unit: a bare number is more likely a year with a slip in it than seconds.
fn period(text: &str) -> Option<Period> {
    text.ends_with(|char: char| char.is_ascii_alphabetic()).then(|| text.parse().ok()).flatten()
}

/// A date and time, a time, or a day, a month or a year.
fn local(text: &str) -> Option<When> {
    let with_time = LOCAL.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let time = || {
        let digits = text.len() == 5 && text.bytes().enumerate().all(|(at, byte)| byte.is_ascii_digit() != (at == 2));
        digits.then(|| NaiveTime::parse_from_str(text, "%H:%M").ok()).flatten()
    };
    with_time.map(When::Local).or_else(|| time().map(When::Today)).or_else(|| day(text).map(When::Day))
}

/// A day, or the first one of a month or a year.
fn day(text: &str) -> Option<NaiveDate> {
    let day = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        10 => text.to_owned(),
        _ => return None,
    };
    let digits = day.bytes().enumerate().all(|(at, byte)| byte.is_ascii_digit() != matches!(at, 4 | 7));
    digits.then(|| NaiveDate::parse_from_str(&day, "%Y-%m-%d").ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, zone: Tz) -> String {
        let now = "2027-01-15T08:00:00Z".parse().unwrap();
        text.parse::<When>().map_or_else(|_| "not a time".to_owned(), |when| when.instant(now, zone).to_string())
    }

    #[test]
    fn a_day_has_its_fire_at_midnight() {
        let now = "2027-01-15T08:00:00Z".parse().unwrap();
        let after = |text: &str| text.parse::<When>().unwrap().fires_after(now, Tz::UTC).to_string();
        assert_eq!(after("2027-01-01"), "2026-12-31T23:59:59.999999Z");
        assert_eq!(after("2027-01-01T00:00"), "2027-01-01T00:00:00Z");
    }

    #[test]
    fn every_form_is_read() {
        for (text, berlin) in [
            ("2027-03-28T01:30:00Z", "2027-03-28T01:30:00Z"),
            ("2027-03-28T01:30:00+02:00", "2027-03-27T23:30:00Z"),
            ("2027-03-28T01:30Z", "2027-03-28T01:30:00Z"),
            ("2027-03-28T01:30+02:00", "2027-03-27T23:30:00Z"),
            ("2027-06-01T12:00", "2027-06-01T10:00:00Z"),
            ("2027-06-01 12:00:30", "2027-06-01T10:00:30Z"),
            ("2027-06-01", "2027-05-31T22:00:00Z"),
            ("2027-06", "2027-05-31T22:00:00Z"),
            ("2099", "2098-12-31T23:00:00Z"),
            ("14:30", "2027-01-15T13:30:00Z"),
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
        for bad in [
            "",
            "20270328",
            "90",
            "-90",
            "2027-13",
            "2027-02-30",
            "tomorrow",
            "2027-6-1",
            "-",
            "+2099",
            "24:00",
            "9:30",
        ] {
            assert_eq!(read(bad, Tz::UTC), "not a time", "{bad}");
        }
    }
}
