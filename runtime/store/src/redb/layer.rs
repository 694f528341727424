//! What lies between redb and the backend: nothing, or memory that takes the writes.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::{BackendError, StorageBackend};

const BLOCK: usize = 4096;

/// A backend that can be opened again, because closing the database closes only the layer's use of it; with
/// [`Layer::overlay`] one whose writes stay in memory and are forgotten in the end.
///
/// An overlay is for reading a store whose disk is full. redb writes into it only what a repair writes: its header and
/// the state of its allocator, some kilobytes per gigabyte.
pub(super) struct Layer {
    backend: Arc<dyn StorageBackend>,
    overlay: Option<Mutex<Overlay>>,
}

struct Overlay {
    length: u64,
    /// Up to where the backend's own bytes show through.
    through: u64,
    blocks: BTreeMap<u64, Box<[u8; BLOCK]>>,
}

impl Layer {
    pub(super) fn direct(backend: Arc<dyn StorageBackend>) -> Self {
        Self { backend, overlay: None }
    }

    pub(super) fn overlay(backend: Arc<dyn StorageBackend>) -> io::Result<Self> {
        let length = backend.len()?;
        let overlay = Overlay { length, through: length, blocks: BTreeMap::new() };
        Ok(Self { backend, overlay: Some(Mutex::new(overlay)) })
    }

    fn overlaid(&self) -> Option<MutexGuard<'_, Overlay>> {
        self.overlay.as_ref().map(|overlay| overlay.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Overlay {
    /// The bytes from `offset` on, as far as they lie in one block.
    fn read_block(&self, backend: &dyn StorageBackend, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let within = (offset % BLOCK as u64) as usize;
        if let Some(block) = self.blocks.get(&(offset / BLOCK as u64)) {
            out.copy_from_slice(&block[within..within + out.len()]);
            return Ok(());
        }
        let shown = usize::try_from(self.through.saturating_sub(offset)).unwrap_or(usize::MAX).min(out.len());
        let (shown, zeros) = out.split_at_mut(shown);
        zeros.fill(0);
        if shown.is_empty() { Ok(()) } else { backend.read(offset, shown) }
    }

    fn write_block(&mut self, backend: &dyn StorageBackend, offset: u64, data: &[u8]) -> io::Result<()> {
        let within = (offset % BLOCK as u64) as usize;
        let number = offset / BLOCK as u64;
        if !self.blocks.contains_key(&number) {
            let mut block = Box::new([0; BLOCK]);
            self.read_block(backend, number * BLOCK as u64, &mut block[..])?;
            self.blocks.insert(number, block);
        }
        let block = self.blocks.get_mut(&number).expect("it was just put there");
        block[within..within + data.len()].copy_from_slice(data);
        Ok(())
    }

    fn set_len(&mut self, length: u64) {
        self.length = length;
        self.through = self.through.min(length);
        // What is cut off must be zeros if the length grows again.
        let beyond = self.blocks.split_off(&(length / BLOCK as u64));
        let within = (length % BLOCK as u64) as usize;
        if let (true, Some(mut block)) = (within > 0, beyond.into_values().next()) {
            block[within..].fill(0);
            self.blocks.insert(length / BLOCK as u64, block);
        }
    }
}

/// How many bytes from `offset` on lie in its block.
fn to_block_end(offset: u64) -> usize {
    BLOCK - (offset % BLOCK as u64) as usize
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").field("overlay", &self.overlay.is_some()).finish_non_exhaustive()
    }
}

impl StorageBackend for Layer {
    fn len(&self) -> io::Result<u64> {
        self.overlaid().map_or_else(|| self.backend.len(), |overlay| Ok(overlay.length))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let Some(overlay) = self.overlaid() else { return self.backend.read(offset, out) };
        if offset.saturating_add(out.len() as u64) > overlay.length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let (mut offset, mut out) = (offset, out);
        while !out.is_empty() {
            let (part, rest) = out.split_at_mut(to_block_end(offset).min(out.len()));
            overlay.read_block(&*self.backend, offset, part)?;
            offset += part.len() as u64;
            out = rest;
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let Some(mut overlay) = self.overlaid() else { return self.backend.set_len(length) };
        overlay.set_len(length);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.overlay.is_some() { Ok(()) } else { self.backend.sync_data() }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let Some(mut overlay) = self.overlaid() else { return self.backend.write(offset, data) };
        let (mut offset, mut data) = (offset, data);
        while !data.is_empty() {
            let (part, rest) = data.split_at(to_block_end(offset).min(data.len()));
            overlay.write_block(&*self.backend, offset, part)?;
            offset += part.len() as u64;
            data = rest;
        }
        overlay.length = overlay.length.max(offset);
        Ok(())
    }

    /// Releases the backend's locks. redb's file backend can be locked and used again after that, and backends without
    /// locks have nothing to do.
    fn close(&self) -> io::Result<()> {
        self.backend.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.backend.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.backend.query_lock_range(start, end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use redb::backends::InMemoryBackend;

    /// An overlay behaves like the backend itself would, and leaves it as it was.
    #[test]
    fn an_overlay_is_a_backend_of_its_own() {
        let mut rng = fastrand::Rng::with_seed(4);
        let backend: Arc<dyn StorageBackend> = Arc::new(InMemoryBackend::new());
        let model = InMemoryBackend::new();
        for target in [&*backend, &model as &dyn StorageBackend] {
            target.set_len(30_000).unwrap();
            target.write(100, &[7; 20_000]).unwrap();
        }
        let layer = Layer::overlay(Arc::clone(&backend)).unwrap();
        for _ in 0..300 {
            let length = layer.len().unwrap();
            if rng.u8(..) < 40 {
                let length = rng.u64(1..60_000);
                layer.set_len(length).unwrap();
                model.set_len(length).unwrap();
            } else {
                let offset = rng.u64(0..length);
                let data = vec![rng.u8(..); rng.usize(0..=usize::try_from(length - offset).unwrap())];
                layer.write(offset, &data).unwrap();
                model.write(offset, &data).unwrap();
            }
            let length = model.len().unwrap();
            assert_eq!(layer.len().unwrap(), length);
            let (mut left, mut right) = (vec![0; length as usize], vec![0; length as usize]);
            layer.read(0, &mut left).unwrap();
            model.read(0, &mut right).unwrap();
            assert!(left == right);
        }
        let mut before = vec![0; 30_000];
        backend.read(0, &mut before).unwrap();
        assert!(before[100..20_100].iter().all(|byte| *byte == 7) && before[20_100..].iter().all(|byte| *byte == 0));
    }
}
