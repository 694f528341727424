//! One process from its start to the death of its last descendant.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::spawn::{ExitStatus, Reaped};
use super::tree;
use crate::attempt::{Attempt, after, lock};
use crate::bindings::exec;
use crate::capability::exec::{Exit, Fate, How, Pipes, Running};
use crate::services::BoxFuture;

/// How long a killed process may take to be gone. Only one that waits in the kernel takes longer.
const DEATH: Duration = Duration::from_secs(10);
/// How often a group that was asked to stop is looked at once its leader has ended.
const LOOK: Duration = Duration::from_millis(20);

/// A process that the host started.
pub(super) struct Child {
    pid: Pid,
    /// False once the process is reaped: from then on its id may be somebody else's.
    ours: Mutex<bool>,
    fate: Fate,
}

/// The host is dropped without a shutdown: what can be reached at once is killed.
impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.send(Signal::KILL);
    }
}

impl Running for Child {
    fn fate(&self) -> &Fate {
        &self.fate
    }

    fn signal(&self, signal: exec::Signal) -> BoxFuture<'_, Result<(), String>> {
        let signal = match signal {
            exec::Signal::Terminate => Signal::TERM,
            exec::Signal::Interrupt => Signal::INT,
            exec::Signal::Hangup => Signal::HUP,
            exec::Signal::User1 => Signal::USR1,
            exec::Signal::User2 => Signal::USR2,
            exec::Signal::Kill => Signal::KILL,
        };
        let sent = self.send(signal).map_err(|error| error.to_string());
        Box::pin(std::future::ready(sent))
    }
}

impl Child {
    pub(super) fn new(pid: Pid) -> Arc<Self> {
        Arc::new(Self { pid, ours: Mutex::new(true), fate: Fate::new() })
    }

    /// Sends a signal to the process and its group, unless it has ended.
    fn send(&self, signal: Signal) -> rustix::io::Result<()> {
        let ours = lock(&self.ours);
        if *ours { kill_process_group(self.pid, signal) } else { Ok(()) }
    }

    /// Sees the process through: moves its input and output, stops it when it must stop, buries its tree.
    pub(super) async fn watch(
        self: Arc<Self>,
        attempt: Arc<Attempt>,
        exited: io::Result<AsyncFd<OwnedFd>>,
        pipes: Pipes,
        (timeout, grace): (Option<Duration>, Duration),
    ) {
        let living = self.live(&attempt, exited, timeout, grace);
        let ((how, reaped), stdout, stderr) = pipes.move_until(living).await;
        let cpu = reaped.map(|reaped| reaped.cpu);
        let peak_memory_bytes = reaped.map(|reaped| reaped.peak_memory_bytes);
        self.fate.end(Exit { how, stdout, stderr, cpu, peak_memory_bytes });
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
                let _ = self.send(Signal::KILL);
                return (How::Lost(format!("the process cannot be watched: {error}")), self.bury(attempt).await);
            }
        };
        let stopped = self.until_stopped(attempt, &exited, timeout).await;
        if stopped.is_some() {
            self.ask_to_stop(attempt, &exited, grace).await;
            let _ = self.send(Signal::KILL);
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
        tokio::select! {
            biased;
            _ = exited.readable() => None,
            why = self.fate.must_stop(Some(attempt), timeout) => Some(why),
        }
    }

    /// Asks the group to stop, and what has left it, and waits until all have, or their grace is over, or they must die.
    async fn ask_to_stop(&self, attempt: &Attempt, exited: &AsyncFd<OwnedFd>, grace: Duration) {
        let outsiders = tree::outsiders(self.pid, attempt.run, attempt.stop.reason().is_some());
        let _ = self.send(Signal::TERM);
        // One that is stopped would not see the request.
        let _ = self.send(Signal::CONT);
        // After the group: a shell would go on to its next command when the one before it dies first.
        tree::ask(&outsiders);
        let gone = async {
            let _ = exited.readable().await;
            while tree::session_has_members(self.pid) || tree::one_lives(&outsiders) {
                tokio::time::sleep(LOOK).await;
            }
        };
        self.fate.grace(gone, grace).await;
    }

    /// Kills what is left of the group, reaps the process, and kills what left the group.
    async fn bury(&self, attempt: &Attempt) -> Option<Reaped> {
        let _ = self.send(Signal::KILL);
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
