//! LLVM's programs that read what was counted. Those of LLVM 19 and later understand what the compiler writes today.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, run, setup};

/// The oldest major version that understands the compiler's counts.
const OLDEST: u32 = 19;
/// Later ones than this are not looked for by name.
const NEWEST: u32 = 29;
/// The package of Debian.
const PACKAGE: &str = "llvm-19";

const REMEDY: &str = "no llvm-cov and llvm-profdata of LLVM 19 or later: `rustup component add llvm-tools` or, on Debian, \
                      `apt-get install llvm-19`";

pub(super) struct Tools {
    pub(super) profdata: PathBuf,
    pub(super) cov: PathBuf,
}

impl Tools {
    /// The compiler's own tools if rustup has them, those on the path, and else Debian's.
    pub(super) fn find_or_install() -> Result<Self> {
        if let Some(tools) = Self::find() {
            return Ok(tools);
        }
        setup::debian(&[PACKAGE]).map_err(|error| format!("{REMEDY} ({error})"))?;
        Self::find().ok_or_else(|| REMEDY.into())
    }

    fn find() -> Option<Self> {
        let of_compiler = compiler_folder().into_iter().map(|folder| (folder, String::new()));
        let path = env::var_os("PATH").unwrap_or_default();
        let suffixes = || (OLDEST..=NEWEST).rev().map(|version| format!("-{version}")).chain([String::new()]);
        let on_path = env::split_paths(&path).flat_map(|folder| suffixes().map(move |suffix| (folder.clone(), suffix)));
        of_compiler.chain(on_path).find_map(|(folder, suffix)| Self::in_folder(&folder, &suffix))
    }

    fn in_folder(folder: &Path, suffix: &str) -> Option<Self> {
        let there = |name: &str| Some(folder.join(format!("{name}{suffix}"))).filter(|path| path.is_file());
        let tools = Self { profdata: there("llvm-profdata")?, cov: there("llvm-cov")? };
        (major_version(&tools.cov)? >= OLDEST).then_some(tools)
    }
}

/// Where rustup puts the component `llvm-tools`.
fn compiler_folder() -> Option<PathBuf> {
    let ask = |question: &[&str]| run::answer(Command::new("rustc").args(question)).ok();
    let version = ask(&["-vV"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "))?;
    Some(Path::new(ask(&["--print", "sysroot"])?.trim()).join("lib/rustlib").join(host).join("bin"))
}

fn major_version(program: &Path) -> Option<u32> {
    let answer = run::answer(Command::new(program).arg("--version")).ok()?;
    major(&answer)
}

fn major(answer: &str) -> Option<u32> {
    answer.split("LLVM version ").nth(1)?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn reads_the_version() {
        assert_eq!(major("Debian LLVM version 19.1.7\n  Optimized build.\n"), Some(19));
        assert_eq!(major("LLVM (http://llvm.org/):\n  LLVM version 22.1.2-rust-1.95.0-stable\n"), Some(22));
        assert_eq!(major("gcov 12"), None);
    }
}
