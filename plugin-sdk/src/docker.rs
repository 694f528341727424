//! Containers on the operator's engine, or on that of a target. The plugin's manifest asks for the capability `docker`, for `files`
//! to mount folders, and for `remote` to use the engines of targets.

use std::time::Duration;

use crate::dispatch::nanoseconds;
use crate::{Error, FileRef};

#[cfg(target_arch = "wasm32")]
use crate::bindings::docker::sandglass::plugin::docker as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::docker as host;

pub use crate::bindings::docker::sandglass::plugin::docker::{
    Container as ContainerRecord, ContainerCommand as ContainerCommandRecord, Credentials, Image, Mount, MountSource,
    Place, PullPolicy,
};
pub use crate::exec::{Ending, ExitReport, Input, Output, Reader, Signal, Task, Writer};

/// The image, if the engine has it: that of the place, or else the operator's. Nothing is fetched.
///
/// # Errors
/// `denied` without the grant, `unavailable` if the engine cannot be reached.
pub fn find(reference: &str, at: Option<&Place>) -> Result<Option<Image>, Error> {
    host::find(reference, at)
}

/// Makes sure that the engine has an image, and tells the run's progress while it is fetched. User and password may be
/// placeholders of secrets.
///
/// # Errors
/// `denied` without the grant, `not-found` if there is no such image, `unavailable` if the engine cannot be reached.
pub fn pull(
    reference: &str,
    policy: PullPolicy,
    credentials: Option<&Credentials>,
    at: Option<&Place>,
) -> Result<Image, Error> {
    host::pull(reference, policy, credentials, at)
}

/// A container and how it is started. Its image must be there: see [`pull`].
#[derive(Debug, Clone)]
pub struct Container {
    record: ContainerRecord,
}

impl Container {
    /// A container of an image, as the image says. No input; its output goes to the run's log.
    #[must_use]
    pub fn new(image: impl Into<String>) -> Self {
        Self {
            record: ContainerRecord {
                at: None,
                image: image.into(),
                entrypoint: None,
                args: Vec::new(),
                env: Vec::new(),
                workdir: None,
                user: None,
                mounts: Vec::new(),
                network: None,
                cpu_millis: None,
                memory: None,
                processes: None,
                labels: Vec::new(),
                input: Input::Empty,
                stdout: Output::Log,
                stderr: Output::Log,
                timeout: None,
                grace: None,
            },
        }
    }

    /// Runs on the engine of a target.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.record.at = Some(place);
        self
    }

    /// Replaces the image's entry point.
    #[must_use]
    pub fn entrypoint<I: IntoIterator<Item: Into<String>>>(mut self, words: I) -> Self {
        self.record.entrypoint = Some(words.into_iter().map(Into::into).collect());
        self
    }

    /// Adds arguments, which replace the image's command.
    #[must_use]
    pub fn args<I: IntoIterator<Item: Into<String>>>(mut self, args: I) -> Self {
        self.record.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Mounts a folder that was granted to the run, as a whole.
    #[must_use]
    pub fn mount(mut self, folder: FileRef, target: impl Into<String>, read_only: bool) -> Self {
        self.record.mounts.push(Mount { source: MountSource::Folder(folder), target: target.into(), read_only });
        self
    }

    /// Mounts a volume of the engine's, which is made if there is none, and stays.
    #[must_use]
    pub fn volume(mut self, name: impl Into<String>, target: impl Into<String>, read_only: bool) -> Self {
        self.record.mounts.push(Mount { source: MountSource::Volume(name.into()), target: target.into(), read_only });
        self
    }

    /// Mounts memory with room for so many bytes.
    #[must_use]
    pub fn tmpfs(mut self, target: impl Into<String>, bytes: u64) -> Self {
        self.record.mounts.push(Mount { source: MountSource::Tmpfs(bytes), target: target.into(), read_only: false });
        self
    }

    /// `none`, `bridge`, or a network that the engine has.
    #[must_use]
    pub fn network(mut self, network: impl Into<String>) -> Self {
        self.record.network = Some(network.into());
        self
    }

    /// The most of the processors, in thousandths of one.
    #[must_use]
    pub fn cpu_millis(mut self, millis: u32) -> Self {
        self.record.cpu_millis = Some(millis);
        self
    }

    /// The most memory, in bytes.
    #[must_use]
    pub fn memory(mut self, bytes: u64) -> Self {
        self.record.memory = Some(bytes);
        self
    }

    /// The most processes and threads.
    #[must_use]
    pub fn processes(mut self, most: u32) -> Self {
        self.record.processes = Some(most);
        self
    }

    /// Adds a label.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.record.labels.push((name.into(), value.into()));
        self
    }

    /// Sets a variable beside the job's environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.record.env.push((name.into(), value.into()));
        self
    }

    /// Works in this folder of the container.
    #[must_use]
    pub fn workdir(mut self, folder: impl Into<String>) -> Self {
        self.record.workdir = Some(folder.into());
        self
    }

    /// Works as this user: a name or a number, with a group after a colon or without.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.record.user = Some(user.into());
        self
    }

    /// What is read on standard input.
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

    /// Ends it after this time; without it, the run's deadline does.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.record.timeout = Some(nanoseconds(timeout));
        self
    }

    /// How long it may take between the polite signal and the kill.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.record.grace = Some(nanoseconds(grace));
        self
    }

    /// All that was said.
    #[must_use]
    pub fn record(&self) -> &ContainerRecord {
        &self.record
    }

    /// Starts the container and goes on; dropping the task stops it. It is removed when it has ended.
    ///
    /// # Errors
    /// `denied` without the grant, `not-found` without the image, `unavailable` if the engine cannot be reached.
    pub fn start(&self) -> Result<Task, Error> {
        #[cfg(target_arch = "wasm32")]
        return host::start(&self.record).map(Task::new);
        #[cfg(not(target_arch = "wasm32"))]
        return host::start(self).map(Task::new);
    }

    /// Starts the container and waits until it has ended.
    ///
    /// # Errors
    /// As [`start`](Self::start). That it failed is no error but part of the report.
    pub fn execute(&self) -> Result<ExitReport, Error> {
        self.start()?.wait()
    }
}

/// A command in a container that somebody else started.
#[derive(Debug, Clone)]
pub struct ContainerCommand {
    record: ContainerCommandRecord,
}

impl ContainerCommand {
    /// A command in the container of this name. No input; its output goes to the run's log.
    #[must_use]
    pub fn new<I: IntoIterator<Item: Into<String>>>(container: impl Into<String>, argv: I) -> Self {
        Self {
            record: ContainerCommandRecord {
                at: None,
                container: container.into(),
                argv: argv.into_iter().map(Into::into).collect(),
                env: Vec::new(),
                workdir: None,
                user: None,
                input: Input::Empty,
                stdout: Output::Log,
                stderr: Output::Log,
                timeout: None,
                grace: None,
            },
        }
    }

    /// Runs on the engine of a target.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.record.at = Some(place);
        self
    }

    /// Sets a variable beside the job's environment.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.record.env.push((name.into(), value.into()));
        self
    }

    /// Works in this folder of the container.
    #[must_use]
    pub fn workdir(mut self, folder: impl Into<String>) -> Self {
        self.record.workdir = Some(folder.into());
        self
    }

    /// Works as this user: a name or a number, with a group after a colon or without.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.record.user = Some(user.into());
        self
    }

    /// What is read on standard input.
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

    /// Ends it after this time; without it, the run's deadline does.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.record.timeout = Some(nanoseconds(timeout));
        self
    }

    /// How long it may take between the polite signal and the kill.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.record.grace = Some(nanoseconds(grace));
        self
    }

    /// All that was said.
    #[must_use]
    pub fn record(&self) -> &ContainerCommandRecord {
        &self.record
    }

    /// Starts the command and goes on; dropping the task stops it.
    ///
    /// # Errors
    /// `denied` without the grant, `not-found` without the container, `unavailable` if the engine cannot be reached.
    pub fn start(&self) -> Result<Task, Error> {
        #[cfg(target_arch = "wasm32")]
        return host::exec(&self.record).map(Task::new);
        #[cfg(not(target_arch = "wasm32"))]
        return host::exec(self).map(Task::new);
    }

    /// Starts the command and waits until it has ended.
    ///
    /// # Errors
    /// As [`start`](Self::start). That it failed is no error but part of the report.
    pub fn execute(&self) -> Result<ExitReport, Error> {
        self.start()?.wait()
    }
}
