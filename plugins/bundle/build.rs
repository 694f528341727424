//! Builds the built-in plugins from source and leaves them where the library embeds them.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use sandglass_guest_build::{Build, TOOLCHAIN_VARIABLE, Toolchain};

/// The built-in plugins, by name; each is the package `sandglass-NAME` in `plugins/NAME`.
const PLUGINS: [&str; 5] = ["shell", "http", "notify", "docker", "deploy"];

/// What every plugin is made of besides its own folder.
const SHARED_SOURCES: [&str; 4] = ["Cargo.toml", "plugin-sdk", "plugins/toolchain", "wit"];

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the built-in plugins cannot be built: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    let manifest_dir = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let root = manifest_dir.ancestors().nth(2).ok_or("the crate lies two folders below the workspace")?;
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    for source in SHARED_SOURCES {
        println!("cargo::rerun-if-changed={}", root.join(source).display());
    }
    println!("cargo::rerun-if-env-changed={TOOLCHAIN_VARIABLE}");
    let toolchain = Toolchain::find()?;
    for name in PLUGINS {
        println!("cargo::rerun-if-changed={}", root.join("plugins").join(name).display());
        // One call for each, because building several packages at once would give each the features of all.
        let component = Build::plugin(root, &format!("sandglass-{name}"), &nested_target(&out_dir)?).run(&toolchain)?;
        fs::copy(component, out_dir.join(format!("{name}.wasm")))?;
    }
    Ok(())
}

/// A target folder beside the outer profile's, so that debug and release builds share the plugins.
fn nested_target(out_dir: &Path) -> Result<PathBuf, Box<dyn Error>> {
    // TARGET/PROFILE/build/PACKAGE-HASH/out
    let target = out_dir.ancestors().nth(4).ok_or("cargo's output folder lies four folders below its target folder")?;
    Ok(target.join("plugins"))
}
