//! What a queued run waits for.

use sandglass_core::event;
use sandglass_core::id::RunId;
use sandglass_core::queue::{LimitKey, LimitOf};
use sandglass_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What stands between a queued run and its start. There may be more behind it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum WaitsFor {
    /// Its turn: no more runs of its job may go at once.
    Turn {
        /// One that goes, or may as soon as there is a place for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        run_id: Option<RunId>,
    },
    /// The window of its job.
    Window {
        /// When it opens.
        opens_at: Timestamp,
    },
    /// Other things that a notification could tell of together with its own.
    More {
        /// When it tells of what there is by then.
        until: Timestamp,
    },
    /// What its job requires of other jobs.
    Requirement {
        /// When it is given up unless what is required is so by then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Timestamp>,
    },
    /// A free place of the namespace.
    Namespace {
        /// How many of its attempts go at once.
        limit: u32,
    },
    /// A free place of the plugin.
    Plugin {
        /// Its name.
        name: String,
        /// How many of its attempts go at once.
        limit: u32,
    },
    /// A free place of a concurrency group.
    Group {
        /// Its name.
        name: String,
        /// The key whose attempts count together, if it counts by keys.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// How many of its attempts go at once.
        limit: u32,
    },
    /// A free place of the daemon.
    Daemon {
        /// How many attempts go at once.
        limit: u32,
    },
}

impl WaitsFor {
    /// What it is, in words. `shown` writes an instant.
    #[must_use]
    pub fn words(&self, shown: impl Fn(Timestamp) -> String) -> String {
        let place = |of: String, limit: &u32| {
            let attempts = if *limit == 1 { "attempt goes" } else { "attempts go" };
            format!("a free place of {of}, of which {limit} {attempts} at once")
        };
        match self {
            Self::Turn { run_id: Some(run) } => format!("its turn: run {run} of the job is before it"),
            Self::Turn { run_id: None } => "its turn among the runs of the job".to_owned(),
            Self::Window { opens_at } => format!("the job's window, which opens at {}", shown(*opens_at)),
            Self::More { until } => format!("more to tell of, until {}", shown(*until)),
            Self::Requirement { until: Some(until) } => format!("what the job requires, until {}", shown(*until)),
            Self::Requirement { until: None } => "what the job requires".to_owned(),
            Self::Namespace { limit } => place("the namespace".to_owned(), limit),
            Self::Plugin { name, limit } => place(format!("plugin '{name}'"), limit),
            Self::Group { name, key: None, limit } => place(format!("concurrency group '{name}'"), limit),
            Self::Group { name, key: Some(key), limit } => {
                place(format!("key '{key}' of concurrency group '{name}'"), limit)
            }
            Self::Daemon { limit } => place("the daemon".to_owned(), limit),
        }
    }
}

impl From<event::WaitsFor> for WaitsFor {
    fn from(waits: event::WaitsFor) -> Self {
        match waits {
            event::WaitsFor::Turn { before } => Self::Turn { run_id: before },
            event::WaitsFor::Window { opens_at } => Self::Window { opens_at },
            event::WaitsFor::More { until } => Self::More { until },
            event::WaitsFor::Requirement { until } => Self::Requirement { until },
            event::WaitsFor::Daemon { most } => Self::Daemon { limit: most },
            event::WaitsFor::Limit { limit: LimitKey { of, key }, most: limit } => match of {
                LimitOf::Namespace(_) => Self::Namespace { limit },
                LimitOf::Plugin(name) => Self::Plugin { name: name.to_string(), limit },
                LimitOf::Group(_, name) => Self::Group { name: name.to_string(), key: key.map(String::from), limit },
            },
        }
    }
}
