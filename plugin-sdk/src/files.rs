//! Files of the run. The plugin's manifest asks for the capability `files`.
//!
//! There is no interface to learn: `std::fs` works on [`work`], and on each folder that was granted, by its absolute path
//! such as `/srv/in`. Everything else does not exist as far as a plugin sees, and nothing can be written in a folder that
//! was granted read-only.

use std::path::PathBuf;

use crate::FileRef;

/// The name of the run's own folder where folders are named, as in a [`FileRef`].
pub const WORK: &str = "work";

/// The run's own folder: empty when an attempt starts, gone after it. Programs that the run starts work there too, unless
/// the job names a working directory.
#[must_use]
pub fn work() -> PathBuf {
    #[cfg(target_arch = "wasm32")]
    return PathBuf::from(WORK);
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::work::folder();
}

/// A file in the run's own folder, for what a program is given.
#[must_use]
pub fn in_work(path: impl Into<String>) -> FileRef {
    FileRef { mount: WORK.to_owned(), path: path.into() }
}
