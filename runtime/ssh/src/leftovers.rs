//! What a program left running on a machine whose connection broke.

use std::time::Duration;

use crate::connect::{Connection, PATIENCE};
use crate::error::SshError;
use crate::program::{Ended, Program};

/// Ends all processes in whose environment `$2` stands: stops them first, so that no shell goes on to its next command where
/// another process ends before it, asks them to end, and after `$1` seconds forces them. Ends with 3 where no environment can be
/// read, with 4 where one of them does not end, and with 5 where there is none.
const END: &str = "s=$1; m=$2; [ -r /proc/self/environ ] || exit 3; \
    all() { printf '%s\\n' /proc/[0-9]*/environ | xargs grep -lsF -e \"$m\" 2> /dev/null | cut -d/ -f3; }; \
    p=$(all); [ -n \"$p\" ] || exit 5; \
    for k in STOP TERM CONT; do kill -$k $p 2> /dev/null; done; \
    while [ \"$s\" -gt 0 ]; do sleep 1; [ -n \"$(all)\" ] || exit 0; s=$((s-1)); done; \
    p=$(all); [ -n \"$p\" ] || exit 0; kill -KILL $p 2> /dev/null; \
    sleep 1; [ -z \"$(all)\" ] || exit 4; exit 0";
/// How much the script may print, in bytes: it prints nothing.
const KEPT: usize = 1 << 10;

/// What became of what a program left running.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leftovers {
    /// All that was found was ended.
    Ended,
    /// None was found that this account can see.
    NotFound,
    /// The machine does not show environments, by which they are told from others.
    Unknown,
}

impl Connection {
    /// Ends the processes, of the account `run_as` or of the one that logged in, in whose environment `mark` stands, which
    /// nothing else has: asks them to, and forces them when their grace is over.
    ///
    /// # Errors
    ///
    /// If the connection breaks, the machine is not done in time, or one of them does not end.
    pub async fn end_marked(&self, run_as: Option<&str>, mark: &str, grace: Duration) -> Result<Leftovers, SshError> {
        let seconds = grace.as_millis().div_ceil(1000).to_string();
        let program = Program {
            argv: ["sh", "-c", END, "sh", &seconds, mark].map(str::to_owned).into(),
            run_as: run_as.map(str::to_owned),
            ..Program::default()
        };
        // Beside the grace it looks three times at what runs there.
        let patience = grace.saturating_add(PATIENCE * 3);
        let ended = match tokio::time::timeout(patience, self.run(&program, tokio::io::empty(), KEPT)).await {
            Ok(finished) => finished?.ended,
            Err(_) => return Err(self.broken(&"it does not tell in time whether it ended what was left there")),
        };
        match ended {
            Ended::Exited(0) => Ok(Leftovers::Ended),
            Ended::Exited(3) => Ok(Leftovers::Unknown),
            Ended::Exited(5) => Ok(Leftovers::NotFound),
            _ => {
                let (machine, why) = (self.machine().to_owned(), "a program there does not end".to_owned());
                Err(SshError::Failed { machine, why })
            }
        }
    }
}
