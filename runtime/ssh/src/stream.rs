//! Bytes in both directions: to a socket of another machine, or to what a program there moves between its input and output.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use russh::client::Msg;
use russh::{Channel, ChannelStream};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, Join, ReadBuf};

use crate::connect::{Connection, PATIENCE};
use crate::error::SshError;
use crate::program::Program;
use crate::remote::Remote;

/// How much is on its way to or from a program at once, in bytes.
const BUFFER: usize = 64 << 10;

/// Bytes in both directions. Dropping it closes both, and keeps the connection no longer. Where the connection broke, reading
/// fails: an end would say that all has come.
pub struct Stream {
    kind: Kind,
    connection: Arc<Connection>,
}

enum Kind {
    Socket(Box<ChannelStream<Msg>>),
    Program { ends: Join<DuplexStream, DuplexStream>, _remote: Remote },
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.kind {
            Kind::Socket(_) => "Stream(socket)",
            Kind::Program { .. } => "Stream(program)",
        })
    }
}

impl Connection {
    /// A stream to the socket at `path`, as the account that logged in. None if the machine opens none: there is no such
    /// socket, nobody listens, the account may not use it, or the server forwards no sockets. Servers do not say which.
    ///
    /// # Errors
    ///
    /// If the connection breaks, or the machine says nothing in its time.
    pub async fn socket(self: &Arc<Self>, path: &str) -> Result<Option<Stream>, SshError> {
        match tokio::time::timeout(PATIENCE, self.open_socket(path)).await {
            Ok(Ok(channel)) => {
                let kind = Kind::Socket(Box::new(channel.into_stream()));
                Ok(Some(Stream { kind, connection: Arc::clone(self) }))
            }
            Ok(Err(russh::Error::ChannelOpenFailure(_))) => Ok(None),
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(_) => Err(self.broken(&"it does not say whether it opens the socket")),
        }
    }

    /// A stream to `program`: what is written is its input, and what is read its output. It ends when the program does, and
    /// a program that is not started has said nothing.
    #[must_use]
    pub fn stream(self: &Arc<Self>, program: Program) -> Stream {
        let (read, stdout) = tokio::io::duplex(BUFFER);
        let (write, stdin) = tokio::io::duplex(BUFFER);
        let remote = Remote::start(Arc::clone(self), program, stdin, stdout, tokio::io::sink());
        let kind = Kind::Program { ends: tokio::io::join(read, write), _remote: remote };
        Stream { kind, connection: Arc::clone(self) }
    }

    async fn open_socket(&self, path: &str) -> Result<Channel<Msg>, russh::Error> {
        self.handle().channel_open_direct_streamlocal(path).await
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        ready!(match &mut self.kind {
            Kind::Socket(channel) => Pin::new(channel).poll_read(cx, buffer),
            Kind::Program { ends, .. } => Pin::new(ends).poll_read(cx, buffer),
        })?;
        let is_end = room > 0 && buffer.filled().len() == before;
        // A connection is closed before its streams are told of an end.
        if is_end && self.connection.is_closed() {
            let why = format!("the connection to {} broke", self.connection.machine());
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, why)));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.kind {
            Kind::Socket(channel) => Pin::new(channel).poll_write(cx, bytes),
            Kind::Program { ends, .. } => Pin::new(ends).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Socket(channel) => Pin::new(channel).poll_flush(cx),
            Kind::Program { ends, .. } => Pin::new(ends).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.kind {
            Kind::Socket(channel) => Pin::new(channel).poll_shutdown(cx),
            Kind::Program { ends, .. } => Pin::new(ends).poll_shutdown(cx),
        }
    }
}
