//! How runs of one job pass one another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens to a fire while a run of the job is going.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// The fire starts nothing; a `skipped` record says so.
    #[default]
    Skip,
    /// One fire waits until no run of the job is going; another that comes meanwhile starts nothing.
    BufferOne,
    /// Fires wait for one another, the earliest first; at most a thousand, further ones start nothing.
    BufferAll,
    /// Every fire runs.
    AllowAll,
}
