//! The ends of programs and containers in tests.

use crate::exec::{Ending, ExitReport};

/// The report of a program or container that ended with a code and wrote nothing.
#[must_use]
pub fn exited(code: i32) -> ExitReport {
    ExitReport { ending: Ending::Exited(code), stdout: Vec::new(), stderr: Vec::new(), cpu_ns: None, peak_memory: None }
}
