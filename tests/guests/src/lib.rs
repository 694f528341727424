//! The test guests, built when a test first asks for them and kept under `target/guests`.
//!
//! Several test processes may ask at once: one builds, the others wait for it and take what it made. A guest is built again
//! when a file it is made of has changed.

mod error;
mod fingerprint;
mod script;
mod shelf;

use std::path::{Path, PathBuf};

use sandglass_guest_build::{Build, Toolchain};

pub use error::GuestError;
pub use script::{componentize_js, componentize_py, tools_dir};

/// Does nothing, without WASI; for measuring what the runtime costs.
///
/// # Errors
/// When it cannot be built.
pub fn noop() -> Result<PathBuf, GuestError> {
    rust("noop", &["wit"])
}

/// One action for each thing that a runtime must survive; see its source for their names.
///
/// # Errors
/// When it cannot be built.
pub fn hostile() -> Result<PathBuf, GuestError> {
    rust("hostile", &["wit", "plugin-sdk"])
}

/// A plugin as a user writes one, in Rust, with state: counts words.
///
/// # Errors
/// When it cannot be built.
pub fn user() -> Result<PathBuf, GuestError> {
    rust("user", &["wit", "plugin-sdk"])
}

/// A plugin in JavaScript.
///
/// # Errors
/// [`GuestError::NoTool`] where its tool is not installed, so that a test can say that it is skipped.
pub fn javascript() -> Result<PathBuf, GuestError> {
    shelf::take("js", &["tests/guests/js", "wit"], script::build_javascript)
}

/// A plugin in Python.
///
/// # Errors
/// [`GuestError::NoTool`] where its tool is not installed, so that a test can say that it is skipped.
pub fn python() -> Result<PathBuf, GuestError> {
    shelf::take("python", &["tests/guests/python", "wit"], script::build_python)
}

fn rust(name: &str, shared_sources: &[&str]) -> Result<PathBuf, GuestError> {
    let own = format!("tests/guests/{name}");
    let mut sources = vec![own.as_str(), "Cargo.toml", "plugins/toolchain/src"];
    sources.extend(shared_sources);
    shelf::take(name, &sources, |output| {
        let toolchain = Toolchain::find()?;
        let package = format!("sandglass-guest-{name}");
        // The folder that the built-in plugins use, so that what they share is compiled once.
        let component = Build::plugin(&root(), &package, &target_dir().join("plugins")).run(&toolchain)?;
        std::fs::copy(component, output).map_err(|source| GuestError::Files { path: output.to_owned(), source })?;
        Ok(())
    })
}

/// The workspace's folder.
fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("the crate lies two folders below the workspace").to_owned()
}

/// Cargo's target folder.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |dir| root().join(dir))
}
