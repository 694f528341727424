//! Guests in JavaScript and Python: their tools, and the manifest that is added to what they make.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sandglass_guest_build::{add_manifest, run_bounded};

use crate::{GuestError, root, target_dir};

/// How long a tool may take; a slow machine needs half a minute.
const LIMIT: Duration = Duration::from_secs(300);

/// Where the set-up installs tools for tests.
#[must_use]
pub fn tools_dir() -> PathBuf {
    target_dir().join("tools")
}

/// The JavaScript tool, if it is installed.
#[must_use]
pub fn componentize_js() -> Option<PathBuf> {
    installed(&tools_dir().join("node_modules/.bin"), "componentize-js")
}

/// The Python tool, if it is installed.
#[must_use]
pub fn componentize_py() -> Option<PathBuf> {
    installed(&tools_dir().join("python/bin"), "componentize-py")
}

/// A tool of the set-up, or else one on the path.
fn installed(folder: &Path, name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&path));
    folders.map(|folder| folder.join(name)).find(|tool| tool.is_file())
}

pub(crate) fn build_javascript(output: &Path) -> Result<(), GuestError> {
    let tool = componentize_js().ok_or(GuestError::NoTool { tool: "componentize-js" })?;
    let sources = root().join("tests/guests/js");
    let mut command = Command::new(tool);
    command.current_dir(&sources).arg("plugin.js").arg("-w").arg(root().join("wit")).args(["-n", "base"]);
    run_bounded(command.arg("-o").arg(output), LIMIT)?;
    describe(output, &sources)
}

pub(crate) fn build_python(output: &Path) -> Result<(), GuestError> {
    let tool = componentize_py().ok_or(GuestError::NoTool { tool: "componentize-py" })?;
    let sources = root().join("tests/guests/python");
    let mut command = Command::new(tool);
    command.current_dir(&sources).arg("-d").arg(root().join("wit")).args(["-w", "base", "componentize", "plugin"]);
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    run_bounded(command.arg("-o").arg(output), LIMIT)?;
    describe(output, &sources)
}

/// Adds the manifest that lies beside the sources.
fn describe(component: &Path, sources: &Path) -> Result<(), GuestError> {
    let manifest_path = sources.join("manifest.json");
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| GuestError::Files { path, source }
    };
    let manifest = fs::read(&manifest_path).map_err(failed(&manifest_path))?;
    let bytes = fs::read(component).map_err(failed(component))?;
    fs::write(component, add_manifest(bytes, &manifest)).map_err(failed(component))
}
