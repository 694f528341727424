//! What is run on another machine, and how it ends.

use zeroize::Zeroizing;

use crate::error::SshError;

/// A program with all that it is given.
#[derive(Clone, Default)]
pub struct Program {
    /// The program and its arguments. None of them is read by a shell.
    pub argv: Vec<String>,
    /// Environment variables. They travel beside the program's input, so that no list of processes shows them.
    pub env: Vec<(String, Zeroizing<Vec<u8>>)>,
    /// The folder that it starts in; the account's own by default.
    pub cwd: Option<String>,
    /// The account that it runs as, by `sudo -n`; the one that logged in by default.
    pub run_as: Option<String>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Program").field("argv", &self.argv).field("run_as", &self.run_as).finish_non_exhaustive()
    }
}

/// How a program ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ended {
    /// With this exit code.
    Exited(u32),
    /// By this signal, named without `SIG`.
    Signalled(String),
    /// Nobody knows: the connection broke.
    Lost(String),
    /// It was not started.
    NotStarted(SshError),
}

/// A program that has ended, with what it wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finished {
    /// How it ended.
    pub ended: Ended,
    /// Its standard output, as far as it was kept.
    pub stdout: Vec<u8>,
    /// The end of its standard error.
    pub stderr: Vec<u8>,
}

/// A signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs, reason = "the names are POSIX's")]
pub enum Sig {
    Terminate,
    Interrupt,
    Hangup,
    User1,
    User2,
    Kill,
}
