//! Files: the run's own folder, `work`, and the folders of the host that it was granted, as guests know them from WASI.
//!
//! A guest asks for its folders when it first uses a path. Only then is `work` made, so that the many runs that use no
//! files pay nothing for it. Granted folders are opened before the run starts, which fails without them.

mod mounts;
mod open;
pub(crate) mod place;
pub(crate) mod walk;

use wasmtime::component::{HasSelf, Linker, Resource};
use wasmtime_wasi::filesystem::{Descriptor, Dir, FsPerms, OpenMode};
use wasmtime_wasi::p2::bindings::filesystem::preopens;

use crate::guest::Guest;
use sandglass_core::capability::Access;

pub(crate) use mounts::{Mounted, mount};

/// Links what differs from the way in which the engine's own crate gives files to guests.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    preopens::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    open::link(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

impl preopens::Host for Guest {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let mut folders = Vec::new();
        for mounted in self.attempt.mounts() {
            folders.push((dir(mounted.folder.try_clone()?, mounted.mount.access), mounted.mount.path.clone()));
        }
        if self.attempt.work.grants.work().is_ok() {
            match self.attempt.tasks.open_folder() {
                Ok(work) => folders.push((dir(work.into(), Access::ReadWrite), "work".to_owned())),
                // No fault of the guest's: it finds nothing there.
                Err(error) => {
                    tracing::warn!(run = %self.attempt.run, "the run's working folder cannot be opened: {error}");
                }
            }
        }
        let mut handles = Vec::with_capacity(folders.len());
        for (folder, name) in folders {
            handles.push((self.table.push(folder)?, name));
        }
        Ok(handles)
    }
}

fn dir(folder: std::fs::File, access: Access) -> Descriptor {
    let (permissions, mode) = match access {
        Access::ReadOnly => (FsPerms::ReadOnly, OpenMode::READ),
        Access::ReadWrite => (FsPerms::ReadWrite, OpenMode::READ | OpenMode::WRITE),
    };
    Descriptor::Dir(Dir::new(folder, permissions, mode, false))
}
