//! Something that runs, as the guest holds it.

use std::sync::Arc;

use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, Pollable, subscribe};

use super::fate::{How, Running};
use super::stdio::GuestEnds;
use super::streams;
use crate::bindings::exec::{self, Ending, ExitReport};
use crate::bindings::types::ErrorCode;
use crate::capability::{CallError, CallResult};
use crate::guest::Guest;

/// Something that runs, as the guest holds it. Dropping it stops what runs.
#[allow(unreachable_pub, reason = "the generated bindings export it again, as far as they reach themselves")]
pub struct Task {
    running: Arc<dyn Running>,
    ends: GuestEnds,
}

impl Task {
    pub(crate) fn new(running: Arc<dyn Running>, ends: GuestEnds) -> Self {
        Self { running, ends }
    }

    /// Waits for the end of what runs and everything below it.
    pub(crate) async fn report(&self) -> ExitReport {
        let exit = self.running.fate().ended().await;
        ExitReport {
            ending: match &exit.how {
                How::Exited(code) => Ending::Exited(*code),
                How::Signalled(signal) => Ending::Signalled(*signal),
                How::Cancelled => Ending::Cancelled,
                How::TimedOut => Ending::TimedOut,
                How::Lost(why) => Ending::Lost(why.clone()),
            },
            stdout: exit.stdout.clone(),
            stderr: exit.stderr.clone(),
            cpu_ns: exit.cpu.map(|cpu| u64::try_from(cpu.as_nanos()).unwrap_or(u64::MAX)),
            peak_memory: exit.peak_memory_bytes,
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.running.fate().stop();
    }
}

/// Ready when what runs has ended.
struct Ended(Arc<dyn Running>);

#[wasmtime_wasi::async_trait]
impl Pollable for Ended {
    async fn ready(&mut self) {
        self.0.fate().ended().await;
    }
}

fn taken(what: &str) -> CallError {
    let message = format!("{what} is no pipe, or was taken before");
    CallError::new(ErrorCode::NotFound, message)
}

impl exec::Host for Guest {}

impl exec::HostTask for Guest {
    async fn take_stdin(&mut self, task: Resource<Task>) -> CallResult<Resource<DynOutputStream>> {
        let pipe = self.table.get_mut(&task)?.ends.stdin.take().ok_or_else(|| taken("the input"))?;
        let stream: DynOutputStream = Box::new(streams::Input::new(pipe));
        Ok(self.table.push(stream)?)
    }

    async fn take_stdout(&mut self, task: Resource<Task>) -> CallResult<Resource<DynInputStream>> {
        let pipe = self.table.get_mut(&task)?.ends.stdout.take().ok_or_else(|| taken("the output"))?;
        let stream: DynInputStream = Box::new(streams::Output(pipe));
        Ok(self.table.push(stream)?)
    }

    async fn take_stderr(&mut self, task: Resource<Task>) -> CallResult<Resource<DynInputStream>> {
        let pipe = self.table.get_mut(&task)?.ends.stderr.take().ok_or_else(|| taken("the error output"))?;
        let stream: DynInputStream = Box::new(streams::Output(pipe));
        Ok(self.table.push(stream)?)
    }

    async fn signal(&mut self, task: Resource<Task>, signal: exec::Signal) -> CallResult<()> {
        let running = Arc::clone(&self.table.get(&task)?.running);
        let sent = running.signal(signal).await;
        sent.map_err(|why| CallError::new(ErrorCode::Unavailable, format!("the signal could not be sent: {why}")))
    }

    async fn subscribe(&mut self, task: Resource<Task>) -> wasmtime::Result<Resource<DynPollable>> {
        let ended = Ended(Arc::clone(&self.table.get(&task)?.running));
        let ended = self.table.push(ended)?;
        subscribe(&mut self.table, ended)
    }

    async fn wait(&mut self, task: Resource<Task>) -> CallResult<ExitReport> {
        Ok(self.table.get(&task)?.report().await)
    }

    async fn drop(&mut self, task: Resource<Task>) -> wasmtime::Result<()> {
        drop(self.table.delete(task)?);
        Ok(())
    }
}
