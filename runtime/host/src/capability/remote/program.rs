//! A program on another machine, as the rest of the host sees one that runs elsewhere.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use sandglass_ssh::{Connection, Ended, Hop, Leftovers, Remote, Sig, SshError};
use tokio::sync::OnceCell;

use crate::bindings::exec::Signal;
use crate::capability::exec::{Elsewhere, How};
use crate::services::BoxFuture;

/// What tells a program, and whoever looks for it, from all others: in its environment, and in that of what it starts.
pub(super) const MARK_VARIABLE: &str = "SANDGLASS_PROGRAM";
/// What tells a program which target it runs on, as the operator calls it.
pub(super) const TARGET_VARIABLE: &str = "SANDGLASS_TARGET";

/// A program on another machine.
pub(super) struct Program {
    pub(super) remote: Remote,
    /// Is told why it was not started, should it be so.
    pub(super) refused: Arc<OnceLock<SshError>>,
    /// How its machine is entered once more if the connection breaks.
    pub(super) way: Arc<[Hop]>,
    pub(super) run_as: Option<String>,
    /// The value of [`MARK_VARIABLE`] in its environment.
    pub(super) mark: String,
    pub(super) grace: Duration,
    /// What became of what a broken connection left, once that was seen to.
    pub(super) left: OnceCell<String>,
}

impl Program {
    /// Ends what is left of it over another connection, as the machine goes on with it: the plugin may undo what it did. Gives
    /// what became of it, for people.
    async fn end_lost(&self) -> String {
        let ended = async {
            let connection = Connection::open(&self.way).await?;
            let mark = format!("{MARK_VARIABLE}={}", self.mark);
            connection.end_marked(self.run_as.as_deref(), &mark, self.grace).await
        };
        match ended.await {
            Ok(Leftovers::Ended) => "what it had begun there was ended".to_owned(),
            Ok(Leftovers::NotFound) => "nothing of it was found there, but for what runs as another account".to_owned(),
            Ok(Leftovers::Unknown) => "what it had begun there may still run".to_owned(),
            Err(error) => format!("what it had begun there may still run: {error}"),
        }
    }
}

impl Elsewhere for Program {
    fn ended(&self) -> BoxFuture<'_, How> {
        Box::pin(async {
            match self.remote.ended().await {
                Ended::Exited(code) => How::Exited(i32::try_from(code).unwrap_or(i32::MAX)),
                Ended::Signalled(signal) => number(&signal)
                    .map_or_else(|| How::Lost(format!("the machine ended it by the signal {signal}")), How::Signalled),
                Ended::Lost(why) => How::Lost(format!("{why}; {}", self.left.get_or_init(|| self.end_lost()).await)),
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
