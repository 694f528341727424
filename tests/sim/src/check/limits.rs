//! Never more attempts at once than the daemon allows.

use sandglass_core::batch::Write;

use super::{Checker, Seen, Verdict, started, violation};

#[derive(Clone, Default)]
pub(crate) struct Limits;

impl Checker for Limits {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        let Some(run) = started(write) else { return Ok(()) };
        let running = seen.running();
        if running >= seen.max_running() {
            return violation("limits", format!("run {} starts beside {running} of {}", run.id, seen.max_running()));
        }
        Ok(())
    }
}
