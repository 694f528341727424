//! Actions that write more than anybody wants: output, log lines, progress, state, results.

use std::io::Write;

use sandglass_plugin::{Outcome, log, state};

use crate::action;

const LINE: &str = "the same line of eighty characters, over and over again, until somebody stops it";
static STATE_VALUE: [u8; 65_536] = [7; 65_536];

action!(WriteOutput, "flood-output", "Writes to standard output for ever.", |params, _| {
    let mut out = std::io::stdout().lock();
    let written = params.range().take_while(|_| writeln!(out, "{LINE}").is_ok()).count();
    Ok(Outcome::output(written.to_string()))
});

action!(WriteErrors, "flood-errors", "Writes to standard error for ever, without a line's end.", |params, _| {
    let mut out = std::io::stderr().lock();
    let written = params.range().take_while(|_| write!(out, "{LINE}").is_ok()).count();
    Ok(Outcome::output(written.to_string()))
});

action!(WriteLog, "flood-log", "Logs for ever.", |params, _| {
    for round in params.range() {
        log::info!("{round}: {LINE}");
    }
    Ok(Outcome::done())
});

action!(ReportProgress, "flood-progress", "Reports progress for ever.", |params, context| {
    for round in params.range() {
        context.progress(round, None);
    }
    Ok(Outcome::done())
});

action!(StoreState, "flood-state", "Stores more and more state.", |params, _| {
    for round in params.range() {
        state::set(&format!("key-{round}"), &STATE_VALUE, state::Expectation::Anything, None)?;
    }
    Ok(Outcome::done())
});

action!(HugeResult, "huge-result", "Answers with a result of as many mebibytes; 16 by default.", |params, _| {
    let mebibytes = usize::try_from(params.times.unwrap_or(16)).unwrap_or(usize::MAX);
    Ok(Outcome::output("x".repeat(mebibytes.saturating_mul(1024 * 1024))))
});
