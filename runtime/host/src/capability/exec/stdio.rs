//! The standard input, output and error of what runs: what it gets, and the other ends.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use sandglass_core::capability::Access;
use sandglass_core::output::OutputStream;
use tokio::net::unix::pipe;

use super::pump::{self, Label, Pipe, Pump};
use crate::attempt::Attempt;
use crate::bindings::exec;
use crate::bindings::types::ErrorCode;
use crate::capability::files::place;
use crate::capability::{CallError, CallResult};

/// The most of a process's output that is kept for the guest, in bytes.
const CAPTURE: u32 = 1 << 20;

/// How long output is still read once whoever wrote it is gone.
const DRAIN: Duration = Duration::from_secs(5);

/// Both ends.
pub(crate) struct Stdio {
    /// What runs gets these: its standard input, output and error.
    pub(crate) theirs: [OwnedFd; 3],
    /// The host moves what goes through these.
    pub(crate) ours: Pipes,
    /// The ends that the guest asked for.
    pub(crate) guest: GuestEnds,
}

/// The ends that the host keeps.
pub(crate) struct Pipes {
    attempt: Arc<Attempt>,
    /// Bytes to be read by what runs.
    feed: Option<(pipe::Sender, Vec<u8>)>,
    stdout: Option<Pump>,
    stderr: Option<Pump>,
}

/// The ends that the guest may take.
#[derive(Default)]
pub(crate) struct GuestEnds {
    pub(super) stdin: Option<pipe::Sender>,
    pub(super) stdout: Option<pipe::Receiver>,
    pub(super) stderr: Option<pipe::Receiver>,
}

impl Stdio {
    pub(crate) fn open(
        attempt: &Arc<Attempt>,
        input: exec::Input,
        stdout: exec::Output,
        stderr: exec::Output,
        label: Option<&str>,
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
        let (theirs_stdout, stdout) = output(attempt, stdout, OutputStream::Stdout, label, &mut guest.stdout)?;
        let (theirs_stderr, stderr) = output(attempt, stderr, OutputStream::Stderr, label, &mut guest.stderr)?;
        let ours = Pipes { attempt: Arc::clone(attempt), feed, stdout, stderr };
        Ok(Self { theirs: [stdin, theirs_stdout, theirs_stderr], ours, guest })
    }
}

impl Pipes {
    /// Moves input and output until what runs has ended, as `living` tells: what that gives, and what of standard output and
    /// error is kept for the guest.
    pub(crate) async fn move_until<T>(self, living: impl Future<Output = T>) -> (T, Vec<u8>, Vec<u8>) {
        let Self { attempt, feed, stdout, stderr } = self;
        let (mut kept_stdout, mut kept_stderr) = (VecDeque::new(), VecDeque::new());
        let end = {
            tokio::pin!(living);
            // Most of what runs is over in no time. To watch its output would wake this thread for each pipe that is closed, just
            // while it ends.
            let early = match &feed {
                Some(_) => None,
                None => tokio::select! {
                    biased;
                    end = &mut living => Some(end),
                    () = attempt.ticks.next() => None,
                },
            };
            let pumping = async {
                let feeding = async {
                    if let Some((pipe, bytes)) = feed {
                        pump::feed(pipe, bytes).await;
                    }
                };
                let (out, err) = (moved(stdout, &mut kept_stdout), moved(stderr, &mut kept_stderr));
                tokio::join!(feeding, out, err);
            };
            tokio::pin!(pumping);
            let mut pumped = false;
            let end = match early {
                Some(end) => end,
                None => loop {
                    tokio::select! {
                        biased;
                        () = &mut pumping, if !pumped => pumped = true,
                        end = &mut living => break end,
                    }
                },
            };
            // Nothing that could write is left, so this ends at once unless the reader of the output is slow.
            if !pumped {
                let _ = tokio::time::timeout(DRAIN, pumping).await;
            }
            end
        };
        let masked = |bytes: VecDeque<u8>| match attempt.secrets() {
            Some(secrets) => secrets.masked(bytes.into()),
            None => bytes.into(),
        };
        (end, masked(kept_stdout), masked(kept_stderr))
    }
}

/// Moves one output, if it is moved at all.
async fn moved(pump: Option<Pump>, kept: &mut VecDeque<u8>) {
    if let Some(pump) = pump {
        pump.run(kept).await;
    }
}

/// What a process reads, with the values of secrets in the place of what stands for them.
fn filled_in(attempt: &Attempt, bytes: Vec<u8>) -> CallResult<Vec<u8>> {
    Ok(attempt.for_process(&bytes)?.unwrap_or(bytes))
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

fn output_pipe() -> CallResult<(OwnedFd, OwnedFd)> {
    let (read, write) = pipe_with(PipeFlags::CLOEXEC).map_err(unavailable)?;
    rustix::io::ioctl_fionbio(&read, true).map_err(unavailable)?;
    Ok((write, read))
}

fn output(
    attempt: &Arc<Attempt>,
    output: exec::Output,
    stream: OutputStream,
    label: Option<&str>,
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
            *guest = Some(pipe::Receiver::from_owned_fd_unchecked(ours).map_err(unavailable)?);
            return Ok((theirs, None));
        }
        exec::Output::Log => 0,
        exec::Output::Capture(keep) => keep.min(CAPTURE),
    };
    let (theirs, ours) = output_pipe()?;
    let keep = usize::try_from(keep).unwrap_or(usize::MAX);
    let label = label.map(|label| Label { text: format!("{label} | "), begins: true });
    Ok((theirs, Some(Pump { pipe: Pipe::Unwatched(ours), attempt: Arc::clone(attempt), stream, keep, label })))
}
