//! A program on another machine, as the rest of the host sees one that runs elsewhere.

use sandglass_ssh::{Ended, Remote, Sig};

use crate::bindings::exec::Signal;
use crate::capability::exec::{Elsewhere, How};
use crate::services::BoxFuture;

/// A program on another machine.
pub(super) struct Program(pub(super) Remote);

impl Elsewhere for Program {
    fn ended(&self) -> BoxFuture<'_, How> {
        Box::pin(async {
            match self.0.ended().await {
                Ended::Exited(code) => How::Exited(i32::try_from(code).unwrap_or(i32::MAX)),
                Ended::Signalled(signal) => number(&signal)
                    .map_or_else(|| How::Lost(format!("the machine ended it by the signal {signal}")), How::Signalled),
                Ended::Lost(why) => How::Lost(why),
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
            self.0.signal(signal).await;
            Ok(())
        })
    }

    fn clear(&self) -> BoxFuture<'_, ()> {
        // Its channel is closed, and nothing else is left.
        Box::pin(std::future::ready(()))
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
