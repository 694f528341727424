//! What the end of a container or command means, and what both actions have besides.

use sandglass_plugin::docker::{Ending, ExitReport, Place};
use sandglass_plugin::serde_json::json;
use sandglass_plugin::{Failure, Issue};

/// What a container exits with that was killed at once: by the kernel if it took more memory than it may.
const KILLED: i32 = 137;

/// The exit code of a success; `what` ended so.
pub(crate) fn judge(report: &ExitReport, what: &str, codes: &[i32], limited: bool) -> Result<i32, Failure> {
    Err(match &report.ending {
        Ending::Exited(code) if codes.contains(code) => return Ok(*code),
        Ending::Exited(code) => {
            let hint = match *code {
                KILLED if limited => {
                    ": it was killed, as the kernel does with one that takes more memory than its limit"
                }
                _ => "",
            };
            let message = format!("{what} ended with exit code {code}{hint}");
            Failure::new("exit", message).detail(json!({ "exit_code": code }))
        }
        Ending::Signalled(signal) => Failure::new("signal", format!("{what} was ended by signal {signal}")),
        Ending::Cancelled => Failure::cancelled(),
        Ending::TimedOut => Failure::new("timeout", format!("{what} took longer than it may")),
        Ending::Lost(why) => Failure::new("lost", format!("{what} was lost sight of: {why}")),
    })
}

/// What a container works on is a command line for its shell, or words.
pub(crate) fn words(command: Option<&str>, args: &[String]) -> Vec<String> {
    match command {
        Some(command) => ["sh", "-c", command].map(str::to_owned).to_vec(),
        None => args.to_vec(),
    }
}

/// Where an engine is, if not the operator's.
pub(crate) fn place(target: Option<&String>, account: Option<&String>) -> Option<Place> {
    Some(Place { target: target?.clone(), run_as: account.cloned() })
}

pub(crate) fn check_place(issues: &mut Vec<Issue>, target: Option<&String>, account: Option<&String>) {
    match (target, account) {
        (Some(target), _) if target.is_empty() => issues.push(Issue::at("/target", "expected the name of a target")),
        (None, Some(_)) => issues.push(Issue::at("/account", "an account is one of a `target`, and there is none")),
        (_, Some(account)) if account.is_empty() => issues.push(Issue::at("/account", "expected an account")),
        _ => {}
    }
}

pub(crate) fn check_codes(issues: &mut Vec<Issue>, codes: Option<&[i32]>) {
    if codes.is_some_and(<[i32]>::is_empty) {
        issues.push(Issue::at("/success_codes", "at least one exit code must mean success"));
    }
}

pub(crate) fn check_names<'a>(issues: &mut Vec<Issue>, pointer: &str, mut names: impl Iterator<Item = &'a String>) {
    if let Some(name) = names.find(|name| name.is_empty() || name.contains(['=', '\0'])) {
        issues.push(Issue::at(pointer, format!("{name:?} cannot be a name here")));
    }
}
