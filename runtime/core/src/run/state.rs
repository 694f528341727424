//! Where a run is in its life, and which state may follow which.

use crate::time::Timestamp;

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
    /// It was stopped.
    Cancelled(CancelCause),
    /// The daemon ended while it was going: what it did is unknown.
    Interrupted,
    /// It was not started in time.
    Expired(ExpiryReason),
    /// Its fire started nothing.
    Skipped(SkipReason),
}

/// Why a run was stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum CancelCause {
    /// Somebody asked for it.
    User,
    /// A later fire of the job took its place.
    Superseded,
    /// Its job was deleted.
    JobDeleted,
}

impl CancelCause {
    /// All causes.
    pub const ALL: [Self; 3] = [Self::User, Self::Superseded, Self::JobDeleted];

    /// The reason in text; none if somebody asked for it, which the state says already.
    #[must_use]
    pub const fn reason(self) -> Option<&'static str> {
        match self {
            Self::User => None,
            Self::Superseded => Some("superseded"),
            Self::JobDeleted => Some("job_deleted"),
        }
    }
}

/// Why a queued run was not started in time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum ExpiryReason {
    /// The job's window closed while it waited for a place.
    OutsideWindow,
    /// It waited longer than the job's `start_deadline`.
    StartDeadline,
    /// The whole run, attempts that were made included, took longer than the job's `deadline`.
    Deadline,
    /// What the job `requires` was not so, or not in time.
    Requires,
}

impl ExpiryReason {
    /// All reasons.
    pub const ALL: [Self; 4] = [Self::OutsideWindow, Self::StartDeadline, Self::Deadline, Self::Requires];

    /// The reason in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OutsideWindow => "outside_window",
            Self::StartDeadline => "start_deadline",
            Self::Deadline => "deadline",
            Self::Requires => "requires",
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
    /// The job was paused.
    Paused,
    /// What the job `requires` was not so.
    Requires,
}

impl SkipReason {
    /// All reasons.
    pub const ALL: [Self; 6] =
        [Self::Missed, Self::Overlap, Self::OutsideWindow, Self::Calendar, Self::Paused, Self::Requires];

    /// The reason in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Overlap => "overlap",
            Self::OutsideWindow => "outside_window",
            Self::Calendar => "calendar",
            Self::Paused => "paused",
            Self::Requires => "requires",
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
                Ending::Cancelled(_) => StateName::Cancelled,
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
            (Self::Queued, Self::Ended { ending, .. }) => matches!(ending, Ending::Cancelled(_) | Ending::Expired(_)),
            (Self::Running, Self::RetryWait { .. }) => true,
            (Self::Running, Self::Ended { ending, .. }) => !matches!(ending, Ending::Skipped(_) | Ending::Expired(_)),
            (Self::RetryWait { .. }, Self::Queued) => true,
            (Self::RetryWait { .. }, Self::Ended { ending, .. }) => matches!(ending, Ending::Cancelled(_)),
            _ => false,
        }
    }
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
            Ending::Cancelled(CancelCause::User),
            Ending::Cancelled(CancelCause::Superseded),
            Ending::Cancelled(CancelCause::JobDeleted),
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
