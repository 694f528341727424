//! Whether and when a failed attempt is tried again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ExitCodes;
use crate::quantity::Period;

/// Whether and when a failed attempt is tried again.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Retry {
    /// Attempts in all; 1 means no retry.
    #[schemars(range(min = 1, max = 100))]
    pub max_attempts: u32,
    /// How the wait grows from attempt to attempt.
    pub backoff: Backoff,
    /// The wait before the second attempt.
    pub initial: Period,
    /// What an exponential wait is multiplied by each time.
    pub factor: f64,
    /// The longest wait.
    pub max: Period,
    /// Whether the wait is drawn at random between nothing and its full length.
    pub jitter: RetryJitter,
    /// No attempt is due later than this after the first one began. Default: no end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_elapsed: Option<Period>,
    /// After which outcomes another attempt is made. Default: `failed` and `timed_out`, and `interrupted` if the job is
    /// `idempotent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on: Option<RetryOutcomes>,
    /// After which exit codes another attempt is made. Default: after all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_codes: Option<Box<ExitCodes>>,
}

/// How an attempt ended that may be made again.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RetryOutcome {
    /// It failed.
    Failed,
    /// It took longer than it may.
    TimedOut,
    /// The daemon ended while it was going; only for a job that is `idempotent`.
    Interrupted,
}

/// A set of outcomes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Vec<RetryOutcome>", into = "Vec<RetryOutcome>")]
#[schemars(with = "Vec<RetryOutcome>")]
pub struct RetryOutcomes(u8);

impl RetryOutcomes {
    const ALL: [RetryOutcome; 3] = [RetryOutcome::Failed, RetryOutcome::TimedOut, RetryOutcome::Interrupted];

    /// Whether the outcome is one of them.
    #[must_use]
    pub const fn contains(self, outcome: RetryOutcome) -> bool {
        self.0 >> (outcome as u8) & 1 == 1
    }
}

impl From<Vec<RetryOutcome>> for RetryOutcomes {
    fn from(outcomes: Vec<RetryOutcome>) -> Self {
        Self(outcomes.into_iter().fold(0, |set, outcome| set | 1 << (outcome as u8)))
    }
}

impl From<RetryOutcomes> for Vec<RetryOutcome> {
    fn from(outcomes: RetryOutcomes) -> Self {
        RetryOutcomes::ALL.into_iter().filter(|outcome| outcomes.contains(*outcome)).collect()
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            max_attempts: 1,
            backoff: Backoff::Exponential,
            initial: Period::from_secs(10),
            factor: 2.0,
            max: Period::from_secs(600),
            jitter: RetryJitter::Full,
            max_elapsed: None,
            on: None,
            exit_codes: None,
        }
    }
}

/// How the wait between attempts grows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Backoff {
    /// Always `initial`.
    Fixed,
    /// `initial`, then times `factor` each time, up to `max`.
    #[default]
    Exponential,
}

/// How much of the wait between attempts is left to chance.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum RetryJitter {
    /// Anything between nothing and the full wait, so that many failures do not come back as one.
    #[default]
    Full,
    /// The full wait.
    None,
}
