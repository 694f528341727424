//! How a host is set up, and why that can fail.

use std::path::PathBuf;

/// How a host is set up.
#[derive(Clone)]
pub struct HostConfig {
    /// Where compiled components are kept: a folder that nobody but the daemon's user can enter. Made if it is absent.
    pub cache_dir: PathBuf,
    /// Secret of this installation. Compiled components that it does not authenticate are never loaded.
    pub key: [u8; 32],
    /// How many attempts may be going at once; further ones wait.
    pub max_concurrent: u32,
    /// Where processes of runs without a working directory get a folder of their own, removed when the run's attempt
    /// ends. Made when it is first needed.
    pub runs_dir: PathBuf,
    /// Threads that guests run on.
    pub threads: usize,
}

impl HostConfig {
    /// How many attempts may be going at once unless told otherwise.
    pub const DEFAULT_MAX_CONCURRENT: u32 = 256;
}

impl std::fmt::Debug for HostConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostConfig")
            .field("cache_dir", &self.cache_dir)
            .field("key", &"(secret)")
            .field("max_concurrent", &self.max_concurrent)
            .field("runs_dir", &self.runs_dir)
            .field("threads", &self.threads)
            .finish()
    }
}

/// Why the host could not start or make a component ready.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// The WebAssembly engine could not be set up.
    #[error("the WebAssembly engine could not be set up: {0}")]
    Engine(String),
    /// The guest threads could not be started.
    #[error("the threads for guests could not be started: {0}")]
    Threads(#[source] std::io::Error),
    /// The folder of compiled components cannot be used.
    #[error(
        "the folder for compiled components, {path}, cannot be used: {source}; check that it belongs to the daemon's user"
    )]
    Cache {
        /// The folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The bytes of a component could not be had.
    #[error("the component could not be read: {0}")]
    Component(String),
    /// The component is not what it should be.
    #[error(transparent)]
    Refused(#[from] crate::RefusedComponent),
    /// The component has not been made ready.
    #[error("the component {0} is not ready to run; prepare it first")]
    NotReady(sandglass_core::id::Digest),
    /// The guest did not answer a question about itself.
    #[error("the plugin failed to answer: {0}")]
    Guest(String),
}
