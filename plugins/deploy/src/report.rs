//! What each target is left with.

use sandglass_plugin::schemars::{self, JsonSchema};
use sandglass_plugin::serde::{self, Serialize};
use sandglass_plugin::serde_json::{from_str, to_string};
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
    /// How many are not.
    pub(crate) failed: usize,
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
        let changed = count(|target| target.changed);
        Self { resumable: succeeded < targets.len(), succeeded, failed: targets.len() - succeeded, changed, targets }
    }

    /// The end of the run that it means.
    pub(crate) fn conclude(self, is_stopped: bool) -> Result<Outcome<Self>, Failure> {
        let count = |state: State| self.targets.iter().filter(|target| target.state == state).count();
        let targets = |count: usize| if count == 1 { "1 target".to_owned() } else { format!("{count} targets") };
        if self.failed == 0 && !is_stopped {
            let summary = format!("{} done, {} changed", targets(self.succeeded), self.changed);
            let changed = self.changed > 0;
            return Ok(Outcome::output(self).with_summary(summary).changed(changed));
        }
        let mut parts = Vec::new();
        for (state, word) in [
            (State::Failed, "failed"),
            (State::Undone, "undone"),
            (State::UndoFailed, "could not be undone"),
            (State::NotStarted, "not begun"),
        ] {
            let found = count(state);
            if found > 0 {
                parts.push(format!("{found} {word}"));
            }
        }
        let first = self.targets.iter().find(|target| target.message.is_some());
        let first = first.and_then(|target| Some(format!("; {}", named(&target.target, target.message.as_ref()?))));
        let message = format!("of {}: {}{}", targets(self.targets.len()), parts.join(", "), first.unwrap_or_default());
        let code = match (is_stopped, count(State::UndoFailed)) {
            (_, 1..) => "undo_failed",
            (true, 0) => "cancelled",
            (false, 0) => "targets_failed",
        };
        let may_pass = self.targets.iter().all(|target| target.message.is_none() || target.is_passing);
        // By way of text, as the report of a success is written: a second way would make the guest larger.
        let detail = to_string(&self).ok().and_then(|text| from_str(&text).ok()).unwrap_or_default();
        let failure = Failure::new(code, message).detail(detail);
        Err(if may_pass && !is_stopped { failure } else { failure.never_retry() })
    }
}
