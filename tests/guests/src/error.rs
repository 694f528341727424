//! Why there is no guest.

use std::path::PathBuf;

use sandglass_guest_build::{BuildError, Missing, RunError};

/// Why a guest could not be built.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// There is no compiler for components.
    #[error(transparent)]
    Toolchain(#[from] Missing),
    /// The guest does not compile.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The tool for another language is not installed.
    #[error("{tool} is not installed; `cargo xtask setup --tests` installs it")]
    NoTool {
        /// The tool.
        tool: &'static str,
    },
    /// The tool for another language failed.
    #[error("the guest could not be built")]
    Tool(#[from] RunError),
    /// A file could not be read or written.
    #[error("{path} cannot be read or written")]
    Files {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}
