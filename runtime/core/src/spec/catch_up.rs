//! Which fires still run that came due while nothing could be started.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::Period;

/// What happens to fires that came due while the daemon was down, suspended or saturated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CatchUp {
    /// Which of them still run.
    pub policy: CatchUpPolicy,
    /// How far back a fire may lie to still run.
    pub window: Period,
    /// With `all`: how many fires run at most, the latest ones; at most 1000.
    #[schemars(range(min = 1, max = 1000))]
    pub limit: u32,
}

impl Default for CatchUp {
    fn default() -> Self {
        Self { policy: CatchUpPolicy::Latest, window: Period::from_secs(3600), limit: 100 }
    }
}

/// Which missed fires still run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
pub enum CatchUpPolicy {
    /// The latest one; the others become `skipped` records.
    #[default]
    Latest,
    /// The earliest one within the window; the others become `skipped` records.
    Earliest,
    /// All within the window, one after another unless the job allows overlap; of more than `limit`, the latest.
    All,
    /// None of them; all become `skipped` records.
    None,
}
