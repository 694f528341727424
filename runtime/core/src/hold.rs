//! How jobs are held back: paused or disabled, one by one or a whole namespace, by whom and since when.
//!
//! A hold is kept beside a job, not in its specification: saving the job changes nothing in it, and holding the job does
//! not raise its revision.

use serde::{Deserialize, Serialize};

use crate::id::{JobId, Namespace};
use crate::time::Timestamp;

/// The two ways to hold a job back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HoldKind {
    /// Its fires start nothing and are recorded as `skipped`; it can be started by hand.
    Paused,
    /// It does nothing at all: it has no fires, and cannot be started by hand.
    Disabled,
}

impl HoldKind {
    /// The name in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Paused => "paused",
            Self::Disabled => "disabled",
        }
    }
}

/// Who holds something back, and since when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Hold {
    /// The unix user, or the name of the token, that asked for it.
    pub by: String,
    /// Since when.
    pub since: Timestamp,
    /// Why, in the words of whoever asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The holds on one job or one namespace.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Holds {
    /// Set while it is paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<Hold>,
    /// Set while it is disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<Hold>,
}

impl Holds {
    /// Whether nothing is held back.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.paused.is_none() && self.disabled.is_none()
    }

    /// The hold of this kind, if there is one.
    #[must_use]
    pub const fn of(&self, kind: HoldKind) -> Option<&Hold> {
        match kind {
            HoldKind::Paused => self.paused.as_ref(),
            HoldKind::Disabled => self.disabled.as_ref(),
        }
    }

    /// Begins or ends a hold of this kind.
    pub fn set(&mut self, kind: HoldKind, hold: Option<Hold>) {
        match kind {
            HoldKind::Paused => self.paused = hold,
            HoldKind::Disabled => self.disabled = hold,
        }
    }
}

/// What holds are kept for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum HoldSubject {
    /// One job.
    Job(JobId),
    /// All jobs of a namespace, those that are saved later included.
    Namespace(Namespace),
}

/// All that holds one job back: its own holds and those of its namespace.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Standing {
    /// The job's own.
    pub own: Holds,
    /// Those of its namespace.
    pub namespace: Holds,
}

impl Standing {
    /// Whether nothing holds the job back.
    #[must_use]
    pub const fn is_free(&self) -> bool {
        self.own.is_empty() && self.namespace.is_empty()
    }

    /// What holds the job back in this way, its own hold first, and whether that is one of its whole namespace.
    #[must_use]
    pub fn of(&self, kind: HoldKind) -> Option<(&Hold, bool)> {
        let own = self.own.of(kind).map(|hold| (hold, false));
        own.or_else(|| self.namespace.of(kind).map(|hold| (hold, true)))
    }

    /// Whether the job is disabled.
    #[must_use]
    pub const fn is_disabled(&self) -> bool {
        self.own.disabled.is_some() || self.namespace.disabled.is_some()
    }

    /// Since when the job is paused without a break, if it is.
    #[must_use]
    pub fn paused_since(&self) -> Option<Timestamp> {
        [&self.own, &self.namespace].into_iter().filter_map(|holds| Some(holds.paused.as_ref()?.since)).min()
    }
}
