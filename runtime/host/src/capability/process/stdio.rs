//! The standard input, output and error of a process: what the process gets, and the other ends.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, OnceLock};

use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use sandglass_core::capability::Access;
use sandglass_core::output::OutputStream;
use tokio::net::unix::pipe;

use super::command::not_put_in;
use super::place;
use super::pump::Pump;
use crate::attempt::Attempt;
use crate::bindings::exec;
use crate::bindings::types::ErrorCode;
use crate::capability::{CallError, CallResult};

/// The most of a process's output that is kept for the guest, in bytes.
const CAPTURE: u32 = 1 << 20;

/// Both ends.
pub(super) struct Stdio {
    theirs: [OwnedFd; 3],
    /// Bytes for the process to read.
    pub(super) feed: Option<(pipe::Sender, Vec<u8>)>,
    pub(super) pump_stdout: Option<Pump>,
    pub(super) pump_stderr: Option<Pump>,
    /// The ends that the guest asked for.
    pub(super) guest: GuestEnds,
}

/// The ends that the guest may take.
#[derive(Default)]
pub(super) struct GuestEnds {
    pub(super) stdin: Option<pipe::Sender>,
    pub(super) stdout: Option<pipe::Receiver>,
    pub(super) stderr: Option<pipe::Receiver>,
}

impl Stdio {
    pub(super) fn open(
        attempt: &Arc<Attempt>,
        input: exec::Input,
        stdout: exec::Output,
        stderr: exec::Output,
    ) -> CallResult<Self> {
        let mut guest = GuestEnds::default();
        let mut feed = None;
        let stdin = match input {
            exec::Input::Empty => null()?,
            exec::Input::Bytes(bytes) => {
                let (theirs, ours) = input_pipe()?;
                feed = Some((ours, filled_in(attempt, bytes)?));
                theirs
            }
            exec::Input::File(file) => place::file(attempt, &file, OFlags::RDONLY, Access::ReadOnly)?,
            exec::Input::Pipe => {
                let (theirs, ours) = input_pipe()?;
                guest.stdin = Some(ours);
                theirs
            }
        };
        let (stdout, pump_stdout) = output(attempt, stdout, OutputStream::Stdout, &mut guest.stdout)?;
        let (stderr, pump_stderr) = output(attempt, stderr, OutputStream::Stderr, &mut guest.stderr)?;
        Ok(Self { theirs: [stdin, stdout, stderr], feed, pump_stdout, pump_stderr, guest })
    }

    /// What the process gets.
    pub(super) fn theirs(&self) -> [BorrowedFd<'_>; 3] {
        self.theirs.each_ref().map(AsFd::as_fd)
    }
}

/// What a process reads, with the values of secrets in the place of what stands for them.
fn filled_in(attempt: &Attempt, bytes: Vec<u8>) -> CallResult<Vec<u8>> {
    let Some(secrets) = attempt.secrets() else { return Ok(bytes) };
    Ok(secrets.for_process(&bytes).map_err(not_put_in)?.unwrap_or(bytes))
}

fn unavailable(error: impl Into<io::Error>) -> CallError {
    let error = error.into();
    CallError::new(ErrorCode::Unavailable, format!("the process's input and output cannot be set up: {error}"))
}

/// `/dev/null`, opened once and shared.
fn null() -> CallResult<OwnedFd> {
    static NULL: OnceLock<OwnedFd> = OnceLock::new();
    if NULL.get().is_none() {
        let file = File::options().read(true).write(true).open("/dev/null").map_err(unavailable)?;
        let _ = NULL.set(file.into());
    }
    let null = NULL.get().expect("set just above");
    null.try_clone().map_err(unavailable)
}

/// A pipe of which our end does not block.
fn input_pipe() -> CallResult<(OwnedFd, pipe::Sender)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(unavailable)?;
    rustix::io::ioctl_fionbio(&write, true).map_err(unavailable)?;
    Ok((read, pipe::Sender::from_owned_fd_unchecked(write).map_err(unavailable)?))
}

fn output_pipe() -> CallResult<(OwnedFd, pipe::Receiver)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(unavailable)?;
    rustix::io::ioctl_fionbio(&read, true).map_err(unavailable)?;
    Ok((write, pipe::Receiver::from_owned_fd_unchecked(read).map_err(unavailable)?))
}

fn output(
    attempt: &Arc<Attempt>,
    output: exec::Output,
    stream: OutputStream,
    guest: &mut Option<pipe::Receiver>,
) -> CallResult<(OwnedFd, Option<Pump>)> {
    let keep = match output {
        exec::Output::Discard => return Ok((null()?, None)),
        exec::Output::File(file) => {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
            return Ok((place::file(attempt, &file, flags, Access::ReadWrite)?, None));
        }
        exec::Output::Pipe => {
            let (theirs, ours) = output_pipe()?;
            *guest = Some(ours);
            return Ok((theirs, None));
        }
        exec::Output::Log => 0,
        exec::Output::Capture(keep) => keep.min(CAPTURE),
    };
    let (theirs, pipe) = output_pipe()?;
    let keep = usize::try_from(keep).unwrap_or(usize::MAX);
    Ok((theirs, Some(Pump { pipe, attempt: Arc::clone(attempt), stream, keep })))
}
