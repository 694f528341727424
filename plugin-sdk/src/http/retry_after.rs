//! When a server wants to be asked again: `Retry-After` (RFC 9110, section 10.2.3).

use std::time::Duration;

/// A server may not put off a job for longer than this.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long to wait, by the header's value. A date is measured against the response's own `Date`, so that it does not
/// matter whose clock is wrong.
pub(super) fn wait(retry_after: &str, date: Option<&str>) -> Option<Duration> {
    let wait = match retry_after.trim().parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => {
            let then = http_date_seconds(retry_after)?;
            let now = http_date_seconds(date?)?;
            Duration::from_secs(then.saturating_sub(now))
        }
    };
    Some(wait.min(LONGEST))
}

/// Seconds since 1970 of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`; the two forms that are obsolete are not read.
fn http_date_seconds(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.trim().split_once(", ")?;
    let mut parts = rest.split(' ');
    let day: u64 = parts.next()?.parse().ok()?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| *month == name)? as u64 + 1;
    let year: u64 = parts.next()?.parse().ok()?;
    let mut clock = parts.next()?.split(':').map(str::parse::<u64>);
    let mut next = || clock.next()?.ok();
    let (hour, minute, second) = (next()?, next()?, next()?);
    if !(1970..=9999).contains(&year) || !(1..=31).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second)
}

/// Days in the proleptic Gregorian calendar, counted with the year beginning in March, so that a leap day is its last.
fn days_since_1970(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    let days = year * 365 + year / 4 - year / 100 + year / 400 + day_of_year;
    // The first of March of the year 0 lies 719,468 days before 1970.
    days - 719_468
}

#[cfg(test)]
mod tests {
    use super::{http_date_seconds, wait};
    use std::time::Duration;

    #[test]
    fn reads_seconds_and_dates() {
        assert_eq!(wait("120", None), Some(Duration::from_secs(120)));
        let (date, later) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:37 GMT");
        assert_eq!(wait(later, Some(date)), Some(Duration::from_secs(60)));
        assert_eq!(wait(date, Some(later)), Some(Duration::ZERO));
        assert_eq!(http_date_seconds(date), Some(784_111_777));
        assert_eq!(http_date_seconds("Thu, 29 Feb 2024 00:00:00 GMT"), Some(1_709_164_800));
        assert_eq!(http_date_seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
    }

    #[test]
    fn ignores_what_it_cannot_read_and_bounds_the_rest() {
        assert_eq!(wait("soon", None), None);
        assert_eq!(wait("Sun, 06 Nov 1994 08:49:37 GMT", None), None);
        assert_eq!(wait("Sun, 99 Nov 1994 08:49:37 GMT", Some("x")), None);
        assert_eq!(wait("99999999999", None), Some(Duration::from_secs(86_400)));
    }
}
