//! What the end of a program means.

use sandglass_plugin::process::{Command, Ending, ExitReport};
use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::{Error, ErrorCode, Failure};

/// A program that ended as it should not.
pub(crate) struct Wrong {
    /// The code of the failure.
    pub(crate) code: &'static str,
    /// What happened, to follow the program's name.
    pub(crate) message: String,
    pub(crate) exit_code: Option<i32>,
    signal: Option<i32>,
}

impl Wrong {
    pub(crate) fn detail(&self) -> Option<Value> {
        let exit_code = self.exit_code?;
        Some(match self.signal {
            Some(signal) => json!({ "signal": signal, "exit_code": exit_code }),
            None => json!({ "exit_code": exit_code }),
        })
    }
}

/// Starts the first of the commands whose program there is.
pub(crate) fn execute(commands: &[Command]) -> Result<ExitReport, Error> {
    let mut missing = None;
    for command in commands {
        match command.execute() {
            Err(error) if error.code == ErrorCode::NotFound => missing = missing.or(Some(error)),
            ended => return ended,
        }
    }
    Err(missing.expect("there is at least one command, and each was missing"))
}

/// The exit code of a success, or what was wrong. A run that was asked to stop ends.
pub(crate) fn judge(report: &ExitReport, success_codes: &[i32]) -> Result<Result<i32, Wrong>, Failure> {
    let wrong = |code, message| Wrong { code, message, exit_code: None, signal: None };
    Ok(Err(match &report.ending {
        Ending::Exited(code) if success_codes.contains(code) => return Ok(Ok(*code)),
        Ending::Exited(code) => {
            Wrong { exit_code: Some(*code), ..wrong("exit", format!("ended with exit code {code}")) }
        }
        Ending::Signalled(signal) => Wrong {
            // As shells tell it.
            exit_code: Some(128 + signal),
            signal: Some(*signal),
            ..wrong("signal", format!("was ended by signal {signal}"))
        },
        Ending::Cancelled => return Err(Failure::cancelled()),
        Ending::TimedOut => wrong("timeout", "took longer than it may".to_owned()),
        Ending::Lost(why) => wrong("lost", format!("was lost sight of: {why}")),
    }))
}

/// A program that is not there or is refused, as one of several commands that failed. What is amiss with the machine or the run
/// ends the run.
pub(crate) fn not_started(error: Error) -> Result<Wrong, Failure> {
    let code = match error.code {
        ErrorCode::NotFound => "not-found",
        ErrorCode::Denied => "denied",
        ErrorCode::InvalidArgument => "invalid-argument",
        _ => return Err(error.into()),
    };
    Ok(Wrong { code, message: format!("could not start: {}", error.message), exit_code: None, signal: None })
}
