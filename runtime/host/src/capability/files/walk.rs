//! All files in a folder.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, openat2, statat};

/// The most files in a folder and below.
const MAX_FILES: usize = 5000;
/// The most folders below it.
const MAX_FOLDERS: usize = 5000;

/// A file in a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Found {
    /// Its path from the folder on.
    pub(crate) path: String,
    /// Its length in bytes.
    pub(crate) size: u64,
    /// Its permissions.
    pub(crate) mode: u32,
}

/// All files in `folder` and below, in the order of their paths. A link, a pipe or whatever else is neither file nor folder is
/// an error, as are names that are not UTF-8 or have control characters, and more than there may be.
pub(crate) fn walk(folder: impl AsFd) -> Result<Vec<Found>, String> {
    let mut found = Vec::new();
    let mut folders = 0;
    let mut rest = vec![(open(&folder, ".", OFlags::DIRECTORY)?, String::new())];
    while let Some((folder, before)) = rest.pop() {
        let entries = Dir::read_from(&folder).map_err(|error| unreadable(&before, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| unreadable(&before, error))?;
            let name = entry.file_name().to_str().ok().filter(|name| !name.contains(char::is_control));
            let name = name.ok_or_else(|| format!("'{before}' has a name that is no text of one line"))?;
            if matches!(name, "." | "..") {
                continue;
            }
            let path = format!("{before}{name}");
            let data = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| unreadable(&path, error))?;
            match FileType::from_raw_mode(data.st_mode) {
                FileType::RegularFile => {
                    let size = u64::try_from(data.st_size).unwrap_or_default();
                    found.push(Found { path, size, mode: data.st_mode & 0o7777 });
                }
                FileType::Directory => {
                    folders += 1;
                    rest.push((open(&folder, name, OFlags::DIRECTORY | OFlags::NOFOLLOW)?, format!("{path}/")));
                }
                FileType::Symlink => return Err(format!("'{path}' is a link: folders with links are not sent")),
                _ => return Err(format!("'{path}' is neither a file nor a folder")),
            }
            if found.len() > MAX_FILES || folders > MAX_FOLDERS {
                return Err(format!("it has more than {MAX_FILES} files, or as many folders; pack it into one file"));
            }
        }
    }
    found.sort_unstable_by(|one, other| one.path.cmp(&other.path));
    Ok(found)
}

/// Opens a file of the folder that was found; no link is followed.
pub(crate) fn file(folder: impl AsFd, found: &Found) -> Result<File, String> {
    open(folder, &found.path, OFlags::NONBLOCK).map(File::from)
}

fn open(folder: impl AsFd, path: &str, flags: OFlags) -> Result<OwnedFd, String> {
    let flags = flags | OFlags::RDONLY | OFlags::CLOEXEC;
    let opened = openat2(folder, path, flags, Mode::empty(), ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS);
    opened.map_err(|error| unreadable(path, error))
}

fn unreadable(path: &str, error: rustix::io::Errno) -> String {
    format!("'{path}' cannot be read: {error}")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read as _;

    use super::*;

    #[test]
    fn files_are_found_in_order_and_links_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let at = |path: &str| place.path().join(path);
        fs::create_dir_all(at("b/c/empty")).unwrap();
        for path in ["b/c/two", "b/one", "a", ".hidden"] {
            fs::write(at(path), path).unwrap();
        }
        let folder = fs::File::open(place.path()).unwrap();
        let found = walk(&folder).unwrap();
        let paths: Vec<_> = found.iter().map(|found| (found.path.as_str(), found.size)).collect();
        assert_eq!(paths, [(".hidden", 7), ("a", 1), ("b/c/two", 7), ("b/one", 5)]);
        let mut text = String::new();
        file(&folder, &found[2]).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "b/c/two");
        // What became a link since then is not followed.
        fs::remove_file(at("a")).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", at("a")).unwrap();
        assert!(file(&folder, &found[1]).is_err());
        assert!(walk(&folder).unwrap_err().contains("'a' is a link"));
        fs::remove_file(at("a")).unwrap();
        fs::write(at("b/two\nlines"), "").unwrap();
        assert!(walk(&folder).unwrap_err().contains("'b/' has a name"));
    }
}
