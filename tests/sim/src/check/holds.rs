//! What is paused fires nothing, what is disabled does nothing, and no fire is left out for a pause that there is not.

use std::collections::BTreeMap;

use sandglass_core::batch::Write;
use sandglass_core::hold::{HoldKind, HoldSubject, Standing};
use sandglass_core::job::Job;
use sandglass_core::run::{Ending, Origin, Run, RunState, SkipReason};
use sandglass_core::time::Timestamp;

use super::{Checker, Seen, Verdict, violation};

#[derive(Clone, Default)]
pub(crate) struct Holds {
    /// When a pause ended last.
    resumed: BTreeMap<HoldSubject, Timestamp>,
}

const NAME: &str = "holds";

impl Checker for Holds {
    fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        match write {
            Write::PutHolds { subject, holds } => {
                let was_paused = seen.model.holds.get(subject).is_some_and(|holds| holds.paused.is_some());
                if was_paused && holds.paused.is_none() {
                    self.resumed.insert(subject.clone(), seen.now);
                }
                Ok(())
            }
            Write::InsertRun(run) => match seen.job_of(run) {
                Some((job, _)) => self.inserted(seen, job, run),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

impl Holds {
    fn inserted(&self, seen: &Seen<'_>, job: &Job, run: &Run) -> Verdict {
        let standing = seen.model.standing(job);
        let is_fire = matches!(run.origin, Origin::Schedule | Origin::CatchUp | Origin::Dependency);
        // What was due is dealt with when the job is disabled.
        let settles = is_fire && began(&standing, HoldKind::Disabled) == Some(seen.now);
        if standing.is_disabled() && !settles {
            return violation(NAME, format!("run {} is made, but job {} is disabled", run.id, run.job));
        }
        let paused = standing.paused_since().is_some();
        let skipped = match run.state {
            RunState::Ended { ending: Ending::Skipped(reason), .. } => Some(reason),
            _ => None,
        };
        match skipped {
            None if is_fire && paused => {
                violation(NAME, format!("job {} is paused, but its fire at {} starts", run.job, run.scheduled_at))
            }
            Some(SkipReason::Paused) if !paused && !self.resumes(seen, job) => {
                violation(NAME, format!("the fire at {} is left out for a pause of job {}", run.scheduled_at, run.job))
            }
            _ => Ok(()),
        }
    }

    /// Whether a pause of the job ends just now: what came due in it is dealt with first.
    fn resumes(&self, seen: &Seen<'_>, job: &Job) -> bool {
        let subjects = [HoldSubject::Job(job.id), HoldSubject::Namespace(job.namespace.clone())];
        subjects.iter().any(|subject| self.resumed.get(subject) == Some(&seen.now))
    }
}

/// When the hold of this kind began that was the first of those that there are.
fn began(standing: &Standing, kind: HoldKind) -> Option<Timestamp> {
    let holds = [&standing.own, &standing.namespace];
    holds.into_iter().filter_map(|holds| Some(holds.of(kind)?.since)).min()
}
