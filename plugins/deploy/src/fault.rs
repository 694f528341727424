//! What can go wrong on a target.

use sandglass_plugin::{Error, ErrorCode};

/// What went wrong on a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) message: String,
    /// That of the program that failed.
    pub(crate) exit_code: Option<i32>,
    /// Whether trying again may help.
    pub(crate) is_passing: bool,
}

impl Fault {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), exit_code: None, is_passing: false }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let is_passing = matches!(error.code, ErrorCode::Unavailable | ErrorCode::LimitExceeded);
        Self { message: error.message, exit_code: None, is_passing }
    }
}
