//! The binary under test.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the binary is: `SANDGLASS_BIN` if that is set, else the one in the target folder of the tests' own profile, built
/// first. Cargo decides whether it is stale; with nextest it is asked once for all tests.
///
/// # Panics
///
/// If it cannot be built.
pub fn path() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("SANDGLASS_BIN") {
        Some(path) => PathBuf::from(path),
        None => build(),
    })
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a running test knows its own file");
    let folder = test.ancestors().nth(2).expect("tests lie in the folder `deps` of their profile").to_owned();
    let program = folder.join("sandglass");
    // Held until the end: whoever comes second waits here, and then finds the program built.
    let lock = File::create(folder.join("sandglass-e2e.lock")).expect("the target folder can be written");
    lock.lock().expect("a lock in the target folder can be had");
    let stamp = folder.join("sandglass-e2e.stamp");
    let session = std::env::var("NEXTEST_RUN_ID").ok();
    if session.is_some() && std::fs::read_to_string(&stamp).ok() == session && program.is_file() {
        return program;
    }
    compile(&folder);
    std::fs::write(&stamp, session.unwrap_or_default()).expect("the target folder can be written");
    program
}

fn compile(folder: &Path) {
    let profile = folder.file_name().and_then(|name| name.to_str()).unwrap_or("debug");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--quiet", "--package", "sandglass"]);
    match profile {
        "debug" => {}
        other => _ = cargo.args(["--profile", other]),
    }
    // What cargo tells this test of its package would make build scripts of others run again.
    let of_this_test = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_TARGET_TMPDIR"];
    for (name, _) in std::env::vars_os() {
        let told = name.to_str().is_some_and(|name| of_this_test.iter().any(|prefix| name.starts_with(prefix)));
        if told || name == "CARGO_PRIMARY_PACKAGE" {
            cargo.env_remove(name);
        }
    }
    let status = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo can be started");
    assert!(status.success(), "the program cannot be built: cargo ended with {status}");
}
