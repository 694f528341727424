//! What is done on one target.

use futures_util::future::LocalBoxFuture;
use sandglass_plugin::plan::Step;
use sandglass_plugin::remote::{Session, Target};

use crate::change::Change;
use crate::fault::Fault;

/// What is done on each target. Called through a pointer, so that doing it on many is compiled once.
pub(crate) trait Deployment {
    /// Does it on the target that `session` enters, and writes down in `done` what is done.
    fn apply<'a>(
        &'a self,
        target: &'a Target,
        session: &'a Session,
        done: &'a mut Done,
    ) -> LocalBoxFuture<'a, Result<(), Fault>>;

    /// What would be done; nothing is.
    fn plan<'a>(&'a self, target: &'a Target, session: &'a Session) -> LocalBoxFuture<'a, Result<Vec<Step>, Fault>>;
}

/// What was done on a target.
#[derive(Debug, Default)]
pub(crate) struct Done {
    /// What could be undone, in order; written down before it is done.
    pub(crate) changes: Vec<Change>,
    /// Whether anything may be other than before.
    pub(crate) is_changed: bool,
}
