//! Starting programs on the host. The plugin's manifest asks for the capability `process`.
//!
//! A program starts with the job's environment and in the job's working directory; a command only adds to them.

use std::time::Duration;

use crate::dispatch::nanoseconds;
use crate::{Error, FileRef};

#[cfg(target_arch = "wasm32")]
use crate::bindings::process::sandglass::plugin::process as host;
use crate::bindings::process::sandglass::plugin::process::Command as Record;

pub use crate::exec::{Ending, ExitReport, Input, Output, Reader, Signal, Task, Writer};

/// Where a file is on the machine that programs run on, for their arguments and environment. It need not exist.
///
/// # Errors
/// What the host says: `denied` without the grant `files`.
pub fn locate(file: &FileRef) -> Result<String, Error> {
    #[cfg(target_arch = "wasm32")]
    return host::locate(file);
    #[cfg(not(target_arch = "wasm32"))]
    return Ok(crate::testing::process::locate(file));
}

/// What the machine runs that programs are started on: `linux`, `macos`, `windows`, …
#[must_use]
pub fn platform() -> String {
    #[cfg(target_arch = "wasm32")]
    return host::platform();
    #[cfg(not(target_arch = "wasm32"))]
    return crate::testing::process::platform();
}

/// A program and how it is started.
#[derive(Debug, Clone)]
pub struct Command {
    record: Record,
}

impl Command {
    /// A program, by absolute path or by a bare name that the host looks up. No input; its output goes to the run's log.
    #[must_use]
    pub fn new(program: impl Into<String>) -> Self {
        Self {
            record: Record {
                program: program.into(),
                args: Vec::new(),
                env: Vec::new(),
                cwd: None,
                input: Input::Empty,
                stdout: Output::Log,
                stderr: Output::Log,
                timeout: None,
                grace: None,
            },
        }
    }

    /// Adds one argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.record.args.push(arg.into());
        self
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I: IntoIterator<Item: Into<String>>>(mut self, args: I) -> Self {
        self.record.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets a variable beside the job's environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.record.env.push((name.into(), value.into()));
        self
    }

    /// Starts the program in a directory that was granted to the run, instead of the job's working directory.
    #[must_use]
    pub fn current_dir(mut self, dir: FileRef) -> Self {
        self.record.cwd = Some(dir);
        self
    }

    /// What the program reads.
    #[must_use]
    pub fn input(mut self, input: Input) -> Self {
        self.record.input = input;
        self
    }

    /// Where standard output goes.
    #[must_use]
    pub fn stdout(mut self, output: Output) -> Self {
        self.record.stdout = output;
        self
    }

    /// Where standard error goes.
    #[must_use]
    pub fn stderr(mut self, output: Output) -> Self {
        self.record.stderr = output;
        self
    }

    /// Ends the program after this time; without it, the run's deadline does.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.record.timeout = Some(nanoseconds(timeout));
        self
    }

    /// How long the program may take between the polite signal and the kill.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.record.grace = Some(nanoseconds(grace));
        self
    }

    /// The program as it was given.
    #[must_use]
    pub fn program(&self) -> &str {
        &self.record.program
    }

    /// The arguments so far.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.record.args
    }

    /// The variables set beside the job's environment.
    #[must_use]
    pub fn environment(&self) -> &[(String, String)] {
        &self.record.env
    }

    /// What the program reads.
    #[must_use]
    pub fn standard_input(&self) -> &Input {
        &self.record.input
    }

    /// Starts the program and goes on; dropping the task stops the program.
    ///
    /// # Errors
    /// What the host says: `denied` without the grant, `not-found` without the program.
    pub fn spawn(&self) -> Result<Task, Error> {
        #[cfg(target_arch = "wasm32")]
        return host::spawn(&self.record).map(Task::new);
        #[cfg(not(target_arch = "wasm32"))]
        return crate::testing::process::answer(self).map(Task::new);
    }

    /// Starts the program and waits until it has ended.
    ///
    /// # Errors
    /// As [`spawn`](Self::spawn). That the program failed is no error but part of the report.
    pub fn execute(&self) -> Result<ExitReport, Error> {
        #[cfg(target_arch = "wasm32")]
        return host::execute(&self.record);
        #[cfg(not(target_arch = "wasm32"))]
        return crate::testing::process::answer(self);
    }
}
