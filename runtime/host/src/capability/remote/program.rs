//! A program on another machine, as the rest of the host sees one that runs elsewhere.

use std::sync::{Arc, OnceLock};

use sandglass_ssh::{Ended, Remote, Sig, SshError};

use crate::bindings::exec::Signal;
use crate::capability::exec::{Elsewhere, How};
use crate::services::BoxFuture;

/// A program on another machine.
pub(super) struct Program {
    remote: Remote,
    refused: Arc<OnceLock<SshError>>,
}

impl Program {
    /// `refused` is told why it was not started, should it be so.
    pub(super) fn new(remote: Remote, refused: Arc<OnceLock<SshError>>) -> Self {
        Self { remote, refused }
    }
}

impl Elsewhere for Program {
    fn ended(&self) -> BoxFuture<'_, How> {
        Box::pin(async {
            match self.remote.ended().await {
                Ended::Exited(code) => How::Exited(i32::try_from(code).unwrap_or(i32::MAX)),
                Ended::Signalled(signal) => number(&signal)
                    .map_or_else(|| How::Lost(format!("the machine ended it by the signal {signal}")), How::Signalled),
                Ended::Lost(why) => How::Lost(why),
                Ended::NotStarted(error) => How::Lost(self.refused.get_or_init(|| error).to_string()),
            }
        })
    }

    fn signal(&self, signal: Signal) -> BoxFuture<'_, Result<(), String>> {
        let signal = match signal {
            Signal::Terminate => Sig::Terminate,
            Signal::Interrupt => Sig::Interrupt,
            Signal::Hangup => Sig::Hangup,
            Signal::User1 => Sig::User1,
            Signal::User2 => Sig::User2,
            Signal::Kill => Sig::Kill,
        };
        Box::pin(async move {
            self.remote.signal(signal).await;
            Ok(())
        })
    }
}

/// The number that the signal has on this machine: what it has on the other, nobody tells.
fn number(signal: &str) -> Option<i32> {
    use rustix::process::Signal;
    let known = [
        ("HUP", Signal::HUP),
        ("INT", Signal::INT),
        ("QUIT", Signal::QUIT),
        ("ILL", Signal::ILL),
        ("ABRT", Signal::ABORT),
        ("FPE", Signal::FPE),
        ("KILL", Signal::KILL),
        ("SEGV", Signal::SEGV),
        ("PIPE", Signal::PIPE),
        ("ALRM", Signal::ALARM),
        ("TERM", Signal::TERM),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
        ("BUS", Signal::BUS),
    ];
    known.iter().find(|(name, _)| *name == signal).map(|(_, signal)| signal.as_raw())
}
