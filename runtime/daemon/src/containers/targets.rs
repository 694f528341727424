//! Which engines of targets this daemon runs containers on. The next one looks there for what this one left, if it is
//! killed: nobody else knows where that is.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::{StreamExt as _, stream};
use sandglass_containers::{Error, ObstacleKind, Owner};
use sandglass_host::Host;
use sandglass_host::services::TargetEngine;

use super::{PAUSE, TRIES};
use crate::data_dir::write_private;

/// How many targets are looked at at once.
const AT_ONCE: usize = 8;

/// The engines of targets, as a file says.
pub(crate) struct TargetEngines {
    file: PathBuf,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// Those that an earlier daemon used, and nobody has looked at since.
    left: HashSet<TargetEngine>,
    /// Those that this daemon uses.
    used: HashSet<TargetEngine>,
}

impl TargetEngines {
    /// Reads the file, if it is there.
    pub(crate) fn open(file: &Path) -> Self {
        let left = read(file).unwrap_or_else(|why| {
            tracing::warn!("containers of earlier runs may be left on targets: {} {why}", file.display());
            HashSet::new()
        });
        Self { file: file.to_owned(), known: Mutex::new(Known { left, used: HashSet::new() }) }
    }

    /// Notes that containers are about to run on an engine. Blocks the first time, until that is durable.
    pub(crate) fn note(&self, engine: &TargetEngine) -> Result<(), String> {
        let mut known = self.lock();
        if !known.used.contains(engine) {
            known.used.insert(engine.clone());
            self.write(&known).map_err(|why| {
                known.used.remove(engine);
                format!("that containers run on {} cannot be noted for the next start: {why}", engine.target)
            })?;
        }
        Ok(())
    }

    fn write(&self, known: &Known) -> std::io::Result<()> {
        let all: HashSet<&TargetEngine> = known.left.union(&known.used).collect();
        let text = serde_json::to_vec_pretty(&all).map_err(std::io::Error::other)?;
        write_private(&self.file, &text)
    }

    /// Nothing is left on an engine any more.
    fn forget(&self, engine: &TargetEngine) {
        let mut known = self.lock();
        if known.left.remove(engine)
            && let Err(error) = self.write(&known)
        {
            tracing::debug!("{} is looked at again at the next start: {error}", engine.target);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read(file: &Path) -> Result<HashSet<TargetEngine>, String> {
    match std::fs::read(file) {
        Ok(text) => serde_json::from_slice(&text).map_err(|error| format!("is damaged: {error}")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(HashSet::new()),
        Err(error) => Err(format!("cannot be read: {error}")),
    }
}

/// Removes what an earlier daemon left on the engines of targets. They may be out of reach for a while.
pub(crate) async fn sweep(engines: Arc<TargetEngines>, host: Arc<Host>, owner: Owner) {
    let left: Vec<TargetEngine> = engines.lock().left.iter().cloned().collect();
    let all = stream::iter(left).for_each_concurrent(AT_ONCE, |engine| {
        let (engines, host, owner) = (&engines, &host, &owner);
        async move {
            if sweep_one(host, &engine, owner).await {
                engines.forget(&engine);
            }
        }
    });
    all.await;
}

/// Whether nothing is left there, or nobody can say where that would be.
async fn sweep_one(host: &Host, engine: &TargetEngine, owner: &Owner) -> bool {
    let target = &engine.target;
    for _ in 0..TRIES {
        match host.sweep_engine(engine, owner).await {
            Ok(removed) => {
                if removed > 0 {
                    tracing::info!(containers = removed, %target, "removed what interrupted runs left behind");
                }
                return true;
            }
            Err(Error::NotFound(why)) => {
                tracing::warn!("containers of earlier runs may be left: {why}");
                return true;
            }
            Err(error) if is_passing(&error) => {
                tracing::debug!(%target, "containers of earlier runs were not looked for: {error}");
            }
            Err(error) => {
                tracing::warn!(%target, "containers of earlier runs may be left: {error}");
                return false;
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    tracing::warn!(%target, "containers of earlier runs may be left: it was out of reach; the next start looks again");
    false
}

fn is_passing(error: &Error) -> bool {
    match error {
        Error::Unreachable { .. } | Error::Slow { .. } => true,
        Error::Way(obstacle) => obstacle.kind == ObstacleKind::Passing,
        Error::Tls(_) | Error::NotFound(_) | Error::Invalid(_) | Error::Refused { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(target: &str) -> TargetEngine {
        TargetEngine { namespace: "default".parse().unwrap(), target: target.parse().unwrap(), account: None }
    }

    fn left(engines: &TargetEngines) -> HashSet<TargetEngine> {
        engines.lock().left.clone()
    }

    #[test]
    fn the_next_start_knows_what_was_used_and_not_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("engines.json");
        let first = TargetEngines::open(&file);
        assert!(left(&first).is_empty() && !file.exists());
        first.note(&engine("web-1")).unwrap();
        first.note(&engine("web-2")).unwrap();
        let second = TargetEngines::open(&file);
        assert_eq!(left(&second), HashSet::from([engine("web-1"), engine("web-2")]));
        second.note(&engine("web-1")).unwrap();
        second.forget(&engine("web-1"));
        second.forget(&engine("web-2"));
        assert_eq!(left(&TargetEngines::open(&file)), HashSet::from([engine("web-1")]));
    }

    #[test]
    fn what_cannot_be_noted_is_not_begun() {
        let folder = tempfile::tempdir().unwrap();
        let engines = TargetEngines::open(&folder.path().join("nowhere/engines.json"));
        for _ in 0..2 {
            assert!(engines.note(&engine("web-1")).unwrap_err().contains("web-1"));
        }
    }

    #[test]
    fn a_damaged_file_is_told_of_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("engines.json");
        std::fs::write(&file, "[").unwrap();
        assert!(read(&file).unwrap_err().contains("damaged"));
        TargetEngines::open(&file).note(&engine("web-1")).unwrap();
        assert_eq!(read(&file).unwrap(), HashSet::from([engine("web-1")]));
    }
}
