//! Programs and files on other machines. The plugin's manifest asks for the capability `remote`.
//!
//! What is asked of a machine begins at once and gives a future: [`wait`](crate::wait) runs many beside one another.

use std::time::Duration;

use crate::dispatch::nanoseconds;
use crate::{Error, FileRef};

mod pending;

#[cfg(target_arch = "wasm32")]
use crate::bindings::remote::sandglass::plugin::remote as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::remote as host;

pub use crate::bindings::remote::sandglass::plugin::remote::{
    Answer, ChangeKind, CopyOptions, CopyReport, FileChange, FileKind, RemoteCommand as CommandRecord, Stat, Target,
};
pub use crate::exec::{Ending, ExitReport, Input, Output};
pub use pending::Pending;

/// The targets that selectors name, such as `web-1`, `web-*`, `group:db` or `role == web`, by name.
///
/// # Errors
/// `not-found` for a name that nothing has, `denied` if one of them may not be worked on.
pub fn select(selectors: &[String]) -> Result<Vec<Target>, Error> {
    host::select(selectors)
}

/// A machine that is entered as one account. It is connected to with what is first asked of it.
#[derive(Debug)]
pub struct Session {
    inner: host::Session,
}

/// A program on another machine, and how it is started.
#[derive(Debug, Clone)]
pub struct Command {
    pub(crate) record: CommandRecord,
}

impl Command {
    /// A program and its arguments, none of which is read by a shell. No input; its output goes to the run's log.
    #[must_use]
    pub fn new<I: IntoIterator<Item: Into<String>>>(argv: I) -> Self {
        Self {
            record: CommandRecord {
                argv: argv.into_iter().map(Into::into).collect(),
                env: Vec::new(),
                cwd: None,
                input: Input::Empty,
                stdout: Output::Log,
                stderr: Output::Log,
                timeout: None,
                grace: None,
                despite_stop: false,
            },
        }
    }

    /// Sets a variable beside the job's environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.record.env.push((name.into(), value.into()));
        self
    }

    /// Starts the program in a folder of the machine.
    #[must_use]
    pub fn current_dir(mut self, dir: impl Into<String>) -> Self {
        self.record.cwd = Some(dir.into());
        self
    }

    /// What the program reads.
    #[must_use]
    pub fn input(mut self, input: Input) -> Self {
        self.record.input = input;
        self
    }

    /// Where standard output and standard error go.
    #[must_use]
    pub fn outputs(mut self, stdout: Output, stderr: Output) -> Self {
        (self.record.stdout, self.record.stderr) = (stdout, stderr);
        self
    }

    /// Ends the program after this time.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.record.timeout = Some(nanoseconds(timeout));
        self
    }

    /// Runs it although the run is asked to stop, as far as its grace goes: for putting in order what was begun.
    #[must_use]
    pub fn despite_stop(mut self) -> Self {
        self.record.despite_stop = true;
        self
    }

    /// The program and its arguments.
    #[must_use]
    pub fn argv(&self) -> &[String] {
        &self.record.argv
    }
}

impl Session {
    /// The target called `target`, entered by `sudo` as `run_as` if that is given.
    ///
    /// # Errors
    /// `denied` if the target may not be worked on so, `not-found` if there is none. That it cannot be reached is told by what
    /// is first asked of it.
    pub fn connect(target: &str, run_as: Option<&str>) -> Result<Self, Error> {
        host::connect(target, run_as).map(|inner| Self { inner })
    }

    /// Runs a program to its end. That it failed is no error but part of the report.
    pub fn run(&self, command: &Command) -> Pending<ExitReport> {
        Pending::new(self.inner.run(&command.record))
    }

    /// Writes a file of the run, or of a folder that it was granted, to the machine; whole or not at all. A source whose path
    /// ends with `/` is a folder: all files in it are written, each so.
    pub fn upload(&self, source: &FileRef, dest: &str, options: &CopyOptions) -> Pending<CopyReport> {
        Pending::new(self.inner.upload(source, dest, options))
    }

    /// Writes a file to the machine; whole or not at all.
    pub fn write_file(&self, path: &str, contents: &[u8], options: &CopyOptions) -> Pending<CopyReport> {
        Pending::new(self.inner.write_file(path, contents, options))
    }

    /// The content of a file of at most `limit` bytes.
    pub fn read_file(&self, path: &str, limit: u32) -> Pending<Vec<u8>> {
        Pending::new(self.inner.read_file(path, limit))
    }

    /// What is at a path; none if there is nothing.
    pub fn stat(&self, path: &str, digest: bool) -> Pending<Option<Stat>> {
        Pending::new(self.inner.stat(path, digest))
    }

    /// Makes a folder, and those above it.
    pub fn make_dir(&self, path: &str, mode: Option<u32>) -> Pending<()> {
        Pending::new(self.inner.make_dir(path, mode))
    }

    /// Renames `source` to `dest`, in the place of a file that is there.
    pub fn rename(&self, source: &str, dest: &str) -> Pending<()> {
        Pending::new(self.inner.rename(source, dest))
    }

    /// Copies `source` to `dest`, where nothing is, with mode, times and owner.
    pub fn copy(&self, source: &str, dest: &str) -> Pending<()> {
        Pending::new(self.inner.copy(source, dest))
    }

    /// Removes what is at a path, if anything is.
    pub fn remove(&self, path: &str, recursive: bool) -> Pending<()> {
        Pending::new(self.inner.remove(path, recursive))
    }
}
