//! Asking before something is destroyed.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

use crate::failure::Failure;

/// Asks whether to go on, unless `yes` says so already. If not, says that `nothing` was done: `nothing was deleted`.
pub(crate) fn confirm(question: &str, yes: bool, nothing: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(Failure::usage(format!("{question} Nobody is there to ask: say so with --yes")));
    }
    let mut stderr = io::stderr().lock();
    write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush()).map_err(Failure::output)?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| Failure::io("cannot read the answer", error))?;
    match answer.trim().to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => {
            writeln!(stderr, "{nothing}").map_err(Failure::output)?;
            Err(Failure::NotSo)
        }
    }
}
