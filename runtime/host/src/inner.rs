//! What the host and its attempts share, and the mark that an attempt is going.

use std::sync::Arc;

use sandglass_core::invocation::Invocation;
use tokio::sync::{Semaphore, SemaphorePermit};
use wasmtime::Engine;

use crate::attempt::Attempt;
use crate::capability::process::Folders;
use crate::component::Library;
use crate::registry::Registry;
use crate::services::Services;
use crate::ticker::Ticker;

pub(crate) struct Inner {
    pub(crate) engine: Engine,
    pub(crate) library: Library,
    pub(crate) services: Arc<dyn Services>,
    pub(crate) folders: Arc<Folders>,
    /// Places of attempts.
    pub(crate) room: Semaphore,
    /// Places of guests that are asked about themselves or about parameters.
    pub(crate) questions: Semaphore,
    /// Places of guests that are asked what a run would do.
    pub(crate) plans: Arc<Semaphore>,
    pub(crate) registry: Registry,
    pub(crate) ticker: Ticker,
}

impl Inner {
    pub(crate) fn attempt(&self, invocation: Invocation) -> Arc<Attempt> {
        Arc::new(Attempt::new(invocation, Arc::clone(&self.services), &self.folders, self.ticker.ticks()))
    }

    pub(crate) async fn place_for_question(&self) -> SemaphorePermit<'_> {
        self.questions.acquire().await.expect("the semaphore is never closed")
    }
}

/// An attempt in the registry, until this is dropped.
pub(crate) struct Registration {
    pub(crate) inner: Arc<Inner>,
    pub(crate) attempt: Arc<Attempt>,
    /// Whether it is among those that can be stopped.
    is_going: bool,
}

impl Registration {
    pub(crate) fn new(inner: &Arc<Inner>, attempt: Arc<Attempt>) -> Self {
        inner.registry.add(&attempt);
        Self { inner: Arc::clone(inner), attempt, is_going: true }
    }

    /// It cannot be stopped any more, and is still waited for.
    pub(crate) fn forget(&mut self) {
        if std::mem::take(&mut self.is_going) {
            self.inner.registry.forget(&self.attempt);
        }
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.forget();
        self.inner.registry.ended();
    }
}
