//! What runs for one attempt, and the folder that its processes work in.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::fate::Running;
use super::watch::Watch;
use crate::attempt::{after, lock};
use crate::bindings::types::ErrorCode;
use crate::capability::process::{Folder, Folders};
use crate::capability::{CallError, CallResult};
use crate::stop::Stop;

/// The most that an attempt may have running at once, what those start themselves not counted.
const TASKS: usize = 64;

/// What runs for one attempt: processes, containers, programs on other machines.
pub(crate) struct Tasks {
    folders: Arc<Folders>,
    folder: OnceLock<Folder>,
    all: Mutex<All>,
}

#[derive(Default)]
struct All {
    running: Vec<Arc<dyn Running>>,
    /// The attempt is over: nothing more may be started.
    closed: bool,
}

impl All {
    /// Forgets what has ended. Fails if there is no room for one more.
    fn make_room(&mut self) -> CallResult<()> {
        self.running.retain(|running| !running.fate().has_ended());
        if self.running.len() < TASKS {
            return Ok(());
        }
        let message = format!("the run has {TASKS} processes and the like already; wait for one to end");
        Err(CallError::new(ErrorCode::LimitExceeded, message))
    }
}

impl Tasks {
    pub(crate) fn new(folders: Arc<Folders>) -> Self {
        Self { folders, folder: OnceLock::new(), all: Mutex::default() }
    }

    /// Whether something more may be started just now.
    pub(crate) fn check_room(&self) -> CallResult<()> {
        lock(&self.all).make_room()
    }

    /// Starts something and adds it, if there is room for one more.
    pub(crate) fn add(&self, start: impl FnOnce() -> CallResult<Watch>) -> CallResult<Watch> {
        let mut all = lock(&self.all);
        if all.closed {
            return Err(CallError::cancelled());
        }
        all.make_room()?;
        let watch = start()?;
        all.running.push(Arc::clone(watch.running()));
        Ok(watch)
    }

    /// The path of the attempt's own folder.
    pub(crate) fn folder(&self) -> io::Result<&Path> {
        self.own_folder().map(Folder::path)
    }

    /// The attempt's own folder, open, as [`Folder::open`] gives it.
    pub(crate) fn open_folder(&self) -> io::Result<OwnedFd> {
        self.own_folder()?.open()
    }

    /// Taken when it is first asked for.
    fn own_folder(&self) -> io::Result<&Folder> {
        if let Some(folder) = self.folder.get() {
            return Ok(folder);
        }
        let folder = self.folders.take()?;
        Ok(self.folder.get_or_init(|| folder))
    }

    /// Kills what is left and waits until it is gone. Nothing can be started afterwards. Where the guest ended before the grace
    /// of an attempt that was asked to stop, what is left is asked first, and has the rest of it.
    pub(crate) async fn end(&self, stop: &Stop, grace: Duration) {
        let all = {
            let mut all = lock(&self.all);
            all.closed = true;
            std::mem::take(&mut all.running)
        };
        // Not the grace that the guest gave it, which may have no end.
        if let Some(asked_at) = stop.asked_at().filter(|_| !stop.is_killed()) {
            all.iter().for_each(|running| running.fate().stop());
            let gone = async {
                for running in &all {
                    running.fate().ended().await;
                }
            };
            tokio::select! {
                biased;
                () = gone => return,
                () = stop.killed() => {}
                () = tokio::time::sleep_until(after(asked_at, grace)) => {}
            }
        }
        for running in &all {
            running.fate().kill();
        }
        for running in all {
            // Bounded: what does not die is given up on.
            running.fate().ended().await;
        }
    }

    /// Clears the attempt's folder away, once all its processes have ended.
    pub(crate) async fn clear_folder(&self) {
        if let Some(folder) = self.folder.get() {
            self.folders.give_back(folder).await;
        }
    }
}
