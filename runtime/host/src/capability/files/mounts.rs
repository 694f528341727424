//! Opening the folders of the host that a run was granted, before it starts.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};
use sandglass_core::capability::{Access, Capability, Denial, EffectiveGrants, Mount};
use sandglass_core::run::ErrorClass;

use crate::attempt::Attempt;
use crate::classify::{self, Wrong};

/// How long opening all folders may take: a server of files that is gone answers after minutes, if ever.
const PATIENCE: Duration = Duration::from_secs(10);

/// A granted folder, open.
pub(crate) struct Mounted {
    pub(crate) mount: Mount,
    /// Where it really lies, links resolved.
    pub(crate) real: PathBuf,
    pub(crate) folder: File,
}

/// Opens the folders that the attempt was granted, if there are any. Whoever is asked to stop meanwhile gets none.
pub(crate) async fn mount(attempt: &Attempt) -> Result<(), Wrong> {
    let refused = |denial: &Denial| {
        attempt.denied(Capability::Files, denial);
        classify::denied(denial)
    };
    let mounts = attempt.work.grants.mounts().map_err(|denial| refused(&denial))?;
    if mounts.is_empty() {
        return Ok(());
    }
    let work = std::sync::Arc::clone(&attempt.work);
    let opening = tokio::task::spawn_blocking(move || {
        mounts.into_iter().map(|mount| one(mount, &work.grants)).collect::<Result<Vec<_>, _>>()
    });
    match attempt.unless_stopped(tokio::time::timeout(PATIENCE, opening)).await {
        None => Ok(()),
        Some(Ok(Ok(mounted))) => {
            let mounted = mounted.map_err(|not_opened| match not_opened {
                NotOpened::Denied(denial) => refused(&denial),
                NotOpened::Unusable(wrong) => wrong,
            })?;
            mounted.iter().for_each(|_| attempt.used(Capability::Files));
            attempt.set_mounts(mounted);
            Ok(())
        }
        Some(Ok(Err(_))) => Err(no_folder("the granted folders could not be opened: the host failed".to_owned())),
        Some(Err(_)) => Err(no_folder(format!(
            "the granted folders could not be opened within {} s; does a file server not answer?",
            PATIENCE.as_secs()
        ))),
    }
}

/// Why a granted folder cannot be opened.
enum NotOpened {
    Denied(Denial),
    Unusable(Wrong),
}

fn one(mount: Mount, grants: &EffectiveGrants) -> Result<Mounted, NotOpened> {
    let unusable = |error: &dyn std::fmt::Display| {
        let path = &mount.path;
        NotOpened::Unusable(no_folder(format!(
            "the folder {path}, which `grants.files` names, cannot be used: {error}"
        )))
    };
    let real = std::fs::canonicalize(&mount.path).map_err(|error| unusable(&error))?;
    let text = real.to_str().ok_or_else(|| unusable(&"the path it leads to is not UTF-8"))?;
    let mut mount = Mount { path: mount.path.clone(), access: mount.access };
    if text != mount.path {
        grants.real_folder(text, Access::ReadOnly).map_err(NotOpened::Denied)?;
        if grants.real_folder(text, mount.access).is_err() {
            mount.access = Access::ReadOnly;
        }
    }
    let folder = open(&real).map_err(|error| unusable(&error))?;
    Ok(Mounted { mount, real, folder })
}

fn no_folder(message: String) -> Wrong {
    Wrong::new(ErrorClass::Guest, "no-folder", message)
}

/// Opens a folder by its real path. A link that somebody put there meanwhile is not followed.
fn open(real: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(openat2(CWD, real, flags, Mode::empty(), ResolveFlags::NO_SYMLINKS)?.into())
}
