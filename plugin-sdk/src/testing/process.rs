//! Programs in tests.

use crate::process::{Command, Ending, ExitReport};
use crate::testing::{Host, with};
use crate::{Error, ErrorCode};

type Program = Box<dyn FnMut(&Command) -> Result<ExitReport, Error>>;

#[derive(Default)]
pub(crate) struct Script {
    program: Option<Program>,
    commands: Vec<Command>,
}

/// The report of a program that ended with a code and wrote nothing.
#[must_use]
pub fn exited(code: i32) -> ExitReport {
    ExitReport { ending: Ending::Exited(code), stdout: Vec::new(), stderr: Vec::new(), cpu_ns: None, peak_memory: None }
}

impl Host {
    /// Answers every command that an action starts.
    #[must_use]
    pub fn on_process(self, program: impl FnMut(&Command) -> Result<ExitReport, Error> + 'static) -> Self {
        self.script.borrow_mut().process.program = Some(Box::new(program));
        self
    }

    /// The commands that actions started.
    #[must_use]
    pub fn commands(&self) -> Vec<Command> {
        self.script.borrow().process.commands.clone()
    }
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
