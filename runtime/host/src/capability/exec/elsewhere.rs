//! Seeing something through that runs elsewhere: in a container, or on another machine.

use std::future::Future;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use super::fate::{Exit, Fate, How, Running};
use super::stdio::{Pipes, Stdio};
use super::task::Task;
use super::watch::Watch;
use crate::attempt::Attempt;
use crate::bindings::exec::{Input, Output, Signal};
use crate::capability::{CallError, CallResult};
use crate::services::BoxFuture;

/// How long what was killed elsewhere may take until its end is told here.
const DEATH: Duration = Duration::from_secs(10);

/// Something that was started elsewhere, and reads and writes the streams that it was given here.
pub(crate) trait Elsewhere: Send + Sync + 'static {
    /// Waits until it has ended, all its output is in its streams, and nothing is left of it. May be waited for again.
    fn ended(&self) -> BoxFuture<'_, How>;

    /// Sends it a signal.
    fn signal(&self, signal: Signal) -> BoxFuture<'_, Result<(), String>>;
}

/// What a guest orders besides what is to be started.
pub(crate) struct Orders {
    pub(crate) input: Input,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    /// What stands before each line of output, if several print at once.
    pub(crate) label: Option<String>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) grace: Duration,
    /// Whether it may run although the run is asked to stop.
    pub(crate) despite_stop: bool,
}

impl Orders {
    /// What a guest gave as standard input, output and error, and its bounds in nanoseconds; without a grace of its own, it
    /// has the run's. Without a label, and for a run that nobody asked to stop.
    pub(crate) fn new(
        attempt: &Attempt,
        (input, stdout, stderr): (Input, Output, Output),
        timeout: Option<u64>,
        grace: Option<u64>,
    ) -> Self {
        let timeout = timeout.map(Duration::from_nanos);
        let grace = grace.map_or(attempt.work.grace, Duration::from_nanos);
        Self { input, stdout, stderr, label: None, timeout, grace, despite_stop: false }
    }
}

/// Starts something elsewhere with `launch`, which is given the ends of its standard input, output and error. A task of its
/// own sees it through. When the run is asked to stop, `launch` is dropped wherever it is: it must leave nothing behind then.
pub(crate) async fn start<E, F>(
    attempt: &Arc<Attempt>,
    orders: Orders,
    launch: impl FnOnce([OwnedFd; 3]) -> F,
) -> CallResult<Task>
where
    E: Elsewhere,
    F: Future<Output = CallResult<E>>,
{
    let despite_stop = orders.despite_stop;
    if attempt.stop.reason().is_some() && !despite_stop {
        return Err(CallError::cancelled());
    }
    // Asked before anything is begun that could not be taken back.
    attempt.tasks.check_room()?;
    let Stdio { theirs, ours, guest } =
        Stdio::open(attempt, orders.input, orders.stdout, orders.stderr, orders.label.as_deref())?;
    let elsewhere = tokio::select! {
        biased;
        started = launch(theirs) => started?,
        _ = attempt.stop.asked(), if !despite_stop => return Err(CallError::cancelled()),
    };
    let away = Arc::new(Away { elsewhere, fate: Fate::new(), despite_stop });
    let seen_through = Arc::clone(&away).watch(Arc::clone(attempt), ours, orders.timeout, orders.grace);
    let watch = Watch::new(away, Arc::clone(attempt), seen_through);
    let running = Arc::clone(watch.running());
    // Spawned even where the run has ended meanwhile: it is what stops it then.
    match attempt.tasks.add(|| Ok(watch)) {
        Ok(watch) => tokio::spawn(watch),
        Err(error) => {
            running.fate().kill();
            return Err(error);
        }
    };
    Ok(Task::new(running, guest))
}

struct Away<E> {
    elsewhere: E,
    fate: Fate,
    despite_stop: bool,
}

impl<E: Elsewhere> Running for Away<E> {
    fn fate(&self) -> &Fate {
        &self.fate
    }

    fn signal(&self, signal: Signal) -> BoxFuture<'_, Result<(), String>> {
        if self.fate.has_ended() {
            return Box::pin(std::future::ready(Ok(())));
        }
        self.elsewhere.signal(signal)
    }
}

impl<E: Elsewhere> Away<E> {
    async fn watch(self: Arc<Self>, attempt: Arc<Attempt>, pipes: Pipes, timeout: Option<Duration>, grace: Duration) {
        let (how, stdout, stderr) = pipes.move_until(self.live(&attempt, timeout, grace)).await;
        self.fate.end(Exit { how, stdout, stderr, cpu: None, peak_memory_bytes: None });
    }

    /// Until it has ended.
    async fn live(&self, attempt: &Attempt, timeout: Option<Duration>, grace: Duration) -> How {
        tokio::select! {
            biased;
            how = self.elsewhere.ended() => how,
            why = self.fate.must_stop((!self.despite_stop).then_some(attempt), timeout) => self.stop(why, grace).await,
        }
    }

    async fn stop(&self, why: How, grace: Duration) -> How {
        let asked = async {
            // If it cannot be asked, it is killed when its grace is over.
            let _ = self.elsewhere.signal(Signal::Terminate).await;
            self.elsewhere.ended().await;
        };
        self.fate.grace(asked, grace).await;
        let killed = async {
            let _ = self.elsewhere.signal(Signal::Kill).await;
            self.elsewhere.ended().await
        };
        match tokio::time::timeout(DEATH, killed).await {
            // What was lost may not have been stopped.
            Ok(lost @ How::Lost(_)) => lost,
            Ok(_) => why,
            Err(_) => How::Lost("it was killed, and its end was not told".to_owned()),
        }
    }
}
