//! Why a run was not tried again.

/// Why no other attempt followed one that did not succeed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum NoRetry {
    /// There have been as many attempts as `max_attempts` allows.
    Attempts,
    /// `on` does not name how the attempt ended, or it was interrupted and the job is not `idempotent`.
    Outcome,
    /// `exit_codes` leaves its exit code out.
    ExitCode,
    /// The next attempt would have been due later than `max_elapsed` allows.
    Elapsed,
    /// The plugin said that it would fail again.
    Advice,
    /// The run was asked to stop: its request to cancel says why.
    CancelRequested,
    /// The job was deleted meanwhile.
    JobDeleted,
    /// The next attempt would have been due after the `deadline` of the whole run.
    Deadline,
}

impl NoRetry {
    /// All reasons.
    pub const ALL: [Self; 8] = [
        Self::Attempts,
        Self::Outcome,
        Self::ExitCode,
        Self::Elapsed,
        Self::Advice,
        Self::CancelRequested,
        Self::JobDeleted,
        Self::Deadline,
    ];
}
