//! A disk that forgets, tears and fills up.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

use redb::StorageBackend;

/// What a disk writes as a whole.
const SECTOR: usize = 512;

/// A disk in memory. Clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk(Arc<Mutex<Inner>>);

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
    /// From which call on there is no space.
    full_from: Option<u64>,
    /// Whether it says that it synced without doing so.
    lies: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

impl Disk {
    pub(crate) fn of(image: Vec<u8>) -> Self {
        let disk = Self::default();
        let mut inner = disk.inner();
        inner.current.clone_from(&image);
        inner.durable = image;
        drop(inner);
        disk
    }

    /// A disk that says that it synced without doing so.
    pub(crate) fn lying() -> Self {
        let disk = Self::default();
        disk.inner().lies = true;
        disk
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("no test thread panics while it holds the disk")
    }

    pub(crate) fn calls(&self) -> u64 {
        self.inner().calls
    }

    pub(crate) fn cut_at(&self, call: u64) {
        self.inner().cut_at = Some(call);
    }

    /// What a disk may hold on which the power went: what was synced, and any part of the rest.
    pub(crate) fn image_after_cut(&self, rng: &mut fastrand::Rng) -> Option<Vec<u8>> {
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

    pub(crate) fn full_after(&self, calls: u64) {
        let mut inner = self.inner();
        inner.full_from = Some(inner.calls + calls);
    }

    pub(crate) fn make_space(&self) {
        self.inner().full_from = None;
    }

    /// Counts a call that changes something, and fails it if there is no space.
    fn change(&self) -> io::Result<MutexGuard<'_, Inner>> {
        let mut inner = self.inner();
        if inner.cut_at == Some(inner.calls) {
            inner.cut = Some((inner.durable.clone(), inner.pending.clone()));
        }
        inner.calls += 1;
        let full = inner.full_from.is_some_and(|from| inner.calls > from);
        if full { Err(io::ErrorKind::StorageFull.into()) } else { Ok(inner) }
    }
}

impl StorageBackend for Disk {
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
        let mut inner = self.change()?;
        inner.current.resize(length, 0);
        inner.pending.push(Change::Length(length));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.change()?;
        if !inner.lies {
            inner.durable = inner.current.clone();
            inner.pending.clear();
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let offset = usize::try_from(offset).expect("it fits in memory");
        let mut inner = self.change()?;
        inner.current[offset..offset + data.len()].copy_from_slice(data);
        inner.pending.push(Change::Bytes(offset, data.to_vec()));
        Ok(())
    }
}
