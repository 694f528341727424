//! Contents of artifacts, as far as the records say which are had.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use sandglass_core::artifact::{Artifact, ArtifactName};
use sandglass_core::id::{Digest, RunId};

use super::reading::Reading;
use super::{RedbStore, Shared};
use crate::artifact::ContentError;
use crate::contract::ArtifactStore;
use crate::error::StoreError;

/// Contents that are looked at with one snapshot: reading them takes long, and a snapshot keeps old pages.
const PER_SNAPSHOT: usize = 1000;

/// A content that was taken in. When this is dropped it goes, unless an artifact has it.
pub struct KeptContent {
    shared: Arc<Shared>,
    digest: Digest,
    size_bytes: u64,
}

impl KeptContent {
    /// The SHA-256 of the content.
    #[must_use]
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Lets it be until the next start, whether an artifact has it or not.
    pub fn leave(self) {
        // Pinned for as long as the process lives.
        std::mem::forget(self);
    }

    /// How long it is, in bytes.
    #[must_use]
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

impl std::fmt::Debug for KeptContent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeptContent").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Drop for KeptContent {
    fn drop(&mut self) {
        // What cannot be looked up or removed now goes at the next start.
        _ = self.shared.contents.unpin(&self.digest, || self.shared.is_content(&self.digest));
    }
}

impl Shared {
    fn is_content(&self, digest: &Digest) -> Result<bool, StoreError> {
        self.disk.read(|txn| Reading::new(txn).is_content(digest))
    }

    pub(super) fn release(&self, digest: &Digest) -> Result<(), StoreError> {
        self.contents.release(digest, || self.is_content(digest))
    }

    pub(super) fn sweep_contents(&self) -> Result<(), StoreError> {
        self.contents.sweep(|digest| self.is_content(digest))
    }

    /// Whether every content that is had is there as it was published.
    pub(super) fn check_contents(&self) -> Result<(), StoreError> {
        let mut after: Option<Digest> = None;
        loop {
            let some = self.disk.read(|txn| Reading::new(txn).contents(after.as_ref(), PER_SNAPSHOT))?;
            let Some(last) = some.last() else { return Ok(()) };
            after = Some(last.digest);
            for Artifact { run, name, digest, size_bytes, .. } in &some {
                // It may have gone with its run meanwhile.
                if !self.contents.is_sound(digest, *size_bytes)? && self.is_content(digest)? {
                    let what = format!("the content of the artifact '{name}' of run {run} is lost or not what it was");
                    return Err(StoreError::corrupt(what));
                }
            }
        }
    }
}

impl ArtifactStore for RedbStore {
    fn artifacts(&self, run: RunId) -> Result<Vec<Artifact>, StoreError> {
        self.read(|reading| reading.artifacts(run))
    }

    fn artifact(&self, run: RunId, name: &ArtifactName) -> Result<Option<Artifact>, StoreError> {
        self.read(|reading| reading.artifact(run, name))
    }

    fn keep_content(&self, content: &mut dyn Read, most_bytes: u64) -> Result<KeptContent, ContentError> {
        let (digest, size_bytes) = self.shared.contents.keep(content, most_bytes)?;
        Ok(KeptContent { shared: Arc::clone(&self.shared), digest, size_bytes })
    }

    fn open_content(&self, digest: &Digest) -> Result<Option<File>, StoreError> {
        self.shared.contents.open(digest)
    }

    fn release_content(&self, digest: &Digest) -> Result<(), StoreError> {
        self.shared.release(digest)
    }
}
