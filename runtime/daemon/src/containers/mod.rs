//! The container engine: which one it is, whose containers are ours, and what an earlier daemon left on it.

mod config;
mod targets;

use std::time::Duration;

use sandglass_containers::{Engine, Error, Owner};
use sandglass_core::id::Digest;
use sandglass_host::services::Containers;

pub(crate) use config::{DockerConfig, DockerFile};
pub(crate) use targets::{TargetEngines, sweep as sweep_targets};

use crate::data_dir::{DataDir, hex, random};

/// How often an engine that is not there is asked for what was left on it, and the pause before each time.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_secs(10);

/// The engine, which is not connected to before it is asked for something.
pub(crate) fn connect(config: &DockerConfig, data_dir: &DataDir) -> Result<Containers, Error> {
    let engine = Engine::connect(&config.0)?;
    let no_start = |error: std::io::Error| Error::Invalid(format!("containers cannot be told apart: {error}"));
    // The key as well as the path: a copy of the data directory on another machine is another daemon.
    let key = data_dir.cache_key().map_err(|error| no_start(std::io::Error::other(error)))?;
    let place = data_dir.path().canonicalize().map_err(no_start)?;
    let seed = [place.as_os_str().as_encoded_bytes(), &key[..]].concat();
    let start = random().map_err(no_start)?;
    let owner = Owner { daemon: Digest::of(&seed).to_string(), start: hex(&start[..16]) };
    Ok(Containers { engine, owner })
}

/// Removes what an earlier daemon left on the engine. It may be started later than we are, or not at all.
pub(crate) async fn sweep(containers: Containers) {
    for _ in 0..TRIES {
        match containers.engine.sweep(&containers.owner).await {
            Ok(0) => return,
            Ok(removed) => {
                tracing::info!(containers = removed, "removed what interrupted runs left behind");
                return;
            }
            Err(error @ (Error::Unreachable { .. } | Error::Slow { .. })) => {
                tracing::debug!("containers of earlier runs were not looked for: {error}");
            }
            Err(error) => tracing::warn!("containers of earlier runs may be left: {error}"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}
