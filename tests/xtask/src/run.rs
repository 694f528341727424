//! Running cargo and other programs, with their output shown as it comes.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};

use crate::{Result, root, setup, tidy};

/// How many lives of the daemon are simulated before a change is taken.
const SEEDS: u32 = 3000;

/// A program ended without success; its own output says why.
#[derive(Debug)]
struct Failed {
    program: String,
    status: ExitStatus,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ended with {}", self.program, self.status)
    }
}

impl Error for Failed {}

/// The exit code of the program that failed, if one did, so that callers can tell outcomes apart.
pub(crate) fn exit_code(error: &(dyn Error + 'static)) -> ExitCode {
    let code = error.downcast_ref::<Failed>().and_then(|failed| failed.status.code());
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}

/// Runs a program in the workspace's folder and waits for it.
pub(crate) fn program(command: &mut Command) -> Result {
    let shown = std::iter::once(command.get_program()).chain(command.get_args());
    let shown: Vec<_> = shown.map(|part| part.to_string_lossy().into_owned()).collect();
    let status =
        command.current_dir(root()).status().map_err(|error| format!("{} cannot be started: {error}", shown[0]))?;
    if status.success() { Ok(()) } else { Err(Box::new(Failed { program: shown.join(" "), status })) }
}

/// Runs cargo.
pub(crate) fn cargo(arguments: &[&str], rest: &[String]) -> Result {
    program(Command::new(cargo_program()).args(arguments).args(rest))
}

/// Cargo's target folder.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

fn cargo_program() -> OsString {
    env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}

/// Every test: with nextest where it is installed, and without it otherwise.
pub(crate) fn tests(rest: &[String]) -> Result {
    // Built before, so that no compiler runs beside tests that wait for something.
    setup::guests()?;
    let nextest = Command::new(cargo_program()).args(["nextest", "--version"]).output();
    let has_nextest = nextest.is_ok_and(|output| output.status.success());
    let arguments: &[&str] =
        if has_nextest { &["nextest", "run", "--workspace", "--no-fail-fast"] } else { &["test", "--workspace"] };
    let mut all = Command::new(cargo_program());
    all.args(arguments).args(rest);
    if !rest.is_empty() {
        return program(&mut all);
    }
    // Building every test builds the program too: the end-to-end tests need not build it once more.
    program(all.env("SANDGLASS_BIN", target_dir().join("debug/sandglass")))?;
    if has_nextest {
        // nextest leaves out the examples in documentation.
        cargo(&["test", "--workspace", "--doc", "--quiet"], &[])?;
    }
    // No plugin here switches on every feature of the library.
    cargo(&["test", "--package", "sandglass-plugin", "--all-features", "--quiet"], &[])
}

/// Lives of the daemon, simulated.
pub(crate) fn simulation(rest: &[String]) -> Result {
    let seeded = rest.iter().any(|argument| argument == "--defects" || argument == "--defect");
    let features: &[&str] = if seeded { &["--features", "defects"] } else { &[] };
    let mut run = Command::new(cargo_program());
    program(run.args(["run", "--quiet", "--package", "sandglass-sim"]).args(features).arg("--").args(rest))
}

/// Everything that must hold before a change is taken.
pub(crate) fn everything() -> Result {
    cargo(&["fmt", "--all", "--check"], &[])?;
    tidy::check(&root())?;
    setup::build_tools()?;
    setup::test_tools()?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"], &[])?;
    let mut doc = Command::new(cargo_program());
    program(
        doc.args(["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"])
            .env("RUSTDOCFLAGS", "--deny warnings --allow rustdoc::private_intra_doc_links"),
    )?;
    tests(&[])?;
    simulation(&["--seeds".to_owned(), SEEDS.to_string()])?;
    simulation(&["--defects".to_owned()])
}
