//! The real host, inside a component.

use std::time::Duration;

#[cfg(any(feature = "log", feature = "tracing"))]
use crate::bindings::sandglass::plugin::logging;
use crate::bindings::sandglass::plugin::{progress, run_context};
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::io::poll;
use crate::dispatch::nanoseconds;

#[cfg(any(feature = "log", feature = "tracing"))]
pub(crate) fn log_enabled(level: logging::Level) -> bool {
    logging::enabled(level)
}

#[cfg(any(feature = "log", feature = "tracing"))]
pub(crate) fn log(level: logging::Level, message: &str, fields: &[(String, String)]) {
    logging::emit(level, message, fields);
}

pub(crate) fn report_progress(update: &progress::Update) {
    progress::report(update);
}

pub(crate) fn run_info() -> run_context::RunInfo {
    run_context::get()
}

pub(crate) fn resumes() -> Option<String> {
    run_context::resumes()
}

pub(crate) fn remaining() -> Option<Duration> {
    run_context::remaining().map(Duration::from_nanos)
}

pub(crate) fn cancel_requested() -> Option<run_context::CancelReason> {
    run_context::cancel_requested()
}

/// Waits for the duration or for a request to stop, whichever is first; true when it was the request.
pub(crate) fn sleep(duration: Duration) -> bool {
    let cancel = run_context::subscribe_cancel();
    let timer = monotonic_clock::subscribe_duration(nanoseconds(duration));
    poll::poll(&[&timer, &cancel]).contains(&1)
}
