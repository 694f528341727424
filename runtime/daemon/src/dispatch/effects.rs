//! What happens once a batch is durable. Runs on the committer's thread, so nothing here waits.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;
use sandglass_core::event::{Recall, Reply};
use sandglass_core::id::RunId;
use sandglass_core::invocation::{AttemptReport, Cancel, Invocation};
use sandglass_host::Host;
use sandglass_store::{CommitError, Committed, FailureEpoch, Store, StoreError, last_ended};
use tokio::sync::oneshot;

use super::followers::Followers;
use super::{Inbound, Unavailable};
use crate::output::Outputs;

/// What comes back from the committer with its batch.
pub(crate) enum Payload {
    /// What the loop decided.
    Decided(Box<Permitted>),
    /// A write that the loop has no say in, such as to a job's state; whoever asked for it waits.
    Asked(oneshot::Sender<Result<(), CommitError>>),
}

/// What the loop decided may happen once its batch is durable.
#[derive(Default)]
pub(crate) struct Permitted {
    /// The number of the loop's commit, from 1.
    pub(crate) commit: u64,
    pub(crate) starts: Vec<Invocation>,
    pub(crate) cancels: Vec<Cancel>,
    pub(crate) ended: Vec<RunId>,
    pub(crate) recalls: Vec<Recall>,
    pub(crate) replies: Vec<(oneshot::Sender<Result<Reply, Unavailable>>, Reply)>,
}

impl Permitted {
    pub(super) fn is_empty(&self) -> bool {
        let nothing_goes = self.starts.is_empty() && self.cancels.is_empty() && self.ended.is_empty();
        nothing_goes && self.recalls.is_empty() && self.replies.is_empty()
    }
}

/// A failure of a commit that the loop has yet to notice. Without an epoch it was a conflict.
pub(super) struct Failure {
    pub(super) epoch: Option<FailureEpoch>,
    pub(super) cause: Unavailable,
}

/// What the loop, the committer's thread and the API share.
#[derive(Default)]
pub(crate) struct Shared {
    durable_commit: AtomicU64,
    resolved_commit: AtomicU64,
    failure: Mutex<Option<Failure>>,
    /// A commit failed and nothing has been durable since.
    failing: AtomicBool,
    /// Runs of which an attempt was started and its end is not yet durable, with the attempt.
    going: Mutex<HashMap<RunId, u32>>,
    followers: Followers,
    job_changes: AtomicU64,
}

impl Shared {
    /// The number of the loop's last durable commit.
    pub(super) fn durable_commit(&self) -> u64 {
        self.durable_commit.load(Ordering::Acquire)
    }

    /// The number of the loop's last commit of which it is known whether it is durable.
    pub(super) fn resolved_commit(&self) -> u64 {
        self.resolved_commit.load(Ordering::Acquire)
    }

    pub(super) fn take_failure(&self) -> Option<Failure> {
        lock(&self.failure).take()
    }

    pub(super) fn has_failure(&self) -> bool {
        lock(&self.failure).is_some()
    }

    pub(super) fn set_failing(&self, failing: bool) {
        self.failing.store(failing, Ordering::Release);
    }

    /// Whether the store cannot be written at present.
    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Acquire)
    }

    /// The runs of which an attempt was started and its end is not yet durable, with the attempt.
    pub(super) fn going(&self) -> Vec<(RunId, u32)> {
        lock(&self.going).iter().map(|(run, attempt)| (*run, *attempt)).collect()
    }

    pub(super) fn going_attempt(&self, run: RunId) -> Option<u32> {
        lock(&self.going).get(&run).copied()
    }

    /// Whether an attempt is going of which there is no report yet.
    pub(super) fn any_going_but(&self, reports: &VecDeque<(u64, AttemptReport)>) -> bool {
        let reported: HashSet<RunId> = reports.iter().map(|(_, report)| report.run).collect();
        lock(&self.going).keys().any(|run| !reported.contains(run))
    }

    pub(super) fn no_longer_going(&self, run: RunId) {
        lock(&self.going).remove(&run);
    }

    /// How often jobs were saved or deleted since the start.
    pub(crate) fn job_changes(&self) -> u64 {
        self.job_changes.load(Ordering::Acquire)
    }

    /// Resolves once the run is over. Ask the store after calling this, or the end may be missed.
    pub(crate) fn when_ended(&self, run: RunId) -> oneshot::Receiver<()> {
        self.followers.add(run)
    }
}

/// Locks. A panic of another holder left nothing half done here: all changes are single calls.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Lets effects happen.
pub(crate) struct Performer {
    pub(crate) host: Arc<Host>,
    pub(crate) outputs: Arc<Outputs>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) inbox: Sender<Inbound>,
    pub(crate) store: Arc<dyn Store>,
}

impl Performer {
    /// Takes back a group of payloads from the committer.
    pub(crate) fn done(&self, group: Vec<Committed<Payload>>) {
        let mut starts = Vec::new();
        let mut cancels = Vec::new();
        for (payload, answer) in group {
            match (payload, answer) {
                (Payload::Decided(permitted), Ok(())) => self.perform(*permitted, &mut starts, &mut cancels),
                (Payload::Decided(permitted), Err(error)) => self.refuse(*permitted, &error),
                // Whoever is gone needs no answer.
                (Payload::Asked(asker), answer) => {
                    if let Err(error @ CommitError::Store { .. }) = &answer {
                        self.report_failure(error);
                    }
                    _ = asker.send(answer);
                }
            }
        }
        if !starts.is_empty() {
            self.start(starts);
        }
        // After the starts: an attempt may be started and cancelled in one group.
        for cancel in cancels {
            self.host.cancel(cancel);
        }
    }

    fn perform(&self, permitted: Permitted, starts: &mut Vec<Invocation>, cancels: &mut Vec<Cancel>) {
        if !permitted.starts.is_empty() {
            lock(&self.shared.going).extend(permitted.starts.iter().map(|start| (start.run, start.attempt)));
        }
        self.shared.durable_commit.store(permitted.commit, Ordering::Release);
        self.shared.resolved_commit.store(permitted.commit, Ordering::Release);
        starts.extend(permitted.starts);
        cancels.extend(permitted.cancels);
        for run in permitted.ended {
            self.outputs.ended(run);
            self.shared.followers.tell(run);
        }
        if !permitted.recalls.is_empty() {
            self.recall(permitted.recalls);
        }
        for (sender, reply) in permitted.replies {
            if matches!(reply, Reply::Job(_) | Reply::JobDeleted(_) | Reply::Applied { .. }) {
                self.shared.job_changes.fetch_add(1, Ordering::AcqRel);
            }
            // Whoever asked may have gone away.
            _ = sender.send(Ok(reply));
        }
    }

    /// Asks the store on a thread of its own, as the loop may be waiting for the committer.
    fn recall(&self, recalls: Vec<Recall>) {
        let (store, inbox) = (Arc::clone(&self.store), self.inbox.clone());
        std::thread::spawn(move || {
            for recall in recalls {
                let last = last_ended(store.as_ref(), recall.job).unwrap_or_else(|error| {
                    tracing::warn!(job = %recall.name, "its last run cannot be read, so it counts as never run: {error}");
                    None
                });
                // The loop is gone only when the daemon has stopped.
                _ = inbox.send(Inbound::Recalled(Box::new((recall, last))));
            }
        });
    }

    fn start(&self, starts: Vec<Invocation>) {
        self.outputs.begin(starts.iter().map(|start| (start.run, start.work.limits.output.get())));
        let (outputs, inbox) = (Arc::clone(&self.outputs), self.inbox.clone());
        self.host.start_all(
            starts,
            Arc::new(move |report| {
                let inbox = inbox.clone();
                // What the run printed is readable before the run is over.
                outputs.after_flush(report.run, move || {
                    // The loop is gone only when the daemon has stopped.
                    _ = inbox.send(Inbound::Finished(Box::new(report)));
                });
            }),
        );
    }

    fn refuse(&self, permitted: Permitted, error: &CommitError) {
        let cause = self.report_failure(error);
        self.shared.resolved_commit.store(permitted.commit, Ordering::Release);
        for (sender, _) in permitted.replies {
            _ = sender.send(Err(cause.clone()));
        }
    }

    /// Lets the loop know of a failure, once.
    fn report_failure(&self, error: &CommitError) -> Unavailable {
        let (epoch, cause) = match error {
            CommitError::Store { epoch, cause } if matches!(**cause, StoreError::Full(_)) => {
                (Some(*epoch), Unavailable::Full)
            }
            CommitError::Store { epoch, cause } => (Some(*epoch), Unavailable::Store(cause.to_string())),
            CommitError::Conflict(conflict) => (None, Unavailable::Store(conflict.to_string())),
        };
        let mut failure = lock(&self.shared.failure);
        // The newest epoch is the one to acknowledge.
        let newer = failure.as_ref().is_none_or(|known| known.epoch < epoch);
        if newer {
            *failure = Some(Failure { epoch, cause: cause.clone() });
            // A full inbox wakes the loop as well.
            _ = self.inbox.try_send(Inbound::Nudge);
        }
        cause
    }
}
