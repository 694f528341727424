//! Where the files are that a guest names to the host: in the run's own folder, or in one that it was granted.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, ResolveFlags, fstat, openat2};
use rustix::io::Errno;
use sandglass_core::capability::{Access, Capability, Denial};

use crate::attempt::Attempt;
use crate::bindings::types::{ErrorCode, FileRef};
use crate::capability::{CallError, CallResult};

/// The run's own folder, made when it is first asked for.
pub(crate) fn work(attempt: &Attempt) -> CallResult<&Path> {
    attempt.tasks.folder().map_err(|error| {
        CallError::new(ErrorCode::Unavailable, format!("the run's working folder cannot be made: {error}"))
    })
}

/// A folder that the run has, open.
enum Base<'a> {
    Work(&'a Path, OwnedFd),
    Granted(&'a Path, &'a File),
}

impl Base<'_> {
    fn path(&self) -> &Path {
        match self {
            Self::Work(path, _) | Self::Granted(path, _) => path,
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Work(_, folder) => folder.as_fd(),
            Self::Granted(_, folder) => folder.as_fd(),
        }
    }
}

/// The folder that `file` is in, if it may be used so.
fn base<'a>(attempt: &'a Attempt, file: &FileRef, access: Access) -> CallResult<Base<'a>> {
    if file.mount == "work" {
        let path = work(attempt)?;
        let folder = attempt.tasks.open_folder();
        return folder.map(|folder| Base::Work(path, folder)).map_err(|error| {
            CallError::new(ErrorCode::Unavailable, format!("the run's working folder cannot be opened: {error}"))
        });
    }
    let mounted = attempt.mounts().iter().find(|mounted| mounted.mount.path == file.mount);
    match mounted {
        Some(mounted) if mounted.mount.access >= access => Ok(Base::Granted(&mounted.real, &mounted.folder)),
        _ => Err(match attempt.work.grants.folder(&file.mount, access) {
            Err(denial) => refused(attempt, &denial),
            Ok(()) => CallError::new(ErrorCode::NotFound, format!("the run has no folder called '{}'", file.mount)),
        }),
    }
}

fn refused(attempt: &Attempt, denial: &Denial) -> CallError {
    attempt.refused(Capability::Files, denial)
}

fn failed(file: &FileRef, error: Errno) -> CallError {
    let code = match error {
        Errno::NOENT => ErrorCode::NotFound,
        Errno::XDEV | Errno::LOOP | Errno::NOTDIR => ErrorCode::InvalidArgument,
        _ => ErrorCode::Unavailable,
    };
    let what = match error {
        Errno::XDEV => "it leads out of the folder".to_owned(),
        error => error.to_string(),
    };
    CallError::new(code, format!("'{}' in the folder '{}' cannot be opened: {what}", file.path, file.mount))
}

/// The path within its folder, without steps upwards.
fn relative(file: &FileRef) -> CallResult<&str> {
    if file.path.starts_with('/') || file.path.split('/').any(|part| part == "..") {
        let message = format!("'{}' is not a relative path within the folder '{}'", file.path, file.mount);
        return Err(CallError::new(ErrorCode::InvalidArgument, message));
    }
    Ok(if file.path.is_empty() { "." } else { &file.path })
}

/// The path of a folder, links resolved, for a process to start in.
pub(crate) fn folder(attempt: &Attempt, file: &FileRef) -> CallResult<PathBuf> {
    let base = base(attempt, file, Access::ReadOnly)?;
    let unusable = |error: std::io::Error| {
        CallError::new(ErrorCode::NotFound, format!("the folder '{}' cannot be used: {error}", file.path))
    };
    let wanted = base.path().join(relative(file)?);
    let outer = std::fs::canonicalize(base.path()).map_err(unusable)?;
    let folder = std::fs::canonicalize(wanted).map_err(unusable)?;
    if folder.starts_with(&outer) { Ok(folder) } else { Err(failed(file, Errno::XDEV)) }
}

/// The path of a folder that the run has, as a whole, for an engine that mounts it by its path. A folder below it would not
/// do: whoever may write there could put a link in its place before the engine looks.
pub(crate) fn whole(attempt: &Attempt, file: &FileRef, access: Access) -> CallResult<PathBuf> {
    if !matches!(relative(file)?, "." | "./") {
        let message = format!(
            "'{}' lies below the folder '{}', and only a granted folder as a whole can be mounted; grant it by itself",
            file.path, file.mount
        );
        return Err(CallError::new(ErrorCode::InvalidArgument, message));
    }
    if file.mount == "work" {
        attempt.work.grants.work().map_err(|denial| refused(attempt, &denial))?;
    }
    base(attempt, file, access).map(|base| base.path().to_owned())
}

/// The file as one within a folder: a file that is named by its whole path alone is in the innermost folder that the run was
/// granted.
fn placed(attempt: &Attempt, file: &FileRef) -> CallResult<FileRef> {
    if !file.mount.is_empty() || !file.path.starts_with('/') {
        return Ok(file.clone());
    }
    let within = |mount: &str| file.path.strip_prefix(mount).and_then(|rest| rest.strip_prefix('/')).map(str::to_owned);
    let mounts = attempt.mounts().iter().map(|mounted| mounted.mount.path.as_str());
    let found = mounts.filter_map(|mount| Some((mount, within(mount)?))).max_by_key(|(mount, _)| mount.len());
    if let Some((mount, path)) = found {
        return Ok(FileRef { mount: mount.to_owned(), path });
    }
    let folder = file.path.rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder });
    Err(match attempt.work.grants.folder(folder, Access::ReadOnly) {
        Err(denial) => refused(attempt, &denial),
        Ok(()) => CallError::new(
            ErrorCode::NotFound,
            format!(
                "the run has no folder that '{}' is in; name it among the job's grants: `files: [\"{folder}:ro\"]`",
                file.path
            ),
        ),
    })
}

/// Opens a file; the kernel refuses links that lead out of its folder. Opening never waits, as it would for a pipe that
/// has a name.
pub(crate) fn file(attempt: &Attempt, file: &FileRef, flags: OFlags, access: Access) -> CallResult<OwnedFd> {
    let (opened, kind) = opened(attempt, file, flags, access)?;
    if kind != FileType::RegularFile {
        let hint = match kind {
            FileType::Directory => "; where a folder can be sent, its path ends with '/'",
            _ => "",
        };
        return Err(CallError::new(ErrorCode::InvalidArgument, format!("'{}' is no regular file{hint}", file.path)));
    }
    Ok(opened)
}

/// Opens a folder, to look at what is in it.
pub(crate) fn open_folder(attempt: &Attempt, file: &FileRef) -> CallResult<OwnedFd> {
    opened(attempt, file, OFlags::RDONLY | OFlags::DIRECTORY, Access::ReadOnly).map(|(folder, _)| folder)
}

fn opened(attempt: &Attempt, file: &FileRef, flags: OFlags, access: Access) -> CallResult<(OwnedFd, FileType)> {
    let file = &placed(attempt, file)?;
    let path = relative(file)?;
    let base = base(attempt, file, access)?;
    let flags = flags | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let mode = if flags.contains(OFlags::CREATE) { Mode::from_raw_mode(0o600) } else { Mode::empty() };
    let failed = |error| failed(file, error);
    let opened = openat2(base.fd(), path, flags, mode, ResolveFlags::BENEATH).map_err(failed)?;
    let kind = FileType::from_raw_mode(fstat(&opened).map_err(failed)?.st_mode);
    Ok((opened, kind))
}

/// Where a file is on this machine. Nothing is opened, so nothing is granted by it: whether a program may use the file is
/// up to the machine.
pub(crate) fn locate(attempt: &Attempt, file: &FileRef) -> CallResult<String> {
    let path = relative(file)?;
    if file.mount == "work" {
        attempt.work.grants.work().map_err(|denial| refused(attempt, &denial))?;
    }
    let base = base(attempt, file, Access::ReadOnly)?;
    let place = base.path().join(path);
    let text = place.to_str().ok_or_else(|| {
        CallError::new(ErrorCode::Unsupported, format!("the path of the folder '{}' is not UTF-8", file.mount))
    })?;
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::capability::files::mount;
    use crate::probe;

    /// An attempt of a job that was granted these folders.
    async fn attempt(place: &Path, granted: &[String]) -> Attempt {
        let attempt = probe::attempt_granted(serde_json::json!({ "files": granted }), place.join("runs"));
        mount(&attempt).await.unwrap();
        attempt
    }

    fn file_ref(mount: &str, path: &str) -> FileRef {
        FileRef { mount: mount.to_owned(), path: path.to_owned() }
    }

    fn code<T>(given: CallResult<T>) -> ErrorCode {
        match given {
            Err(CallError::Failed(error)) => error.code,
            Err(CallError::Trap(error)) => panic!("{error}"),
            Ok(_) => panic!("it was given"),
        }
    }

    #[tokio::test]
    async fn the_own_folder_comes_back_and_is_no_way_out() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("outside")).unwrap();
        let attempt = attempt(place.path(), &[]).await;
        let write = || file(&attempt, &file_ref("work", "mine"), WRITE, Access::ReadWrite);
        assert!(write().is_ok());
        let own = work(&attempt).unwrap();
        fs::remove_dir_all(own).unwrap();
        assert!(write().is_ok() && own.join("mine").is_file());
        fs::remove_dir_all(own).unwrap();
        std::os::unix::fs::symlink(place.path().join("outside"), own).unwrap();
        assert_eq!(code(write()), ErrorCode::Unavailable);
        assert_eq!(code(folder(&attempt, &file_ref("work", ""))), ErrorCode::Unavailable);
        assert_eq!(fs::read_dir(place.path().join("outside")).unwrap().count(), 0);
    }

    const WRITE: OFlags = OFlags::WRONLY.union(OFlags::CREATE);

    #[tokio::test]
    async fn files_are_found_where_they_may_be() {
        let place = tempfile::tempdir().unwrap();
        let base = fs::canonicalize(place.path()).unwrap();
        let (input, out) = (base.join("in"), base.join("out"));
        fs::create_dir_all(input.join("sub")).unwrap();
        fs::create_dir(&out).unwrap();
        fs::write(input.join("file"), "x").unwrap();
        std::os::unix::fs::symlink("../in/file", out.join("link")).unwrap();
        let (input, out) = (input.display().to_string(), out.display().to_string());
        let attempt = attempt(&base, &[format!("{input}:ro"), format!("{out}:rw")]).await;
        let open = |mount: &str, path: &str, flags, access| file(&attempt, &file_ref(mount, path), flags, access);
        let read = |mount: &str, path: &str| open(mount, path, OFlags::RDONLY, Access::ReadOnly);
        let write = |mount: &str, path: &str| open(mount, path, WRITE, Access::ReadWrite);
        assert!(read(&input, "file").is_ok() && write(&out, "new").is_ok() && write("work", "mine").is_ok());
        assert_eq!(code(write(&input, "file")), ErrorCode::Denied);
        assert!(attempt.last_denial().unwrap().grant.contains(&format!("{input}:rw")));
        assert_eq!(code(read("/etc", "passwd")), ErrorCode::Denied);
        assert_eq!(code(read(&out, "link")), ErrorCode::InvalidArgument);
        assert_eq!(code(read(&out, "../in/file")), ErrorCode::InvalidArgument);
        assert_eq!(code(read(&input, "sub")), ErrorCode::InvalidArgument);
        assert_eq!(code(read(&input, "none")), ErrorCode::NotFound);
        assert!(read("", &format!("{input}/file")).is_ok());
        let opened = |path: &str| open_folder(&attempt, &file_ref("", path));
        assert!(opened(&format!("{input}/")).is_ok() && opened(&format!("{input}/sub/")).is_ok());
        assert_eq!(code(opened(&format!("{input}/file"))), ErrorCode::InvalidArgument);
        assert_eq!(code(opened("/etc/")), ErrorCode::Denied);
        assert_eq!(code(read("", "/etc/passwd")), ErrorCode::Denied);
        assert!(attempt.last_denial().unwrap().grant.contains("/etc:ro"));
        assert_eq!(folder(&attempt, &file_ref(&input, "sub")).ok(), Some(Path::new(&input).join("sub")));
        assert_eq!(code(folder(&attempt, &file_ref(&input, "none"))), ErrorCode::NotFound);
        assert_eq!(locate(&attempt, &file_ref(&input, "a/b")).ok(), Some(format!("{input}/a/b")));
        assert!(locate(&attempt, &file_ref("work", "a")).is_ok_and(|path| path.starts_with(&*base.to_string_lossy())));
        assert_eq!(code(locate(&attempt, &file_ref("work", "../a"))), ErrorCode::InvalidArgument);
    }
}
