//! Never does a run start while one of a higher priority could have; nor, of the same priority, one of a namespace that has
//! fewer going, or one of its own namespace that was due before.

use std::collections::BTreeMap;

use sandglass_core::batch::Write;
use sandglass_core::id::RunId;
use sandglass_core::run::{Gate, Origin, Run, RunState};
use sandglass_core::time::Timestamp;

use super::{Checker, Happening, Seen, Verdict, is_running, started, violation};

#[derive(Clone, Default)]
pub(crate) struct Priorities {
    /// The priority that a run's job had when the run was made. A job may have another since, for its later runs.
    made_with: BTreeMap<RunId, u8>,
    /// When the daemon last looked at what is due: windows that opened since have not been noticed.
    ticked_at: Timestamp,
    /// The latest instant that was seen. While the clock stands before it, a run may wait for its window although it is
    /// open.
    latest: Timestamp,
}

const NAME: &str = "priority";

impl Checker for Priorities {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        if let Write::InsertRun(run) = write
            && let Some((_, plan)) = seen.job_of(run)
        {
            self.made_with.insert(run.id, plan.priority);
        }
        self.latest = self.latest.max(seen.now);
        let Some(run) = started(write) else { return Ok(()) };
        let (_, most) = self.priorities(seen, run);
        let passed_over =
            seen.model.active.values().find(|other| {
                other.id != run.id && self.goes_before(seen, other, run) && self.could_start(seen, other)
            });
        match passed_over {
            None => Ok(()),
            Some(other) => {
                let (id, other, least) = (run.id, other.id, self.priorities(seen, other).0);
                violation(NAME, format!("run {id} of priority {most} starts before {other} of priority {least}"))
            }
        }
    }

    fn happens(&mut self, seen: &Seen<'_>, what: &Happening<'_>) -> Verdict {
        if let Happening::Tick = what {
            self.ticked_at = seen.now;
        }
        Ok(())
    }
}

impl Priorities {
    /// The lower and the higher of the priorities that a run may have: its job's when it was made, and now.
    fn priorities(&self, seen: &Seen<'_>, run: &Run) -> (u8, u8) {
        let now = seen.job_of(run).map(|(_, plan)| plan.priority);
        let made = self.made_with.get(&run.id).copied();
        // The priority of a run without a job is as when it was made, or the default.
        let now = now.unwrap_or(5);
        let made = made.unwrap_or(now);
        (made.min(now), made.max(now))
    }

    /// Whether `other` is to start before `run` if both can.
    fn goes_before(&self, seen: &Seen<'_>, other: &Run, run: &Run) -> bool {
        let (least, most) = self.priorities(seen, run);
        let (others_least, others_most) = self.priorities(seen, other);
        if others_least > most {
            return true;
        }
        if least != most || others_least != least || others_most != least {
            return false;
        }
        if other.namespace == run.namespace {
            // What somebody makes up for stands behind everything else.
            let place = |run: &Run| (run.origin == Origin::Backfill, run.scheduled_at, run.id);
            return place(other) < place(run);
        }
        let going = |of: &Run| {
            let running = seen.model.active.values().filter(|run| is_running(run));
            running.filter(|run| run.namespace == of.namespace).count()
        };
        going(other) < going(run)
    }

    /// Whether nothing but a place was lacking, and there is one.
    fn could_start(&self, seen: &Seen<'_>, run: &Run) -> bool {
        let waits = seen.waits_to_tell(run, seen.now) || seen.waits_to_tell(run, self.ticked_at);
        if run.state != RunState::Queued || waits || seen.is_expired(run) || !seen.has_places(run) {
            return false;
        }
        if !run.attempts.is_empty() {
            return true;
        }
        let plan = seen.job_of(run).map(|(_, plan)| plan);
        // One that requires something may have been looked at before that was known.
        if plan.is_some_and(|plan| !plan.requires.is_empty()) {
            return false;
        }
        let hours = plan.and_then(|plan| plan.hours);
        let behind = seen.now < self.latest;
        let open = |at| run.gate == Gate::Open || hours.is_none_or(|hours| hours.contains(at) && !behind);
        let alone = run.gate != Gate::Turn || seen.others(run).next().is_none();
        alone && open(seen.now) && open(self.ticked_at)
    }
}
