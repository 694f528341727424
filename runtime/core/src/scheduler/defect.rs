//! Defects that the simulator seeds into the reducer, to prove that its checkers find them. Compiled with the feature
//! `defects` alone.

use std::sync::Arc;
use std::time::Duration;

use super::catch_up::Verdict;
use super::overlap::Passage;
use super::start::Start;
use super::{Options, Scheduler};
use crate::batch::Write;
use crate::dependency::UpstreamRun;
use crate::event::Step;
use crate::id::{JobId, RunId};
use crate::run::{Ending, Origin, Run, RunState, SkipReason};
use crate::time::Timestamp;

/// A defect that can be seeded.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Defect {
    /// A fire is dropped now and then.
    Drop,
    /// A fire is dealt with twice now and then.
    Duplicate,
    /// Runs are tried again before it is time.
    Early,
    /// A fire is dealt with some seconds late now and then.
    Late,
    /// The overlap policy is passed over now and then.
    Overlap,
    /// The lowest priority starts first.
    PriorityInversion,
    /// A run is not tried again although it should be, now and then.
    LostRetry,
    /// One attempt more is going than may.
    LimitOffByOne,
    /// A job is not told now and then that a run ended that it comes after.
    ForgottenDependant,
    /// A run that was cancelled comes back now and then.
    ResurrectedRun,
    /// One attempt more of a namespace is going than may.
    NamespaceOffByOne,
    /// One attempt more with a plugin is going than may.
    PluginOffByOne,
    /// One attempt more of a concurrency group is going than may.
    GroupOffByOne,
    /// A group counts all its attempts together, whatever their keys.
    KeyIgnored,
    /// A fire of a paused job starts now and then.
    PauseIgnored,
    /// A disabled job can be started by hand.
    DisabledStarts,
    /// A run starts although it is too late for it, now and then.
    LateStart,
    /// A run takes the place of others by any policy, now and then.
    Superseded,
    /// A run is tried again after what its job leaves out, now and then.
    NeedlessRetry,
    /// Nobody is told of the end of a run, now and then.
    LostNotice,
    /// A run that is to wait for its turn does not, now and then.
    TurnIgnored,
    /// Of a namespace's runs the one that was due last starts first.
    LastFirst,
    /// A run starts without what its job requires, now and then.
    RequirementIgnored,
}

impl Defect {
    /// All defects.
    pub const ALL: [Self; 23] = [
        Self::Drop,
        Self::Duplicate,
        Self::Early,
        Self::Late,
        Self::Overlap,
        Self::PriorityInversion,
        Self::LostRetry,
        Self::LimitOffByOne,
        Self::ForgottenDependant,
        Self::ResurrectedRun,
        Self::NamespaceOffByOne,
        Self::PluginOffByOne,
        Self::GroupOffByOne,
        Self::KeyIgnored,
        Self::PauseIgnored,
        Self::DisabledStarts,
        Self::LateStart,
        Self::Superseded,
        Self::NeedlessRetry,
        Self::LostNotice,
        Self::TurnIgnored,
        Self::LastFirst,
        Self::RequirementIgnored,
    ];

    /// The name in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Duplicate => "duplicate",
            Self::Early => "early",
            Self::Late => "late",
            Self::Overlap => "overlap",
            Self::PriorityInversion => "priority-inversion",
            Self::LostRetry => "lost-retry",
            Self::LimitOffByOne => "limit-off-by-one",
            Self::ForgottenDependant => "forgotten-dependant",
            Self::ResurrectedRun => "resurrected-run",
            Self::NamespaceOffByOne => "namespace-off-by-one",
            Self::PluginOffByOne => "plugin-off-by-one",
            Self::GroupOffByOne => "group-off-by-one",
            Self::KeyIgnored => "key-ignored",
            Self::PauseIgnored => "pause-ignored",
            Self::DisabledStarts => "disabled-starts",
            Self::LateStart => "late-start",
            Self::Superseded => "superseded",
            Self::NeedlessRetry => "needless-retry",
            Self::LostNotice => "lost-notice",
            Self::TurnIgnored => "turn-ignored",
            Self::LastFirst => "last-first",
            Self::RequirementIgnored => "requirement-ignored",
        }
    }
}

/// Whether what has this identity is one of the few that a defect shows in.
fn is_struck(id: RunId) -> bool {
    id.to_bits().is_multiple_of(16)
}

impl Options {
    /// The limit that is kept where there should be one of `most`.
    pub(super) fn bound(&self, of: Defect, most: u32) -> u32 {
        most + u32::from(self.defect == Some(of))
    }
}

impl Scheduler {
    fn has(&self, defect: Defect) -> bool {
        self.options.defect == Some(defect)
    }

    /// Whether the fire is dropped.
    pub(super) fn drops(&self, job: JobId, at: Timestamp) -> bool {
        self.has(Defect::Drop) && is_struck(RunId::of_fire(job, at))
    }

    /// Whether the fire is dealt with twice.
    pub(super) fn duplicates(&self, job: JobId, at: Timestamp) -> bool {
        self.has(Defect::Duplicate) && is_struck(RunId::of_fire(job, at))
    }

    /// Until when retries count as due.
    pub(super) fn retries_until(&self, now: Timestamp) -> Timestamp {
        if self.has(Defect::Early) { now.after(Duration::from_secs(2)) } else { now }
    }

    /// Lets a job be looked at after its next fire.
    pub(super) fn looks_late(&mut self, job: JobId) {
        let is_late = self.has(Defect::Late);
        if let Some(entry) = self.jobs.get_mut(&job).filter(|_| is_late)
            && let Some(at) = entry.wake_at
            && is_struck(RunId::of_fire(job, at))
        {
            entry.wake_at = Some(at.after(Duration::from_secs(3)));
        }
    }

    /// Lets a start pass whatever is going.
    pub(super) fn passes_over(&self, start: Start) -> Start {
        let passes = self.has(Defect::Overlap) && start.origin != Origin::Backfill && is_struck(start.id);
        if passes { Start { passage: Passage::Free, ..start } } else { start }
    }

    /// The priority that a run is queued with.
    pub(super) fn inverted(&self, priority: u8) -> u8 {
        if self.has(Defect::PriorityInversion) { 9_u8.saturating_sub(priority) } else { priority }
    }

    /// The instant by which a run that was due at `at` has its place in the queue.
    pub(super) fn reversed(&self, at: Timestamp) -> Timestamp {
        if self.has(Defect::LastFirst) { Timestamp::from_micros(-at.as_micros()) } else { at }
    }

    /// Whether the run does not wait for its turn.
    pub(super) fn jumps_line(&self, id: RunId) -> bool {
        self.has(Defect::TurnIgnored) && is_struck(id)
    }

    /// Whether the wait of a run is forgotten.
    pub(super) fn loses_retry(&self, id: RunId) -> bool {
        self.has(Defect::LostRetry) && is_struck(id)
    }

    /// Whether the run starts without what its job requires.
    pub(super) fn ignores_requirement(&self, id: RunId) -> bool {
        self.has(Defect::RequirementIgnored) && is_struck(id)
    }

    /// Whether nobody is told that the run has ended.
    pub(super) fn loses_notice(&self, id: RunId) -> bool {
        self.has(Defect::LostNotice) && is_struck(id)
    }

    /// Whether a job is not told that a run ended.
    pub(super) fn forgets(&self, job: JobId, ended: &UpstreamRun) -> bool {
        let follows = RunId::of_dependency(job, ended.run, ended.finished_at);
        self.has(Defect::ForgottenDependant) && is_struck(follows)
    }

    /// How many attempts there may be more than there may.
    pub(super) fn too_many(&self) -> u32 {
        u32::from(self.has(Defect::LimitOffByOne))
    }

    /// Whether attempts of a group are not counted apart.
    pub(super) fn ignores_keys(&self) -> bool {
        self.has(Defect::KeyIgnored)
    }

    /// What the fire comes to that came to `verdict`.
    pub(super) fn starts_paused(&self, job: JobId, at: Timestamp, verdict: Verdict) -> Verdict {
        let paused = verdict == Verdict::Skip(SkipReason::Paused);
        if paused && self.has(Defect::PauseIgnored) && is_struck(RunId::of_fire(job, at)) {
            Verdict::Start
        } else {
            verdict
        }
    }

    /// Whether a disabled job does what an enabled one does.
    pub(super) fn starts_disabled(&self) -> bool {
        self.has(Defect::DisabledStarts)
    }

    /// Whether it is forgotten when the run expires.
    pub(super) fn forgets_deadline(&self, id: RunId) -> bool {
        self.has(Defect::LateStart) && is_struck(id)
    }

    /// Whether the run takes the place of others by any policy.
    pub(super) fn supersedes_anyway(&self, id: RunId) -> bool {
        self.has(Defect::Superseded) && is_struck(id)
    }

    /// When a run is tried again that should not be.
    pub(super) fn retried_anyway(&self, id: RunId, now: Timestamp) -> Option<Timestamp> {
        (self.has(Defect::NeedlessRetry) && is_struck(id)).then(|| now.after(Duration::from_secs(1)))
    }

    /// Brings back a run that was cancelled.
    pub(super) fn resurrect(&mut self, id: RunId, step: &mut Step) {
        let Some(Write::UpdateRun(run)) = step.batch.writes.last() else { return };
        let cancelled = matches!(run.state, RunState::Ended { ending: Ending::Cancelled(_), .. });
        if cancelled && self.has(Defect::ResurrectedRun) && is_struck(id) {
            let run = Run { state: RunState::Queued, version: run.version + 1, ..(**run).clone() };
            let run = Arc::new(run);
            step.batch.writes.push(Write::UpdateRun(Arc::clone(&run)));
            self.take_in(run);
        }
    }
}
