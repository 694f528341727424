//! How soon a notification may follow the one before.

use std::time::Duration;

use crate::time::Timestamp;

/// Until when a notification that is made at `now` waits for more to tell of, if the one before went at `last`; none if it
/// goes at once. One that went later than now, as the clock was set back, is no reason to wait.
#[must_use]
pub fn grouped(last: Option<Timestamp>, group: Duration, now: Timestamp) -> Option<Timestamp> {
    let until = last.filter(|last| *last <= now)?.after(group);
    (until > now).then_some(until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_goes_at_once_and_the_next_after_a_while() {
        let at = Timestamp::from_secs;
        for (last, group, now, expected) in [
            (None, 60, 100, None),
            (Some(100), 60, 100, Some(160)),
            (Some(100), 60, 159, Some(160)),
            (Some(100), 60, 160, None),
            (Some(100), 0, 100, None),
            (Some(101), 60, 100, None),
        ] {
            let until = grouped(last.map(at), Duration::from_secs(group), at(now));
            assert_eq!(until, expected.map(at), "{last:?}, {group}, {now}");
        }
    }
}
