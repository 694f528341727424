//! What was done on a target, and how it is undone.

use std::time::Duration;

use sandglass_plugin::remote::{ExitReport, Session};
use sandglass_plugin::{Words, log};

use crate::fault::Fault;
use crate::software::packages::{self, PackageManager};
use crate::words::{command, judge, shown};

/// Something that was done on a target, written down before it is done.
#[derive(Debug)]
pub(crate) enum Change {
    /// A command was begun; `undo` undoes it, if anything does.
    Ran { undo: Option<Order> },
    /// A copy of the file or folder that was at `dest` is at `kept`.
    Replaced { dest: String, kept: String, is_folder: bool },
    /// There was nothing at `dest`, and none of these folders, the innermost first.
    Created { dest: String, folders: Vec<String>, is_folder: bool },
    /// A folder was made for a file that nothing needs afterwards.
    Brought(String),
    /// Packages were changed: these were not there, those had these versions.
    Packages { manager: PackageManager, absent: Vec<String>, present: Vec<String> },
}

impl Change {
    /// Undoes it.
    pub(crate) async fn undo(self, session: &Session) -> Result<(), Fault> {
        match self {
            Self::Ran { undo: Some(order) } => order.obeyed(session, true).await,
            Self::Ran { undo: None } => Err(Fault::new("the job has no step that undoes it")),
            Self::Replaced { dest, kept, is_folder } => {
                // One that is begun leaves no time without either.
                let aside = format!("{kept}-aside");
                let moved = is_folder && session.rename(&dest, &aside).await.is_ok();
                if let Err(error) = session.rename(&kept, &dest).await {
                    return Err(Fault::new(format!("{}; what was there is at {kept}", error.message)));
                }
                if moved { Ok(session.remove(&aside, true).await?) } else { Ok(()) }
            }
            Self::Created { dest, folders, is_folder } => {
                let mut undone = session.remove(&dest, is_folder).await;
                for folder in folders {
                    undone = undone.and(session.remove(&folder, false).await);
                }
                Ok(undone?)
            }
            Self::Brought(folder) => Ok(session.remove(&folder, true).await?),
            Self::Packages { manager, absent, present } => {
                let gone = absent.into_iter().map(|package| package + "-");
                let packages: Vec<String> = present.into_iter().chain(gone).collect();
                packages::ask(manager, session, "restore", &packages, true).await.map(drop)
            }
        }
    }

    /// Clears away what was kept for undoing it.
    pub(crate) async fn settle(self, session: &Session) -> Result<(), Fault> {
        match self {
            Self::Replaced { kept, is_folder, .. } => Ok(session.remove(&kept, is_folder).await?),
            Self::Brought(folder) => Ok(session.remove(&folder, true).await?),
            Self::Ran { .. } | Self::Created { .. } | Self::Packages { .. } => Ok(()),
        }
    }
}

/// Undoes changes of a target, the last first: all that can be undone, even if some cannot. The error is the first of them;
/// the others go to the log.
pub(crate) async fn undo_all(target: &str, changes: Vec<Change>, session: &Session) -> Result<(), Fault> {
    let mut undone = Ok(());
    for change in changes.into_iter().rev() {
        let one = change.undo(session).await;
        if undone.is_ok() {
            undone = one;
        } else if let Err(fault) = one {
            log::error!("{target}: {}", fault.message);
        }
    }
    undone
}

/// A command as a job orders it.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) words: Words,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) working_dir: Option<String>,
    pub(crate) timeout: Option<Duration>,
    /// Which exit codes mean success.
    pub(crate) success: Vec<i32>,
}

impl Order {
    /// Runs it to its end. An error means that it was not started.
    pub(crate) async fn run(&self, session: &Session, undoing: bool) -> Result<ExitReport, Fault> {
        let mut command = command(&self.words);
        for (name, value) in &self.env {
            command = command.env(name, value);
        }
        if let Some(dir) = &self.working_dir {
            command = command.current_dir(dir);
        }
        if let Some(timeout) = self.timeout {
            command = command.timeout(timeout);
        }
        if undoing {
            command = command.despite_stop();
        }
        Ok(session.run(&command).await?)
    }

    /// Whether its end is a success.
    pub(crate) fn judge(&self, report: &ExitReport) -> Result<(), Fault> {
        judge(&shown(&self.words), report, &self.success)
    }

    /// Runs it, and fails if it does.
    pub(crate) async fn obeyed(&self, session: &Session, undoing: bool) -> Result<(), Fault> {
        self.judge(&self.run(session, undoing).await?)
    }
}
