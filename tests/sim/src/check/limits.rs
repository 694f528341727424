//! Never more attempts at once than the daemon, the namespace, the plugin or a concurrency group allows.

use sandglass_core::batch::Write;

use super::{Checker, Seen, Verdict, started, violation};

#[derive(Clone, Default)]
pub(crate) struct Limits;

const NAME: &str = "limits";

impl Checker for Limits {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        let Some(run) = started(write) else { return Ok(()) };
        let running = seen.running();
        if running >= seen.max_running() {
            return violation(NAME, format!("run {} starts beside {running} of {}", run.id, seen.max_running()));
        }
        // Which places a notification takes was decided when it was queued; its notifier may be another since.
        let lacking = if run.notice.is_some() { None } else { seen.places.lacking(seen, run) };
        match lacking {
            None => Ok(()),
            Some((bound, most, others)) => {
                violation(NAME, format!("run {} starts beside {others} of {most} by {bound:?}", run.id))
            }
        }
    }
}
