//! Finds a compiler for WebAssembly components and builds Rust plugins with it.
//!
//! Used by the build script of the built-in plugins, by `plugin build`, by the tests' guests and by the developer
//! commands, so that every component is built the same way. Small on purpose: build scripts wait for it.
//!
//! In reading order: [`Toolchain`] and how it is found, then [`Build`], the nested cargo call.

mod bounded;
mod compile;
mod find;
mod manifest;

pub use bounded::{RunError, run_bounded};
pub use compile::{Artifact, Build, BuildError};
pub use find::{DEBIAN_PACKAGES, DebianParts, Missing, TARGET, TOOLCHAIN_VARIABLE, Toolchain, add_target};
pub use manifest::{MANIFEST_SECTION, add_manifest};
