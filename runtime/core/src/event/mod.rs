//! What arrives at the scheduler, and what it lets happen once its batch is durable.

mod command;
mod refusal;
mod reply;
mod waits;

pub use command::{
    BackfillOverlap, Command, HoldChange, HoldScope, MAX_BACKFILL, MAX_CALENDARS, MAX_TEMPLATES, Together,
};
pub use refusal::Refusal;
pub use reply::{Reply, SavedCalendar, SavedJob, SavedNotify, SavedTarget, SavedTargetGroup};
pub use waits::WaitsFor;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::batch::Batch;
use crate::dependency::UpstreamRun;
use crate::id::{JobId, JobName, Namespace};
use crate::invocation::{AttemptReport, Cancel, Invocation};
use crate::run::Run;
use crate::time::Timestamp;

/// Everything that can arrive.
#[derive(Clone, Debug)]
pub enum Event {
    /// Time passed: whatever is due is dealt with.
    Tick,
    /// Somebody asks for something and waits for the reply.
    Command {
        /// Finds the one who waits.
        ticket: Ticket,
        /// What is asked.
        command: Command,
    },
    /// An attempt is over.
    AttemptFinished(Box<AttemptReport>),
    /// The daemon has started: `startup` triggers fire, a part of them at a time, and before anything that is due. Comes
    /// once in the life of a daemon, after the load, and again if the scheduler was loaded anew before all were durable.
    Startup {
        /// When the daemon started.
        at: Timestamp,
        /// Jobs whose fire of this start the store has a record of.
        made: BTreeSet<JobId>,
    },
    /// The store was asked by [`Effect::Recall`].
    Recalled {
        /// What it was asked.
        recall: Recall,
        /// The last run of the job that is over, skipped fires aside; none if there is none.
        last: Option<UpstreamRun>,
    },
    /// The daemon is stopping: nothing starts from now on, and what is going is asked to end.
    Shutdown,
}

/// Finds the one who waits for a reply.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Ticket(pub u64);

/// That the store shall be asked for the last run of a job that is over, skipped fires aside.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Recall {
    /// Whose.
    pub namespace: Namespace,
    /// The job's name.
    pub name: JobName,
    /// The job.
    pub job: JobId,
}

/// What may happen once the batch is durable.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Make an attempt.
    Start(Invocation),
    /// Stop an attempt.
    Cancel(Cancel),
    /// Ask the store, and answer with [`Event::Recalled`].
    Recall(Recall),
    /// Answer a command.
    Reply {
        /// Who waits.
        ticket: Ticket,
        /// The answer.
        reply: Reply,
    },
    /// A run is over: those who follow it are told.
    Ended(Arc<Run>),
}

/// What one event came to.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// To be committed; may be empty.
    pub batch: Batch,
    /// Permitted once the batch is durable.
    pub after: Vec<Effect>,
}
