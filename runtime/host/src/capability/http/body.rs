//! The body of a response on its way to the guest: in pieces, with a limit on size and pauses, and ended by a stop.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};
use wasmtime_wasi_http::Error;

use super::{cancelled, protocol_error};
use crate::attempt::{Attempt, after};
use crate::services::BoxFuture;

/// The most that the body of one response may have, in bytes.
const RESPONSE: u64 = 1 << 30;
/// The most connections that one attempt may have at once.
const CONNECTIONS: u32 = 32;

/// One of the connections that an attempt may have.
pub(super) struct Connection(Arc<Attempt>);

impl Connection {
    pub(super) fn open(attempt: &Arc<Attempt>) -> Result<Self, Error> {
        let count: &AtomicU32 = &attempt.connections;
        let connection = Self(Arc::clone(attempt));
        // Counted first and given back by the guard, so that two at once cannot both take the last.
        if count.fetch_add(1, Ordering::SeqCst) >= CONNECTIONS {
            return Err(Error::ConnectionLimitReached);
        }
        Ok(connection)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A response's body.
pub(super) struct Watched {
    body: Incoming,
    left: u64,
    pause: Duration,
    timer: Pin<Box<Sleep>>,
    stopped: BoxFuture<'static, ()>,
    attempt: Arc<Attempt>,
    failed: bool,
}

impl Watched {
    pub(super) fn new(body: Incoming, attempt: Arc<Attempt>, pause: Duration) -> Self {
        let asked = Arc::clone(&attempt);
        let stopped = Box::pin(async move {
            asked.stop.asked().await;
        });
        let timer = Box::pin(tokio::time::sleep_until(after(Instant::now(), pause)));
        Self { body, left: RESPONSE, pause, timer, stopped, attempt, failed: false }
    }
}

impl Watched {
    /// What can be said without more data: whether the wait for it is over.
    fn waited(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        if self.stopped.as_mut().poll(cx).is_ready() {
            return Poll::Ready(cancelled());
        }
        self.timer.as_mut().poll(cx).map(|()| Error::ConnectionReadTimeout)
    }

    /// Counts a frame and starts the wait for the next.
    fn count(&mut self, frame: Frame<Bytes>) -> Result<Frame<Bytes>, Error> {
        let size = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.left = self.left.checked_sub(size).ok_or(Error::HttpResponseBodySize(Some(RESPONSE)))?;
        let next = after(Instant::now(), self.pause);
        self.timer.as_mut().reset(next);
        Ok(frame)
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if self.failed {
            return Poll::Ready(None);
        }
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Ready(Some(Ok(frame))) => self.count(frame),
            Poll::Ready(Some(Err(error))) => Err(protocol_error(&self.attempt, &error)),
            Poll::Pending => Err(std::task::ready!(self.waited(cx))),
        };
        self.failed = frame.is_err();
        Poll::Ready(Some(frame))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
