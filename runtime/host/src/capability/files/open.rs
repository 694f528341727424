//! Opening a file below a folder that a guest has.
//!
//! The engine's own way waits for the other end of a named pipe for as long as that takes, on one of the few threads for
//! what blocks: a guest and a program could take them all. Here nothing is waited for, and devices and pipes are refused.

use std::fs::File as OsFile;
use std::io;
use std::os::fd::AsRawFd;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use sandglass_core::capability::{Access, Capability};
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, Dir, File, OpenMode};
use wasmtime_wasi::p2::bindings::filesystem::types::{DescriptorFlags, ErrorCode, OpenFlags, PathFlags};

use crate::attempt::Attempt;
use crate::guest::Guest;

/// How often opening is tried again because something was renamed just then, anywhere.
const TRIES: usize = 8;

/// What a guest gives, in its order.
type Wanted = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut types = linker.instance("wasi:filesystem/types@0.2.12")?;
    types.func_wrap_async("[method]descriptor.open-at", |mut store, wanted: Wanted| {
        Box::new(async move { Ok((open_at(store.data_mut(), wanted).await?,)) })
    })
}

async fn open_at(guest: &mut Guest, wanted: Wanted) -> wasmtime::Result<Result<Resource<Descriptor>, ErrorCode>> {
    let (dir, follow, path, how, flags) = wanted;
    let dir = match guest.table.get(&dir)? {
        Descriptor::Dir(dir) => dir.clone(),
        Descriptor::File(_) => return Ok(Err(ErrorCode::NotDirectory)),
    };
    let (open, mode) = match translate(follow, how, flags) {
        Ok(translated) => translated,
        Err(code) => return Ok(Err(code)),
    };
    if dir.perms.write_not_permitted() && mode.contains(OpenMode::WRITE) {
        tell_denial(&guest.attempt, &dir);
        return Ok(Err(ErrorCode::NotPermitted));
    }
    let below = std::sync::Arc::clone(&dir.dir);
    let opened = tokio::task::spawn_blocking(move || beneath(&below, &path, open)).await?;
    Ok(match opened {
        Ok(Opened::Folder(folder)) => {
            Ok(guest.table.push(Descriptor::Dir(Dir::new(folder, dir.perms, mode, false)))?)
        }
        Ok(Opened::File(file)) => {
            guest.attempt.granted();
            Ok(guest.table.push(Descriptor::File(File::new(file, dir.perms, mode, false)))?)
        }
        Err(code) => Err(code),
    })
}

/// What the guest wants, for the kernel and for the checks of later calls.
fn translate(follow: PathFlags, how: OpenFlags, flags: DescriptorFlags) -> Result<(OFlags, OpenMode), ErrorCode> {
    let synchronised = DescriptorFlags::FILE_INTEGRITY_SYNC
        | DescriptorFlags::DATA_INTEGRITY_SYNC
        | DescriptorFlags::REQUESTED_WRITE_SYNC;
    if flags.intersects(synchronised) {
        return Err(ErrorCode::Unsupported);
    }
    let changing = OpenFlags::CREATE | OpenFlags::EXCLUSIVE | OpenFlags::TRUNCATE;
    if how.contains(OpenFlags::DIRECTORY) && how.intersects(changing) {
        return Err(ErrorCode::Invalid);
    }
    let write = flags.contains(DescriptorFlags::WRITE) || how.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE);
    // Somebody who wants neither still gets a handle, which the kernel gives only to readers and writers.
    let read = flags.contains(DescriptorFlags::READ) || !flags.contains(DescriptorFlags::WRITE);
    let (mut open, mode) = match (read, write) {
        (true, true) => (OFlags::RDWR, OpenMode::READ | OpenMode::WRITE),
        (false, true) => (OFlags::WRONLY, OpenMode::WRITE),
        (_, false) => (OFlags::RDONLY, OpenMode::READ),
    };
    open.set(OFlags::CREATE, how.contains(OpenFlags::CREATE));
    open.set(OFlags::EXCL, how.contains(OpenFlags::CREATE | OpenFlags::EXCLUSIVE));
    open.set(OFlags::TRUNC, how.contains(OpenFlags::TRUNCATE));
    open.set(OFlags::DIRECTORY, how.contains(OpenFlags::DIRECTORY));
    open.set(OFlags::NOFOLLOW, !follow.contains(PathFlags::SYMLINK_FOLLOW));
    Ok((open | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY, mode))
}

enum Opened {
    Folder(OsFile),
    File(OsFile),
}

/// The kernel refuses what would lead out of `folder`, by links or otherwise.
fn beneath(folder: &OsFile, path: &str, flags: OFlags) -> Result<Opened, ErrorCode> {
    // Without the bit, the kernel wants no mode.
    let mode = if flags.contains(OFlags::CREATE) { Mode::from_raw_mode(0o666) } else { Mode::empty() };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
    let mut tries = 1..TRIES;
    let opened = loop {
        match openat2(folder, path, flags, mode, resolve) {
            Err(Errno::AGAIN) if tries.next().is_some() => {}
            Ok(opened) => break OsFile::from(opened),
            Err(Errno::XDEV) => return Err(ErrorCode::NotPermitted),
            // A pipe without a reader.
            Err(Errno::NXIO) => return Err(ErrorCode::Unsupported),
            Err(error) => return Err(io::Error::from(error).into()),
        }
    };
    let kind = opened.metadata().map_err(ErrorCode::from)?.file_type();
    match (kind.is_dir(), kind.is_file()) {
        (true, _) => Ok(Opened::Folder(opened)),
        (_, true) => Ok(Opened::File(opened)),
        // Reading and writing these may wait for ever.
        _ => Err(ErrorCode::Unsupported),
    }
}

/// If the guest fails now, people are told of the grant that lets it write.
fn tell_denial(attempt: &Attempt, dir: &Dir) {
    let path = std::fs::read_link(format!("/proc/self/fd/{}", dir.dir.as_raw_fd()));
    let path = path.ok().and_then(|path| path.to_str().map(str::to_owned));
    let named = |path: &str| {
        let mounts = attempt.mounts().iter();
        let mounted = mounts.filter(|mounted| std::path::Path::new(path).starts_with(&mounted.real));
        mounted.map(|mounted| mounted.mount.path.clone()).max_by_key(String::len)
    };
    let denial = path.and_then(|path| attempt.work.grants.folder(&named(&path)?, Access::ReadWrite).err());
    if let Some(denial) = denial {
        attempt.denied(Capability::Files, &denial);
    }
}
