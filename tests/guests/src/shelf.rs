//! Where built guests are kept, and how several processes share them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use crate::{GuestError, fingerprint, root, target_dir};

/// The guest from the shelf, built first if it is not there or not of these sources.
pub(crate) fn take(
    name: &str,
    sources: &[&str],
    build: impl FnOnce(&Path) -> Result<(), GuestError>,
) -> Result<PathBuf, GuestError> {
    let shelf = target_dir().join("guests");
    let component = shelf.join(format!("{name}.wasm"));
    let stamp = shelf.join(format!("{name}.stamp"));
    fs::create_dir_all(&shelf).map_err(|source| failed(&shelf, source))?;

    // Held until the end: whoever comes second waits here, and then finds the guest done. Lost with the process.
    let lock_path = shelf.join(format!("{name}.lock"));
    let lock = File::create(&lock_path).map_err(|source| failed(&lock_path, source))?;
    lock.lock().map_err(|source| failed(&lock_path, source))?;

    let wanted = fingerprint::of(&root(), sources).map_err(|source| failed(&root(), source))?.to_string();
    let found = fs::read_to_string(&stamp).unwrap_or_default();
    if found == wanted && component.is_file() {
        return Ok(component);
    }
    // Built aside and renamed, because a test of another process may be reading the old one.
    let fresh = shelf.join(format!("{name}.new.wasm"));
    build(&fresh)?;
    fs::rename(&fresh, &component).map_err(|source| failed(&component, source))?;
    fs::write(&stamp, wanted).map_err(|source| failed(&stamp, source))?;
    Ok(component)
}

fn failed(path: &Path, source: io::Error) -> GuestError {
    GuestError::Files { path: path.to_owned(), source }
}
