//! What an action can ask about its run: who it is, how long it has, whether it should stop.

use std::cell::OnceCell;
use std::time::Duration;

use serde_json::Value;

use crate::{Failure, host};

pub use crate::bindings::sandglass::plugin::progress::Update as Progress;
pub use crate::bindings::sandglass::plugin::run_context::{CancelReason, RunInfo};

/// The run that an action works for. Every question goes to the host at once; nothing is cached but the run's identity.
#[derive(Debug, Default)]
pub struct Context {
    run: OnceCell<RunInfo>,
}

impl Context {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// The run, its job and its attempt.
    pub fn run(&self) -> &RunInfo {
        self.run.get_or_init(host::run_info)
    }

    /// What the attempt that this one goes on from gave as its failure's detail, if that has `resumable: true`: an earlier attempt of the run, or that of
    /// the run that somebody makes again where it stopped. `None` when it begins from the beginning.
    #[must_use]
    pub fn resumes(&self) -> Option<Value> {
        host::resumes().and_then(|text| serde_json::from_str(&text).ok())
    }

    /// How long the attempt may still take; `None` when it has no deadline.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        host::remaining()
    }

    /// Why the run should stop, once somebody has asked for that.
    #[must_use]
    pub fn cancelled(&self) -> Option<CancelReason> {
        host::cancel_requested()
    }

    /// Stops the action when somebody has asked for that; put it into long loops.
    ///
    /// # Errors
    /// [`Failure::cancelled`] once the run should stop.
    pub fn check(&self) -> Result<(), Failure> {
        match self.cancelled() {
            None => Ok(()),
            Some(_) => Err(Failure::cancelled()),
        }
    }

    /// Waits, but no longer than until somebody asks the run to stop.
    ///
    /// # Errors
    /// [`Failure::cancelled`] when the wait ended because the run should stop.
    pub fn sleep(&self, duration: Duration) -> Result<(), Failure> {
        if host::sleep(duration) { Err(Failure::cancelled()) } else { Ok(()) }
    }

    /// Tells people how far the run has come, in whatever unit the plugin counts.
    pub fn progress(&self, completed: u64, total: Option<u64>) {
        self.report(&Progress { completed, total, unit: None, message: None });
    }

    /// Tells people how far the run has come, with unit and message.
    pub fn report(&self, update: &Progress) {
        host::report_progress(update);
    }
}
