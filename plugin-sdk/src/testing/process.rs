//! Programs in tests.

use std::path::PathBuf;

use crate::process::{Command, ExitReport};
use crate::testing::{Host, with, work};
use crate::{Error, ErrorCode, FileRef, files};

type Program = Box<dyn FnMut(&Command) -> Result<ExitReport, Error>>;

#[derive(Default)]
pub(crate) struct Script {
    program: Option<Program>,
    commands: Vec<Command>,
    platform: Option<String>,
}

impl Host {
    /// Answers every command that an action starts.
    #[must_use]
    pub fn on_process(self, program: impl FnMut(&Command) -> Result<ExitReport, Error> + 'static) -> Self {
        self.script.borrow_mut().process.program = Some(Box::new(program));
        self
    }

    /// Says what the machine runs that programs are started on; without it, `linux`.
    #[must_use]
    pub fn platform(self, platform: impl Into<String>) -> Self {
        self.script.borrow_mut().process.platform = Some(platform.into());
        self
    }

    /// The commands that actions started.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        self.script.borrow().process.commands.clone()
    }
}

pub(crate) fn platform() -> String {
    with(|script| script.process.platform.clone()).unwrap_or_else(|| "linux".to_owned())
}

/// Folders other than the run's own are called by their path.
pub(crate) fn locate(file: &FileRef) -> String {
    let folder = if file.mount == files::WORK { work::folder() } else { PathBuf::from(&file.mount) };
    folder.join(&file.path).to_string_lossy().into_owned()
}

pub(crate) fn answer(command: &Command) -> Result<ExitReport, Error> {
    let program = with(|script| {
        script.process.commands.push(command.clone());
        script.process.program.take()
    });
    let Some(mut program) = program else {
        let message = format!("there is no program {:?} on this host", command.program());
        return Err(Error { code: ErrorCode::NotFound, message, detail: None });
    };
    let report = program(command);
    with(|script| script.process.program = Some(program));
    report
}
