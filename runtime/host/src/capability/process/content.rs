//! Programs that are granted by what is in their files.
//!
//! What is started is a sealed copy in memory whose digest was computed: whoever can write to the file itself cannot have
//! another content started. The copy's path says nothing of where the program lies, which one that looks for its own files
//! beside itself will miss.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use sandglass_core::id::Digest;
use sha2::{Digest as _, Sha256};

use super::command::{Candidate, path_string};
use crate::attempt::Attempt;
use crate::bindings::types::ErrorCode;
use crate::capability::{CallError, CallResult};

/// The largest file that is looked into: its copy is in memory for as long as the process lives.
const LARGEST: u64 = 256 << 20;
/// How much of a file is read at a time.
const PIECE: usize = 256 << 10;

/// What is started.
pub(super) struct Program {
    pub(super) path: CString,
    /// What the path leads to, if it is no file of its own.
    _copy: Option<OwnedFd>,
}

impl Program {
    /// The file itself.
    pub(super) fn at(file: &Path) -> CallResult<Self> {
        Ok(Self { path: path_string(file)?, _copy: None })
    }
}

/// A copy of the program's file, if what is in it is granted.
pub(super) async fn checked(attempt: &Attempt, candidate: &Candidate, args: &[String]) -> CallResult<Program> {
    let file = candidate.file.clone();
    let copied = tokio::task::spawn_blocking(move || copy(&file)).await.map_err(io::Error::other).flatten();
    let (copy, digest) = copied.map_err(|error| {
        let message = format!("what is in {} cannot be checked: {error}", candidate.file.display());
        CallError::new(ErrorCode::Unavailable, message)
    })?;
    candidate.granted(attempt, args, digest)?;
    // By the daemon's id, as the process that is started has closed all descriptors.
    let path = format!("/proc/{}/fd/{}", std::process::id(), copy.as_raw_fd());
    Ok(Program { path: path_string(Path::new(&path))?, _copy: Some(copy) })
}

/// A copy of a file that nobody can change, and its digest.
fn copy(file: &Path) -> io::Result<(OwnedFd, Digest)> {
    let mut from = File::open(file)?;
    let size = from.metadata()?.len();
    if size > LARGEST {
        return Err(io::Error::other(format!("it is larger than {} MiB", LARGEST >> 20)));
    }
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know of copies that may not be started.
    let copy = memfd_create("program", flags | MemfdFlags::EXEC).or_else(|_| memfd_create("program", flags))?;
    let mut copy = File::from(copy);
    let (mut hash, mut piece, mut left) = (Sha256::new(), vec![0; PIECE], LARGEST);
    loop {
        let read = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => &piece[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        left = left.checked_sub(read.len() as u64).ok_or_else(|| io::Error::other("it grows while it is read"))?;
        hash.update(read);
        copy.write_all(read)?;
    }
    fcntl_add_seals(&copy, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok((copy.into(), Digest::from_bytes(hash.finalize().into())))
}
