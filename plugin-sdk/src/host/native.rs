//! The test host, natively: every question goes to the [`testing::Host`](crate::testing::Host) of this thread.

use std::time::Duration;

#[cfg(any(feature = "log", feature = "tracing"))]
use crate::bindings::sandglass::plugin::logging;
use crate::bindings::sandglass::plugin::{progress, run_context};
#[cfg(any(feature = "log", feature = "tracing"))]
use crate::testing::LogLine;
use crate::testing::with;

#[cfg(any(feature = "log", feature = "tracing"))]
pub(crate) fn log_enabled(_level: logging::Level) -> bool {
    true
}

#[cfg(any(feature = "log", feature = "tracing"))]
pub(crate) fn log(level: logging::Level, message: &str, fields: &[(String, String)]) {
    with(|script| {
        script.logs.push(LogLine { level, message: message.to_owned(), fields: fields.to_vec() });
    });
}

pub(crate) fn report_progress(update: &progress::Update) {
    with(|script| script.progress.push(update.clone()));
}

pub(crate) fn run_info() -> run_context::RunInfo {
    with(|script| script.run.clone())
}

pub(crate) fn resumes() -> Option<String> {
    with(|script| script.resumes.clone())
}

pub(crate) fn remaining() -> Option<Duration> {
    with(|script| script.remaining)
}

pub(crate) fn cancel_requested() -> Option<run_context::CancelReason> {
    with(|script| script.cancelled)
}

pub(crate) fn sleep(duration: Duration) -> bool {
    with(|script| {
        if script.cancelled.is_some() {
            return true;
        }
        script.slept += duration;
        false
    })
}
