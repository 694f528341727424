//! Moving what a process writes to the run's output, line by line, without the guest; and the guest's input to it.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use sandglass_core::output::OutputStream;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;

use crate::attempt::Attempt;
use crate::ticker::Ticks;

/// The most that is passed on at once, in bytes. A line that is longer than half of it is passed on in pieces.
const CHUNK: usize = 64 << 10;
/// How much the pipe of a process holds that prints faster than it is read, in bytes: each time the two have to wait for
/// one another costs as much as copying this much. Pipes are bounded for all of a user together, so no other has so much.
const WIDE_PIPE: usize = 256 << 10;
/// How long the beginning of a line waits for its end, so that a prompt is seen.
const PARTIAL_LINE: Duration = Duration::from_millis(250);

/// One of a process's two outputs, on its way to the run's output.
pub(super) struct Pump {
    pub(super) pipe: Pipe,
    pub(super) attempt: Arc<Attempt>,
    pub(super) stream: OutputStream,
    /// How much of the end is kept for the guest, in bytes.
    pub(super) keep: usize,
    /// What stands before each line, if several print at once.
    pub(super) label: Option<Label>,
}

/// The end of a pipe that is read. It does not block.
pub(super) enum Pipe {
    /// It is looked at only when somebody does.
    Unwatched(OwnedFd),
    Watched(pipe::Receiver),
}

impl AsFd for Pipe {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unwatched(pipe) => pipe.as_fd(),
            Self::Watched(pipe) => pipe.as_fd(),
        }
    }
}

impl Pipe {
    /// Watches it from now on, and waits until more is there. What cannot be watched is to be looked at with each tick.
    async fn readable(&mut self, ticks: &Ticks) {
        // A copy is, as whatever cannot be watched is closed.
        if let Self::Unwatched(pipe) = self
            && let Ok(watched) = pipe.try_clone().and_then(pipe::Receiver::from_owned_fd_unchecked)
        {
            *self = Self::Watched(watched);
        }
        let is_readable = match self {
            Self::Watched(pipe) => pipe.readable().await.is_ok(),
            Self::Unwatched(_) => false,
        };
        if !is_readable {
            ticks.next().await;
        }
    }

    /// Reads once what is there.
    fn read(&self, into: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Unwatched(pipe) => Ok(rustix::io::read(pipe, spare_capacity(into))?),
            Self::Watched(pipe) => pipe.try_read_buf(into),
        }
    }
}

/// What stands before each line.
pub(super) struct Label {
    pub(super) text: String,
    /// Whether what comes next begins a line.
    pub(super) begins: bool,
}

impl Label {
    fn put_before(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut labelled = Vec::with_capacity(bytes.len() + self.text.len());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.begins {
                labelled.extend_from_slice(self.text.as_bytes());
            }
            labelled.extend_from_slice(line);
            self.begins = line.ends_with(b"\n");
        }
        labelled
    }
}

/// What reading came to.
enum Read {
    /// There is more.
    More,
    /// Nothing is there just now.
    Nothing,
    /// Nothing more will come.
    End,
}

impl Pump {
    /// Moves everything until the last writer is gone. The end of it goes to `kept`.
    pub(super) async fn run(mut self, kept: &mut VecDeque<u8>) {
        let mut pending = Vec::new();
        let mut is_wide = false;
        loop {
            self.attempt.output_ready().await;
            let start = pending.len();
            let read = self.read(&mut pending);
            self.keep_end(kept, &pending[start..]);
            if !is_wide && pending.len() >= CHUNK / 2 {
                is_wide = true;
                // It goes on as it is if there may be no wider one.
                let _ = rustix::pipe::fcntl_setpipe_size(&self.pipe, WIDE_PIPE);
            }
            self.pass_on_lines(&mut pending);
            match read {
                Read::More => {}
                Read::End => break,
                Read::Nothing => self.wait(&mut pending).await,
            }
        }
        if self.label.is_some() && !pending.is_empty() && !pending.ends_with(b"\n") {
            pending.push(b'\n');
        }
        self.pass_on(pending);
    }

    /// Waits until more is there, and passes on the beginning of a line that waits too long for its end.
    async fn wait(&mut self, pending: &mut Vec<u8>) {
        let readable = self.pipe.readable(&self.attempt.ticks);
        // Lines that others stand between are passed on whole.
        if pending.is_empty() || self.label.is_some() {
            readable.await;
        } else if tokio::time::timeout(PARTIAL_LINE, readable).await.is_err() {
            self.pass_on(std::mem::take(pending));
        }
    }

    /// Reads what is there, until it is about as much as is passed on at once.
    fn read(&self, pending: &mut Vec<u8>) -> Read {
        pending.reserve(CHUNK.saturating_sub(pending.len()));
        while pending.len() < CHUNK / 2 {
            match self.pipe.read(pending) {
                Ok(0) => return Read::End,
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Read::Nothing,
                Err(_) => return Read::End,
            }
        }
        Read::More
    }

    /// Passes whole lines on, and the beginning of one that is too long.
    fn pass_on_lines(&mut self, pending: &mut Vec<u8>) {
        let whole = pending.iter().rposition(|byte| *byte == b'\n').map(|at| at + 1);
        let Some(end) = whole.or((pending.len() >= CHUNK / 2).then_some(pending.len())) else { return };
        let rest = pending.split_off(end);
        self.pass_on(std::mem::replace(pending, rest));
    }

    fn pass_on(&mut self, mut bytes: Vec<u8>) {
        if let Some(label) = &mut self.label {
            bytes = label.put_before(&bytes);
        }
        if bytes.len() < CHUNK / 4 {
            // A little of it does not take all of the room with it.
            bytes.shrink_to_fit();
        }
        self.attempt.output(self.stream, bytes);
    }

    fn keep_end(&self, kept: &mut VecDeque<u8>, bytes: &[u8]) {
        if self.keep > 0 {
            kept.extend(&bytes[bytes.len().saturating_sub(self.keep)..]);
            let excess = kept.len().saturating_sub(self.keep);
            kept.drain(..excess);
        }
    }
}

/// Gives `bytes` to a process. One that ends or closes its input early does not want the rest.
pub(super) async fn feed(mut pipe: pipe::Sender, bytes: Vec<u8>) {
    let _ = pipe.write_all(&bytes).await;
}
