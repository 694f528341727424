//! What is demanded of something that runs, and how it ended.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::attempt::{Attempt, after};
use crate::bindings::exec::Signal;
use crate::services::BoxFuture;

/// Something that a run started, as whoever waits for it or stops it sees it.
pub(crate) trait Running: Send + Sync {
    /// What is demanded of it, and how it ended.
    fn fate(&self) -> &Fate;

    /// Sends it a signal, unless it has ended.
    fn signal(&self, signal: Signal) -> BoxFuture<'_, Result<(), String>>;
}

/// What is demanded of something that runs, and how it ended.
pub(crate) struct Fate {
    demand: watch::Sender<Demand>,
    exit: watch::Sender<Option<Arc<Exit>>>,
}

/// What is demanded.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Demand {
    Nothing,
    /// Stop: ask, and kill when the grace is over.
    Stop,
    /// Die at once.
    Die,
}

/// How it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Exit {
    pub(crate) how: How,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) cpu: Option<Duration>,
    pub(crate) peak_memory_bytes: Option<u64>,
}

/// How it ended, in short.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum How {
    Exited(i32),
    Signalled(i32),
    /// The run was asked to stop, or the guest dropped it.
    Cancelled,
    /// It took longer than it was given.
    TimedOut,
    /// It could not be watched or killed.
    Lost(String),
}

impl Fate {
    pub(crate) fn new() -> Self {
        Self { demand: watch::Sender::new(Demand::Nothing), exit: watch::Sender::new(None) }
    }

    /// Asks it to stop; it is killed when its grace is over.
    pub(crate) fn stop(&self) {
        self.demand(Demand::Stop);
    }

    /// Kills it and everything below it.
    pub(crate) fn kill(&self) {
        self.demand(Demand::Die);
    }

    fn demand(&self, demand: Demand) {
        self.demand.send_if_modified(|current| {
            let more = demand > *current;
            *current = demand.max(*current);
            more
        });
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// It and everything below it is gone, and its output read.
    pub(crate) fn end(&self, exit: Exit) {
        self.exit.send_replace(Some(Arc::new(exit)));
    }

    /// Waits until it and everything below it is gone, and its output read.
    pub(crate) async fn ended(&self) -> Arc<Exit> {
        let mut exit = self.exit.subscribe();
        let exit = exit.wait_for(Option::is_some).await.map(|exit| exit.clone());
        exit.ok().flatten().unwrap_or_else(|| {
            Arc::new(Exit {
                how: How::Lost("the host is stopping".to_owned()),
                stdout: Vec::new(),
                stderr: Vec::new(),
                cpu: None,
                peak_memory_bytes: None,
            })
        })
    }

    /// Waits for a reason to stop it; that the attempt is asked to stop is one, if it is given.
    pub(crate) async fn must_stop(&self, attempt: Option<&Attempt>, timeout: Option<Duration>) -> How {
        let timeout = async {
            match timeout {
                Some(timeout) => tokio::time::sleep_until(after(Instant::now(), timeout)).await,
                None => std::future::pending().await,
            }
        };
        let asked = async {
            match attempt {
                Some(attempt) => drop(attempt.stop.asked().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = asked => How::Cancelled,
            () = self.demanded(Demand::Stop) => How::Cancelled,
            () = timeout => How::TimedOut,
        }
    }

    /// Waits until what was asked to stop is `gone`, or its grace is over, or it must die at once.
    pub(crate) async fn grace(&self, gone: impl Future<Output = ()>, grace: Duration) {
        tokio::select! {
            biased;
            () = gone => {}
            () = self.demanded(Demand::Die) => {}
            () = tokio::time::sleep(grace) => {}
        }
    }

    async fn demanded(&self, least: Demand) {
        let mut demand = self.demand.subscribe();
        if demand.wait_for(|demand| *demand >= least).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
