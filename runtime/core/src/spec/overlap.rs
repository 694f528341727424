//! How runs of one job pass one another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a fire while as many runs of the job are going as `max_instances` permits.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// The fire starts nothing; a `skipped` record says so.
    #[default]
    Skip,
    /// One fire waits until a run of the job has ended; another that comes meanwhile starts nothing.
    BufferOne,
    /// Fires wait for one another, the earliest first; at most a thousand, further ones start nothing.
    BufferAll,
    /// The oldest run of the job is asked to stop, with its grace; the fire's run starts when it has ended.
    CancelOther,
    /// The oldest run of the job is killed at once; the fire's run starts when it has ended.
    TerminateOther,
    /// Every fire runs.
    AllowAll,
}

impl Overlap {
    /// Whether a fire takes the place of runs that wait or go.
    #[must_use]
    pub const fn supersedes(self) -> bool {
        matches!(self, Self::CancelOther | Self::TerminateOther)
    }
}
