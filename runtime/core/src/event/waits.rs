//! What a queued run waits for.

use crate::id::RunId;
use crate::queue::LimitKey;
use crate::time::Timestamp;

/// What stands between a queued run and its start. There may be more behind it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WaitsFor {
    /// Its turn: no more runs of its job may go at once.
    Turn {
        /// One that goes, or may as soon as there is a place for it.
        before: Option<RunId>,
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
        /// When it is given up unless what is required is so by then; none while it is not known yet what was so last.
        until: Option<Timestamp>,
    },
    /// A free place of a limit that is full.
    Limit {
        /// Which.
        limit: LimitKey,
        /// How many attempts it lets go at once.
        most: u32,
    },
    /// A free place of the daemon.
    Daemon {
        /// How many attempts it lets go at once.
        most: u32,
    },
}
