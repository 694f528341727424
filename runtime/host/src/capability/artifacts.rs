//! Files that runs leave to others. Contents go between the run's folders and the daemon's in pieces, whatever their size.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, mkdirat, openat2, unlinkat};
use rustix::io::Errno;
use sandglass_core::artifact::{ArtifactName, ArtifactReference, media_type};
use sandglass_core::capability::{Access, Capability};
use sandglass_core::id::Digest;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::files::place;
use super::{CallError, CallResult, clip};
use crate::attempt::Attempt;
use crate::bindings::artifacts;
use crate::bindings::types::{ErrorCode, FileRef};
use crate::guest::Guest;
use crate::services::{ArtifactError, FoundArtifact, NewArtifact};

/// The folder in the run's own one that artifacts are brought into.
const FOLDER: &str = "artifacts";
/// How many are copied at once: threads for what blocks are few, and others need them too.
static TURNS: Semaphore = Semaphore::const_new(4);
/// How much is copied at once, in bytes.
const PIECE: usize = 64 << 10;

impl artifacts::Host for Guest {
    async fn publish(&mut self, source: FileRef, name: String, kind: String) -> CallResult<artifacts::Artifact> {
        let attempt = &self.attempt;
        let name: ArtifactName = name.parse().map_err(invalid)?;
        let allowed = attempt.work.grants.publish(&name);
        allowed.map_err(|denial| attempt.refused(Capability::Artifacts, &denial))?;
        let media_type = media_type(&kind, &name).map_err(|why| invalid(clip(why, 300)))?;
        let opened = place::file(attempt, &source, OFlags::RDONLY, Access::ReadOnly)?;
        let content = Box::new(Content { file: opened.into(), attempt: Arc::clone(attempt) });
        let new = NewArtifact { run: attempt.run, attempt: attempt.number, name, media_type, content };
        let _turn = attempt.unless_stopped(TURNS.acquire()).await.ok_or_else(CallError::cancelled)?;
        let publishing = attempt.services.publish_artifact(new);
        let published = attempt.unless_stopped(publishing).await.ok_or_else(CallError::cancelled)?.map_err(failed)?;
        attempt.used(Capability::Artifacts);
        Ok(artifacts::Artifact {
            name: published.name.to_string(),
            size: published.size_bytes,
            sha256: published.digest.to_string(),
            media_type: published.media_type,
        })
    }

    async fn fetch(&mut self, reference: String) -> CallResult<FileRef> {
        let attempt = &self.attempt;
        let allowed = attempt.work.grants.fetch();
        allowed.map_err(|denial| attempt.refused(Capability::Artifacts, &denial))?;
        let reference: ArtifactReference = reference.parse().map_err(invalid)?;
        let _turn = attempt.unless_stopped(TURNS.acquire()).await.ok_or_else(CallError::cancelled)?;
        let fetching = {
            let (attempt, reference) = (Arc::clone(attempt), reference.clone());
            tokio::task::spawn_blocking(move || {
                let found = attempt.services.find_artifact(attempt.run, &attempt.work.namespace, &reference);
                bring_in(&attempt, &reference, found.map_err(failed)?)
            })
        };
        // Waited for even if the run is asked to stop, which it sees itself: it must not work on in a folder that is given back.
        fetching.await.map_err(|error| CallError::Trap(error.into()))??;
        attempt.used(Capability::Artifacts);
        Ok(FileRef { mount: "work".to_owned(), path: format!("{FOLDER}/{reference}") })
    }
}

fn invalid(error: impl ToString) -> CallError {
    CallError::new(ErrorCode::InvalidArgument, error.to_string())
}

fn failed(error: ArtifactError) -> CallError {
    let code = match error {
        ArtifactError::NotFound(_) => ErrorCode::NotFound,
        ArtifactError::Full(_) => ErrorCode::LimitExceeded,
        ArtifactError::Source(_) => ErrorCode::Other,
        ArtifactError::Unavailable(_) => ErrorCode::Unavailable,
    };
    CallError::new(code, error.to_string())
}

/// A file that is being published. Reading it fails once the run is asked to stop.
struct Content {
    file: File,
    attempt: Arc<Attempt>,
}

impl Read for Content {
    fn read(&mut self, piece: &mut [u8]) -> io::Result<usize> {
        if self.attempt.stop.reason().is_some() {
            return Err(io::Error::other("the run was asked to stop"));
        }
        self.file.read(piece)
    }
}

/// Copies an artifact into the run's own folder, as a file that nobody may write. A link to what is kept would let a program
/// of the run change it for all.
fn bring_in(attempt: &Attempt, reference: &ArtifactReference, mut found: FoundArtifact) -> CallResult<()> {
    let unusable = |error: io::Error| {
        let message = format!("the artifact '{reference}' cannot be brought into the run's folder: {error}");
        CallError::new(ErrorCode::Unavailable, message)
    };
    if attempt.stop.reason().is_some() {
        return Err(CallError::cancelled());
    }
    let path = format!("{FOLDER}/{reference}");
    let (folders, name) = path.rsplit_once('/').expect("the path begins with a folder");
    let work = attempt.tasks.open_folder().map_err(unusable)?;
    let folder = folder_below(work, folders).map_err(|error| unusable(error.into()))?;
    // What was there under this name is another artifact, or this one from an earlier call.
    match unlinkat(&folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => {}
        Err(error) => return Err(unusable(error.into())),
    }
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let opened = openat2(&folder, name, flags, Mode::from_raw_mode(0o400), ResolveFlags::BENEATH);
    let mut file = File::from(opened.map_err(|error| unusable(error.into()))?);
    let copied = copy(attempt, &mut found.content, &mut file, found.artifact.size_bytes);
    let problem = match copied {
        Ok(digest) if digest == found.artifact.digest => return Ok(()),
        Ok(_) => CallError::new(
            ErrorCode::Unavailable,
            format!("the artifact '{reference}' is damaged: it is not what was published; publish it again"),
        ),
        Err(_) if attempt.stop.reason().is_some() => CallError::cancelled(),
        Err(error) => unusable(error),
    };
    // A part of it is of no use. The folder goes with the run anyway.
    _ = unlinkat(&folder, name, AtFlags::empty());
    Err(problem)
}

/// Makes folders below the run's own one, and opens the last. A link that a program of the run put in their place is not
/// followed.
fn folder_below(work: OwnedFd, path: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut folder = work;
    for part in path.split('/') {
        match mkdirat(folder.as_fd(), part, Mode::from_raw_mode(0o700)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error),
        }
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        folder = openat2(folder.as_fd(), part, flags, Mode::empty(), resolve)?;
    }
    Ok(folder)
}

/// Copies at most `most` bytes; what was copied by its SHA-256.
fn copy(attempt: &Attempt, from: &mut File, to: &mut File, most: u64) -> io::Result<Digest> {
    let (mut hash, mut piece) = (Sha256::new(), vec![0; PIECE]);
    // One more than there should be shows that it is another content.
    let mut from = from.take(most.saturating_add(1));
    loop {
        if attempt.stop.reason().is_some() {
            return Err(io::Error::other("the run was asked to stop"));
        }
        match from.read(&mut piece) {
            Ok(0) => return Ok(Digest::from_bytes(hash.finalize().into())),
            Ok(read) => {
                hash.update(&piece[..read]);
                to.write_all(&piece[..read])?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
