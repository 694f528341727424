//! A disk that forgets, tears, fails and fills up, for tests of what is built on the store.
//!
//! It is in memory. A power cut leaves what was synced, and any part of the rest: see [`FaultyDisk::image_after_cut`].

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub struct FaultyDisk(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// What a reader sees.
    current: Vec<u8>,
    /// What is there after a power cut for certain.
    durable: Vec<u8>,
    /// What has been written since the last sync.
    pending: Vec<Change>,
    /// Counts calls that change something.
    calls: u64,
    /// Before which call the power goes.
    cut_at: Option<u64>,
    /// What was there when it went.
    cut: Option<(Vec<u8>, Vec<Change>)>,
    /// From which call on everything that changes something fails, and how.
    fails: Option<(u64, io::ErrorKind)>,
    /// Whether it says that it synced without doing so.
    lies: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, image: &mut Vec<u8>) {
        match self {
            Self::Length(length) => image.resize(*length, 0),
            Self::Bytes(offset, bytes) => image[*offset..*offset + bytes.len()].copy_from_slice(bytes),
        }
    }
}

impl FaultyDisk {
    /// A disk that holds `image`, all of it synced.
    #[must_use]
    pub fn of(image: Vec<u8>) -> Self {
        let disk = Self::default();
        let mut inner = disk.inner();
        inner.current.clone_from(&image);
        inner.durable = image;
        drop(inner);
        disk
    }

    /// A disk that says that it synced without doing so.
    #[must_use]
    pub fn lying() -> Self {
        let disk = Self::default();
        disk.inner().lies = true;
        disk
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // All changes are whole even if a reader of theirs panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many calls that change something there have been.
    #[must_use]
    pub fn calls(&self) -> u64 {
        self.inner().calls
    }

    /// Lets the power go before the call of this number, counted from 0. What is called after it goes on as if nothing had
    /// been; whoever drives the test looks at [`FaultyDisk::is_cut`].
    pub fn cut_at(&self, call: u64) {
        self.inner().cut_at = Some(call);
    }

    /// Lets the power go now.
    pub fn cut_now(&self) {
        let mut inner = self.inner();
        inner.cut();
    }

    /// Whether the power has gone.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.inner().cut.is_some()
    }

    /// What is on the disk at present, synced or not: what the next process finds when this one is killed.
    #[must_use]
    pub fn image(&self) -> Vec<u8> {
        self.inner().current.clone()
    }

    /// What the disk may hold on which the power went: what was synced, and any part of the rest. None as long as it has
    /// not gone.
    #[must_use]
    pub fn image_after_cut(&self, rng: &mut fastrand::Rng) -> Option<Vec<u8>> {
        let (mut image, pending) = self.inner().cut.clone()?;
        let keep = rng.u8(0..=4);
        for change in pending {
            let kept = match keep {
                0 => false,
                4 => true,
                part => rng.u8(0..4) < part,
            };
            match change {
                Change::Length(length) if kept => image.resize(length, 0),
                Change::Bytes(offset, bytes) => {
                    for (number, sector) in bytes.chunks(SECTOR).enumerate() {
                        let offset = offset + number * SECTOR;
                        // A change is kept or lost as a whole, or torn between its sectors.
                        if kept != (rng.u8(0..8) == 0) && offset + sector.len() <= image.len() {
                            image[offset..offset + sector.len()].copy_from_slice(sector);
                        }
                    }
                }
                Change::Length(_) => {}
            }
        }
        Some(image)
    }

    /// After so many more calls that change something there is no space.
    pub fn full_after(&self, calls: u64) {
        self.fail_after(calls, io::ErrorKind::StorageFull);
    }

    /// After so many more calls that change something, each of them fails.
    pub fn fail_after(&self, calls: u64, kind: io::ErrorKind) {
        let mut inner = self.inner();
        inner.fails = Some((inner.calls + calls, kind));
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        self.inner().fails = None;
    }

    /// Counts a call that changes something, and fails it if it is to fail.
    fn change(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = self.inner();
        if inner.cut_at == Some(inner.calls) {
            inner.cut();
        }
        inner.calls += 1;
        match inner.fails {
            Some((from, kind)) if inner.calls > from => Err(kind.into()),
            _ => Ok(inner),
        }
    }
}

impl Inner {
    fn cut(&mut self) {
        if self.cut.is_none() {
            self.cut = Some((self.durable.clone(), self.pending.clone()));
        }
    }

    fn put(&mut self, change: Change) {
        change.apply(&mut self.current);
        self.pending.push(change);
    }
}

impl StorageBackend for FaultyDisk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.inner().current.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let inner = self.inner();
        let offset = usize::try_from(offset).expect("it fits in memory");
        let bytes = inner.current.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(bytes);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).expect("it fits in memory");
        self.change()?.put(Change::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.change()?;
        if !inner.lies {
            let Inner { durable, pending, .. } = &mut *inner;
            pending.drain(..).for_each(|change| change.apply(durable));
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).expect("it fits in memory");
        match self.change() {
            Ok(mut inner) => {
                inner.put(Change::Bytes(offset, data.to_vec()));
                Ok(())
            }
            Err(error) => {
                // A part of what could not be written is there.
                let mut inner = self.inner();
                let room = inner.current.len().saturating_sub(offset);
                let part = (data.len() / 2).min(room) / SECTOR * SECTOR;
                if part > 0 {
                    inner.put(Change::Bytes(offset, data[..part].to_vec()));
                }
                Err(error)
            }
        }
    }
}
