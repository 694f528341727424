//! What can go wrong on a target.

use sandglass_plugin::{Error, ErrorCode};

/// What went wrong on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    /// That of the program that failed.
    pub(crate) exit_code: Option<i32>,
    pub(crate) code: ErrorCode,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code: None, code: ErrorCode::Other }
    }

    /// Whether trying again may help.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self.code, ErrorCode::Unavailable | ErrorCode::LimitExceeded)
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { message: error.message, exit_code: None, code: error.code }
    }
}
