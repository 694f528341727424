//! Which lines of the product its tests run, by crate, and whether that is enough.
//!
//! The crates of the workspace, and they alone, are compiled so that they count; what they depend on is shared with every
//! other build. The end-to-end tests start the program that was built so, and what it does counts too. What is compiled
//! for WebAssembly does not count: of plugins, what their own tests run is seen.

mod product;
mod report;
mod tools;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use self::report::{Package, Report};
use self::tools::Tools;
use crate::run::{self, Environment};
use crate::{Result, root};

/// How many of a hundred lines of a crate, or of all together, must be run.
const OF_CORE: (&str, f64) = ("sandglass-core", 95.0);
const OF_ALL: f64 = 80.0;

const USAGE: &str = "usage: cargo xtask coverage [--report] [--missed PATH]";

/// Runs every test and reports; with `--report`, reports on the last run; with `--missed PATH`, also names the lines that
/// were not run in files below `PATH`.
pub(crate) fn perform(rest: &[String]) -> Result {
    let (mut again, mut missed) = (true, None);
    let mut arguments = rest.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--report" => again = false,
            "--missed" => missed = Some(arguments.next().ok_or(USAGE)?),
            _ => return Err(USAGE.into()),
        }
    }
    let tools = Tools::find_or_install()?;
    if again {
        test()?;
    }
    let report = measure(&tools)?;
    if let Some(path) = missed {
        report.tell_missed(path);
    }
    judge(&report)
}

/// Every test, counting which lines it runs.
fn test() -> Result {
    let folder = folder();
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    run::tests(&[], &environment())
}

fn folder() -> PathBuf {
    run::target_dir().join("coverage")
}

/// What makes cargo build programs that count, and those programs leave their counts in the folder: as they go, and those
/// of one kind together in a few files.
fn environment() -> Environment {
    vec![
        ("RUSTC_WORKSPACE_WRAPPER", root().join("tests/xtask/instrument.sh").into()),
        ("LLVM_PROFILE_FILE", folder().join("%4m%c.profraw").into()),
    ]
}

fn measure(tools: &Tools) -> Result<Report> {
    let mut counts = Vec::new();
    for entry in fs::read_dir(folder()).map_err(|_| "no test has counted yet: cargo xtask coverage")? {
        let path = entry?.path();
        if path.extension().is_some_and(|kind| kind == "profraw") {
            counts.push(path);
        }
    }
    let merged = folder().join("all.profdata");
    // A program that was killed may have left less than a whole file.
    let mut merge = Command::new(&tools.profdata);
    run::program(merge.args(["merge", "--sparse", "--failure-mode=all", "-o"]).arg(&merged).args(counts))?;
    let mut export = Command::new(&tools.cov);
    export.args(["export", "--format=lcov", "--skip-functions", "--instr-profile"]).arg(&merged);
    let programs = programs()?;
    let (first, others) = programs.split_first().ok_or("cargo built no test")?;
    export.arg(first);
    for other in others {
        export.arg("--object").arg(other);
    }
    let output = export.current_dir(root()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        return Err(format!("{} ended with {}", tools.cov.display(), output.status).into());
    }
    fs::write(folder().join("lcov.info"), &output.stdout)?;
    Report::of(&String::from_utf8(output.stdout)?, &crates()?)
}

/// The programs that counted, as cargo names them; they are built already.
fn programs() -> Result<Vec<PathBuf>> {
    let mut programs: Vec<PathBuf> = Vec::new();
    for tests in run::BUILT_TESTS {
        let answer = run::answer(
            run::cargo_command().args(tests).args(["--no-run", "--quiet", "--message-format=json"]).envs(environment()),
        )?;
        for line in answer.lines() {
            let Ok(message) = serde_json::from_str::<Value>(line) else { continue };
            if let Some(path) = message["executable"].as_str() {
                programs.push(path.into());
            }
        }
    }
    programs.sort();
    programs.dedup();
    Ok(programs)
}

/// The crates of the product. Macros are none of it here: they run in the compiler alone, and only if it has something to
/// compile.
fn crates() -> Result<Vec<Package>> {
    let answer = run::answer(run::cargo_command().args(["metadata", "--no-deps", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&answer)?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let tests = root().join("tests");
    let all = packages.iter().filter_map(|package| {
        let folder = Path::new(package["manifest_path"].as_str()?).parent()?.to_owned();
        let is_macro = package["targets"].as_array()?.iter().any(|target| target["kind"][0] == "proc-macro");
        let counts = !is_macro && !folder.starts_with(&tests);
        Some(Package { name: package["name"].as_str()?.to_owned(), folder, counts })
    });
    Ok(all.collect())
}

fn judge(report: &Report) -> Result {
    report.print();
    let (core, of_core) = OF_CORE;
    let goals = [(core, report.share_of(core), of_core), ("all together", report.share(), OF_ALL)];
    let too_few = goals.iter().filter(|(_, share, goal)| share < goal);
    let told: Vec<_> =
        too_few.map(|(what, share, goal)| format!("{what}: {share:.1} % of the lines, of {goal} %")).collect();
    if told.is_empty() {
        return Ok(());
    }
    Err(format!(
        "tests run too little: {}; what they miss: cargo xtask coverage --report --missed PATH",
        told.join("; ")
    )
    .into())
}
