//! Artifacts on the wire.

use serde::{Deserialize, Serialize};

use sandglass_core::artifact::{self, ArtifactName};
use sandglass_core::id::Digest;
use sandglass_core::time::Timestamp;

/// A file that a run left to others.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Artifact {
    /// What it is called in its run.
    pub name: ArtifactName,
    /// How long its content is, in bytes.
    pub size_bytes: u64,
    /// The SHA-256 of its content, in hexadecimal digits.
    pub sha256: Digest,
    /// What its content is.
    pub media_type: String,
    /// The attempt that published it last.
    pub attempt: u32,
    /// When that was.
    pub published_at: Timestamp,
}

impl From<artifact::Artifact> for Artifact {
    fn from(artifact: artifact::Artifact) -> Self {
        Self {
            name: artifact.name,
            size_bytes: artifact.size_bytes,
            sha256: artifact.digest,
            media_type: artifact.media_type,
            attempt: artifact.attempt,
            published_at: artifact.published_at,
        }
    }
}
