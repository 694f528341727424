//! Packages of a target's own package manager, asked for and changed by one script.

use std::time::Duration;

use sandglass_plugin::include_script;
use sandglass_plugin::remote::{self, Output, Session};

use super::recipe::Manager;
use crate::fault::Fault;
use crate::words::judge;

/// What is asked of a package manager. `$1`: `installed`, `would-install`, `would-remove`, `install`, `remove`, `restore` or
/// `name`; `$2`: the manager, or nothing for the one that is there; `$3`: whether its lists are fetched first; the rest:
/// packages, or a file. `restore` installs those that have a version and removes those that end with `-`: with `apt` at one
/// go, and only if nothing else would be removed. `dnf` has a version after a dash where others have `=`, and a file is itself.
/// Of `apt` it is known what else would be installed, replaced or removed, as it says so itself.
const SCRIPT: &str = include_script!("src/software/packages.sh");
/// The most of its answer that is read, in bytes.
const ANSWER: u32 = 64 << 10;

/// The package manager of a target, as a job names it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PackageManager {
    /// Which; the one that is there by default.
    pub(super) manager: Option<Manager>,
    /// Whether it fetches its lists before it installs anything.
    pub(super) refresh: bool,
    /// How long each step may take.
    pub(super) timeout: Option<Duration>,
}

/// A package as a job names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Package {
    pub(super) name: String,
    /// A version, or a pattern of versions with `*`.
    version: Option<String>,
}

impl Package {
    pub(super) fn of(text: &str) -> Self {
        match text.split_once('=') {
            Some((name, version)) => Self { name: name.to_owned(), version: Some(version.to_owned()) },
            None => Self { name: text.to_owned(), version: None },
        }
    }

    /// Whether `text` can be the name of a package, perhaps with a version.
    pub(super) fn is_one(text: &str) -> bool {
        let (name, version) = text.split_once('=').unwrap_or((text, "*"));
        let is_word = |text: &str, more: &str| {
            text.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '*')
                && text.chars().all(|c| c.is_ascii_alphanumeric() || more.contains(c))
        };
        !name.contains('*') && is_word(name, "+-._@/:") && is_word(version, "+-._:~^*")
    }

    /// Whether `version` is one that is wanted.
    pub(super) fn wants(&self, version: &str) -> bool {
        self.version.as_deref().is_none_or(|wanted| matches(wanted.as_bytes(), version.as_bytes()))
    }
}

/// Whether the text is as the pattern, in which `*` stands for anything.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|from| matches(rest, &text[from..])),
        Some((first, rest)) => text.first() == Some(first) && matches(rest, &text[1..]),
    }
}

/// The names and versions that it told of what is installed.
pub(super) fn versions(told: &str) -> Vec<(String, String)> {
    let line = |line: &str| line.split_once(' ').map(|(name, version)| (name.to_owned(), version.to_owned()));
    told.lines().filter_map(line).collect()
}

/// What it told is not there before packages are installed or removed, of these and of others that come or go with them; and
/// what is there, with its version.
pub(super) fn absent_and_present(told: &str) -> (Vec<String>, Vec<String>) {
    told.lines().map(str::to_owned).partition(|line| !line.contains('='))
}

/// Asks the script, which tells what it prints.
pub(crate) async fn ask(
    manager: PackageManager,
    session: &Session,
    what: &str,
    packages: &[String],
    undoing: bool,
) -> Result<String, Fault> {
    if packages.is_empty() {
        return Ok(String::new());
    }
    let name = manager.manager.map_or("", Manager::as_str);
    let refresh = if manager.refresh && !undoing { "yes" } else { "" };
    let words = ["sh", "-c", SCRIPT, "sh", what, name, refresh];
    let mut command = remote::Command::new(words.into_iter().map(str::to_owned).chain(packages.iter().cloned()));
    if let Some(timeout) = manager.timeout {
        command = command.timeout(timeout);
    }
    if undoing {
        command = command.despite_stop();
    }
    let report = session.run(&command.outputs(Output::Capture(ANSWER), Output::Capture(ANSWER))).await?;
    judge(&format!("{what} {}", packages.join(" ")), &report, &[0])?;
    Ok(String::from_utf8_lossy(&report.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_have_versions_and_patterns_of_them() {
        let package = Package::of("nginx=1.24*");
        assert!(package.wants("1.24.0-1") && !package.wants("1.25.0-1") && Package::of("nginx").wants("1.25.0-1"));
        assert!(Package::of("a=*-1").wants("2:1.0-1") && !Package::of("a=1.0").wants("1.0-1"));
        for good in ["nginx", "libstdc++6", "python3.12=3.12.1-1", "nginx=1.24*", "gcc@12", "libc6:i386", "a=1:2~rc1"] {
            assert!(Package::is_one(good), "{good}");
        }
        for bad in ["", "-y", "nginx 1", "a;b", "ng*", "a=", "a=$(b)", "=1", "/etc/a.deb"] {
            assert!(!Package::is_one(bad), "{bad}");
        }
    }
}
