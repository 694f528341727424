//! Many files of one folder, looked at together: a program for each would take longer than the files.

use super::{Files, Kind, Stat, script};
use crate::error::SshError;

/// The most that a script tells of a folder's files, in bytes.
const ANSWER: usize = 8 << 20;

impl Files<'_> {
    /// What is known, but for digests, of those of `paths` that are in `folder`: relative paths, without line breaks. None
    /// is there if the folder is not.
    ///
    /// # Errors
    ///
    /// If the account may not look, or there is something else than a folder.
    pub async fn stat_all(&self, folder: &str, paths: &[&str]) -> Result<Vec<(String, Stat)>, SshError> {
        let text = self.of_all("looked at", folder, script::STAT_ALL, paths).await?;
        let line = |line: &str| parse_line(line).ok_or_else(|| self.unreadable(folder, line));
        text.lines().map(line).collect()
    }

    /// The digests of files in `folder`, in hexadecimal.
    ///
    /// # Errors
    ///
    /// If one of them cannot be read.
    pub async fn digest_all(&self, folder: &str, paths: &[&str]) -> Result<Vec<(String, String)>, SshError> {
        let text = self.of_all("read", folder, script::DIGEST_ALL, paths).await?;
        let line = |line: &str| parse_digest(line).ok_or_else(|| self.unreadable(folder, line));
        text.lines().map(line).collect()
    }

    /// The relative paths of all that is in `folder` and below, but for folders; of what has no UTF-8 name, nothing.
    ///
    /// # Errors
    ///
    /// If the account may not look, or there are too many.
    pub async fn list(&self, folder: &str) -> Result<Vec<String>, SshError> {
        let told = self.run("looked at", folder, script::LIST, &[folder], tokio::io::empty(), ANSWER).await?;
        let names = told.split(|byte| *byte == 0).filter_map(|name| std::str::from_utf8(name).ok()?.strip_prefix("./"));
        Ok(names.map(str::to_owned).collect())
    }

    /// Removes files in `folder`, as far as they are there.
    ///
    /// # Errors
    ///
    /// If the account may not.
    pub async fn remove_all(&self, folder: &str, paths: &[&str]) -> Result<(), SshError> {
        self.of_all("changed", folder, script::REMOVE_ALL, paths).await.map(drop)
    }

    async fn of_all(&self, done: &str, folder: &str, script: &str, paths: &[&str]) -> Result<String, SshError> {
        if paths.is_empty() {
            return Ok(String::new());
        }
        let names: Vec<u8> = paths.iter().flat_map(|path| [b"./", path.as_bytes(), b"\0"].concat()).collect();
        let args = [folder, &names.len().to_string()];
        let told = self.run(done, folder, script, &args, names.as_slice(), ANSWER).await?;
        String::from_utf8(told).map_err(|_| self.failed(done, folder, "the machine's answer is no text"))
    }

    fn unreadable(&self, folder: &str, line: &str) -> SshError {
        self.failed("looked at", folder, &format!("the machine answers '{line}'"))
    }
}

/// Reads `MODE SIZE OWNER ./PATH`, where an owner may have spaces, but no slashes.
fn parse_line(line: &str) -> Option<(String, Stat)> {
    let (mode, rest) = line.split_once(' ')?;
    let (size, rest) = rest.split_once(' ')?;
    let (owner, path) = rest.split_once(" ./")?;
    let mode = u32::from_str_radix(mode, 16).ok()?;
    let kind = match mode & 0o170_000 {
        0o100_000 => Kind::File,
        0o040_000 => Kind::Directory,
        0o120_000 => Kind::Symlink,
        _ => Kind::Other,
    };
    let stat = Stat { kind, size: size.parse().ok()?, mode: mode & 0o7777, owner: owner.to_owned(), sha256: None };
    Some((path.to_owned(), stat))
}

/// Reads `DIGEST  ./PATH`; with a backslash before it, backslashes of the path are doubled.
fn parse_digest(line: &str) -> Option<(String, String)> {
    let (is_escaped, line) = line.strip_prefix('\\').map_or((false, line), |rest| (true, rest));
    let (digest, path) = line.split_once("  ./")?;
    let is_digest = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    let path = if is_escaped { path.replace("\\\\", "\\") } else { path.to_owned() };
    is_digest.then(|| (path, digest.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_scripts_answer_is_read() {
        let (path, stat) = parse_line("81ed 12 app:domain users ./bin/a ./b").unwrap();
        assert_eq!((path.as_str(), stat.kind, stat.size, stat.mode), ("bin/a ./b", Kind::File, 12, 0o755));
        assert_eq!(stat.owner, "app:domain users");
        assert_eq!(parse_line("a1ff 3 a:b ./link").unwrap().1.kind, Kind::Symlink);
        for line in ["", "81ed", "81ed x a:b ./c", "rw 1 a:b ./c", "81ed 1 a:b /c"] {
            assert_eq!(parse_line(line), None, "{line}");
        }
        let digest = "ab".repeat(32);
        assert_eq!(parse_digest(&format!("{digest}  ./a  ./b")), Some(("a  ./b".to_owned(), digest.clone())));
        assert_eq!(parse_digest(&format!("\\{digest}  ./a\\\\b")), Some(("a\\b".to_owned(), digest.clone())));
        for line in [String::new(), "ab  ./c".to_owned(), format!("{digest} ./c")] {
            assert_eq!(parse_digest(&line), None, "{line}");
        }
    }
}
