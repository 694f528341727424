//! Something that is under way on a machine, as the guest holds it.

use std::future::Future;
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::task::AbortHandle;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};

use crate::attempt::lock;
use crate::bindings::remote::{Answer, HostOperation};
use crate::bindings::types::ErrorCode;
use crate::capability::{CallError, CallResult};
use crate::guest::Guest;

/// Something that is under way. Dropping it gives it up.
#[allow(unreachable_pub, reason = "the generated bindings export it again, as far as they reach themselves")]
pub struct Operation {
    given: Arc<Given>,
    task: AbortHandle,
}

/// Where the answer is put.
struct Given {
    answer: Mutex<Option<CallResult<Answer>>>,
    is_there: watch::Sender<bool>,
}

impl Operation {
    /// Does `work` beside whatever else the guest does.
    pub(super) fn start(work: impl Future<Output = CallResult<Answer>> + Send + 'static) -> Self {
        let given = Arc::new(Given { answer: Mutex::default(), is_there: watch::Sender::new(false) });
        let place = Arc::clone(&given);
        let task = tokio::spawn(async move {
            let answer = work.await;
            *lock(&place.answer) = Some(answer);
            place.is_there.send_replace(true);
        });
        Self { given, task: task.abort_handle() }
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Ready when there is an answer.
struct Ready(watch::Receiver<bool>);

#[wasmtime_wasi::async_trait]
impl Pollable for Ready {
    async fn ready(&mut self) {
        // An error means that nobody puts one there any more, which is told when it is asked for.
        let _ = self.0.wait_for(|is_there| *is_there).await;
    }
}

impl HostOperation for Guest {
    async fn subscribe(&mut self, operation: Resource<Operation>) -> wasmtime::Result<Resource<DynPollable>> {
        let ready = Ready(self.table.get(&operation)?.given.is_there.subscribe());
        let ready = self.table.push(ready)?;
        subscribe(&mut self.table, ready)
    }

    async fn finish(&mut self, operation: Resource<Operation>) -> CallResult<Answer> {
        let given = Arc::clone(&self.table.get(&operation)?.given);
        // An error means that the task is gone, and then its answer is there or never will be.
        let _ = given.is_there.subscribe().wait_for(|is_there| *is_there).await;
        let taken = lock(&given.answer).take();
        taken.unwrap_or_else(|| Err(CallError::new(ErrorCode::NotFound, "the operation's answer was taken before")))
    }

    async fn drop(&mut self, operation: Resource<Operation>) -> wasmtime::Result<()> {
        drop(self.table.delete(operation)?);
        Ok(())
    }
}
