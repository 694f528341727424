//! Removing a folder that a run has worked in, whatever the run made of it.
//!
//! A folder within a folder within a folder, tens of thousands of times, takes neither stack nor descriptors here: what lies
//! two levels down is moved up, so that there are never more than two levels to look at.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, Mode, OFlags, chmodat, fchmod, openat, renameat, unlinkat};
use rustix::io::Errno;

/// A folder as it is opened: never through a link.
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// How often a folder is gone through: more often than any is deep, unless somebody puts things into it all the time.
const PASSES: u32 = 1_000_000;

/// Removes a folder with all that is in it; nothing if it is not there. Goes on past what cannot be removed, and leaves that.
///
/// # Errors
///
/// If something cannot be removed, or it fills again.
pub(super) fn remove_tree(path: &Path) -> io::Result<()> {
    let top = match openat(CWD, path, FOLDER, Mode::empty()) {
        Ok(top) => top,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut moved = 0;
    for _ in 0..PASSES {
        let (mut is_empty, mut has_removed, mut fault) = (true, false, None);
        each(top.as_fd(), |name| {
            is_empty = false;
            match remove(top.as_fd(), name, &mut moved) {
                Ok(()) => has_removed = true,
                Err(error) => _ = fault.get_or_insert(error),
            }
        })?;
        match fault {
            _ if is_empty => break,
            Some(error) if !has_removed => return Err(error.into()),
            _ => {}
        }
    }
    Ok(unlinkat(CWD, path, AtFlags::REMOVEDIR)?)
}

/// Removes what is called `name` in the folder `top`. Folders within it that are not empty are moved into `top`.
fn remove(top: BorrowedFd<'_>, name: &CStr, moved: &mut u64) -> Result<(), Errno> {
    if unlink(top, name)? {
        return Ok(());
    }
    let open = || openat(top, name, FOLDER, Mode::empty());
    let folder = match open() {
        Err(Errno::ACCESS) => {
            chmodat(top, name, Mode::RWXU, AtFlags::empty())?;
            open()?
        }
        opened => opened?,
    };
    // What somebody else owns is not ours to change: what follows fails then.
    let _ = fchmod(&folder, Mode::RWXU);
    let mut fault = None;
    let read = each(folder.as_fd(), |child| {
        if let Err(error) = unlink(folder.as_fd(), child).and_then(|is_gone| match is_gone {
            true => Ok(()),
            false => move_up(folder.as_fd(), child, top, moved),
        }) {
            fault.get_or_insert(error);
        }
    });
    read?;
    fault.map_or(Ok(()), Err)?;
    unlinkat(top, name, AtFlags::REMOVEDIR)
}

/// Whether it is gone: it stays if it is a folder that is not empty.
fn unlink(folder: BorrowedFd<'_>, name: &CStr) -> Result<bool, Errno> {
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(true),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error),
    }
    match unlinkat(folder, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
        Err(error) => Err(error),
    }
}

fn move_up(from: BorrowedFd<'_>, name: &CStr, top: BorrowedFd<'_>, moved: &mut u64) -> Result<(), Errno> {
    loop {
        let place = format!(".sandglass-removed-{moved}");
        *moved += 1;
        match renameat(from, name, top, &place) {
            Ok(()) => return Ok(()),
            // The run called something so.
            Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOTDIR) => {}
            // A folder that is moved is written to.
            Err(Errno::ACCESS) => {
                chmodat(from, name, Mode::RWXU, AtFlags::empty())?;
                return renameat(from, name, top, &place);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Calls `visit` for each entry of a folder.
fn each(folder: BorrowedFd<'_>, mut visit: impl FnMut(&CStr)) -> Result<(), Errno> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name != c"." && name != c".." {
            visit(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use rustix::fs::mkdirat;

    use super::*;

    #[test]
    fn a_tree_is_removed_and_what_its_links_lead_to_stays() {
        let place = tempfile::tempdir().unwrap();
        let (tree, kept) = (place.path().join("1"), place.path().join("kept"));
        fs::create_dir_all(tree.join("a/b/c")).unwrap();
        fs::create_dir_all(tree.join("a/empty")).unwrap();
        fs::create_dir(&kept).unwrap();
        for file in [tree.join("file"), tree.join("a/b/c/file"), tree.join(".sandglass-removed-0"), kept.join("file")] {
            fs::write(file, "").unwrap();
        }
        symlink(&kept, tree.join("a/b/link")).unwrap();
        symlink("nowhere", tree.join("a/link")).unwrap();
        remove_tree(&tree).unwrap();
        assert!(!tree.exists() && kept.join("file").exists());
        remove_tree(&tree).unwrap();
        symlink(&kept, &tree).unwrap();
        assert!(remove_tree(&tree).is_err() && kept.join("file").exists());
    }

    #[test]
    fn however_deep_a_tree_is_it_is_removed() {
        let place = tempfile::tempdir().unwrap();
        let tree = place.path().join("1");
        fs::create_dir(&tree).unwrap();
        let mut folder = openat(CWD, &tree, FOLDER, Mode::empty()).unwrap();
        for _ in 0..20_000 {
            mkdirat(&folder, "a", Mode::RWXU).unwrap();
            folder = openat(&folder, "a", FOLDER, Mode::empty()).unwrap();
        }
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }

    #[test]
    fn what_may_not_be_written_to_is_removed_too() {
        let place = tempfile::tempdir().unwrap();
        let tree = place.path().join("1");
        fs::create_dir_all(tree.join("mod/pkg/inner")).unwrap();
        fs::write(tree.join("mod/pkg/inner/file"), "").unwrap();
        for folder in ["mod/pkg/inner", "mod/pkg", "mod"] {
            rustix::fs::chmod(tree.join(folder), Mode::RUSR | Mode::XUSR).unwrap();
        }
        remove_tree(&tree).unwrap();
        assert!(!tree.exists());
    }
}
