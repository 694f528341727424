//! Runs, attempts, and the one function that lets a run move from state to state.
//!
//! ```text
//!             ┌────────────────── retry_wait ◄─┐
//!             ▼                                │
//!  fire ──► queued ──────► running ────────────┴──► succeeded | failed | timed_out | cancelled | interrupted
//!    │        └──► cancelled | expired
//!    └──► skipped
//! ```

use crate::id::{JobId, JobName, Namespace, RunId};
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
}

impl Origin {
    /// All origins.
    pub const ALL: [Self; 4] = [Self::Schedule, Self::Manual, Self::CatchUp, Self::Backfill];

    /// The name in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Manual => "manual",
            Self::CatchUp => "catch_up",
            Self::Backfill => "backfill",
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

/// Where a run is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RunState {
    /// Waits for a free place. Entered when it is made or when its retry comes due; left for `running`, or for an
    /// ending when it is cancelled or expires.
    Queued,
    /// An attempt is going. Durable before the attempt has any effect; left when the attempt ends.
    Running,
    /// The last attempt failed and another will be made. Left for `queued` at `until`, or for `cancelled`.
    RetryWait {
        /// When the next attempt is due.
        until: Timestamp,
    },
    /// It is over, for good: nothing leaves this state.
    Ended {
        /// How.
        ending: Ending,
        /// When.
        at: Timestamp,
    },
}

/// How a run ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Ending {
    /// The last attempt did what it should.
    Succeeded,
    /// The last attempt failed and no attempt is left.
    Failed,
    /// The last attempt took longer than it may.
    TimedOut,
    /// Somebody stopped it.
    Cancelled,
    /// The daemon ended while it was going: what it did is unknown.
    Interrupted,
    /// It was not started in time.
    Expired(ExpiryReason),
    /// Its fire started nothing.
    Skipped(SkipReason),
}

/// Why a queued run was not started in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ExpiryReason {
    /// The job's window closed while it waited for a place.
    OutsideWindow,
}

impl ExpiryReason {
    /// The reason in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutsideWindow => "outside_window",
        }
    }
}

/// Why a fire started nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum SkipReason {
    /// It came due while nothing could be started, and the catch-up policy leaves it out.
    Missed,
    /// A run of the job was going.
    Overlap,
    /// The job's window was closed.
    OutsideWindow,
    /// A calendar of the trigger leaves it out.
    Calendar,
}

impl SkipReason {
    /// All reasons.
    pub const ALL: [Self; 4] = [Self::Missed, Self::Overlap, Self::OutsideWindow, Self::Calendar];

    /// The reason in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Overlap => "overlap",
            Self::OutsideWindow => "outside_window",
            Self::Calendar => "calendar",
        }
    }
}

/// The name of a state alone, as the API shows it and history is indexed by it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum StateName {
    /// [`RunState::Queued`].
    Queued,
    /// [`RunState::Running`].
    Running,
    /// [`RunState::RetryWait`].
    RetryWait,
    /// [`Ending::Succeeded`].
    Succeeded,
    /// [`Ending::Failed`].
    Failed,
    /// [`Ending::TimedOut`].
    TimedOut,
    /// [`Ending::Cancelled`].
    Cancelled,
    /// [`Ending::Interrupted`].
    Interrupted,
    /// [`Ending::Expired`].
    Expired,
    /// [`Ending::Skipped`].
    Skipped,
}

impl StateName {
    /// All names, in the order of a run's life.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Running,
        Self::RetryWait,
        Self::Succeeded,
        Self::Failed,
        Self::TimedOut,
        Self::Cancelled,
        Self::Interrupted,
        Self::Expired,
        Self::Skipped,
    ];

    /// The name in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::RetryWait => "retry_wait",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Expired => "expired",
            Self::Skipped => "skipped",
        }
    }

    /// The state that is called `text`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.as_str() == text)
    }

    /// Whether a run in this state is over.
    #[must_use]
    pub const fn is_terminal(self) -> bool {
        !matches!(self, Self::Queued | Self::Running | Self::RetryWait)
    }
}

impl RunState {
    /// The name alone.
    #[must_use]
    pub const fn name(self) -> StateName {
        match self {
            Self::Queued => StateName::Queued,
            Self::Running => StateName::Running,
            Self::RetryWait { .. } => StateName::RetryWait,
            Self::Ended { ending, .. } => match ending {
                Ending::Succeeded => StateName::Succeeded,
                Ending::Failed => StateName::Failed,
                Ending::TimedOut => StateName::TimedOut,
                Ending::Cancelled => StateName::Cancelled,
                Ending::Interrupted => StateName::Interrupted,
                Ending::Expired(_) => StateName::Expired,
                Ending::Skipped(_) => StateName::Skipped,
            },
        }
    }

    /// Whether a run may go from this state to `next`. Every transition passes here.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        match (self, next) {
            (Self::Queued, Self::Running) => true,
            (Self::Queued, Self::Ended { ending, .. }) => matches!(ending, Ending::Cancelled | Ending::Expired(_)),
            (Self::Running, Self::RetryWait { .. }) => true,
            (Self::Running, Self::Ended { ending, .. }) => !matches!(ending, Ending::Skipped(_) | Ending::Expired(_)),
            (Self::RetryWait { .. }, Self::Queued) => true,
            (Self::RetryWait { .. }, Self::Ended { ending, .. }) => matches!(ending, Ending::Cancelled),
            _ => false,
        }
    }
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
    /// The instant it was due.
    pub scheduled_at: Timestamp,
    /// When it was made.
    pub queued_at: Timestamp,
    /// What it waits for before its first attempt.
    pub gate: Gate,
    /// Where it is in its life.
    pub state: RunState,
    /// When somebody asked for it to be stopped while an attempt was going: no other attempt follows.
    pub cancel_requested_at: Option<Timestamp>,
    /// Its attempts so far, the first first.
    pub attempts: Vec<Attempt>,
    /// What its successful attempt returned: JSON text.
    pub result: Option<String>,
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

    /// Notes that somebody asked at `at` for a running run to be stopped, and moves its version up by one. The first
    /// request counts.
    pub fn request_cancel(&mut self, at: Timestamp) {
        if self.cancel_requested_at.is_none() {
            self.cancel_requested_at = Some(at);
            self.version += 1;
        }
    }

    /// Why the run was skipped or expired, in text.
    #[must_use]
    pub const fn reason(&self) -> Option<&'static str> {
        match self.state {
            RunState::Ended { ending: Ending::Skipped(reason), .. } => Some(reason.as_str()),
            RunState::Ended { ending: Ending::Expired(reason), .. } => Some(reason.as_str()),
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

/// One try at a run.
#[derive(Clone, PartialEq, Debug)]
pub struct Attempt {
    /// Counts from 1.
    pub number: u32,
    /// When the guest took its first step; until that is known, when the attempt was decided.
    pub started_at: Timestamp,
    /// How it ended, once it has.
    pub end: Option<AttemptEnd>,
}

/// How an attempt ended.
#[derive(Clone, PartialEq, Debug)]
pub struct AttemptEnd {
    /// When.
    pub finished_at: Timestamp,
    /// In short.
    pub outcome: AttemptOutcome,
    /// What was wrong, unless it succeeded.
    pub error: Option<AttemptError>,
    /// The exit code of the process that decided it, if one did.
    pub exit_code: Option<i32>,
    /// What it used.
    pub usage: Usage,
}

/// How an attempt ended, in short.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum AttemptOutcome {
    /// It did what it should.
    Succeeded,
    /// It did not.
    Failed,
    /// It took longer than it may.
    TimedOut,
    /// It was stopped on request.
    Cancelled,
    /// The daemon ended while it was going.
    Interrupted,
}

/// What was wrong with an attempt.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AttemptError {
    /// What kind of thing went wrong.
    pub class: ErrorClass,
    /// A stable word for programs; the plugin's own for [`ErrorClass::Guest`].
    pub code: String,
    /// What happened and what to do, for people.
    pub message: String,
}

/// What kind of thing went wrong in an attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ErrorClass {
    /// A process ended with a code that means failure.
    Exit,
    /// The plugin asked for something it was not granted.
    Denied,
    /// It used up its fuel.
    Fuel,
    /// It took longer than it may.
    Deadline,
    /// It wanted more memory than it may have.
    Memory,
    /// Its calls were nested too deeply.
    Stack,
    /// Its code did something that WebAssembly forbids, or panicked.
    Trap,
    /// The plugin reported a failure of its own.
    Guest,
    /// Nobody knows how it ended.
    Lost,
}

impl ErrorClass {
    /// All classes.
    pub const ALL: [Self; 9] = [
        Self::Exit,
        Self::Denied,
        Self::Fuel,
        Self::Deadline,
        Self::Memory,
        Self::Stack,
        Self::Trap,
        Self::Guest,
        Self::Lost,
    ];

    /// The name in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exit => "exit",
            Self::Denied => "denied",
            Self::Fuel => "fuel",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Trap => "trap",
            Self::Guest => "guest",
            Self::Lost => "lost",
        }
    }
}

/// What an attempt used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// Fuel burnt by the guest.
    pub fuel: u64,
    /// The most linear memory that the guest had at once, in bytes.
    pub peak_memory_bytes: u64,
    /// From the guest's first step to its last, in microseconds.
    pub wall_us: u64,
    /// Time that the guest itself computed, host calls left out, in microseconds.
    pub guest_cpu_us: u64,
    /// What it printed, whether kept or not, in bytes.
    pub output_bytes: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn states() -> Vec<RunState> {
        let at = Timestamp::EPOCH;
        let endings = [
            Ending::Succeeded,
            Ending::Failed,
            Ending::TimedOut,
            Ending::Cancelled,
            Ending::Interrupted,
            Ending::Expired(ExpiryReason::OutsideWindow),
            Ending::Skipped(SkipReason::Missed),
        ];
        let mut states = vec![RunState::Queued, RunState::Running, RunState::RetryWait { until: at }];
        states.extend(endings.map(|ending| RunState::Ended { ending, at }));
        states
    }

    /// The whole table: what may follow each state, and nothing else.
    #[test]
    fn transitions_are_exactly_the_documented_ones() {
        let table: &[(&str, &[&str])] = &[
            ("queued", &["running", "cancelled", "expired"]),
            ("running", &["retry_wait", "succeeded", "failed", "timed_out", "cancelled", "interrupted"]),
            ("retry_wait", &["queued", "cancelled"]),
        ];
        for from in states() {
            let allowed = table.iter().find(|(name, _)| *name == from.name().as_str()).map_or(&[][..], |(_, to)| to);
            for to in states() {
                let expected = allowed.contains(&to.name().as_str());
                assert_eq!(from.may_become(to), expected, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn state_names_round_trip() {
        for name in StateName::ALL {
            assert_eq!(StateName::parse(name.as_str()), Some(name));
        }
        assert_eq!(StateName::parse("done"), None);
    }
}
