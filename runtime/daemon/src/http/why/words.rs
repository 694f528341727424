//! Instants, times and states as answers have them.

use std::time::Duration;

use chrono_tz::Tz;
use sandglass_core::quantity::Period;
use sandglass_core::run::{Run, StateName};
use sandglass_core::time::Timestamp;

/// An instant by the clock of `zone`, no finer than it is: `Mon 2027-03-29 02:30 CEST`.
pub(super) fn moment(at: Timestamp, zone: Tz) -> String {
    let micros = at.as_micros();
    let form = match (micros.rem_euclid(60_000_000), micros.rem_euclid(1_000_000)) {
        (0, _) => "%a %Y-%m-%d %H:%M %Z",
        (_, 0) => "%a %Y-%m-%d %H:%M:%S %Z",
        _ => "%a %Y-%m-%d %H:%M:%S%.3f %Z",
    };
    at.to_chrono().with_timezone(&zone).format(form).to_string()
}

/// How long it took, in whole seconds from ten of them on: `3m40s`.
pub(super) fn period(time: Duration) -> String {
    let millis = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    Period::from_millis(if millis < 10_000 { millis } else { millis / 1000 * 1000 }).to_string()
}

/// The state of a run, with the reason if there is one: `skipped (overlap)`.
pub(super) fn state(run: &Run) -> String {
    let why = run.reason().map(|reason| format!(" ({})", reason.replace('_', " "))).unwrap_or_default();
    format!("{}{why}", run.state.name().as_str().replace('_', " "))
}

/// How a run ended, as a verb: `was cancelled`.
pub(super) fn ended(state: StateName) -> String {
    let name = state.as_str().replace('_', " ");
    match state {
        StateName::Cancelled | StateName::Interrupted | StateName::Skipped => format!("was {name}"),
        _ => name,
    }
}
