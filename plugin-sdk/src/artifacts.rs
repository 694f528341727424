//! Files that runs leave to others. The plugin's manifest asks for the capability `artifacts`.
//!
//! What a run publishes is kept with it, and goes when the run goes from history.

use crate::{Error, FileRef};

#[cfg(target_arch = "wasm32")]
use crate::bindings::artifacts::sandglass::plugin::artifacts as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::artifacts as host;

pub use crate::bindings::artifacts::sandglass::plugin::artifacts::Artifact;

/// Keeps a file of the run, as it is now, under a name that is a relative path such as `out/app.tar`; in the place of what
/// the run published under it before. With an empty media type, the name's ending says what it is.
///
/// # Errors
/// What the host says: `denied` without the grant, `not-found` without the file, `limit-exceeded` for more than may be kept,
/// `unavailable` if the disk is full.
pub fn publish(source: &FileRef, name: &str, media_type: &str) -> Result<Artifact, Error> {
    host::publish(source, name, media_type)
}

/// Brings an artifact into the run's own folder, read-only: `NAME` of the run itself or of one that it follows from,
/// `JOB/NAME` of the job's last run that succeeded, or `RUN_ID/NAME`.
///
/// # Errors
/// What the host says: `denied` without the grant, `not-found` if there is none.
pub fn fetch(reference: &str) -> Result<FileRef, Error> {
    host::fetch(reference)
}
