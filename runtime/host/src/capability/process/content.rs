//! Programs that are granted by what is in their files.
//!
//! What is started is a sealed copy in memory whose digest was computed: whoever can write to the file itself cannot have
//! another content started. The copy's path says nothing of where the program lies, which one that looks for its own file
//! or for others beside it will miss.

use std::collections::HashMap;
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::sync::{Arc, Mutex, Weak};

use rustix::fs::{MemfdFlags, Mode, OFlags, SealFlags, fcntl_add_seals, memfd_create};
use sandglass_core::id::Digest;
use sha2::{Digest as _, Sha256};
use tokio::sync::Semaphore;

use super::command::{Candidate, Granted, path_string};
use crate::attempt::{Attempt, lock};
use crate::bindings::process::Command;
use crate::bindings::types::ErrorCode;
use crate::capability::{CallError, CallResult};

/// The largest file that is looked into, in bytes: its copy is in memory for as long as a process of it lives.
const LARGEST: u64 = 256 << 20;
/// How much all copies may take together, in bytes.
const MOST: u64 = 1 << 30;
/// How much of a file is read at a time, in bytes.
const PIECE: usize = 256 << 10;
/// How many files are looked into at once: threads for what blocks are few, and a file may answer slowly, or never.
static TURNS: Semaphore = Semaphore::const_new(2);
/// The copies that processes have, so that those of one content share one.
static COPIES: Mutex<Option<HashMap<Digest, Weak<Copy>>>> = Mutex::new(None);

/// What is started.
pub(super) struct Program {
    pub(super) path: CString,
    /// What it is told that it was called by.
    pub(super) name: String,
    /// What the path leads to, if it is no file of its own.
    _copy: Option<Arc<Copy>>,
}

/// A file's content that nobody can change any more.
struct Copy {
    file: OwnedFd,
    size: u64,
}

impl Program {
    /// The file itself.
    pub(super) fn at(Granted { file, name }: Granted) -> CallResult<Self> {
        Ok(Self { path: path_string(&file)?, name, _copy: None })
    }
}

/// A copy of the program's file, if what is in it is granted.
pub(super) async fn checked(attempt: &Arc<Attempt>, candidate: &Candidate, command: &Command) -> CallResult<Program> {
    // Asked before the work; that there still is room is seen to when it is started.
    attempt.tasks.check_room()?;
    let turn = attempt.unless_stopped(TURNS.acquire()).await.ok_or_else(CallError::cancelled)?;
    let (file, run) = (candidate.file.clone(), Arc::clone(attempt));
    let copying = tokio::task::spawn_blocking(move || {
        // Kept if nobody waits any more: that is what bounds their number.
        let _turn = turn;
        copy(&run, &file)
    });
    let copied = attempt.unless_stopped(copying).await.ok_or_else(CallError::cancelled)?;
    let (copy, digest) = copied.map_err(|error| CallError::Trap(error.into()))?.map_err(|error| {
        let code = match error.kind() {
            io::ErrorKind::FileTooLarge => ErrorCode::LimitExceeded,
            _ => ErrorCode::Unavailable,
        };
        CallError::new(code, format!("what is in {} cannot be checked: {error}", candidate.file.display()))
    })?;
    let name = candidate.granted(attempt, command, digest)?;
    let copy = shared(copy, digest)?;
    // By the daemon's id, as the process that is started has closed all descriptors.
    let path = format!("/proc/{}/fd/{}", std::process::id(), copy.file.as_raw_fd());
    Ok(Program { path: path_string(Path::new(&path))?, name, _copy: Some(copy) })
}

/// The copy of that content that there is already, or else this one.
fn shared(copy: Copy, digest: Digest) -> CallResult<Arc<Copy>> {
    let mut copies = lock(&COPIES);
    let copies = copies.get_or_insert_default();
    copies.retain(|_, copy| copy.strong_count() > 0);
    if let Some(there) = copies.get(&digest).and_then(Weak::upgrade) {
        return Ok(there);
    }
    let taken: u64 = copies.values().filter_map(Weak::upgrade).map(|copy| copy.size).sum();
    if taken + copy.size > MOST {
        let message = format!(
            "programs that are granted by digest would take more than {} MiB of memory together; wait for one to end, or grant \
             some by path",
            MOST >> 20
        );
        return Err(CallError::new(ErrorCode::LimitExceeded, message));
    }
    let copy = Arc::new(copy);
    copies.insert(digest, Arc::downgrade(&copy));
    Ok(copy)
}

/// A sealed copy of a file, and its digest.
fn copy(attempt: &Attempt, file: &Path) -> io::Result<(Copy, Digest)> {
    // What lies there now may be a pipe, which would wait for somebody to write.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let mut from = File::from(rustix::fs::open(file, flags, Mode::empty())?);
    let data = from.metadata()?;
    if !data.is_file() {
        return Err(io::Error::other("it is no regular file"));
    }
    let too_large = || {
        let message = format!("it is larger than {} MiB", LARGEST >> 20);
        io::Error::new(io::ErrorKind::FileTooLarge, message)
    };
    if data.len() > LARGEST {
        return Err(too_large());
    }
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know of copies that may not be started.
    let to = memfd_create("program", flags | MemfdFlags::EXEC).or_else(|_| memfd_create("program", flags))?;
    let mut to = File::from(to);
    let (mut hash, mut piece, mut size) = (Sha256::new(), vec![0; PIECE], 0);
    loop {
        if attempt.stop.reason().is_some() {
            return Err(io::Error::other("the run was asked to stop"));
        }
        let read = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(read) => &piece[..read],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        size += read.len() as u64;
        if size > LARGEST {
            return Err(too_large());
        }
        hash.update(read);
        to.write_all(read)?;
    }
    fcntl_add_seals(&to, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)?;
    Ok((Copy { file: to.into(), size }, Digest::from_bytes(hash.finalize().into())))
}
