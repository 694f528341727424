//! Artifacts: what runs have, which contents are had, and how much each namespace keeps.

use sandglass_core::artifact::{ARTIFACTS_OF_RUN, Artifact, ArtifactLimits, ArtifactName, ArtifactsFull};
use sandglass_core::id::{Digest, Namespace, RunId};

use super::codec::{Decoder, Encoder};
use super::commit::Refused;
use super::reading::{Reading, Step};
use super::run_row;
use super::tables::{Table, run_key};
use super::writing::Writing;
use crate::error::{ConflictKind, StoreError};

const FORMAT: u8 = 1;
/// The bytes of a run's id, and of a digest, at the beginning of keys.
const RUN: usize = 16;
const DIGEST: usize = 32;

fn key(run: RunId, name: &ArtifactName) -> Vec<u8> {
    [&run_key(run)[..], name.as_str().as_bytes()].concat()
}

fn content_key(artifact: &Artifact) -> Vec<u8> {
    [&artifact.digest.as_bytes()[..], &key(artifact.run, &artifact.name)].concat()
}

fn encode(artifact: &Artifact) -> Vec<u8> {
    let mut row = Encoder::new(FORMAT);
    row.number(u64::from(artifact.attempt));
    row.number(artifact.size_bytes);
    row.raw(artifact.digest.as_bytes());
    row.text(&artifact.media_type);
    row.instant(artifact.published_at);
    row.finish()
}

fn decode(key: &[u8], bytes: &[u8]) -> Result<Artifact, StoreError> {
    let mut row = Decoder::new(bytes, "artifact", FORMAT)?;
    let (run, name) = key.split_first_chunk::<RUN>().ok_or_else(|| row.wrong("has a key that is cut short"))?;
    let name = std::str::from_utf8(name).ok().and_then(|name| name.parse().ok());
    let artifact = Artifact {
        run: RunId::from_bytes(*run),
        name: name.ok_or_else(|| row.wrong("has an invalid name"))?,
        attempt: row.small()?,
        size_bytes: row.number()?,
        digest: Digest::from_bytes(row.array()?),
        media_type: row.text()?.to_owned(),
        published_at: row.instant()?,
    };
    row.end()?;
    Ok(artifact)
}

fn encode_size(bytes: u64) -> Vec<u8> {
    let mut row = Encoder::new(FORMAT);
    row.number(bytes);
    row.finish()
}

fn decode_size(bytes: &[u8]) -> Result<u64, StoreError> {
    let mut row = Decoder::new(bytes, "size of artifacts", FORMAT)?;
    let size = row.number()?;
    row.end()?;
    Ok(size)
}

/// Records an artifact of a run that is going, in the place of one of the same name.
pub(super) fn put(writing: &mut Writing<'_>, artifact: &Artifact, limits: &ArtifactLimits) -> Result<(), Refused> {
    let run = artifact.run;
    let namespace = writing.get(Table::Active, &run_key(run), namespace_of)?;
    let Some(namespace) = namespace else { return Err(ConflictKind::RunEnded(run).into()) };
    let row_key = key(run, &artifact.name);
    let before = writing.get(Table::Artifacts, &row_key, |row| decode(&row_key, row))?;
    let others: Vec<Artifact> = of_run(writing, run)?.into_iter().filter(|other| other.name != artifact.name).collect();
    let of_run = artifact.size_bytes + others.iter().map(|other| other.size_bytes).sum::<u64>();
    let of_namespace = size_of(writing, &namespace)? - before.as_ref().map_or(0, |before| before.size_bytes);
    let of_namespace = of_namespace + artifact.size_bytes;
    let full = if others.len() as u64 >= ARTIFACTS_OF_RUN {
        Some(ArtifactsFull::Count)
    } else if of_run > limits.run {
        Some(ArtifactsFull::Run { bytes: of_run, most: limits.run })
    } else if of_namespace > limits.namespace {
        let namespace = namespace.clone();
        Some(ArtifactsFull::Namespace { namespace, bytes: of_namespace, most: limits.namespace })
    } else {
        None
    };
    if let Some(full) = full {
        return Err(ConflictKind::ArtifactsFull(full).into());
    }
    if let Some(before) = before {
        writing.remove(Table::ArtifactContents, &content_key(&before))?;
    }
    writing.put(Table::ArtifactContents, &content_key(artifact), &[])?;
    writing.put(Table::ArtifactSizes, namespace.as_str().as_bytes(), &encode_size(of_namespace))?;
    Ok(writing.put(Table::Artifacts, &row_key, &encode(artifact))?)
}

fn namespace_of(row: &[u8]) -> Result<Namespace, StoreError> {
    let head = run_row::head(row)?;
    head.namespace.parse().map_err(|_| StoreError::corrupt("a run has an invalid namespace"))
}

fn size_of(writing: &mut Writing<'_>, namespace: &Namespace) -> Result<u64, StoreError> {
    Ok(writing.get(Table::ArtifactSizes, namespace.as_str().as_bytes(), decode_size)?.unwrap_or(0))
}

fn of_run(writing: &mut Writing<'_>, run: RunId) -> Result<Vec<Artifact>, StoreError> {
    let first = run_key(run);
    let keys = writing.keys(Table::Artifacts, &first, usize::MAX, |key| key.starts_with(&first))?;
    let mut artifacts = Vec::with_capacity(keys.len());
    for key in keys {
        artifacts.extend(writing.get(Table::Artifacts, &key, |row| decode(&key, row))?);
    }
    Ok(artifacts)
}

/// Forgets the artifacts of a run that is over and still there; gives their contents, which others may have too.
pub(super) fn forget_run(writing: &mut Writing<'_>, run: RunId) -> Result<Vec<Digest>, StoreError> {
    let artifacts = of_run(writing, run)?;
    let Some(namespace) = writing.get(Table::Ended, &run_key(run), namespace_of)?.filter(|_| !artifacts.is_empty())
    else {
        return Ok(Vec::new());
    };
    let bytes = artifacts.iter().map(|artifact| artifact.size_bytes).sum();
    match size_of(writing, &namespace)?.saturating_sub(bytes) {
        0 => writing.remove(Table::ArtifactSizes, namespace.as_str().as_bytes())?,
        left => writing.put(Table::ArtifactSizes, namespace.as_str().as_bytes(), &encode_size(left))?,
    }
    for artifact in &artifacts {
        writing.remove(Table::Artifacts, &key(run, &artifact.name))?;
        writing.remove(Table::ArtifactContents, &content_key(artifact))?;
    }
    Ok(artifacts.into_iter().map(|artifact| artifact.digest).collect())
}

impl Reading<'_> {
    /// The artifacts of a run by name.
    pub(super) fn artifacts(&self, run: RunId) -> Result<Vec<Artifact>, StoreError> {
        let (first, mut artifacts) = (run_key(run), Vec::new());
        self.scan(Table::Artifacts, &first, |key, row| {
            if !key.starts_with(&first) {
                return Ok(Step::Stop);
            }
            artifacts.push(decode(key, row)?);
            Ok(Step::Go)
        })?;
        Ok(artifacts)
    }

    pub(super) fn artifact(&self, run: RunId, name: &ArtifactName) -> Result<Option<Artifact>, StoreError> {
        let key = key(run, name);
        self.get(Table::Artifacts, &key, |row| decode(&key, row))
    }

    /// Whether an artifact has this content.
    pub(super) fn is_content(&self, digest: &Digest) -> Result<bool, StoreError> {
        let mut found = false;
        self.scan(Table::ArtifactContents, digest.as_bytes(), |key, _| {
            found = key.starts_with(digest.as_bytes());
            Ok(Step::Stop)
        })?;
        Ok(found)
    }

    /// One artifact of each content that comes after `after`, at most `most`.
    pub(super) fn contents(&self, after: Option<&Digest>, most: usize) -> Result<Vec<Artifact>, StoreError> {
        let mut contents: Vec<Artifact> = Vec::new();
        let first = after.map(|digest| digest.as_bytes().to_vec()).unwrap_or_default();
        self.scan(Table::ArtifactContents, &first, |key, _| {
            let (digest, of) = key
                .split_at_checked(DIGEST)
                .ok_or_else(|| StoreError::corrupt("the key of the content of an artifact is cut short"))?;
            let is_known = after.is_some_and(|after| after.as_bytes() == digest)
                || contents.last().is_some_and(|last| last.digest.as_bytes() == digest);
            if !is_known {
                let artifact = self.get(Table::Artifacts, of, |row| decode(of, row))?;
                contents.push(artifact.ok_or_else(|| StoreError::corrupt("a content belongs to no artifact"))?);
            }
            Ok(if contents.len() < most { Step::Go } else { Step::Stop })
        })?;
        Ok(contents)
    }
}
