//! Contents of artifacts: files named after their SHA-256, each kept once.
//!
//! A content is written beside, synced and renamed, and only then is an artifact recorded that has it. From its arrival
//! until then it is pinned, so that nobody takes it for one that nothing has any more. What a crash leaves is found at the
//! next start: files that no artifact has.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sandglass_core::id::Digest;
use sha2::{Digest as _, Sha256};

use crate::error::StoreError;
use crate::redb::private;

/// How much is read at once, in bytes.
const PIECE: usize = 64 << 10;
/// Where contents are written before they have a name.
const NEW: &str = "new";

/// Why a content could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// It is longer than it may be.
    #[error("it has more than {0} bytes")]
    TooLarge(u64),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Source(#[source] io::Error),
    /// It cannot be written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Contents below one folder.
#[derive(Debug)]
pub(crate) struct ContentFiles {
    root: PathBuf,
    pins: Mutex<Pins>,
}

#[derive(Debug, Default)]
struct Pins {
    held: HashMap<Digest, usize>,
    /// How many were written: the names of files that have none yet.
    written: u64,
}

fn failed(what: &str) -> impl FnOnce(io::Error) -> StoreError {
    let what = format!("{what} the content of an artifact");
    move |error| StoreError::io(what, error)
}

/// What is not there need not be removed.
fn removed(result: io::Result<()>) -> Result<(), StoreError> {
    match result {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed("remove")(error)),
        _ => Ok(()),
    }
}

impl ContentFiles {
    /// Contents below `root`, which is created when the first one comes.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root, pins: Mutex::default() }
    }

    fn pins(&self) -> MutexGuard<'_, Pins> {
        // Each change is whole even if a reader panicked.
        self.pins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Some thousand contents lie in 256 folders.
    fn path(&self, digest: &Digest) -> PathBuf {
        let name = digest.to_string();
        self.root.join(&name[..2]).join(name)
    }

    /// Takes in a content of at most `most` bytes and pins it.
    pub(crate) fn keep(&self, source: &mut dyn Read, most: u64) -> Result<(Digest, u64), ContentError> {
        let new = self.root.join(NEW);
        private::create_dir(&new).map_err(failed("create the folder of"))?;
        let number = {
            let mut pins = self.pins();
            pins.written += 1;
            pins.written
        };
        let beside = new.join(number.to_string());
        let kept = self.write(&beside, source, most).and_then(|(digest, size)| {
            *self.pins().held.entry(digest).or_default() += 1;
            match self.place(&beside, &digest) {
                Ok(()) => Ok((digest, size)),
                Err(error) => {
                    // Another one that has it may have placed it.
                    self.unpin(&digest, || Ok(true))?;
                    Err(error.into())
                }
            }
        });
        if kept.is_err() {
            removed(fs::remove_file(&beside))?;
        }
        kept
    }

    fn write(&self, beside: &Path, source: &mut dyn Read, most: u64) -> Result<(Digest, u64), ContentError> {
        let file = private::options().write(true).create(true).truncate(true).open(beside);
        let mut file = file.map_err(failed("write"))?;
        let (mut hash, mut size, mut piece) = (Sha256::new(), 0_u64, vec![0; PIECE]);
        loop {
            let read = match source.read(&mut piece) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(ContentError::Source(error)),
            };
            size += read as u64;
            if size > most {
                return Err(ContentError::TooLarge(most));
            }
            hash.update(&piece[..read]);
            file.write_all(&piece[..read]).map_err(failed("write"))?;
        }
        file.sync_all().map_err(failed("write"))?;
        Ok((Digest::from_bytes(hash.finalize().into()), size))
    }

    /// Gives a written content its name, in the place of one that is there: that may be damaged, or not durable yet.
    fn place(&self, beside: &Path, digest: &Digest) -> Result<(), StoreError> {
        let path = self.path(digest);
        let folder = path.parent().expect("a content lies in a folder");
        // The folder may have become empty and been removed just now: then it is made again.
        let mut renamed = Err(ErrorKind::NotFound.into());
        for _ in 0..5 {
            private::create_dir(folder).map_err(failed("create the folder of"))?;
            renamed = fs::rename(beside, &path);
            if !renamed.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
                break;
            }
        }
        renamed.map_err(failed("write"))?;
        let sync = |folder: &Path| File::open(folder).and_then(|folder| folder.sync_all());
        let above = self.root.parent().unwrap_or(&self.root);
        [folder, &self.root, above].into_iter().try_for_each(sync).map_err(failed("write"))
    }

    /// Opens a content; none if it is not there.
    pub(crate) fn open(&self, digest: &Digest) -> Result<Option<File>, StoreError> {
        match File::open(self.path(digest)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read")(error)),
        }
    }

    /// Lets go of a content that was kept; it goes unless an artifact has it.
    pub(crate) fn unpin(
        &self,
        digest: &Digest,
        is_wanted: impl FnOnce() -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        let mut pins = self.pins();
        if let Some(count) = pins.held.get_mut(digest) {
            *count -= 1;
            if *count == 0 {
                pins.held.remove(digest);
            }
        }
        self.remove_unless(&pins, digest, is_wanted)
    }

    /// Removes a content that nobody is keeping just now, unless an artifact has it.
    pub(crate) fn release(
        &self,
        digest: &Digest,
        is_wanted: impl FnOnce() -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        self.remove_unless(&self.pins(), digest, is_wanted)
    }

    /// The lock is held from the question to the removal, so that nobody pins it between.
    fn remove_unless(
        &self,
        pins: &Pins,
        digest: &Digest,
        is_wanted: impl FnOnce() -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        if pins.held.contains_key(digest) || is_wanted()? {
            return Ok(());
        }
        let path = self.path(digest);
        removed(fs::remove_file(&path))?;
        // A folder that still holds something refuses, as it should.
        _ = path.parent().map(fs::remove_dir);
        Ok(())
    }

    /// Removes what a crash left: what was being written, and what no artifact has.
    pub(crate) fn sweep(&self, is_wanted: impl Fn(&Digest) -> Result<bool, StoreError>) -> Result<(), StoreError> {
        let list = |folder: &Path| match fs::read_dir(folder) {
            Ok(entries) => entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>(),
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(Vec::new()),
            Err(error) => Err(error),
        };
        for folder in list(&self.root).map_err(failed("look for"))? {
            let is_new = folder.file_name().is_some_and(|name| name == NEW);
            for path in list(&folder).map_err(failed("look for"))? {
                let digest = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse().ok());
                match digest {
                    _ if is_new => removed(fs::remove_file(&path))?,
                    Some(digest) => self.release(&digest, || is_wanted(&digest))?,
                    // What has no such name is not ours.
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// Whether a content is there as it was written.
    pub(crate) fn is_sound(&self, digest: &Digest, size: u64) -> Result<bool, StoreError> {
        let Some(mut file) = self.open(digest)? else { return Ok(false) };
        let (mut hash, mut length, mut piece) = (Sha256::new(), 0_u64, vec![0; PIECE]);
        loop {
            match file.read(&mut piece).map_err(failed("read"))? {
                0 => break,
                read => {
                    length += read as u64;
                    hash.update(&piece[..read]);
                }
            }
        }
        Ok(length == size && Digest::from_bytes(hash.finalize().into()) == *digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files() -> (tempfile::TempDir, ContentFiles) {
        let dir = tempfile::tempdir().unwrap();
        let files = ContentFiles::new(dir.path().join("artifacts"));
        (dir, files)
    }

    fn count(root: &Path) -> usize {
        let entries = fs::read_dir(root).into_iter().flatten().map(|entry| entry.unwrap().path());
        entries.map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
    }

    #[test]
    fn a_content_is_kept_once_and_goes_with_the_last_that_has_it() {
        let (_dir, files) = files();
        let (digest, size) = files.keep(&mut &b"hello"[..], 5).unwrap();
        assert_eq!((digest, size), (Digest::of(b"hello"), 5));
        assert_eq!(files.keep(&mut &b"hello"[..], 5).unwrap().0, digest);
        assert_eq!(count(&files.root), 1);
        // Pinned twice: it stays although nothing has it, until the last one lets go.
        files.release(&digest, || Ok(false)).unwrap();
        files.unpin(&digest, || Ok(false)).unwrap();
        assert!(files.is_sound(&digest, 5).unwrap());
        files.unpin(&digest, || Ok(true)).unwrap();
        assert!(files.open(&digest).unwrap().is_some());
        files.release(&digest, || Ok(false)).unwrap();
        assert!(files.open(&digest).unwrap().is_none());
        assert_eq!(count(&files.root), 0);
    }

    #[test]
    fn what_cannot_be_kept_leaves_nothing() {
        struct Breaks;
        impl Read for Breaks {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let (_dir, files) = files();
        assert!(matches!(files.keep(&mut &b"hello"[..], 4), Err(ContentError::TooLarge(4))));
        assert!(matches!(files.keep(&mut (&b"hello"[..]).chain(Breaks), 9), Err(ContentError::Source(_))));
        assert_eq!(count(&files.root), 0);
    }

    #[test]
    fn what_a_crash_left_is_swept_and_nothing_else() {
        let (_dir, files) = files();
        let kept = files.keep(&mut &b"kept"[..], 9).unwrap().0;
        let left = files.keep(&mut &b"left"[..], 9).unwrap().0;
        fs::write(files.root.join(NEW).join("7"), "half").unwrap();
        fs::write(files.root.join("notes"), "somebody's").unwrap();
        // After a crash nothing is pinned.
        let files = ContentFiles::new(files.root);
        files.sweep(|digest| Ok(*digest == kept)).unwrap();
        assert!(files.is_sound(&kept, 4).unwrap() && files.open(&left).unwrap().is_none());
        assert_eq!(count(&files.root), 2);
        fs::write(files.path(&kept), "Kept").unwrap();
        assert!(!files.is_sound(&kept, 4).unwrap());
    }
}
