//! Why a call came to nothing.

use std::io;

use crate::problem::{Code, ExitCode, Problem};

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The daemon refused, and said why.
    #[error("{0}")]
    Refused(Box<Problem>),
    /// There is no daemon where one was expected.
    #[error("cannot reach the daemon at {endpoint}: {}", reason(source))]
    Unreachable {
        /// Where it was expected.
        endpoint: String,
        /// What happened.
        source: io::Error,
    },
    /// The connection broke off, or spoke something else than HTTP.
    #[error("the connection to the daemon broke off: {0}")]
    Broken(#[source] hyper::Error),
    /// No answer came in time.
    #[error("the daemon at {endpoint} did not answer within {seconds} s")]
    NoAnswer {
        /// Where it was asked.
        endpoint: String,
        /// For how long.
        seconds: u64,
    },
    /// What answers is no Sandglass daemon, or one of another time.
    #[error("the answer from {endpoint} is not what a Sandglass daemon says: {what}")]
    Unexpected {
        /// Where it was asked.
        endpoint: String,
        /// What was unexpected.
        what: String,
    },
}

fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no socket".to_owned(),
        io::ErrorKind::ConnectionRefused => "nobody listens there".to_owned(),
        io::ErrorKind::PermissionDenied => "it belongs to another user".to_owned(),
        _ => error.to_string(),
    }
}

impl ClientError {
    /// The failure as a problem document, whether the daemon told it or not.
    #[must_use]
    pub fn into_problem(self) -> Problem {
        let detail = self.to_string();
        match self {
            Self::Refused(problem) => *problem,
            Self::Unreachable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Problem::new(Code::Forbidden, detail)
                    .with_hint("run the command as the daemon's user, or give --url and --token")
            }
            Self::Unreachable { .. } => Problem::new(Code::NoDaemon, detail)
                .with_hint("is the daemon running? start it with `sandglass serve`, or say where it is with --url"),
            Self::Broken(_) => Problem::new(Code::NoDaemon, detail)
                .with_hint("the daemon may have been stopped: try `sandglass status`"),
            Self::NoAnswer { .. } => {
                Problem::new(Code::NoDaemon, detail).with_hint("the daemon may be busy: try again, or look at its log")
            }
            Self::Unexpected { .. } => Problem::new(Code::NoDaemon, detail)
                .with_hint("check the address, and compare both versions with `sandglass version`"),
        }
    }

    /// The exit code of a command that failed so.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Refused(problem) => problem.exit_code(),
            Self::Unreachable { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => ExitCode::Denied,
            _ => ExitCode::Unavailable,
        }
    }

    /// Whether the daemon may well answer if it is asked again.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Broken(_) | Self::Unreachable { .. } | Self::NoAnswer { .. })
    }
}
