//! Files on other machines.
//!
//! Each operation is one small script, which the machine's `sh` runs, as the account that logged in or as another. A file
//! that is written appears whole under its name or not at all: it is written beside it, compared by its digest, given its
//! mode and owner, and renamed.

mod folder;
mod script;

use std::fmt;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use crate::connect::Connection;
use crate::error::SshError;
use crate::program::{Ended, Program};

/// The most that a script of ours prints.
const ANSWER: usize = 4 << 10;
/// What is read of a local file at once, in bytes.
const CHUNK: usize = 64 << 10;

/// The SHA-256 of a file's content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileDigest([u8; 32]);

impl fmt::Display for FileDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FileDigest {
    /// The digest of all that `content` gives, and its length in bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub async fn of(content: &mut (impl AsyncRead + Unpin)) -> std::io::Result<(Self, u64)> {
        let mut hash = Sha256::new();
        let mut buffer = vec![0; CHUNK];
        let mut length = 0;
        loop {
            let read = content.read(&mut buffer).await?;
            if read == 0 {
                return Ok((Self(hash.finalize().into()), length));
            }
            hash.update(&buffer[..read]);
            length += read as u64;
        }
    }
}

/// How a file is written.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Put {
    /// Its permissions, such as `0o644`; those of the file that was there, or else 0644, by default.
    pub mode: Option<u32>,
    /// `user`, `user:group` or `:group`; those of the file that was there, as far as the account may, by default.
    pub owner: Option<String>,
    /// Whether the folders above it are made.
    pub make_parents: bool,
}

/// What is at a path.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A file.
    File,
    /// A folder.
    Directory,
    /// A symbolic link, wherever it leads.
    Symlink,
    /// A device, a pipe, a socket.
    Other,
}

/// What is known of a path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Stat {
    /// What it is.
    pub kind: Kind,
    /// Its length in bytes.
    pub size: u64,
    /// Its permissions.
    pub mode: u32,
    /// Its owner and group, as `user:group`.
    pub owner: String,
    /// The digest of its content, in hexadecimal, if it was asked for and this is a file.
    pub sha256: Option<String>,
}

/// The files of one machine, as one account sees them.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The connection.
    pub connection: &'a Connection,
    /// The account that is switched to, if not the one that logged in.
    pub run_as: Option<&'a str>,
}

impl Files<'_> {
    /// Writes `content`, which has `digest`, to `path`.
    ///
    /// # Errors
    ///
    /// If the machine cannot write it, or what arrives has another digest. Then `path` is as it was.
    pub async fn put(
        &self,
        path: &str,
        content: impl AsyncRead + Send + Unpin,
        digest: FileDigest,
        put: &Put,
    ) -> Result<(), SshError> {
        let mode = put.mode.map(|mode| format!("{mode:o}")).unwrap_or_default();
        let parents = if put.make_parents { "1" } else { "" };
        let args = [path, &digest.to_string(), &mode, put.owner.as_deref().unwrap_or_default(), parents];
        self.run("written", path, script::PUT, &args, content, ANSWER).await.map(drop)
    }

    /// What is at `path`; none if there is nothing.
    ///
    /// # Errors
    ///
    /// If the account may not look.
    pub async fn stat(&self, path: &str, digest: bool) -> Result<Option<Stat>, SshError> {
        let args = [path, if digest { "1" } else { "" }];
        let answer = self.run("looked at", path, script::STAT, &args, tokio::io::empty(), ANSWER).await?;
        let text = String::from_utf8_lossy(&answer);
        if text.trim() == "none" {
            return Ok(None);
        }
        let why = || self.failed("looked at", path, &format!("the machine answers '{}'", text.trim()));
        parse_stat(&text).map(Some).ok_or_else(why)
    }

    /// The content of the file at `path`, if it has no more than `limit` bytes.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or is longer.
    pub async fn read(&self, path: &str, limit: usize) -> Result<Vec<u8>, SshError> {
        self.run("read", path, script::READ, &[path, &limit.saturating_add(1).to_string()], tokio::io::empty(), limit)
            .await
    }

    /// Makes a folder, and those above it; one that is there already keeps what it has, but for a `mode` that is given.
    ///
    /// # Errors
    ///
    /// If the account may not, or something else is there.
    pub async fn make_dir(&self, path: &str, mode: Option<u32>) -> Result<(), SshError> {
        let mode = mode.map(|mode| format!("{mode:o}")).unwrap_or_default();
        self.run("made", path, script::MAKE_DIR, &[path, &mode], tokio::io::empty(), ANSWER).await.map(drop)
    }

    /// Renames `path` to `new`, in the place of a file that is there.
    ///
    /// # Errors
    ///
    /// If the account may not, `path` is not there, or `new` is a folder.
    pub async fn rename(&self, path: &str, new: &str) -> Result<(), SshError> {
        self.run("renamed", path, script::RENAME, &[path, new], tokio::io::empty(), ANSWER).await.map(drop)
    }

    /// Copies the file, link or folder at `path` to `new`, where nothing is, with modes, times, and owners as far as the
    /// account may.
    ///
    /// # Errors
    ///
    /// If the account may not, `path` is not there, or something is at `new`.
    pub async fn copy(&self, path: &str, new: &str) -> Result<(), SshError> {
        self.run("copied", path, script::COPY, &[path, new], tokio::io::empty(), ANSWER).await.map(drop)
    }

    /// Removes what is at `path`, if anything is; a folder only if it is empty, or `recursive`.
    ///
    /// # Errors
    ///
    /// If the account may not, or a folder is not empty.
    pub async fn remove(&self, path: &str, recursive: bool) -> Result<(), SshError> {
        let args = [path, if recursive { "1" } else { "" }];
        self.run("removed", path, script::REMOVE, &args, tokio::io::empty(), ANSWER).await.map(drop)
    }

    async fn run(
        &self,
        done: &str,
        path: &str,
        script: &str,
        args: &[&str],
        input: impl AsyncRead + Send + Unpin,
        keep: usize,
    ) -> Result<Vec<u8>, SshError> {
        for path in args.iter().take(1).chain(args.get(1).filter(|arg| arg.contains('/'))) {
            check_path(path)?;
        }
        let mut argv: Vec<String> = ["sh", "-c", script, "sh"].map(str::to_owned).into();
        argv.extend(args.iter().map(|arg| (*arg).to_owned()));
        let program = Program { argv, run_as: self.run_as.map(str::to_owned), ..Program::default() };
        let finished = self.connection.run(&program, input, keep).await?;
        match finished.ended {
            Ended::Exited(0) => Ok(finished.stdout),
            ended => {
                let said = String::from_utf8_lossy(&finished.stderr).trim().to_owned();
                let why = match (ended, said.is_empty()) {
                    (_, false) => said,
                    (Ended::Exited(code), true) => format!("exit code {code}"),
                    (Ended::Signalled(signal), true) => format!("ended by the signal {signal}"),
                    (Ended::Lost(why), true) => why,
                    (Ended::NotStarted(error), true) => error.to_string(),
                };
                Err(self.failed(done, path, &why))
            }
        }
    }

    fn failed(&self, done: &str, path: &str, why: &str) -> SshError {
        let machine = self.connection.machine().to_owned();
        SshError::Failed { machine, why: format!("{path} cannot be {done}: {why}") }
    }
}

/// Paths are whole: what the account's folder is may surprise, and a step upwards may leave what is granted.
fn check_path(path: &str) -> Result<(), SshError> {
    let is_whole = path.len() > 1 && path.starts_with('/') && !path.contains(['\0', '\n']);
    if is_whole && path[1..].split('/').all(|part| !matches!(part, "" | "." | "..")) {
        return Ok(());
    }
    Err(SshError::Invalid(format!(
        "'{path}' is no path on another machine: it begins with '/' and has no '..', '.' or '//'"
    )))
}

/// Reads `KIND SIZE MODE SHA256 OWNER`, where `-` is no digest and an owner may have spaces.
fn parse_stat(text: &str) -> Option<Stat> {
    let mut words = text.trim().splitn(5, ' ');
    let kind = match words.next()? {
        "file" => Kind::File,
        "directory" => Kind::Directory,
        "symlink" => Kind::Symlink,
        "other" => Kind::Other,
        _ => return None,
    };
    let size = words.next()?.parse().ok()?;
    let mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let sha256 = words.next().filter(|digest| *digest != "-").map(str::to_owned);
    let owner = words.next()?.to_owned();
    if sha256.as_ref().is_some_and(|digest| digest.len() != 64) {
        return None;
    }
    Some(Stat { kind, size, mode, owner, sha256 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_whole() {
        for path in ["/srv/app", "/a b/ü", "/...", "/.hidden"] {
            assert!(check_path(path).is_ok(), "{path}");
        }
        for path in ["", "/", "app", "~/app", "/srv/../etc", "/srv/", "//srv", "/srv/./a", "/a\nb", "-rf"] {
            assert!(check_path(path).is_err(), "{path}");
        }
    }

    #[test]
    fn what_the_script_answers_is_read() {
        let stat = parse_stat("file 12 644 - app:domain users\n").unwrap();
        assert_eq!((stat.kind, stat.size, stat.mode, stat.owner.as_str()), (Kind::File, 12, 0o644, "app:domain users"));
        for text in [
            "",
            "file",
            "file x 644 - a:b",
            "what 1 644 - a:b",
            "file 1 999 - a:b",
            "file 1 644 0123 a:b",
            "file 1 644 -",
        ] {
            assert_eq!(parse_stat(text), None, "{text}");
        }
    }
}
