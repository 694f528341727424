//! Running cargo and other programs, with their output shown as it comes.

use std::env;
use std::error::Error;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus, Stdio};

use crate::{Result, coverage, root, setup, tidy};

/// How many lives of the daemon are simulated before a change is taken.
const SEEDS: u32 = 3000;

/// Environment variables for cargo and what it starts.
pub(crate) type Environment = Vec<(&'static str, OsString)>;

/// The calls of cargo that build the tests. No plugin here switches on every feature of the library.
pub(crate) const BUILT_TESTS: [&[&str]; 2] =
    [&["test", "--workspace"], &["test", "--package", "sandglass-plugin", "--all-features"]];

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
    program(cargo_command().args(arguments).args(rest))
}

/// Runs a program in the workspace's folder and gives what it wrote to standard output.
pub(crate) fn answer(command: &mut Command) -> Result<String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.current_dir(root()).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{name} cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Cargo's target folder.
pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}

/// Cargo, without arguments yet. What the cargo that runs this program tells it of its package is kept from the other, or
/// build scripts that look at it would run again after every call of cargo by hand, and all that depends on them.
pub(crate) fn cargo_command() -> Command {
    const TOLD: [&str; 4] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_"];
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
    for (name, _) in env::vars_os() {
        if name.to_str().is_some_and(|name| TOLD.iter().any(|told| name.starts_with(told))) {
            command.env_remove(name);
        }
    }
    command
}

/// Every test, in `environment`: with nextest where it is installed, and without it otherwise.
pub(crate) fn tests(rest: &[String], environment: &Environment) -> Result {
    let cargo = || {
        let mut cargo = cargo_command();
        cargo.envs(environment.iter().cloned());
        cargo
    };
    // Built before, so that no compiler runs beside tests that wait for something.
    setup::guests()?;
    let nextest = cargo_command().args(["nextest", "--version"]).output();
    let has_nextest = nextest.is_ok_and(|output| output.status.success());
    let [of_workspace, of_plugin] = BUILT_TESTS;
    let arguments = if has_nextest { &["nextest", "run", "--workspace", "--no-fail-fast"] } else { of_workspace };
    let mut all = cargo();
    all.args(arguments).args(rest);
    if !rest.is_empty() {
        return program(&mut all);
    }
    // Building every test builds the program too: the end-to-end tests need not build it once more.
    program(all.env("SANDGLASS_BIN", target_dir().join("debug/sandglass")))?;
    if has_nextest {
        // nextest leaves out the examples in documentation.
        program(cargo().args(of_workspace).args(["--doc", "--quiet"]))?;
    }
    program(cargo().args(of_plugin).arg("--quiet"))
}

/// Lives of the daemon, simulated.
pub(crate) fn simulation(rest: &[String]) -> Result {
    let seeded = rest.iter().any(|argument| argument == "--defects" || argument == "--defect");
    let features: &[&str] = if seeded { &["--features", "defects"] } else { &[] };
    let mut run = cargo_command();
    program(run.args(["run", "--quiet", "--package", "sandglass-sim"]).args(features).arg("--").args(rest))
}

/// Everything that must hold before a change is taken.
pub(crate) fn everything() -> Result {
    cargo(&["fmt", "--all", "--check"], &[])?;
    tidy::check(&root())?;
    setup::build_tools()?;
    setup::test_tools()?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"], &[])?;
    let mut doc = cargo_command();
    program(
        doc.args(["doc", "--workspace", "--no-deps", "--document-private-items", "--quiet"])
            .env("RUSTDOCFLAGS", "--deny warnings --allow rustdoc::private_intra_doc_links"),
    )?;
    coverage::perform(&[])?;
    simulation(&["--seeds".to_owned(), SEEDS.to_string()])?;
    simulation(&["--defects".to_owned()])
}
