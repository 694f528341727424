//! Folders that runs work in, each made for one attempt and removed after it.
//!
//! Making and removing one takes about a tenth of the time of a small process. So a folder is made ahead, while nobody
//! waits for it, and removed once the attempt has been reported.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::attempt::lock;

/// The most folders that wait for their attempt. A guest thread makes one at a time, so more would seldom be used.
const AHEAD: usize = 4;

/// All folders of runs: the ones in use and the ones made ahead. Their names are numbers.
pub(crate) struct Folders {
    dir: PathBuf,
    next: AtomicU64,
    ahead: Mutex<Vec<PathBuf>>,
}

impl Folders {
    /// The folders lie in `dir`, which is made with the first of them.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, next: AtomicU64::new(1), ahead: Mutex::default() }
    }

    /// Removes all of them. Nothing may be in use.
    pub(crate) fn clear(&self) {
        lock(&self.ahead).clear();
        match fs::remove_dir_all(&self.dir) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::warn!("folders of earlier runs could not be removed: {error}");
            }
            _ => {}
        }
    }

    /// An empty folder that nobody had before.
    pub(super) fn take(&self) -> io::Result<PathBuf> {
        let ready = lock(&self.ahead).pop();
        // It may have been removed by hand since it was made.
        match ready.filter(|folder| folder.is_dir()) {
            Some(folder) => Ok(folder),
            None => self.make(),
        }
    }

    /// Removes a folder, and makes one ahead.
    pub(super) async fn give_back(&self, folder: PathBuf) {
        remove(folder).await;
        if lock(&self.ahead).len() < AHEAD
            && let Ok(folder) = self.make()
        {
            lock(&self.ahead).push(folder);
        }
    }

    fn make(&self) -> io::Result<PathBuf> {
        loop {
            let folder = self.dir.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
            match private(&folder, false) {
                Ok(()) => return Ok(folder),
                // Left over from a crash.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => private(&self.dir, true)?,
                Err(error) => return Err(error),
            }
        }
    }
}

fn private(folder: &Path, recursive: bool) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(recursive).create(folder)
}

/// Most runs leave nothing in their folder; what others leave may be much.
async fn remove(folder: PathBuf) {
    if fs::remove_dir(&folder).is_ok() {
        return;
    }
    let removed = tokio::task::spawn_blocking(move || fs::remove_dir_all(&folder)).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!("a run's working folder could not be removed: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_attempt_has_a_new_empty_folder() {
        let place = tempfile::tempdir().unwrap();
        let folders = Folders::new(place.path().join("runs"));
        let mut seen = Vec::new();
        for _ in 0..3 {
            let folder = folders.take().unwrap();
            assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
            fs::create_dir_all(folder.join("a/b")).unwrap();
            assert!(!seen.contains(&folder));
            seen.push(folder.clone());
            folders.give_back(folder.clone()).await;
            assert!(!folder.exists());
        }
        folders.clear();
        assert!(!place.path().join("runs").exists());
        assert!(folders.take().unwrap().is_dir());
    }

    #[tokio::test]
    async fn what_is_in_the_way_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let left = place.path().join("1");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("old"), "").unwrap();
        let folders = Folders::new(place.path().to_owned());
        assert_eq!(folders.take().unwrap(), place.path().join("2"));
    }
}
