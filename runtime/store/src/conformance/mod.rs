//! What every store must do. A store passes if [`check`] returns; it panics where one does not.
//!
//! ```no_run
//! # fn test(mut fresh: impl FnMut() -> Box<dyn sandglass_store::conformance::Subject>) {
//! sandglass_store::conformance::check(&mut || fresh());
//! # }
//! ```

#![allow(clippy::unwrap_used, reason = "these are tests; they fail by panicking")]

mod artifacts;
mod calendars;
mod fleet;
mod holds;
mod job_templates;
mod jobs;
mod notify;
mod outputs;
mod plugins;
mod queries;
mod runs;
mod sample;
mod secrets;
mod state;

use crate::contract::Store;

/// A place where a store keeps its data.
pub trait Subject {
    /// Another opener of the data. Earlier ones may still be there.
    fn open(&mut self) -> Box<dyn Store>;

    /// Lets go of everything in memory, as the end of a process does, after all openers were dropped.
    fn restart(&mut self);
}

type Check = fn(&mut dyn Subject);

const CHECKS: &[(&str, Check)] = &[
    ("runs are inserted and updated by version", runs::versions),
    ("every kind of run comes back as it was", runs::round_trip),
    ("a batch is written as a whole or not at all", runs::atomicity),
    ("active runs are loaded, those that are over are not", runs::active),
    ("the opener that loaded last may write", runs::fencing),
    ("runs that are over can be pruned", runs::prune),
    ("compacting changes nothing but the size", runs::compact),
    ("jobs are saved by revision and name", jobs::revisions),
    ("jobs are listed by namespace and name", jobs::listing),
    ("deleting a job takes its cursor and state along", jobs::deletion),
    ("what holds jobs and namespaces back is kept", holds::kept),
    ("calendars are saved by revision", calendars::revisions),
    ("the notifiers of namespaces are saved by revision", notify::revisions),
    ("templates are saved by revision", job_templates::revisions),
    ("a job over a template comes back as it was written", job_templates::overlays),
    ("secrets are saved by revision", secrets::revisions),
    ("targets are saved by revision", fleet::targets),
    ("groups of targets are saved by revision", fleet::groups),
    ("plugins and components are kept", plugins::kept),
    ("state entries have revisions and expectations", state::expectations),
    ("state entries expire", state::expiry),
    ("state keys are listed by prefix", state::keys),
    ("state survives what happens to it at random", state::random),
    ("what a job keeps as state is bounded", state::quota),
    ("queries agree with a plain search", queries::agree_with_plain_search),
    ("a rare combination comes in short pages", queries::rare_combination),
    ("artifacts go with their runs, and contents with the last artifact", artifacts::life),
    ("what is kept of artifacts is bounded", artifacts::bounds),
    ("contents that nothing has are gone after a restart", artifacts::sweep),
    ("output comes back in order", outputs::in_order),
    ("output beyond the limit leaves out the middle", outputs::head_and_tail),
    ("output goes on where an earlier opener ended", outputs::continued),
    ("output can be followed", outputs::followed),
    ("output is measured and removed", outputs::removed),
];

/// Runs every check on a fresh subject.
///
/// # Panics
///
/// If the store does not do what it must.
pub fn check(fresh: &mut dyn FnMut() -> Box<dyn Subject>) {
    for (name, check) in CHECKS {
        // Shown by the test runner if the check panics.
        println!("checking that {name}");
        check(&mut *fresh());
    }
}
