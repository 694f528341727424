//! Runs, attempts, and the one function that lets a run move from state to state.
//!
//! ```text
//!             ┌────────────────── retry_wait ◄─┐
//!             ▼                                │
//!  fire ──► queued ──────► running ────────────┴──► succeeded | failed | timed_out | cancelled | interrupted
//!    │        └──► cancelled | expired
//!    └──► skipped
//! ```

mod attempt;
mod no_retry;
mod phase;
mod retention;
mod state;

pub use attempt::{Attempt, AttemptEnd, AttemptError, AttemptOutcome, ErrorClass, Usage};
pub use no_retry::NoRetry;
pub use phase::Phase;
pub use state::{CancelCause, Ending, ExpiryReason, RunState, SkipReason, StateName};

use serde::{Deserialize, Serialize};

use std::sync::Arc;

use crate::dependency::UpstreamRun;
use crate::id::{JobId, JobName, Namespace, RunId};
use crate::notice::Notice;
use crate::spec::ParamValues;
use crate::time::Timestamp;

/// Why a run exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Origin {
    /// Its fire came due.
    Schedule,
    /// Somebody asked for it.
    Manual,
    /// Its fire came due while nothing could be started, and was caught up.
    CatchUp,
    /// Somebody asked for a fire of the past.
    Backfill,
    /// Somebody asked for another run to be made again.
    Retry,
    /// Runs of the jobs that it comes after have ended.
    Dependency,
    /// It tells somebody of other runs.
    Notification,
}

impl Origin {
    /// All origins.
    pub const ALL: [Self; 7] = [
        Self::Schedule,
        Self::Manual,
        Self::CatchUp,
        Self::Backfill,
        Self::Retry,
        Self::Dependency,
        Self::Notification,
    ];

    /// The name in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual => "manual",
            Self::CatchUp => "catch_up",
            Self::Backfill => "backfill",
            Self::Retry => "retry",
            Self::Dependency => "dependency",
            Self::Notification => "notification",
        }
    }
}

/// What a queued run must wait for, besides a free place.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Gate {
    /// Nothing: somebody forced its start.
    Open,
    /// The job's window.
    Window,
    /// The job's window, and its turn: it starts while no other run of its job is going, the earliest instant first.
    Turn,
}

/// The job executed for one fire or one manual start.
#[derive(Clone, PartialEq, Debug)]
pub struct Run {
    /// Its identity.
    pub id: RunId,
    /// Grows by one with every change that is committed; counts from 1.
    pub version: u32,
    /// The job's owner.
    pub namespace: Namespace,
    /// The job.
    pub job_id: JobId,
    /// The job's name at the time.
    pub job: JobName,
    /// The job's revision at the time.
    pub revision: u64,
    /// Why it exists.
    pub origin: Origin,
    /// Which of the job's triggers fired, counted from 0.
    pub trigger: Option<u16>,
    /// What it makes again, if somebody asked for that.
    pub rerun_of: Option<Rerun>,
    /// Fires behind its own for which its record stands too: they were skipped for the same reason.
    pub missed: Option<Missed>,
    /// The instant it was due.
    pub scheduled_at: Timestamp,
    /// The runs of other jobs that it follows from or needed, once that is known; one for each job.
    pub upstream: Vec<UpstreamRun>,
    /// The parameters that its start gave; for the others the job's defaults count.
    pub params: Option<Arc<ParamValues>>,
    /// When it was made.
    pub queued_at: Timestamp,
    /// What it waits for before its first attempt.
    pub gate: Gate,
    /// Where it is in its life.
    pub state: RunState,
    /// That it shall be stopped, if that came while an attempt was going: no other attempt follows.
    pub cancel: Option<CancelRequest>,
    /// Its attempts so far, the first first.
    pub attempts: Vec<Attempt>,
    /// Why no other attempt followed the last one, if that did not succeed and was not stopped on request.
    pub no_retry: Option<NoRetry>,
    /// What the last attempt that returned anything returned, of those of the present revision: JSON text. Of one that failed, what the plugin gave in detail,
    /// under `detail`.
    pub result: Option<String>,
    /// When it was found to be late, and those told who asked for that: it had not started by then.
    pub late: Option<Timestamp>,
    /// What it tells, if it is a notification. Its job is then what stands for the notifier
    /// ([`JobId::of_notifier`]), and the name that of the first job that it tells of.
    pub notice: Option<Box<Notice>>,
}

/// A run that is made again.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rerun {
    /// The run, which is over.
    pub run: RunId,
    /// Whether the new run goes on from what the old one left, as far as its plugin can: what was done is not done again.
    pub resumes: bool,
}

/// What a run's result has for another attempt to go on from: a failure's detail that says so of itself.
#[must_use]
pub fn left_to_resume(result: &str) -> Option<serde_json::Value> {
    let mut result: serde_json::Value = serde_json::from_str(result).ok()?;
    let detail = result.get_mut("detail")?.take();
    (detail["resumable"] == true).then_some(detail)
}

/// That a running run shall be stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CancelRequest {
    /// When that was decided.
    pub at: Timestamp,
    /// Why.
    pub cause: CancelCause,
}

/// Fires in a row that were skipped for the same reason and share the record of the first one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
pub struct Missed {
    /// The instant of the last one.
    pub until: Timestamp,
    /// How many they are, the first and the last included: at least 2.
    pub count: u64,
}

/// The run would have gone from a state to one that cannot follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a run cannot go from {} to {}", from.as_str(), to.as_str())]
pub struct InvalidTransition {
    /// The state it is in.
    pub from: StateName,
    /// The state it should have gone to.
    pub to: StateName,
}

impl Run {
    /// A run of a job's first revision that nobody knows of yet, due and made at `at`: it waits for nothing but a place.
    #[must_use]
    pub const fn queued(id: RunId, namespace: Namespace, job_id: JobId, job: JobName, at: Timestamp) -> Self {
        Self {
            id,
            version: 1,
            namespace,
            job_id,
            job,
            revision: 1,
            origin: Origin::Schedule,
            trigger: None,
            rerun_of: None,
            missed: None,
            upstream: Vec::new(),
            params: None,
            scheduled_at: at,
            queued_at: at,
            gate: Gate::Open,
            state: RunState::Queued,
            cancel: None,
            attempts: Vec::new(),
            no_retry: None,
            result: None,
            late: None,
            notice: None,
        }
    }

    /// Its next attempt is made as the job is at `revision`. What was left by another says nothing of what this one wants.
    pub(crate) fn take_up(&mut self, revision: u64) {
        if revision == self.revision {
            return;
        }
        self.revision = revision;
        self.result = None;
        if let Some(rerun) = &mut self.rerun_of {
            rerun.resumes = false;
        }
    }

    /// The run whose result the attempt that is going, or is next, goes on from.
    #[must_use]
    pub fn resumes(&self) -> Option<RunId> {
        // Only attempts before it can have told anything.
        if self.result.is_some() {
            return Some(self.id);
        }
        self.rerun_of.filter(|rerun| rerun.resumes).map(|rerun| rerun.run)
    }

    /// Moves the run to `next`, and its version up by one.
    ///
    /// # Errors
    ///
    /// If `next` cannot follow the present state; the run is then as it was.
    pub fn transition(&mut self, next: RunState) -> Result<(), InvalidTransition> {
        if !self.state.may_become(next) {
            return Err(InvalidTransition { from: self.state.name(), to: next.name() });
        }
        self.state = next;
        self.version += 1;
        Ok(())
    }

    /// Notes that a running run shall be stopped, and moves its version up by one. The first request counts.
    pub fn request_cancel(&mut self, request: CancelRequest) {
        if self.cancel.is_none() {
            self.cancel = Some(request);
            self.version += 1;
        }
    }

    /// Moves the version up by one, for a change that leaves the state as it is.
    pub fn revise(&mut self) {
        self.version += 1;
    }

    /// How many fires its record stands for.
    #[must_use]
    pub fn fires(&self) -> u64 {
        self.missed.map_or(1, |missed| missed.count)
    }

    /// Whether its record stands for the fire at `at`, if the job has one then.
    #[must_use]
    pub fn stands_for(&self, at: Timestamp) -> bool {
        at == self.scheduled_at || self.missed.is_some_and(|missed| self.scheduled_at < at && at <= missed.until)
    }

    /// Why the run was skipped, expired, or cancelled by nobody who named it, in text.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        match self.state {
            RunState::Ended { ending: Ending::Skipped(reason), .. } => Some(reason.as_str()),
            RunState::Ended { ending: Ending::Expired(reason), .. } => Some(reason.as_str()),
            RunState::Ended { ending: Ending::Cancelled(cause), .. } => cause.reason(),
            _ => None,
        }
    }

    /// When the first attempt started.
    #[must_use]
    pub fn started_at(&self) -> Option<Timestamp> {
        self.attempts.first().map(|attempt| attempt.started_at)
    }

    /// When the run was over.
    #[must_use]
    pub fn finished_at(&self) -> Option<Timestamp> {
        match self.state {
            RunState::Ended { at, .. } => Some(at),
            _ => None,
        }
    }

    /// The exit code that the last attempt reported.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        self.attempts.last().and_then(|attempt| attempt.end.as_ref()).and_then(|end| end.exit_code)
    }
}
