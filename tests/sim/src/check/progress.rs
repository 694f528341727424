//! Nothing waits for ever: whenever nothing is under way, whatever could go on has gone on.

use sandglass_core::run::{Gate, Run, RunState};
use sandglass_core::time::Timestamp;

use super::requirements::Needed;
use super::{Checker, Seen, Verdict, violation};

#[derive(Clone, Default)]
pub(crate) struct Progress {
    /// The latest instant that was seen. While the clock stands before it, a run may wait for its window although it is
    /// open: it was looked at when it was not, and is looked at again when it opens next.
    latest: Timestamp,
}

const NAME: &str = "progress";

impl Checker for Progress {
    fn settled(&mut self, seen: &Seen<'_>) -> Verdict {
        self.latest = self.latest.max(seen.now);
        for run in seen.model.active.values() {
            match run.state {
                RunState::Running => {
                    let number = run.attempts.last().map_or(0, |attempt| attempt.number);
                    if !seen.host.has(run.id, number) {
                        return violation(NAME, format!("run {} is running, but attempt {number} is not", run.id));
                    }
                }
                RunState::RetryWait { until } if until <= seen.now => {
                    return violation(NAME, format!("run {} should have been queued again at {until}", run.id));
                }
                RunState::Queued if self.can_start(seen, run) => {
                    return violation(NAME, format!("run {} of job {} could start, but waits", run.id, run.job));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Progress {
    /// Whether nothing is lacking for a queued run.
    fn can_start(&self, seen: &Seen<'_>, run: &Run) -> bool {
        seen.has_places(run)
            && !seen.waits_to_tell(run, seen.now)
            && !self.is_outside(seen, run)
            && matches!(seen.needed(run), Needed::Met | Needed::Over)
            && self.may_have_turn(seen, run)
    }

    fn is_outside(&self, seen: &Seen<'_>, run: &Run) -> bool {
        let hours = seen.job_of(run).and_then(|(_, plan)| plan.hours);
        let closed = hours.is_some_and(|hours| !hours.contains(seen.now) || seen.now < self.latest);
        run.gate != Gate::Open && run.attempts.is_empty() && closed
    }

    /// Whether a run that waits for its turn must have it: fewer others than may go at once go or may have theirs before.
    fn may_have_turn(&self, seen: &Seen<'_>, run: &Run) -> bool {
        let Some((_, plan)) = seen.job_of(run).filter(|_| waits_for_turn(run)) else { return true };
        let place = (run.scheduled_at, run.id);
        // Whose turn it is may have been decided before an earlier one came, which then waits for it.
        let goes_before = |other: &&Run| {
            !waits_for_turn(other)
                || (other.scheduled_at, other.id) < place
                || self.is_outside(seen, other)
                || seen.needed(other) != Needed::Met
                || !seen.has_places(other)
        };
        seen.others(run).filter(goes_before).count() < plan.max_instances
    }
}

fn waits_for_turn(run: &Run) -> bool {
    run.state == RunState::Queued && run.gate == Gate::Turn && run.attempts.is_empty()
}
