//! Pipes of a process that the guest itself reads and writes.

use std::io;

use bytes::Bytes;
use tokio::net::unix::pipe;
use wasmtime_wasi::p2::{InputStream, OutputStream, Pollable, StreamError, StreamResult};

/// The most that is moved at once, in bytes.
const CHUNK: usize = 64 << 10;

/// A process's output, read by the guest.
pub(super) struct Output(pub(super) pipe::Receiver);

#[wasmtime_wasi::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {
        // An error shows when it is read.
        let _ = self.0.readable().await;
    }
}

#[wasmtime_wasi::async_trait]
impl InputStream for Output {
    fn read(&mut self, size: usize) -> StreamResult<Bytes> {
        if size == 0 {
            return Ok(Bytes::new());
        }
        let mut buffer = vec![0; size.min(CHUNK)];
        match self.0.try_read(&mut buffer) {
            Ok(0) => Err(StreamError::Closed),
            Ok(read) => {
                buffer.truncate(read);
                Ok(buffer.into())
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Bytes::new()),
            Err(error) => Err(StreamError::LastOperationFailed(error.into())),
        }
    }

    /// As the crate's own, but any number of false alarms is no error of the guest's.
    async fn blocking_read(&mut self, size: usize) -> StreamResult<Bytes> {
        loop {
            self.ready().await;
            let bytes = self.read(size)?;
            if !bytes.is_empty() || size == 0 {
                return Ok(bytes);
            }
        }
    }
}

/// A process's input, written by the guest. Dropping it is the end of the input.
pub(super) struct Input {
    pipe: pipe::Sender,
    /// What the pipe had no room for yet; nothing more is taken until it is gone.
    waiting: Bytes,
    closed: bool,
}

impl Input {
    pub(super) fn new(pipe: pipe::Sender) -> Self {
        Self { pipe, waiting: Bytes::new(), closed: false }
    }

    /// Writes what waits, as far as there is room.
    fn push(&mut self) {
        while !self.waiting.is_empty() && !self.closed {
            match self.pipe.try_write(&self.waiting) {
                Ok(written) => drop(self.waiting.split_to(written)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.closed = true,
            }
        }
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Input {
    async fn ready(&mut self) {
        loop {
            self.push();
            if self.waiting.is_empty() || self.closed || self.pipe.writable().await.is_err() {
                return;
            }
        }
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for Input {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        if self.closed {
            return Err(StreamError::Closed);
        }
        if bytes.len() > CHUNK || !self.waiting.is_empty() {
            return Err(StreamError::trap("more was written than check-write allowed"));
        }
        self.waiting = bytes;
        self.push();
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        if self.closed { Err(StreamError::Closed) } else { Ok(()) }
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.push();
        if self.closed {
            return Err(StreamError::Closed);
        }
        Ok(if self.waiting.is_empty() { CHUNK } else { 0 })
    }

    async fn write_ready(&mut self) -> StreamResult<usize> {
        self.ready().await;
        self.check_write()
    }
}
