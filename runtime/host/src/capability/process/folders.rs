//! Folders that attempts work in, one for each.
//!
//! Making and removing one takes about a tenth of the time of a small process, and makes the file system's journal busy
//! just when the run's end is to be made durable. So a folder is made ahead, and one that an attempt did not touch, as
//! most do not, serves another. Whether it did is told by the time of the folder's last change.

use std::collections::VecDeque;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use tokio::time::Instant;

use super::removal::remove_tree;
use crate::attempt::lock;

/// How many folders wait for their attempt, once so many attempts were made: enough for the oldest to be old when it is
/// taken, though one attempt follows the other.
const AHEAD: usize = 32;
/// How old a folder must be when an attempt gets it, for a change to show: file systems note the time of changes only every
/// few milliseconds, some only every second or two.
const OLD: Duration = Duration::from_secs(3);
/// The same where the file system is seen to note the time by the kernel's clock, which moves at least every 10 ms.
const OLD_BY_KERNEL_CLOCK: Duration = Duration::from_millis(30);

/// All folders of attempts: the ones in use and the ones made ahead. Their names are numbers.
pub(crate) struct Folders {
    dir: PathBuf,
    next: AtomicU64,
    /// How old a folder must be when it is taken, to serve again.
    old: fn(&Folder) -> Duration,
    ahead: Mutex<VecDeque<Folder>>,
}

/// An empty folder.
pub(crate) struct Folder {
    path: PathBuf,
    /// When it was made.
    made: Instant,
    /// Whether it was old enough when it was taken for changes to show.
    shows_changes: bool,
    /// The file system's time of its last change, in seconds and nanoseconds.
    changed: (i64, i64),
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The folder, open. Made anew if a process removed it; a link that one put in its place is not followed.
    pub(crate) fn open(&self) -> io::Result<OwnedFd> {
        let open = || open(&self.path, OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
        let opened = match open() {
            Err(Errno::NOENT) => {
                private(&self.path, false)?;
                open()
            }
            opened => opened,
        };
        Ok(opened?)
    }

    fn new(path: PathBuf) -> io::Result<Self> {
        let changed = last_change(&path)?;
        Ok(Self { path, made: Instant::now(), shows_changes: false, changed })
    }

    /// How old it must be for a change to show.
    fn old(&self) -> Duration {
        // No coarser clock than the kernel's leaves odd nanoseconds.
        if self.changed.1 % 10_000_000 == 0 { OLD } else { OLD_BY_KERNEL_CLOCK }
    }

    /// Whether nothing was put into it or changed about it.
    fn is_untouched(&self) -> bool {
        last_change(&self.path).is_ok_and(|changed| changed == self.changed)
    }
}

fn last_change(path: &Path) -> io::Result<(i64, i64)> {
    let data = fs::symlink_metadata(path)?;
    Ok((data.ctime(), data.ctime_nsec()))
}

impl Folders {
    /// The folders lie in `dir`, which is made with the first of them.
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, next: AtomicU64::new(1), old: Folder::old, ahead: Mutex::default() }
    }

    /// Removes all of them. Nothing may be in use.
    pub(crate) fn clear(&self) {
        lock(&self.ahead).clear();
        if let Err(error) = remove_tree(&self.dir) {
            tracing::warn!("folders of earlier runs could not be removed: {error}");
        }
    }

    /// An empty folder that nobody else has.
    pub(crate) fn take(&self) -> io::Result<Folder> {
        let ready = lock(&self.ahead).pop_front();
        // It may have been removed or changed by hand since it was made.
        match ready.filter(Folder::is_untouched) {
            Some(folder) => Ok(Folder { shows_changes: folder.made.elapsed() >= (self.old)(&folder), ..folder }),
            None => self.make(),
        }
    }

    /// Takes back a folder in which no process works any more, and sees to it that enough wait.
    pub(crate) async fn give_back(&self, folder: &Folder) {
        let Folder { path, made, shows_changes, changed } = folder;
        let reusable = *shows_changes && folder.is_untouched() && lock(&self.ahead).len() < AHEAD;
        if reusable {
            let folder = Folder { path: path.clone(), made: *made, shows_changes: false, changed: *changed };
            lock(&self.ahead).push_back(folder);
        } else {
            remove(path.clone()).await;
        }
        // Two at a time, so that their number grows although each attempt takes one.
        for _ in 0..2 {
            if lock(&self.ahead).len() >= AHEAD {
                return;
            }
            let Ok(folder) = self.make() else { return };
            lock(&self.ahead).push_back(folder);
        }
    }

    fn make(&self) -> io::Result<Folder> {
        loop {
            let folder = self.dir.join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
            match private(&folder, false) {
                Ok(()) => return Folder::new(folder),
                // Left over from a crash.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => private(&self.dir, true)?,
                Err(error) => return Err(error),
            }
        }
    }
}

/// Makes a folder that its owner alone may use.
fn private(folder: &Path, recursive: bool) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(recursive).create(folder)
}

/// Most attempts leave nothing in their folder; what others leave may be much.
async fn remove(folder: PathBuf) {
    if fs::remove_dir(&folder).is_ok() {
        return;
    }
    let removed = tokio::task::spawn_blocking(move || remove_tree(&folder)).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!("a run's working folder could not be removed: {error}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_young_folder_serves_nobody_else() {
        let place = tempfile::tempdir().unwrap();
        let folders = Folders::new(place.path().join("runs"));
        let mut seen: Vec<PathBuf> = Vec::new();
        for _ in 0..3 {
            let folder = folders.take().unwrap();
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
            assert!(seen.iter().all(|path| path != folder.path()));
            seen.push(folder.path().to_owned());
            folders.give_back(&folder).await;
            assert!(!folder.path().exists(), "a change of it could have the time of its making");
        }
        folders.clear();
        assert!(!place.path().join("runs").exists());
        assert!(folders.take().unwrap().path().is_dir());
    }

    #[tokio::test]
    async fn an_old_folder_serves_again_unless_it_was_touched() {
        let place = tempfile::tempdir().unwrap();
        let folders = Folders { old: |_| Duration::ZERO, ..Folders::new(place.path().join("runs")) };
        folders.give_back(&folders.take().unwrap()).await;
        let folder = folders.take().unwrap();
        folders.give_back(&folder).await;
        let again = take_until(&folders, folder.path());
        // It is empty again, but the time of its last change tells: as soon as the file system's clock has moved on.
        let touch = || {
            fs::create_dir_all(again.path().join("a/b")).unwrap();
            fs::remove_dir_all(again.path().join("a")).unwrap();
            !again.is_untouched()
        };
        assert!((0..1_000_000).any(|_| touch()));
        folders.give_back(&again).await;
        assert!(!again.path().exists());
    }

    #[tokio::test]
    async fn as_many_wait_as_one_attempt_after_the_other_needs() {
        let place = tempfile::tempdir().unwrap();
        let folders = Folders::new(place.path().join("runs"));
        let waiting = || lock(&folders.ahead).len();
        for _ in 0..2 * AHEAD {
            folders.give_back(&folders.take().unwrap()).await;
        }
        assert_eq!(waiting(), AHEAD);
        let all: Vec<Folder> = (0..2 * AHEAD).map(|_| folders.take().unwrap()).collect();
        for folder in &all {
            folders.give_back(folder).await;
        }
        assert_eq!(waiting(), AHEAD);
        assert_eq!(fs::read_dir(place.path().join("runs")).unwrap().count(), AHEAD);
    }

    fn take_until(folders: &Folders, path: &Path) -> Folder {
        (0..=AHEAD).map(|_| folders.take().unwrap()).find(|folder| folder.path() == path).expect("it waits")
    }

    #[tokio::test]
    async fn what_is_in_the_way_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let left = place.path().join("1");
        fs::create_dir(&left).unwrap();
        fs::write(left.join("old"), "").unwrap();
        let folders = Folders::new(place.path().to_owned());
        assert_eq!(folders.take().unwrap().path(), place.path().join("2"));
    }
}
