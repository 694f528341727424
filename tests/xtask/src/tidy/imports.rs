//! Which crate may import which: the table of the architecture, held against what cargo knows.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::Finding;
use crate::Result;

/// Each crate, and the crates of ours that it may import. Crates under `tests/` may import any.
const MAY_IMPORT: [(&str, &[&str]); 18] = [
    ("sandglass-core", &[]),
    ("sandglass-store", &["sandglass-core"]),
    ("sandglass-containers", &[]),
    ("sandglass-host", &["sandglass-core", "sandglass-containers", "sandglass-ssh"]),
    ("sandglass-api", &["sandglass-core"]),
    ("sandglass-ssh", &[]),
    (
        "sandglass-daemon",
        &[
            "sandglass-core",
            "sandglass-store",
            "sandglass-containers",
            "sandglass-host",
            "sandglass-api",
            "sandglass-plugins",
        ],
    ),
    ("sandglass", &["sandglass-api", "sandglass-core", "sandglass-daemon", "sandglass-guest-build"]),
    ("sandglass-plugin", &["sandglass-plugin-macros"]),
    ("sandglass-plugin-macros", &[]),
    ("sandglass-shell", &["sandglass-plugin"]),
    ("sandglass-http", &["sandglass-plugin"]),
    ("sandglass-notify", &["sandglass-plugin"]),
    ("sandglass-deploy", &["sandglass-plugin"]),
    ("sandglass-docker", &["sandglass-plugin"]),
    ("sandglass-guest-build", &[]),
    ("sandglass-plugins", &["sandglass-guest-build"]),
    ("xtask", &["sandglass-guest-build", "sandglass-test-guests"]),
];

/// Crates of others that one of ours must not use, because it would do what it is not for.
const MUST_NOT_USE: [(&str, &[&str]); 5] = [
    ("sandglass-core", &["tokio", "redb", "wasmtime", "hyper", "axum", "rustix", "libc", "tempfile"]),
    ("sandglass-store", &["wasmtime", "hyper", "axum"]),
    ("sandglass-host", &["redb", "axum"]),
    ("sandglass-api", &["redb", "wasmtime"]),
    ("xtask", &["tokio", "wasmtime", "redb"]),
];

pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root)
        .output()
        .map_err(|error| format!("cargo metadata cannot be started: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(packages.iter().flat_map(|package| package_findings(root, package)).collect())
}

fn package_findings(root: &Path, package: &Value) -> Vec<Finding> {
    let name = package["name"].as_str().unwrap_or_default();
    let manifest = Path::new(package["manifest_path"].as_str().unwrap_or_default());
    let place = manifest.strip_prefix(root).unwrap_or(manifest);
    let allowed = MAY_IMPORT.iter().find(|(of, _)| *of == name).map(|(_, allowed)| *allowed);
    if allowed.is_none() && place.starts_with("tests") {
        return Vec::new();
    }
    let place = place.display().to_string();
    let Some(allowed) = allowed else {
        let problem = format!("{name} is not in the table of who may import whom; give it a row");
        return vec![Finding { place, problem }];
    };
    let banned = MUST_NOT_USE.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, banned)| banned);
    let dependencies = package["dependencies"].as_array().map(Vec::as_slice).unwrap_or_default();
    // What only tests use does not couple the crates.
    let real = dependencies.iter().filter(|dependency| dependency["kind"].as_str() != Some("dev"));
    real.filter_map(|dependency| {
        let other = dependency["name"].as_str().unwrap_or_default();
        let ours = dependency["path"].is_string();
        let problem = if ours && !allowed.contains(&other) {
            format!("{name} may not import {other}; move what it needs down instead")
        } else if banned.contains(&other) {
            format!("{name} must not use {other}; that belongs into another crate")
        } else {
            return None;
        };
        Some(Finding { place: place.clone(), problem })
    })
    .collect()
}
