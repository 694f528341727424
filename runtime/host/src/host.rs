//! The host itself: components made ready, attempts started and stopped.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use sandglass_core::id::{Digest, RunId};
use sandglass_core::invocation::{AttemptReport, Cancel, Invocation};
use sandglass_core::plan::Plan;
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use crate::ahead::{self, Announced};
use crate::capability::docker;
use crate::capability::process::{Folders, left_behind, reap_orphans};
use crate::component::Library;
use crate::config::{HostConfig, HostError};
use crate::in_flight::{Done, InFlight, run_all};
use crate::inner::{Inner, Registration};
use crate::inspect::{Inspection, Issue, RefusedComponent};
use crate::planning::NoPlan;
use crate::registry::Registry;
use crate::services::{Services, TargetEngine};
use crate::ticker::Ticker;
use crate::{engine, planning, probe};

/// After how many tasks a guest thread looks for input, output and timers. Guests that compute take 10 ms each time, so
/// with the usual 61 a timer could be late by half a second.
const EVENT_INTERVAL: u32 = 8;
/// How often guest threads wake without a reason: see [`heartbeat`].
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How many guests may be asked at once about themselves or about parameters. They have places of their own, so that jobs
/// can be saved while as many runs are going as may.
const QUESTIONS: u32 = 4;
/// How many plugins may be asked at once what a run would do, in places of their own too.
const PLANS: u32 = 2;
/// Instances beside those of attempts that have their place: of the one that was announced, and as a rule no more than one
/// that has just started or is being dropped. If there are more, attempts wait for a moment.
const ANNOUNCED: u32 = 2;
/// How long a plan waits for its place.
const PLAN_WAIT: Duration = Duration::from_secs(10);
/// The most threads for what blocks: names of hosts that are looked up, folders that are removed.
const BLOCKING_THREADS: usize = 16;
/// How long a stopping host waits for attempts that were killed. Only a process that waits in the kernel takes longer.
const DEATH: Duration = Duration::from_secs(15);

/// Runs guests. Cheap to share; dropping the last reference ends its threads. Call [`Host::shutdown`] before that, or what
/// is going is lost.
pub struct Host {
    inner: Arc<Inner>,
    announced: Announced,
    /// Taken only when the host is dropped.
    runtime: Option<Runtime>,
}

impl Host {
    /// Sets up the engine and the guest threads.
    ///
    /// # Errors
    ///
    /// If the engine, the threads or the folder of compiled components cannot be had.
    pub fn new(config: HostConfig, services: Arc<dyn Services>) -> Result<Arc<Self>, HostError> {
        let engine = engine::build(config.max_concurrent.max(1).saturating_add(QUESTIONS + PLANS + ANNOUNCED))?;
        let library = Library::new(&engine, config.cache_dir, config.key)?;
        let ticker = Ticker::start(engine.weak(), reap_orphans)?;
        let number = AtomicUsize::new(0);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(config.threads.max(1))
            .max_blocking_threads(BLOCKING_THREADS)
            .event_interval(EVENT_INTERVAL)
            .thread_name_fn(move || format!("guest-{}", number.fetch_add(1, Ordering::Relaxed)))
            .enable_all()
            .build()
            .map_err(HostError::Threads)?;
        runtime.spawn(heartbeat());
        let inner = Inner {
            engine,
            library,
            services,
            folders: Arc::new(Folders::new(config.runs_dir)),
            room: Semaphore::new(usize::try_from(config.max_concurrent.max(1)).unwrap_or(Semaphore::MAX_PERMITS)),
            questions: Semaphore::new(QUESTIONS as usize),
            plans: Arc::new(Semaphore::new(PLANS as usize)),
            registry: Registry::default(),
            ticker,
        };
        Ok(Arc::new(Self { inner: Arc::new(inner), announced: Announced::default(), runtime: Some(runtime) }))
    }

    fn runtime(&self) -> &tokio::runtime::Handle {
        self.runtime.as_ref().expect("the runtime is taken only when the host is dropped").handle()
    }

    /// Looks at a component that somebody wants to add: checks, compiles and asks it for its actions, with every
    /// capability denied. Blocks for seconds with large components; call it from a thread that may wait.
    ///
    /// # Errors
    ///
    /// If it cannot be a plugin.
    pub fn inspect(&self, wasm: &[u8]) -> Result<Inspection, RefusedComponent> {
        let (digest, manifest, prepared) = self.inner.library.inspect(wasm)?;
        let (sender, receiver) = mpsc::sync_channel(1);
        let inner = Arc::clone(&self.inner);
        self.runtime().spawn(async move {
            let _place = inner.place_for_question().await;
            let _active = inner.ticker.attempt();
            // The receiver waits below; if its thread is gone, nobody wants the answer.
            let _ = sender.send(probe::describe(&inner.engine, &prepared.pre).await);
        });
        let stopping = || Err(RefusedComponent::Describe("the host is stopping".to_owned()));
        let actions = receiver.recv().unwrap_or_else(|_| stopping());
        let actions = actions.inspect_err(|_| self.inner.library.forget_unless_ready(&digest))?;
        Ok(Inspection { digest, size_bytes: wasm.len() as u64, manifest, actions })
    }

    /// Makes a component ready to run: from memory, from the compiled ones on disk, or by compiling what `wasm` gives.
    /// May be called often and by several threads; blocks while it compiles.
    ///
    /// # Errors
    ///
    /// If the bytes cannot be had, are not those of `digest`, or are refused.
    pub fn prepare(&self, digest: Digest, wasm: impl FnOnce() -> Result<Vec<u8>, String>) -> Result<(), HostError> {
        self.inner.library.prepare(digest, wasm).map(drop)
    }

    /// Whether attempts of `digest` can start at once.
    #[must_use]
    pub fn is_ready(&self, digest: &Digest) -> bool {
        self.inner.library.get(digest).is_some()
    }

    /// Forgets a component, in memory and among the compiled ones on disk. Attempts that are going are not affected.
    pub fn forget(&self, digest: &Digest) {
        self.inner.library.forget(digest);
    }

    /// Asks the plugin what is wrong with `params` (JSON text) beyond its schema, with every capability denied.
    ///
    /// # Errors
    ///
    /// If the component is not ready or fails to answer.
    pub async fn validate(&self, digest: Digest, action: &str, params: &str) -> Result<Vec<Issue>, HostError> {
        let prepared = self.inner.library.find(&digest).ok_or(HostError::NotReady(digest))?;
        let inner = Arc::clone(&self.inner);
        let (action, params) = (action.to_owned(), params.to_owned());
        let asked = self.runtime().spawn(async move {
            let _place = inner.place_for_question().await;
            let _active = inner.ticker.attempt();
            probe::validate(&inner.engine, &prepared.pre, &action, &params).await
        });
        let answer = asked.await.unwrap_or_else(|_| Err("the host is stopping".to_owned()));
        answer.map_err(HostError::Guest)
    }

    /// Asks the plugin what an attempt would do. The attempt must have leave only to look.
    ///
    /// # Errors
    ///
    /// If there is no place for it, the attempt cannot be given what its job names, or the plugin fails to say.
    pub async fn plan(&self, invocation: Invocation) -> Result<Plan, NoPlan> {
        debug_assert!(invocation.work.grants.looks_only, "a plan touches nothing");
        let digest = invocation.work.digest;
        let prepared = self.inner.library.find(&digest).ok_or(NoPlan::NotReady(digest))?;
        let place = tokio::time::timeout(PLAN_WAIT, Arc::clone(&self.inner.plans).acquire_owned()).await;
        let place = place.map_err(|_| NoPlan::Busy)?.expect("the semaphore is never closed");
        let registration = Registration::new(&self.inner, self.inner.attempt(invocation));
        let asked = self.runtime().spawn(async move {
            let _place = place;
            let Registration { inner, attempt, .. } = &registration;
            let _active = inner.ticker.attempt();
            planning::plan(&inner.engine, &prepared, attempt).await
        });
        asked.await.map_err(|_| NoPlan::Stopping)?.map_err(NoPlan::Failed)
    }

    /// Says that an attempt is about to start, so that its instance is made meanwhile. None of its code runs and nobody is told
    /// of it before it is started, which it need not be.
    pub fn announce(&self, invocation: Invocation) {
        let inner = &self.inner;
        let Some(prepared) = inner.library.get(&invocation.work.digest) else { return };
        if prepared.begins_with_code || inner.registry.is_stopping() {
            return;
        }
        let attempt = inner.attempt(invocation);
        let started = self.announced.put(Arc::clone(&attempt));
        let engine = inner.engine.clone();
        self.runtime().spawn(async move { ahead::run(&engine, &prepared, &attempt, started).await });
    }

    /// Starts attempts with one hand-over. `done` is called exactly once for each, from a guest thread, whatever happens; if
    /// the host is dropped, from any thread.
    pub fn start_all(&self, invocations: Vec<Invocation>, done: Arc<dyn Fn(AttemptReport) + Send + Sync>) {
        let mut all: Vec<InFlight> =
            invocations.into_iter().filter_map(|invocation| self.in_flight(invocation, &done)).collect();
        if all.len() > 1 {
            // Spawned from guest threads, which wake the others as they go: from here, each would be a wake-up of its own.
            self.runtime().spawn(run_all(all));
        } else if let Some(one) = all.pop() {
            self.runtime().spawn(one.run(None));
        }
    }

    /// Registers the attempt, so that it can be cancelled from now on. None if it was announced and has started.
    fn in_flight(&self, invocation: Invocation, done: &Done) -> Option<InFlight> {
        let Some((attempt, start)) = self.announced.take(&invocation) else {
            return Some(InFlight::new(&self.inner, self.inner.attempt(invocation), Arc::clone(done)));
        };
        // It comes back if its instance was given up on.
        start.send(InFlight::new(&self.inner, attempt, Arc::clone(done))).err()
    }

    /// Kills the processes that `runs` left behind, which were going when an earlier daemon was killed, and removes all
    /// folders of runs. Blocks until that is done. Call it before the first attempt.
    pub fn end_left_behind(&self, runs: &HashSet<RunId>) {
        left_behind::end(runs);
        self.inner.folders.clear();
    }

    /// Removes the containers that earlier daemons left on the engine of a target; how many that were. Containers of this
    /// daemon stay.
    ///
    /// # Errors
    ///
    /// If the target is not there any more ([`Error::NotFound`](sandglass_containers::Error::NotFound)), or its engine
    /// cannot be asked.
    pub async fn sweep_engine(
        &self,
        engine: &TargetEngine,
        owner: &sandglass_containers::Owner,
    ) -> Result<usize, sandglass_containers::Error> {
        docker::sweep_left(self.inner.services.as_ref(), engine, owner).await
    }

    /// Asks an attempt to stop, and kills it when its grace is over, or at once. Without effect if it has ended.
    pub fn cancel(&self, cancel: Cancel) {
        if let Some(attempt) = self.inner.registry.find(cancel.run, cancel.attempt) {
            attempt.stop.ask(cancel.reason);
            if cancel.at_once {
                attempt.stop.kill();
            }
        }
    }

    /// Asks every attempt to stop, waits at most `grace`, and kills what is left. All reports have been given when it
    /// returns; attempts started later end at once as interrupted.
    pub async fn shutdown(&self, grace: Duration) {
        let registry = &self.inner.registry;
        registry.stop();
        if tokio::time::timeout(grace, registry.all_ended()).await.is_err() {
            registry.kill_all();
            if tokio::time::timeout(DEATH, registry.all_ended()).await.is_err() {
                tracing::error!("some attempts could not be ended");
                return;
            }
        }
        self.inner.folders.clear();
    }
}

/// Keeps the next timer of the guest threads near. A timer that comes before all others wakes the thread that waits for
/// them, and without this the timeout of a lonely run does: just when its process starts.
async fn heartbeat() {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting is not allowed on a thread of another runtime. Attempts are dropped, which ends and reports them.
            runtime.shutdown_background();
        }
    }
}
