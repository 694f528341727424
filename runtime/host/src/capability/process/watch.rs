//! Who sees a process through: whoever waits for it, or, once nobody does, a task of its own.

use std::future::Future;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;

use super::child::{Child, Plan};
use crate::attempt::Attempt;

/// Sees a process through to the death of its tree. Whoever drops it before that, such as a guest that was given up on,
/// leaves it to a task of its own.
pub(super) struct Watch {
    child: Arc<Child>,
    attempt: Arc<Attempt>,
    /// None once the process is seen through, or left to a task.
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Watch {
    pub(super) fn new(
        child: Arc<Child>,
        attempt: Arc<Attempt>,
        exited: io::Result<AsyncFd<OwnedFd>>,
        plan: Plan,
    ) -> Self {
        let work = Box::pin(Arc::clone(&child).watch(Arc::clone(&attempt), exited, plan));
        Self { child, attempt, work: Some(work) }
    }

    pub(super) fn child(&self) -> &Arc<Child> {
        &self.child
    }
}

impl Future for Watch {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { attempt, work, .. } = &mut *self;
        let Some(future) = work else { return Poll::Ready(()) };
        // Moving a process's output is no time of the guest's.
        let polled = attempt.in_host(|| future.as_mut().poll(cx));
        if polled.is_ready() {
            *work = None;
        }
        polled
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Without a runtime the host is being dropped: the child's own drop kills what can be reached.
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}
