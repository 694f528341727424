//! What each target is left with.

use sandglass_plugin::schemars::{self, JsonSchema};
use sandglass_plugin::serde::{self, Serialize};
use sandglass_plugin::serde_json::{Value, from_str, to_string};
use sandglass_plugin::{Failure, Outcome, output};

use crate::rollout::named;

/// What the run keeps.
#[output]
pub(crate) struct Report {
    /// Whether another run can go on from here, with the targets that were not done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) resumable: bool,
    /// How many targets are as the job wants them.
    pub(crate) succeeded: usize,
    /// How many failed.
    pub(crate) failed: usize,
    /// How many were undone.
    pub(crate) undone: usize,
    /// How many could not be undone.
    pub(crate) undo_failed: usize,
    /// How many were not begun.
    pub(crate) not_started: usize,
    /// How many were changed.
    pub(crate) changed: usize,
    /// Each of them, by name.
    pub(crate) targets: Vec<TargetReport>,
}

/// What one target is left with.
#[output]
pub(crate) struct TargetReport {
    /// The target.
    pub(crate) target: String,
    /// How it went.
    pub(crate) state: State,
    /// Whether anything on it is other than before.
    pub(crate) changed: bool,
    /// How long it took, in milliseconds.
    pub(crate) duration_ms: u64,
    /// Whether that was done before, by the attempt or run that this one goes on from.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) earlier: bool,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
    /// The exit code of the command that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) exit_code: Option<i32>,
    /// Whether what went wrong may go well another time.
    #[serde(skip)]
    pub(crate) is_passing: bool,
}

/// How it went on one target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(crate = "self::serde", rename_all = "snake_case")]
#[schemars(crate = "self::schemars")]
pub(crate) enum State {
    /// It is as the job wants it.
    Succeeded,
    /// It failed, and may have been changed in part.
    Failed,
    /// It is as it was before.
    Undone,
    /// What was done could not be undone.
    UndoFailed,
    /// Nothing was done on it.
    NotStarted,
}

impl Report {
    pub(crate) fn new(targets: Vec<TargetReport>) -> Self {
        let count = |is: fn(&TargetReport) -> bool| targets.iter().filter(|target| is(target)).count();
        let succeeded = count(|target| target.state == State::Succeeded);
        Self {
            resumable: succeeded < targets.len(),
            succeeded,
            failed: count(|target| target.state == State::Failed),
            undone: count(|target| target.state == State::Undone),
            undo_failed: count(|target| target.state == State::UndoFailed),
            not_started: count(|target| target.state == State::NotStarted),
            changed: count(|target| target.changed),
            targets,
        }
    }

    /// What a run that failed leaves to one that goes on from it.
    pub(crate) fn detail(&self) -> Value {
        // By way of text, as the report of a success is written: a second way would make the guest larger.
        to_string(self).ok().and_then(|text| from_str(&text).ok()).unwrap_or_default()
    }

    /// The end of the run that it means; `first` is the target that failed before all others.
    pub(crate) fn conclude(self, is_stopped: bool, first: Option<usize>) -> Result<Outcome<Self>, Failure> {
        let targets = |count: usize| if count == 1 { "1 target".to_owned() } else { format!("{count} targets") };
        if !self.resumable && !is_stopped {
            let summary = format!("{} done, {} changed", targets(self.succeeded), self.changed);
            let changed = self.changed > 0;
            return Ok(Outcome::output(self).with_summary(summary).changed(changed));
        }
        let mut message = format!("of {}", targets(self.targets.len()));
        let mut before = ": ";
        for (count, word) in [
            (self.failed, "failed"),
            (self.undone, "undone"),
            (self.undo_failed, "could not be undone"),
            (self.not_started, "not begun"),
            (self.succeeded, "done"),
        ] {
            if count > 0 {
                message = format!("{message}{before}{count} {word}");
                before = ", ";
            }
        }
        // What began it, and what it left.
        let left = self.targets.iter().position(|target| target.state == State::UndoFailed);
        for at in [first, left.filter(|left| first != Some(*left))] {
            if let Some(target) = at.map(|at| &self.targets[at])
                && let Some(why) = &target.message
            {
                message = format!("{message}; {}", named(&target.target, why));
            }
        }
        let code = match (is_stopped, self.undo_failed) {
            (_, 1..) => "undo_failed",
            (true, 0) => "cancelled",
            (false, 0) => "targets_failed",
        };
        let may_pass = self.targets.iter().all(|target| target.message.is_none() || target.is_passing);
        let failure = Failure::new(code, message).detail(self.detail());
        Err(if may_pass && !is_stopped { failure } else { failure.never_retry() })
    }
}
