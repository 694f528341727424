//! What was started, in its caller's hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal as HostSignal;
use tokio::sync::{oneshot, watch};

use crate::error::Error;

/// A container, or a command in one. It is stopped and removed when this is dropped, in the background.
pub struct Running {
    pub(crate) demand: watch::Sender<Demand>,
    pub(crate) end: watch::Receiver<Option<How>>,
    pub(crate) target: Target,
    gaps: Arc<AtomicBool>,
}

/// What signals go to.
#[derive(Clone)]
pub(crate) enum Target {
    Container { engine: crate::Engine, id: String },
    Exec { engine: crate::Engine, id: String, container: String },
}

/// How it ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum How {
    /// With an exit code; 128 and more may be a signal.
    Exited(i32),
    /// The engine could not say, and why.
    Lost(String),
}

/// A signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Signal {
    /// SIGTERM
    Terminate,
    /// SIGINT
    Interrupt,
    /// SIGHUP
    Hangup,
    /// SIGUSR1
    User1,
    /// SIGUSR2
    User2,
    /// SIGKILL
    Kill,
}

impl Signal {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Terminate => "SIGTERM",
            Self::Interrupt => "SIGINT",
            Self::Hangup => "SIGHUP",
            Self::User1 => "SIGUSR1",
            Self::User2 => "SIGUSR2",
            Self::Kill => "SIGKILL",
        }
    }

    pub(crate) const fn on_host(self) -> HostSignal {
        match self {
            Self::Terminate => HostSignal::TERM,
            Self::Interrupt => HostSignal::INT,
            Self::Hangup => HostSignal::HUP,
            Self::User1 => HostSignal::USR1,
            Self::User2 => HostSignal::USR2,
            Self::Kill => HostSignal::KILL,
        }
    }
}

/// What is demanded of what runs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Demand {
    Nothing,
    /// It is to end in its own way.
    Stop,
    /// It is to end at once.
    Die,
}

/// The other end of [`Running`], held by whoever sees the thing through.
pub(crate) struct Keeper {
    demand: watch::Receiver<Demand>,
    end: watch::Sender<Option<How>>,
    started: Option<oneshot::Sender<Result<Target, Error>>>,
    /// Whether it was lost sight of for a while.
    pub(crate) gaps: Arc<AtomicBool>,
}

/// Both ends; the first is complete once the other says what was started.
pub(crate) fn pair() -> (Starting, Keeper) {
    let (demand, demanded) = watch::channel(Demand::Nothing);
    let (ending, end) = watch::channel(None);
    let (starting, started) = oneshot::channel();
    let gaps = Arc::<AtomicBool>::default();
    let keeper = Keeper { demand: demanded, end: ending, started: Some(starting), gaps: Arc::clone(&gaps) };
    (Starting { demand, end, started, gaps }, keeper)
}

/// What is being started. Dropped, it is as if [`Running`] were.
pub(crate) struct Starting {
    demand: watch::Sender<Demand>,
    end: watch::Receiver<Option<How>>,
    started: oneshot::Receiver<Result<Target, Error>>,
    gaps: Arc<AtomicBool>,
}

impl Starting {
    pub(crate) async fn done(self) -> Result<Running, Error> {
        match self.started.await {
            Ok(target) => Ok(Running { demand: self.demand, end: self.end, target: target?, gaps: self.gaps }),
            Err(_) => Err(Error::Invalid("the runtime is stopping".to_owned())),
        }
    }
}

impl Keeper {
    /// Says that it was started, or why not.
    pub(crate) fn started(&mut self, target: Result<Target, Error>) {
        if let Some(started) = self.started.take() {
            // Nobody is there any more: that is told by the demand, too.
            let _ = started.send(target);
        }
    }

    /// Waits until at least this is demanded, or nobody holds the other end.
    pub(crate) async fn demanded(&mut self, least: Demand) {
        let _ = self.demand.wait_for(|demand| *demand >= least).await;
    }

    /// Whether it is to end at once.
    pub(crate) fn must_die(&self) -> bool {
        *self.demand.borrow() == Demand::Die || self.demand.has_changed().is_err()
    }

    /// Says how it ended; nothing of it is left.
    pub(crate) fn ended(self, how: How) {
        self.end.send_replace(Some(how));
    }
}

impl Running {
    /// Asks it to end in its own way, with the signal that its image names.
    pub fn stop(&self) {
        self.demand(Demand::Stop);
    }

    /// Ends it at once.
    pub fn kill(&self) {
        self.demand(Demand::Die);
    }

    fn demand(&self, demand: Demand) {
        self.demand.send_if_modified(|current| {
            let more = demand > *current;
            *current = demand.max(*current);
            more
        });
    }

    /// Sends it a signal. One that has ended takes none, and that is no failure.
    ///
    /// # Errors
    ///
    /// If the engine does not answer, or cannot signal it.
    pub async fn signal(&self, signal: Signal) -> Result<(), Error> {
        if self.end.borrow().is_some() { Ok(()) } else { self.target.signal(signal).await }
    }

    /// Whether the engine was lost sight of while it ran: what it printed meanwhile, and after, may be missing.
    #[must_use]
    pub fn has_gaps(&self) -> bool {
        self.gaps.load(Ordering::Relaxed)
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn has_ended(&self) -> Option<How> {
        self.end.borrow().clone()
    }

    /// Waits until it has ended, its output is copied and nothing of it is left.
    pub async fn ended(&self) -> How {
        let mut end = self.end.clone();
        let end = end.wait_for(Option::is_some).await.map(|end| end.clone()).ok().flatten();
        end.unwrap_or_else(|| How::Lost("the runtime is stopping".to_owned()))
    }
}
