//! What clocks of zones do in the years ahead.

use std::time::Duration;

use chrono::{Offset as _, TimeZone as _};
use chrono_tz::Tz;
use sandglass_core::time::Timestamp;

/// How far ahead is looked, in weeks: two years.
const WEEKS_AHEAD: u32 = 105;
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// The zone's distance from UTC in seconds, week by week.
fn offsets(zone: Tz, now: Timestamp) -> impl Iterator<Item = i32> {
    (0..WEEKS_AHEAD).map(move |week| {
        let at = now.after(WEEK * week).to_chrono().naive_utc();
        zone.offset_from_utc_datetime(&at).fix().local_minus_utc()
    })
}

/// Whether the zone's clocks change.
pub(super) fn changes(zone: Tz, now: Timestamp) -> bool {
    let mut offsets = offsets(zone, now);
    let first = offsets.next();
    offsets.any(|offset| Some(offset) != first)
}

/// Whether the clocks of both show the same minute at all times.
pub(super) fn share_minutes(one: Tz, other: Tz, now: Timestamp) -> bool {
    offsets(one, now).zip(offsets(other, now)).all(|(one, other)| (one - other) % 3600 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_told_apart() {
        let now = Timestamp::from_secs(1_800_000_000);
        assert!(changes(Tz::Europe__Berlin, now) && changes(Tz::Africa__Casablanca, now) && !changes(Tz::UTC, now));
        assert!(share_minutes(Tz::Europe__Berlin, Tz::America__New_York, now));
        assert!(!share_minutes(Tz::UTC, Tz::Asia__Kathmandu, now));
        assert!(!share_minutes(Tz::UTC, Tz::Australia__Lord_Howe, now));
    }
}
