//! Files and folders that only their owner may use, and who has the store open.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use crate::error::StoreError;

const PID_FILE: &str = "store.pid";

/// Creates a folder, and those above it, for the owner alone. One that is there stays as it is.
pub(crate) fn create_dir(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Options that create files for the owner alone.
pub(crate) fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Creates or empties a file.
pub(super) fn create_file(path: &Path) -> io::Result<File> {
    options().write(true).create(true).truncate(true).open(path)
}

/// Notes that this process has the store open.
pub(super) fn note_pid(dir: &Path) -> Result<(), StoreError> {
    use io::Write;
    let path = dir.join(PID_FILE);
    let written = create_file(&path).and_then(|mut file| write!(file, "{}", std::process::id()));
    match written.map_err(|error| StoreError::io(format!("write {}", path.display()), error)) {
        // The note only makes a message better; a full disk must not keep a store from opening.
        Err(StoreError::Full(_)) => Ok(()),
        other => other,
    }
}

/// The store in `dir` is locked: says by whom, as far as is known.
pub(super) fn locked(dir: &Path) -> StoreError {
    let pid = std::fs::read_to_string(dir.join(PID_FILE)).ok().and_then(|text| text.trim().parse().ok());
    StoreError::Locked { path: dir.to_path_buf(), pid }
}
