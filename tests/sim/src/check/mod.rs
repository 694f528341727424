//! The checkers: each holds one promise against everything that becomes durable and everything that happens.
//!
//! A checker knows the jobs by their plans and computes for itself what must be; it shares no code with the scheduler. To
//! add one, write a module with a type that implements [`Checker`] and give it a field in [`Checkers`].

mod accounting;
mod deadlines;
mod dependencies;
mod effects;
mod holds;
mod lateness;
mod limits;
mod notices;
mod overlap;
mod priority;
mod progress;
mod requirements;
mod retries;
mod windows;

use sandglass_core::batch::Write;
use sandglass_core::event::Reply;
use sandglass_core::invocation::{AttemptReport, Invocation};
use sandglass_core::job::Job;
use sandglass_core::run::Run;
use sandglass_core::scheduler::Options;
use sandglass_core::time::Timestamp;

use crate::ends::Ends;
use crate::host::Host;
use crate::model::Model;
use crate::places::{Places, notifier};
use crate::plan::Plan;

/// What a checker says.
pub type Verdict = Result<(), Violation>;

/// A promise that was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// The checker.
    pub checker: &'static str,
    /// What is wrong, in words.
    pub what: String,
}

/// The verdict that a promise was broken.
///
/// # Errors
///
/// Always.
pub fn violation(checker: &'static str, what: String) -> Verdict {
    Err(Violation { checker, what })
}

/// What a checker looks at.
#[derive(Clone, Copy)]
pub(crate) struct Seen<'a> {
    /// What is durable.
    pub(crate) model: &'a Model,
    pub(crate) plans: &'a [Plan],
    pub(crate) host: &'a Host,
    pub(crate) places: &'a Places,
    pub(crate) ends: &'a Ends,
    /// What the operator configured.
    pub(crate) options: &'a Options,
    /// When what is looked at was decided, or happens.
    pub(crate) now: Timestamp,
}

impl<'a> Seen<'a> {
    /// The plan of a job.
    pub(crate) fn plan(&self, job: &Job) -> &'a Plan {
        Plan::of(job, self.plans)
    }

    /// The job of a run as it is now, with its plan; none if it was deleted.
    pub(crate) fn job_of(&self, run: &Run) -> Option<(&'a Job, &'a Plan)> {
        let (job, _) = self.model.jobs.get(&run.job_id)?;
        Some((job, self.plan(job)))
    }

    /// The run as it is durable before a write.
    pub(crate) fn before(&self, run: &Run) -> Option<&'a Run> {
        self.model.runs.get(&run.id).map(|run| &**run)
    }

    /// How many attempts may go at once.
    pub(crate) fn max_running(&self) -> usize {
        usize::try_from(self.options.max_running).unwrap_or(usize::MAX)
    }

    /// Whether nothing but its turn keeps a run from starting: there is a place for it everywhere.
    pub(crate) fn has_places(&self, run: &Run) -> bool {
        self.running() < self.max_running() && self.places.lacking(self, run).is_none()
    }

    /// Whether a notification waits for more to tell of at `at`, or has nobody to tell it, which shows when it starts.
    pub(crate) fn waits_to_tell(&self, run: &Run, at: Timestamp) -> bool {
        run.notice.as_ref().is_some_and(|notice| {
            let waits = run.attempts.is_empty() && notice.not_before.is_some_and(|until| at < until);
            waits || notifier(self.model, self.plans, notice).is_none()
        })
    }

    /// Whether a queued run is not to start any more.
    pub(crate) fn is_expired(&self, run: &Run) -> bool {
        let expiry = self.job_of(run).and_then(|(_, plan)| plan.deadlines(run).expiry(run));
        expiry.is_some_and(|at| at <= self.now)
    }

    /// How many runs are running.
    pub(crate) fn running(&self) -> usize {
        self.model.active.values().filter(|run| is_running(run)).count()
    }

    /// The other runs of the job that are not over.
    pub(crate) fn others(&self, run: &Run) -> impl Iterator<Item = &'a Run> + use<'a> {
        let (id, job) = (run.id, run.job_id);
        self.model.active.values().map(|other| &**other).filter(move |other| other.job_id == job && other.id != id)
    }
}

/// Something that happens besides writes.
pub(crate) enum Happening<'a> {
    /// An attempt is started.
    Start(&'a Invocation),
    /// A command is answered.
    Reply(&'a Reply),
    /// An attempt's report reaches the daemon.
    Report(&'a AttemptReport),
    /// The daemon is up.
    Up,
    /// The daemon looks at what is due.
    Tick,
}

/// One promise.
pub(crate) trait Checker {
    /// Looks at a write that is durable, before it is in the model.
    fn write(&mut self, _seen: &Seen<'_>, _write: &Write) -> Verdict {
        Ok(())
    }

    /// Looks at something else that happens.
    fn happens(&mut self, _seen: &Seen<'_>, _what: &Happening<'_>) -> Verdict {
        Ok(())
    }

    /// Looks at everything while nothing is under way: all that was due has been dealt with.
    fn settled(&mut self, _seen: &Seen<'_>) -> Verdict {
        Ok(())
    }
}

macro_rules! checkers {
    ($($field:ident: $type:ty),* $(,)?) => {
        /// All checkers.
        #[derive(Clone, Default)]
        pub(crate) struct Checkers { $($field: $type),* }

        impl Checkers {
            fn each(&mut self, mut look: impl FnMut(&mut dyn Checker) -> Verdict) -> Verdict {
                $(look(&mut self.$field)?;)*
                Ok(())
            }
        }
    };
}

checkers! {
    accounting: accounting::Accounting,
    dependencies: dependencies::Dependencies,
    lateness: lateness::Lateness,
    overlap: overlap::Overlaps,
    limits: limits::Limits,
    deadlines: deadlines::Deadlines,
    holds: holds::Holds,
    priority: priority::Priorities,
    windows: windows::Windows,
    retries: retries::Retries,
    effects: effects::Effects,
    notices: notices::Notices,
    requirements: requirements::Requirements,
    progress: progress::Progress,
}

impl Checkers {
    pub(crate) fn write(&mut self, seen: &Seen<'_>, write: &Write) -> Verdict {
        self.each(|checker| checker.write(seen, write))
    }

    pub(crate) fn happens(&mut self, seen: &Seen<'_>, what: &Happening<'_>) -> Verdict {
        self.each(|checker| checker.happens(seen, what))
    }

    pub(crate) fn settled(&mut self, seen: &Seen<'_>) -> Verdict {
        self.each(|checker| checker.settled(seen))
    }
}

pub(crate) fn is_running(run: &Run) -> bool {
    run.state == sandglass_core::run::RunState::Running
}

/// The run of a write that begins its first attempt.
pub(crate) fn first_start(write: &Write) -> Option<&Run> {
    started(write).filter(|run| run.attempts.len() == 1)
}

/// The run of a write that begins an attempt.
pub(crate) fn started(write: &Write) -> Option<&Run> {
    match write {
        // A request to cancel is also a write of a running run; its attempt was begun before.
        Write::InsertRun(run) | Write::UpdateRun(run) if is_running(run) && run.cancel.is_none() => Some(run),
        _ => None,
    }
}
