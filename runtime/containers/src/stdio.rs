//! Between an engine's streams and the files that a caller opened.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};

use bollard::container::LogOutput;
use bollard::errors::Error as ApiError;
use futures_util::{Stream, StreamExt};
use rustix::fs::FileType;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::unix::pipe;

/// How much is read at once, in bytes.
const PIECE: usize = 32 << 10;

/// What a container prints, as it comes from an engine.
pub(crate) type Output = Pin<Box<dyn Stream<Item = Result<LogOutput, ApiError>> + Send>>;
/// What goes into a container.
pub(crate) type Input = Pin<Box<dyn AsyncWrite + Send>>;

/// Where a container reads from; none if there is nothing to read, as in `/dev/null`.
pub(crate) struct Source(Option<Pin<Box<dyn AsyncRead + Send>>>);

/// Where a container's output goes; none if nowhere.
struct Sink(Option<Pin<Box<dyn AsyncWrite + Send>>>);

/// Where both outputs go.
pub(crate) struct Sinks {
    stdout: Sink,
    stderr: Sink,
}

fn kind(file: &OwnedFd) -> io::Result<FileType> {
    Ok(FileType::from_raw_mode(rustix::fs::fstat(file)?.st_mode))
}

impl Source {
    pub(crate) fn new(file: OwnedFd) -> io::Result<Self> {
        Ok(Self(match kind(&file)? {
            FileType::Fifo => Some(Box::pin(pipe::Receiver::from_owned_fd(file)?)),
            FileType::RegularFile => Some(Box::pin(tokio::fs::File::from_std(File::from(file)))),
            _ => None,
        }))
    }

    pub(crate) const fn is_some(&self) -> bool {
        self.0.is_some()
    }

    /// Gives everything to the container, then ends its input. One that ends or closes it early does not want the rest.
    pub(crate) async fn feed(self, mut input: Input) {
        let Some(mut source) = self.0 else { return };
        let mut piece = vec![0; PIECE];
        loop {
            match source.read(&mut piece).await {
                Ok(0) | Err(_) => break,
                Ok(count) => {
                    if input.write_all(&piece[..count]).await.is_err() {
                        return;
                    }
                }
            }
        }
        let _ = input.shutdown().await;
    }
}

impl Sink {
    fn new(file: OwnedFd) -> io::Result<Self> {
        Ok(Self(match kind(&file)? {
            FileType::Fifo => Some(Box::pin(pipe::Sender::from_owned_fd(file)?)),
            FileType::RegularFile => Some(Box::pin(tokio::fs::File::from_std(File::from(file)))),
            _ => None,
        }))
    }

    /// Where nobody reads any more, the rest is dropped: the container goes on.
    async fn write(&mut self, bytes: &[u8]) {
        if let Some(sink) = &mut self.0
            && sink.write_all(bytes).await.is_err()
        {
            self.0 = None;
        }
    }

    async fn finish(&mut self) {
        if let Some(mut sink) = self.0.take() {
            let _ = sink.flush().await;
        }
    }
}

impl Sinks {
    pub(crate) fn new(stdout: OwnedFd, stderr: OwnedFd) -> io::Result<Self> {
        Ok(Self { stdout: Sink::new(stdout)?, stderr: Sink::new(stderr)? })
    }

    /// Copies until the container's last writer is gone. A reader that is slow slows the container. `gaps` is told if there may
    /// be more that does not come.
    pub(crate) async fn copy(&mut self, mut output: Output, gaps: &AtomicBool) {
        while let Some(piece) = output.next().await {
            match piece {
                Ok(LogOutput::StdErr { message }) => self.stderr.write(&message).await,
                Ok(LogOutput::StdOut { message } | LogOutput::Console { message }) => {
                    self.stdout.write(&message).await;
                }
                Ok(LogOutput::StdIn { .. }) => {}
                Err(_) => {
                    gaps.store(true, Ordering::Relaxed);
                    break;
                }
            }
        }
        self.stdout.finish().await;
        self.stderr.finish().await;
    }
}
