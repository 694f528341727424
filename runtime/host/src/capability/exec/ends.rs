//! The ends of a standard stream that something elsewhere reads or writes, whatever they are here.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{FileType, fstat};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::unix::pipe;

/// What is read of a standard input.
pub(crate) type Source = Box<dyn AsyncRead + Send + Unpin>;
/// Where a standard output or error goes.
pub(crate) type Sink = Box<dyn AsyncWrite + Send + Unpin>;

/// Reads what a program would read from `end`.
pub(crate) fn source(end: OwnedFd) -> io::Result<Source> {
    Ok(match FileType::from_raw_mode(fstat(&end)?.st_mode) {
        FileType::Fifo => Box::new(pipe::Receiver::from_owned_fd(end)?),
        FileType::RegularFile => Box::new(tokio::fs::File::from_std(end.into())),
        _ => Box::new(tokio::io::empty()),
    })
}

/// Writes what a program would write to `end`.
pub(crate) fn sink(end: OwnedFd) -> io::Result<Sink> {
    Ok(match FileType::from_raw_mode(fstat(&end)?.st_mode) {
        FileType::Fifo => Box::new(pipe::Sender::from_owned_fd(end)?),
        FileType::RegularFile => Box::new(tokio::fs::File::from_std(end.into())),
        _ => Box::new(tokio::io::sink()),
    })
}
