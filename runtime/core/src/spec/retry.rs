//! Whether and when a failed attempt is tried again.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::Period;

/// Whether and when a failed attempt is tried again.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
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
