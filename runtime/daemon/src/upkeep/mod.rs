//! What is cleared away in the background: expired entries of jobs' state, and runs and output that were kept long enough.

mod retention;
mod state;

use std::sync::Arc;
use std::time::Duration;

use sandglass_core::spec::Retention;
use sandglass_core::time::{Clock as _, Timestamp};
use sandglass_store::{RunCounts, Store, StoreError};
use tokio::sync::watch;
use tokio::task::JoinError;

use crate::clock::SystemClock;
use crate::dispatch::effects::Shared;

/// After this long history is looked through although nothing ended and no job changed: what is kept by age has aged.
const AT_LEAST_EVERY: Duration = Duration::from_secs(3600);
/// A look through history takes at most one part in so many of the time.
const SHARE: u32 = 50;

/// What is cleared away, and when.
pub(crate) struct Upkeep {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) shared: Arc<Shared>,
    /// What holds for jobs that say nothing.
    pub(crate) retention: Retention,
    /// How often it is looked for.
    pub(crate) every: Duration,
    pub(crate) stopping: watch::Receiver<bool>,
}

/// What there was when history was last looked through.
#[derive(Clone, PartialEq)]
struct Seen {
    runs: RunCounts,
    job_changes: u64,
}

impl Upkeep {
    /// Clears away until the daemon is stopping.
    pub(crate) async fn run(self) {
        let mut last: Option<(Seen, Timestamp)> = None;
        let mut not_before = Timestamp::EPOCH;
        let mut stopping = self.stopping.clone();
        loop {
            tokio::select! {
                _ = stopping.wait_for(|stopping| *stopping) => return,
                () = tokio::time::sleep(self.every) => {}
            }
            self.forget_expired_state().await;
            let begin = SystemClock.now();
            let Ok(seen) = self.seen() else { continue };
            let idle = last.as_ref().is_some_and(|(last, at)| *last == seen && begin.since(*at) < AT_LEAST_EVERY);
            if idle || begin < not_before {
                continue;
            }
            match retention::round(&self.store, self.retention, &self.stopping).await {
                Ok(cleared) => {
                    let (runs, outputs) = (cleared.runs, cleared.outputs);
                    if runs + outputs > 0 {
                        tracing::debug!(runs, outputs, "runs and output that were kept long enough are gone");
                    }
                    // What was removed is no reason to look again.
                    last = Some((self.seen().map_or(seen.clone(), |now| Seen { runs: now.runs, ..seen }), begin));
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "runs that were kept long enough stay");
                }
            }
            let end = SystemClock.now();
            not_before = end.after(end.since(begin) * (SHARE - 1));
        }
    }

    fn seen(&self) -> Result<Seen, StoreError> {
        Ok(Seen { runs: self.store.stats()?.runs, job_changes: self.shared.job_changes() })
    }

    async fn forget_expired_state(&self) {
        match off_the_loop(&self.store, |store| state::forget_expired(store)).await {
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "expired state of jobs stays for now");
            }
            Ok(count) if count > 0 => tracing::debug!(count, "expired state of jobs was forgotten"),
            Ok(_) => {}
        }
    }
}

/// Runs `work`, which blocks, where it is in nobody's way.
async fn off_the_loop<R: Send + 'static>(
    store: &Arc<dyn Store>,
    work: impl FnOnce(&dyn Store) -> Result<R, StoreError> + Send + 'static,
) -> Result<R, StoreError> {
    let store = Arc::clone(store);
    let done = tokio::task::spawn_blocking(move || work(store.as_ref())).await;
    // A panic was reported when it happened.
    done.unwrap_or_else(|_: JoinError| Err(StoreError::Closed))
}
