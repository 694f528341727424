//! Instants, durations and sizes in few characters.

use std::time::Duration;

use chrono::SecondsFormat;
use chrono_tz::Tz;
use sandglass_core::time::Timestamp;

/// Whether `at` is so far from `now` that its date says more than the distance: more than a week.
pub(crate) fn is_far(at: Timestamp, now: Timestamp) -> bool {
    let distance = if at >= now { at.since(now) } else { now.since(at) };
    distance > Duration::from_secs(7 * 86_400)
}

/// `at` as seen from `now`: `in 5m`, `3h ago`, or the date and time in `zone` if it is far.
pub(crate) fn relative(at: Timestamp, now: Timestamp, zone: Tz) -> String {
    if is_far(at, now) {
        let offset = if zone == Tz::UTC { "Z" } else { "%:z" };
        return at.to_chrono().with_timezone(&zone).format(&format!("%Y-%m-%d %H:%M{offset}")).to_string();
    }
    distant(at, now)
}

/// `at` as seen from `now`, however far: `in 5m`, `45d 2h ago`.
pub(crate) fn distant(at: Timestamp, now: Timestamp) -> String {
    let (distance, past) = if at >= now { (at.since(now), false) } else { (now.since(at), true) };
    match (coarse(distance), past) {
        _ if distance < Duration::from_secs(1) => "now".to_owned(),
        (text, true) => format!("{text} ago"),
        (text, false) => format!("in {text}"),
    }
}

/// `at` to the millisecond at most, in `zone` with its offset, and as seen from `now`.
pub(crate) fn instant(at: Timestamp, now: Timestamp, zone: Tz) -> String {
    format!("{} ({})", in_zone(at, zone), distant(at, now))
}

/// `at` to the millisecond at most, as RFC 3339 with the offset of `zone`.
pub(crate) fn in_zone(at: Timestamp, zone: Tz) -> String {
    let millis = Timestamp::from_millis(at.as_millis());
    match zone {
        Tz::UTC => millis.to_string(),
        zone => millis.to_chrono().with_timezone(&zone).to_rfc3339_opts(SecondsFormat::AutoSi, false),
    }
}

/// A duration to about two digits: `250ms`, `1.5s`, `12s`, `3m 5s`, `2h 10m`, `3d 4h`.
pub(crate) fn duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    if micros < 1000 {
        return format!("{micros}µs");
    }
    if micros < 1_000_000 {
        return format!("{}ms", micros / 1000);
    }
    if micros < 10_000_000 {
        return format!("{:.1}s", duration.as_secs_f64());
    }
    coarse(duration)
}

fn coarse(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let two = |large: u64, unit: &str, small: u64, lesser: &str| {
        if small == 0 { format!("{large}{unit}") } else { format!("{large}{unit} {small}{lesser}") }
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => two(seconds / 60, "m", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        _ => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// A number of bytes: `42 B`, `1.5 KiB`, `64 MiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    scaled(bytes, 1024, &["B", "KiB", "MiB", "GiB", "TiB"], " ")
}

/// How many of something: `1 job`, `3 jobs`. For words whose plural ends in `s`.
pub(crate) fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A large number: `950`, `1.2k`, `34M`.
pub(crate) fn count(count: u64) -> String {
    scaled(count, 1000, &["", "k", "M", "G", "T"], "")
}

fn scaled(value: u64, step: u64, units: &[&str], space: &str) -> String {
    let (mut scale, mut unit) = (1, 0);
    while value / scale >= step && unit + 1 < units.len() {
        scale *= step;
        unit += 1;
    }
    let tenths = u128::from(value) * 10 / u128::from(scale);
    let number = if unit > 0 && tenths < 100 && !tenths.is_multiple_of(10) {
        format!("{}.{}", tenths / 10, tenths % 10)
    } else {
        (tenths / 10).to_string()
    };
    format!("{number}{space}{}", units[unit])
}
