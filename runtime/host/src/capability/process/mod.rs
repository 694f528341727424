//! Starting programs on the host.
//!
//! A process gets a session and process group of its own, an environment that starts empty, closed descriptors, and a
//! folder; its output goes to the run's output without passing through the guest. It dies as a tree.

mod child;
mod command;
mod content;
mod folders;
pub(crate) mod left_behind;
mod proc;
mod removal;
mod spawn;
mod tree;

pub(crate) use folders::{Folder, Folders};
pub(crate) use proc::RUN_VARIABLE;
pub(crate) use tree::reap_orphans;

use std::io::ErrorKind;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Resource;

use self::child::Child;
use self::command::Found;
use self::content::Program;
use self::spawn::Launch;
use super::exec::{Stdio, Task, Watch};
use super::files::place;
use super::{CallError, CallResult};
use crate::attempt::Attempt;
use crate::bindings::types::{ErrorCode, FileRef};
use crate::bindings::{exec, process};
use crate::guest::Guest;

impl process::Host for Guest {
    async fn spawn(&mut self, command: process::Command) -> CallResult<Resource<Task>> {
        let program = program(&self.attempt, &command).await?;
        let (task, watch) = self.attempt.in_host(|| start(&self.attempt, program, command))?;
        tokio::spawn(watch);
        Ok(self.table.push(task)?)
    }

    async fn execute(&mut self, command: process::Command) -> CallResult<exec::ExitReport> {
        let program = program(&self.attempt, &command).await?;
        let (task, watch) = self.attempt.in_host(|| start(&self.attempt, program, command))?;
        // Not on a thread of its own: waking one costs a tenth of the time of a small process.
        watch.await;
        Ok(task.report().await)
    }

    async fn locate(&mut self, file: FileRef) -> CallResult<String> {
        self.attempt.in_host(|| place::locate(&self.attempt, &file))
    }

    fn platform(&mut self) -> wasmtime::Result<String> {
        Ok(std::env::consts::OS.to_owned())
    }
}

/// The program that a command names, if the run may start it.
async fn program(attempt: &Arc<Attempt>, command: &process::Command) -> CallResult<Program> {
    if attempt.stop.reason().is_some() {
        return Err(CallError::cancelled());
    }
    match attempt.in_host(|| command::find(attempt, command))? {
        Found::Granted(granted) => Program::at(granted),
        Found::IfDigest(candidate) => content::checked(attempt, &candidate, command).await,
    }
}

/// Starts a process. Somebody must drive the watch.
fn start(attempt: &Arc<Attempt>, mut program: Program, command: process::Command) -> CallResult<(Task, Watch)> {
    if attempt.stop.reason().is_some() {
        return Err(CallError::cancelled());
    }
    let prepared = command::prepare(attempt, &command, std::mem::take(&mut program.name))?;
    let is_own = command.cwd.is_none() && attempt.working_dir().is_none();
    let directory = match &command.cwd {
        None => working_dir(attempt)?,
        Some(folder) => place::folder(attempt, folder)?,
    };
    let Stdio { theirs, ours, guest } = Stdio::open(attempt, command.input, command.stdout, command.stderr, None)?;
    let directory = command::path_string(&directory)?;
    let limits =
        (command.timeout.map(Duration::from_nanos), command.grace.map_or(attempt.work.grace, Duration::from_nanos));
    let watch = attempt.tasks.add(|| {
        let launch = Launch {
            program: &program.path,
            args: &prepared.args,
            env: &prepared.env,
            directory: &directory,
            stdio: theirs.each_ref().map(AsFd::as_fd),
        };
        let pid = match tree::start(attempt.run, &launch) {
            // An earlier process of the run may have removed its folder.
            Err(error) if error.kind() == ErrorKind::NotFound && is_own => {
                attempt.tasks.open_folder().and_then(|_| tree::start(attempt.run, &launch))
            }
            started => started,
        };
        let pid = pid.map_err(|error| not_started(&command.program, &error))?;
        let child = Child::new(pid);
        let watching = Arc::clone(&child).watch(Arc::clone(attempt), spawn::exited(pid), ours, limits);
        let work = async {
            watching.await;
            // An interpreter reads the copy of a script whenever it likes.
            drop(program);
        };
        Ok(Watch::new(child, Arc::clone(attempt), work))
    })?;
    Ok((Task::new(Arc::clone(watch.running()), guest), watch))
}

fn not_started(program: &str, error: &std::io::Error) -> CallError {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorCode::NotFound,
        std::io::ErrorKind::ArgumentListTooLong => ErrorCode::InvalidArgument,
        _ => ErrorCode::Unavailable,
    };
    CallError::new(code, format!("'{program}' could not be started: {error}"))
}

/// The folder that the run's processes start in, unless a command says otherwise: the job's, or else the run's own.
fn working_dir(attempt: &Attempt) -> CallResult<PathBuf> {
    if let Some(folder) = attempt.working_dir() {
        let folder = PathBuf::from(folder);
        return match std::fs::metadata(&folder) {
            Ok(data) if data.is_dir() => Ok(folder),
            Ok(_) => Err(no_folder(&folder, "it is no folder")),
            Err(error) => Err(no_folder(&folder, &error.to_string())),
        };
    }
    place::work(attempt).map(PathBuf::from)
}

fn no_folder(folder: &std::path::Path, why: &str) -> CallError {
    let message = format!("the job's working directory {} cannot be used: {why}", folder.display());
    CallError::new(ErrorCode::NotFound, message)
}
