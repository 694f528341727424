//! A run's first attempt begins inside the window of its job, unless somebody forced it.

use sandglass_core::batch::Write;
use sandglass_core::run::{Ending, ExpiryReason, Gate, RunState, SkipReason};

use super::{Checker, Seen, Verdict, first_start, violation};

#[derive(Clone, Default)]
pub(crate) struct Windows;

const NAME: &str = "windows";

impl Checker for Windows {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        if let Some(run) = first_start(write)
            && run.gate != Gate::Open
            && let Some((_, plan)) = seen.job_of(run)
            && let Some(hours) = plan.hours
            && !hours.contains(seen.now)
        {
            return violation(NAME, format!("run {} starts outside of its window", run.id));
        }
        let (Write::InsertRun(run) | Write::UpdateRun(run)) = write else { return Ok(()) };
        let reason = match run.state {
            RunState::Ended { ending: Ending::Skipped(SkipReason::OutsideWindow), .. } => "skipped",
            RunState::Ended { ending: Ending::Expired(ExpiryReason::OutsideWindow), .. } => "expired",
            _ => return Ok(()),
        };
        let hours = seen.job_of(run).and_then(|(_, plan)| plan.hours);
        let inside = hours.is_none_or(|hours| hours.contains(seen.now) && hours.contains(run.scheduled_at));
        if inside { violation(NAME, format!("run {} is {reason} for a window that is open", run.id)) } else { Ok(()) }
    }
}
