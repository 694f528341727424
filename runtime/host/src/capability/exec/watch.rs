//! Who sees something through that runs: whoever waits for it, or, once nobody does, a task of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::runtime::Handle;

use super::fate::Running;
use crate::attempt::Attempt;

/// Sees something through to its end and that of all below it. Whoever drops it before that, such as a guest that was
/// given up on, leaves it to a task of its own.
pub(crate) struct Watch {
    running: Arc<dyn Running>,
    attempt: Arc<Attempt>,
    /// None once it is seen through, or left to a task.
    work: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Watch {
    /// `work` moves the output of what is `running` and tells its fate how it ended.
    pub(crate) fn new(
        running: Arc<dyn Running>,
        attempt: Arc<Attempt>,
        work: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        Self { running, attempt, work: Some(Box::pin(work)) }
    }

    pub(crate) fn running(&self) -> &Arc<dyn Running> {
        &self.running
    }
}

impl Future for Watch {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { attempt, work, .. } = &mut *self;
        let Some(future) = work else { return Poll::Ready(()) };
        // Moving output is no time of the guest's.
        let polled = attempt.in_host(|| future.as_mut().poll(cx));
        if polled.is_ready() {
            *work = None;
        }
        polled
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // Without a runtime the host is being dropped: what runs is dropped too, and kills what can be reached.
        if let (Some(work), Ok(runtime)) = (self.work.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}
