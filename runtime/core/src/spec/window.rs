//! The hours in which a job's runs may start, as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TimeOfDay;
use super::day::Weekday;
use super::list::OneOrMany;

/// The hours in which a job's runs may start, by the local clock of the job's zone.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// When it opens.
    pub from: TimeOfDay,
    /// When it closes; the first time that is no longer inside. At or before `from` it is a time of the next day, so
    /// equal times mean a whole day.
    pub to: TimeOfDay,
    /// The days of the week on which it opens. Default: every day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<OneOrMany<Weekday>>,
    /// What becomes of a fire outside.
    #[serde(default)]
    pub outside: Outside,
}

/// What becomes of a fire outside of the window.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outside {
    /// It starts nothing; a `skipped` record says so.
    #[default]
    Skip,
    /// It waits in the queue until the window opens.
    Defer,
}
