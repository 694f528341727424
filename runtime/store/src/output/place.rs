//! Where a run's segments lie.

use std::fs;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sandglass_core::id::RunId;

use crate::redb::private;

/// More than the largest segment file can have, so that reading one is bounded whatever lies there.
const SEGMENT_MOST: u64 = 64 << 20;

/// Shorter first segments have no others after them: half the shortest limit divided into its segments.
const LEAST_WITH_MORE: u64 = 4 << 10;

/// How often a path is tried whose folders come and go.
const TRIES: usize = 5;

/// The paths of one run's output.
#[derive(Debug)]
pub(super) struct Place {
    /// The first segment.
    first: PathBuf,
    /// The folder of the others.
    more: PathBuf,
}

/// A segment that is there.
#[derive(Debug)]
pub(super) struct Segment {
    /// The offset of its first byte in the whole output.
    pub(super) start: u64,
    pub(super) path: PathBuf,
}

impl Place {
    /// 2²⁶ ms, some nineteen hours, share a folder; in it the end of the id, which is random, spreads them over 256.
    pub(super) fn of(root: &Path, run: RunId) -> Self {
        let bits = run.to_bits();
        let dir = root.join(format!("{:06x}", bits >> (80 + 26))).join(format!("{:02x}", bits & 0xff));
        let name = run.to_string();
        Self { more: dir.join(format!("{name}.more")), first: dir.join(name) }
    }

    /// The path of the segment that begins at `start`.
    pub(super) fn segment(&self, start: u64) -> PathBuf {
        if start == 0 { self.first.clone() } else { self.more.join(format!("{start:016x}")) }
    }

    /// Creates the segment that begins at `start`, which must not be there yet, and the folders to it.
    pub(super) fn create(&self, start: u64) -> io::Result<fs::File> {
        let path = self.segment(start);
        let dir = path.parent().expect("a segment lies in a folder");
        let mut result = Err(ErrorKind::NotFound.into());
        // Folders that become empty are removed, so one that was just made may be gone again.
        for _ in 0..TRIES {
            result = private::options().create_new(true).append(true).open(&path);
            match &result {
                Err(error) if error.kind() == ErrorKind::NotFound => private::create_dir(dir)?,
                _ => break,
            }
        }
        result
    }

    /// The segments that are there, in order. None of them: there is no output.
    pub(super) fn segments(&self) -> io::Result<Vec<Segment>> {
        let mut segments = Vec::new();
        match fs::read_dir(&self.more) {
            Ok(entries) => {
                for entry in entries {
                    let path = entry?.path();
                    let name = path.file_name().and_then(|name| name.to_str());
                    // A name that is no offset is not ours.
                    if let Some(start) = name.and_then(|name| u64::from_str_radix(name, 16).ok()) {
                        segments.push(Segment { start, path });
                    }
                }
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        segments.push(Segment { start: 0, path: self.first.clone() });
        segments.sort_unstable_by_key(|segment| segment.start);
        Ok(segments)
    }

    /// How long all segments are together, in bytes. Those that go meanwhile count nothing.
    pub(super) fn bytes(&self) -> io::Result<u64> {
        let length = |path: &Path| match fs::metadata(path) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        };
        // Most runs have one segment or none.
        match length(&self.first)? {
            0 => Ok(0),
            first if first < LEAST_WITH_MORE => Ok(first),
            _ => self.segments()?.iter().map(|segment| length(&segment.path)).sum(),
        }
    }

    /// Removes everything, and the folders that are empty then.
    pub(super) fn remove(&self) -> io::Result<()> {
        let absent_is_fine = |result: io::Result<()>| match result {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        };
        let removed = fs::remove_file(&self.first);
        if removed.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            return Ok(());
        }
        removed?;
        absent_is_fine(fs::remove_dir_all(&self.more))?;
        // Folders that still hold something refuse, as they should.
        for dir in self.first.ancestors().skip(1).take(2) {
            if fs::remove_dir(dir).is_err() {
                break;
            }
        }
        Ok(())
    }
}

impl Segment {
    /// The whole file; none if it is gone.
    pub(super) fn read(&self) -> io::Result<Option<Vec<u8>>> {
        self.read_from(0, u64::MAX)
    }

    /// At most `most` bytes of the file from a byte on; none if it is gone.
    pub(super) fn read_from(&self, byte: u64, most: u64) -> io::Result<Option<Vec<u8>>> {
        let mut file = match fs::File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if byte > 0 {
            file.seek(SeekFrom::Start(byte))?;
        }
        let mut bytes = Vec::new();
        file.take(most.min(SEGMENT_MOST)).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }
}
