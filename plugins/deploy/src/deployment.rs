//! What is done on one target, and how it is undone.

use std::future::Future;

use sandglass_plugin::plan::Step;
use sandglass_plugin::remote::{Session, Target};
use sandglass_plugin::{Error, ErrorCode};

/// What is done on each target.
pub(crate) trait Deployment {
    /// What must be known of a target to undo what was done on it.
    type Kept: Default;

    /// Does it. What could be undone is written to `kept` before it is done, and `changed` is set once anything may be other
    /// than before, however it ends.
    fn apply(
        &self,
        target: &Target,
        session: &Session,
        kept: &mut Self::Kept,
        changed: &mut bool,
    ) -> impl Future<Output = Result<(), Fault>>;

    /// What would be done; nothing is.
    fn plan(&self, target: &Target, session: &Session) -> impl Future<Output = Result<Vec<Step>, Fault>>;

    /// Undoes what `kept` tells of, all that can be undone even if some cannot.
    fn undo(&self, target: &Target, session: &Session, kept: Self::Kept) -> impl Future<Output = Result<(), Fault>>;

    /// Clears away what was kept, once all went well.
    fn settle(&self, target: &Target, session: &Session, kept: Self::Kept) -> impl Future<Output = Result<(), Fault>>;
}

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
