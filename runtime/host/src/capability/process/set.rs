//! The processes of one attempt, and the folder they work in.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use super::child::Child;
use super::folders::{Folder, Folders};
use super::watch::Watch;
use crate::attempt::lock;
use crate::bindings::types::ErrorCode;
use crate::capability::{CallError, CallResult};

/// The most processes that an attempt may have at once, those below them not counted.
const PROCESSES: usize = 64;

/// The processes of one attempt.
pub(crate) struct ProcessSet {
    folders: Arc<Folders>,
    folder: OnceLock<Folder>,
    children: Mutex<Children>,
}

#[derive(Default)]
struct Children {
    all: Vec<Arc<Child>>,
    /// The attempt is over: nothing more may be started.
    closed: bool,
}

impl ProcessSet {
    pub(crate) fn new(folders: Arc<Folders>) -> Self {
        Self { folders, folder: OnceLock::new(), children: Mutex::default() }
    }

    /// Starts a process and adds it, if there is room for one more.
    pub(super) fn add(&self, start: impl FnOnce() -> CallResult<Watch>) -> CallResult<Watch> {
        let mut children = lock(&self.children);
        if children.closed {
            return Err(CallError::cancelled());
        }
        children.all.retain(|child| !child.has_ended());
        if children.all.len() >= PROCESSES {
            let message = format!("the run has {PROCESSES} processes already; wait for one to end");
            return Err(CallError::new(ErrorCode::LimitExceeded, message));
        }
        let watch = start()?;
        children.all.push(Arc::clone(watch.child()));
        Ok(watch)
    }

    /// The folder of the attempt's own, taken when it is first asked for.
    pub(crate) fn folder(&self) -> io::Result<&Path> {
        if let Some(folder) = self.folder.get() {
            return Ok(folder.path());
        }
        let folder = self.folders.take()?;
        Ok(self.folder.get_or_init(|| folder).path())
    }

    /// Kills what is left and waits until it is gone. Nothing can be started afterwards.
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
    }

    /// Clears the attempt's folder away, once all its processes have ended.
    pub(crate) async fn clear_folder(&self) {
        if let Some(folder) = self.folder.get() {
            self.folders.give_back(folder).await;
        }
    }
}
