//! Standard output and standard error of the guest itself become output of the run.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use sandglass_core::output::OutputStream as Stream;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};

use crate::attempt::Attempt;

/// The most that a guest may write at once, in bytes.
const WRITE: usize = 64 << 10;

/// Where a guest's standard output or standard error goes.
#[derive(Clone)]
pub(crate) struct GuestOutput {
    attempt: Arc<Attempt>,
    stream: Stream,
}

impl GuestOutput {
    pub(crate) fn new(attempt: Arc<Attempt>, stream: Stream) -> Self {
        Self { attempt, stream }
    }

    fn take(&self, bytes: &[u8]) {
        if self.stream == Stream::Stderr {
            self.attempt.remember_stderr(bytes);
        }
        self.attempt.output(self.stream, bytes.to_vec());
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    // The stream that the crate would make of `async_stream` queues without bound (GHSA-5m8g); this one queues nothing.
    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(GuestStream { output: self.clone(), permit: 0 })
    }

    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

/// A guest's handle to its output: it may write what the last look allowed.
struct GuestStream {
    output: GuestOutput,
    permit: usize,
}

#[wasmtime_wasi::async_trait]
impl Pollable for GuestStream {
    async fn ready(&mut self) {
        self.output.attempt.output_ready().await;
    }
}

#[wasmtime_wasi::async_trait]
impl OutputStream for GuestStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.permit = self
            .permit
            .checked_sub(bytes.len())
            .ok_or_else(|| StreamError::trap("more was written than check-write allowed"))?;
        self.output.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        let attempt = &self.output.attempt;
        self.permit = if attempt.services.output_ready(attempt.run).is_none() { WRITE } else { 0 };
        Ok(self.permit)
    }

    /// As the crate's own, but a reader that is slow for long is no error of the guest's.
    async fn write_ready(&mut self) -> StreamResult<usize> {
        self.ready().await;
        self.permit = WRITE;
        Ok(WRITE)
    }
}

impl AsyncWrite for GuestOutput {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let bytes = &bytes[..bytes.len().min(WRITE)];
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
