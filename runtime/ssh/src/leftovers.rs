//! What a program left running on a machine whose connection broke.

use std::time::Duration;

use crate::connect::Connection;
use crate::error::SshError;
use crate::program::{Ended, Program};

/// Ends all processes whose environment has `$2` lines that `grep` finds with what follows: asked to, and after `$1` seconds
/// forced to. Ends with 3 where no environment can be read.
const END: &str = "s=$1; n=$2; shift 2; [ -r /proc/self/environ ] || exit 3; \
    to() { f=1; for d in /proc/[0-9]*; do \
    if [ \"$({ tr '\\0' '\\n' < \"$d/environ\" | grep -cxF \"$@\"; } 2> /dev/null)\" = \"$n\" ]; then \
    kill \"-$k\" \"${d#/proc/}\" 2> /dev/null; f=0; fi; done; return $f; }; \
    k=TERM; to \"$@\" || exit 0; k=0; \
    while [ \"$s\" -gt 0 ]; do sleep 1; to \"$@\" || exit 0; s=$((s-1)); done; \
    k=KILL; to \"$@\" || exit 0; sleep 1; k=0; to \"$@\" || exit 0; exit 4";
/// How much the script may print, in bytes: it prints nothing.
const KEPT: usize = 1 << 10;

impl Connection {
    /// Ends the processes of the account `run_as`, or of the one that logged in, that have all these variables, each as
    /// `NAME=VALUE`, in their environment: asks them to, and after so many seconds forces them. Gives whether they can be told from others: a machine must show environments under
    /// `/proc`.
    ///
    /// # Errors
    ///
    /// If the connection breaks, or one of them cannot be ended.
    pub async fn end_marked(
        &self,
        run_as: Option<&str>,
        variables: &[&str],
        grace: Duration,
    ) -> Result<bool, SshError> {
        let (grace, count) = (grace.as_secs().to_string(), variables.len().to_string());
        let mut argv = vec!["sh", "-c", END, "sh", grace.as_str(), count.as_str()];
        argv.extend(variables.iter().flat_map(|variable| ["-e", variable]));
        let program = Program {
            argv: argv.into_iter().map(str::to_owned).collect(),
            run_as: run_as.map(str::to_owned),
            ..Program::default()
        };
        match self.run(&program, tokio::io::empty(), KEPT).await?.ended {
            Ended::Exited(0) => Ok(true),
            Ended::Exited(3) => Ok(false),
            _ => Err(SshError::Failed {
                machine: self.machine().to_owned(),
                why: "a program there cannot be ended".to_owned(),
            }),
        }
    }
}
