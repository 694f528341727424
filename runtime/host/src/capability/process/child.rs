//! One process from its start to the death of its last descendant.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::unix::AsyncFd;
use tokio::net::unix::pipe;
use tokio::sync::watch;
use tokio::time::Instant;

use super::pump::{self, Pump};
use super::spawn::{ExitStatus, Reaped};
use super::tree;
use crate::attempt::{Attempt, after, lock};

/// How long a killed process may take to be gone. Only one that waits in the kernel takes longer.
const DEATH: Duration = Duration::from_secs(10);
/// How long output is still read after the last process of the tree is gone.
const DRAIN: Duration = Duration::from_secs(5);
/// How often a group that was asked to stop is looked at once its leader has ended.
const LOOK: Duration = Duration::from_millis(20);

/// A process that the host started.
pub(super) struct Child {
    pid: Pid,
    /// False once the process is reaped: from then on its id may be somebody else's.
    ours: Mutex<bool>,
    demand: watch::Sender<Demand>,
    exit: watch::Sender<Option<Arc<Exit>>>,
}

/// What is demanded of a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Demand {
    Nothing,
    /// Stop: ask, and kill when the grace is over.
    Stop,
    /// Die at once.
    Die,
}

/// How a process ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Exit {
    pub(super) how: How,
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    pub(super) cpu: Option<Duration>,
    pub(super) peak_memory_bytes: Option<u64>,
}

/// How a process ended, in short.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum How {
    Exited(i32),
    Signalled(i32),
    /// The run was asked to stop, or the guest dropped the process.
    Cancelled,
    /// It took longer than its command allows.
    TimedOut,
    /// It could not be watched or killed.
    Lost(String),
}

/// What a process is started with besides its program.
pub(super) struct Plan {
    pub(super) stdout: Option<Pump>,
    pub(super) stderr: Option<Pump>,
    pub(super) stdin: Option<(pipe::Sender, Vec<u8>)>,
    pub(super) timeout: Option<Duration>,
    pub(super) grace: Duration,
}

/// The host is dropped without a shutdown: what can be reached at once is killed.
impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.signal(Signal::KILL);
    }
}

impl Child {
    pub(super) fn new(pid: Pid) -> Arc<Self> {
        Arc::new(Self {
            pid,
            ours: Mutex::new(true),
            demand: watch::Sender::new(Demand::Nothing),
            exit: watch::Sender::new(None),
        })
    }

    /// Sends a signal to the process and its group, unless it has ended.
    pub(super) fn signal(&self, signal: Signal) -> rustix::io::Result<()> {
        let ours = lock(&self.ours);
        if *ours { kill_process_group(self.pid, signal) } else { Ok(()) }
    }

    /// Asks the process to stop; it is killed when its grace is over.
    pub(super) fn stop(&self) {
        self.demand(Demand::Stop);
    }

    /// Kills the process and everything below it.
    pub(super) fn kill(&self) {
        self.demand(Demand::Die);
    }

    fn demand(&self, demand: Demand) {
        self.demand.send_if_modified(|current| {
            let more = demand > *current;
            *current = demand.max(*current);
            more
        });
    }

    pub(super) fn has_ended(&self) -> bool {
        self.exit.borrow().is_some()
    }

    /// Waits until the process and everything below it is gone, and its output read.
    pub(super) async fn ended(&self) -> Arc<Exit> {
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

    /// Sees the process through: moves its input and output, stops it when it must stop, buries its tree.
    pub(super) async fn watch(
        self: Arc<Self>,
        attempt: Arc<Attempt>,
        exited: io::Result<AsyncFd<OwnedFd>>,
        plan: Plan,
    ) {
        let (mut stdout, mut stderr) = (VecDeque::new(), VecDeque::new());
        let (how, reaped) = {
            let pumping = async {
                let feeding = async {
                    if let Some((pipe, bytes)) = plan.stdin {
                        pump::feed(pipe, bytes).await;
                    }
                };
                let out = async {
                    if let Some(pump) = plan.stdout {
                        pump.run(&mut stdout).await;
                    }
                };
                let err = async {
                    if let Some(pump) = plan.stderr {
                        pump.run(&mut stderr).await;
                    }
                };
                tokio::join!(feeding, out, err);
            };
            tokio::pin!(pumping);
            let living = self.live(&attempt, exited, plan.timeout, plan.grace);
            tokio::pin!(living);
            let mut pumped = false;
            let end = loop {
                tokio::select! {
                    biased;
                    () = &mut pumping, if !pumped => pumped = true,
                    end = &mut living => break end,
                }
            };
            // Everything that could write is dead, so this ends at once unless the reader of the output is slow.
            if !pumped {
                let _ = tokio::time::timeout(DRAIN, pumping).await;
            }
            end
        };
        let masked = |bytes: VecDeque<u8>| match attempt.secrets() {
            Some(secrets) => secrets.masked(bytes.into()),
            None => bytes.into(),
        };
        let exit = Exit {
            how,
            stdout: masked(stdout),
            stderr: masked(stderr),
            cpu: reaped.map(|reaped| reaped.cpu),
            peak_memory_bytes: reaped.map(|reaped| reaped.peak_memory_bytes),
        };
        self.exit.send_replace(Some(Arc::new(exit)));
    }

    /// Until the process and its tree are gone.
    async fn live(
        &self,
        attempt: &Attempt,
        exited: io::Result<AsyncFd<OwnedFd>>,
        timeout: Option<Duration>,
        grace: Duration,
    ) -> (How, Option<Reaped>) {
        let exited = match exited {
            Ok(exited) => exited,
            Err(error) => {
                let _ = self.signal(Signal::KILL);
                return (How::Lost(format!("the process cannot be watched: {error}")), self.bury(attempt).await);
            }
        };
        let stopped = self.until_stopped(attempt, &exited, timeout).await;
        if stopped.is_some() {
            self.ask_to_stop(&exited, grace).await;
            let _ = self.signal(Signal::KILL);
            if tokio::time::timeout(DEATH, exited.readable()).await.is_err() {
                return (How::Lost("the process was killed and does not die".to_owned()), None);
            }
        }
        let reaped = self.bury(attempt).await;
        let how = match (stopped, reaped.map(|reaped| reaped.status)) {
            (Some(how), _) => how,
            (None, Some(ExitStatus::Exited(code))) => How::Exited(code),
            (None, Some(ExitStatus::Signalled(signal))) => How::Signalled(signal),
            (None, None) => How::Lost("somebody else took the process's exit status".to_owned()),
        };
        (how, reaped)
    }

    /// Waits for the end of the process, or a reason to stop it.
    async fn until_stopped(
        &self,
        attempt: &Attempt,
        exited: &AsyncFd<OwnedFd>,
        timeout: Option<Duration>,
    ) -> Option<How> {
        let timeout = async {
            match timeout {
                Some(timeout) => tokio::time::sleep_until(after(Instant::now(), timeout)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            _ = exited.readable() => None,
            _ = attempt.stop.asked() => Some(How::Cancelled),
            () = self.demanded(Demand::Stop) => Some(How::Cancelled),
            () = timeout => Some(How::TimedOut),
        }
    }

    /// Asks the group to stop and waits until all of it has, or its grace is over, or it must die.
    async fn ask_to_stop(&self, exited: &AsyncFd<OwnedFd>, grace: Duration) {
        let _ = self.signal(Signal::TERM);
        // One that is stopped would not see the request.
        let _ = self.signal(Signal::CONT);
        let gone = async {
            let _ = exited.readable().await;
            while tree::session_has_members(self.pid) {
                tokio::time::sleep(LOOK).await;
            }
        };
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

    /// Kills what is left of the group, reaps the process, and kills what left the group.
    async fn bury(&self, attempt: &Attempt) -> Option<Reaped> {
        let _ = self.signal(Signal::KILL);
        let give_up = after(Instant::now(), DEATH);
        let reaped = loop {
            match self.reap() {
                Ok(None) if Instant::now() < give_up => tokio::time::sleep(LOOK).await,
                reaped => break reaped.ok().flatten(),
            }
        };
        tree::sweep(attempt.run).await;
        reaped
    }

    fn reap(&self) -> io::Result<Option<Reaped>> {
        let mut ours = lock(&self.ours);
        let reaped = tree::reap(self.pid);
        *ours = matches!(reaped, Ok(None));
        reaped
    }
}
