//! The processes of one attempt, and the folder they work in.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use sandglass_core::id::RunId;

use super::child::Child;
use crate::attempt::lock;
use crate::bindings::types::ErrorCode;
use crate::capability::{CallError, CallResult};

/// The most processes that an attempt may have at once, those below them not counted.
const PROCESSES: usize = 64;

/// The processes of one attempt.
pub(crate) struct ProcessSet {
    run: RunId,
    runs_dir: Arc<PathBuf>,
    folder: OnceLock<PathBuf>,
    children: Mutex<Children>,
}

#[derive(Default)]
struct Children {
    all: Vec<Arc<Child>>,
    /// The attempt is over: nothing more may be started.
    closed: bool,
}

impl ProcessSet {
    pub(crate) fn new(run: RunId, runs_dir: Arc<PathBuf>) -> Self {
        Self { run, runs_dir, folder: OnceLock::new(), children: Mutex::default() }
    }

    /// Starts a process and adds it, if there is room for one more.
    pub(super) fn add(&self, start: impl FnOnce() -> CallResult<Arc<Child>>) -> CallResult<Arc<Child>> {
        let mut children = lock(&self.children);
        if children.closed {
            return Err(CallError::cancelled());
        }
        children.all.retain(|child| !child.has_ended());
        if children.all.len() >= PROCESSES {
            let message = format!("the run has {PROCESSES} processes already; wait for one to end");
            return Err(CallError::new(ErrorCode::LimitExceeded, message));
        }
        let child = start()?;
        children.all.push(Arc::clone(&child));
        Ok(child)
    }

    /// The folder of the run's own, made when it is first asked for.
    pub(super) fn folder(&self) -> io::Result<&Path> {
        if let Some(folder) = self.folder.get() {
            return Ok(folder);
        }
        let folder = self.runs_dir.join(self.run.to_string());
        let mut builder = fs::DirBuilder::new();
        builder.mode(0o700);
        if builder.create(&folder).is_err() {
            // The folder of all runs may be missing, or this one left over from a crash.
            builder.recursive(true).create(&folder)?;
        }
        Ok(self.folder.get_or_init(|| folder))
    }

    /// Kills what is left, waits until it is gone, and removes the run's folder. Nothing can be started afterwards.
    pub(crate) async fn end(&self) {
        let children = {
            let mut children = lock(&self.children);
            children.closed = true;
            std::mem::take(&mut children.all)
        };
        for child in &children {
            child.kill();
        }
        for child in children {
            // Bounded: a process that does not die is given up on.
            child.ended().await;
        }
        if let Some(folder) = self.folder.get() {
            remove(folder.clone()).await;
        }
    }
}

/// Most runs leave nothing in their folder; what others leave may be much.
async fn remove(folder: PathBuf) {
    if fs::remove_dir(&folder).is_ok() {
        return;
    }
    let removed = tokio::task::spawn_blocking(move || fs::remove_dir_all(&folder)).await;
    if let Ok(Err(error)) = removed {
        tracing::warn!("a run's working folder could not be removed: {error}");
    }
}
