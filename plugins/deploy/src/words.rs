//! A command as a job gives it, and what its end means.

use sandglass_plugin::remote::{self, Ending, ExitReport, Output};
use sandglass_plugin::{ErrorCode, Words};

use crate::fault::Fault;

/// How much of the end of a command's output is kept for the report, in bytes.
const TAIL: u32 = 2048;

/// A command as it is started: a line is read by the target's `sh`, a list by no shell. Its output goes to the run's, and its
/// end is kept.
pub(crate) fn command(words: &Words) -> remote::Command {
    let command = match words {
        Words::Line(line) => remote::Command::new(["sh", "-c", line]),
        Words::List(argv) => remote::Command::new(argv),
    };
    command.outputs(Output::Capture(TAIL), Output::Capture(TAIL))
}

/// A command as people know it.
pub(crate) fn shown(words: &Words) -> String {
    let text = match words {
        Words::Line(line) => line.clone(),
        Words::List(argv) => argv.join(" "),
    };
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// The last of what a program printed, on its two outputs.
pub(crate) fn tail(report: &ExitReport) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let (stdout, stderr) = (text(&report.stdout), text(&report.stderr));
    match (stdout.is_empty(), stderr.is_empty()) {
        (_, true) => stdout,
        (true, false) => stderr,
        (false, false) => format!("{stdout}\n{stderr}"),
    }
}

/// The fault of a program that ended otherwise than with a code that means success.
pub(crate) fn judge(what: &str, report: &ExitReport, success: &[i32]) -> Result<(), Fault> {
    let (code, why) = match &report.ending {
        Ending::Exited(code) if success.contains(code) => return Ok(()),
        Ending::Exited(code) => (Some(*code), format!("ended with exit code {code}")),
        Ending::Signalled(signal) => (Some(128 + signal), format!("was ended by signal {signal}")),
        Ending::Cancelled => (None, "was stopped, as the run was asked to stop".to_owned()),
        Ending::TimedOut => (None, "took longer than it may".to_owned()),
        Ending::Lost(why) => return Err(Fault { code: ErrorCode::Unavailable, ..Fault::new(why.clone()) }),
    };
    let said = tail(report);
    let last = said.lines().last().map(|line| format!(": {line}")).unwrap_or_default();
    Err(Fault { message: format!("'{what}' {why}{last}"), exit_code: code, code: ErrorCode::Other })
}
