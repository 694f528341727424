//! The one thread that commits.
//!
//! Whoever decides hands over one batch per decision, with a payload that finds the way back: usually the effects that
//! become permitted once the batch is durable. The thread takes whatever has queued up meanwhile, commits it as one
//! group with one fsync, and gives the payloads of the whole group back in the order in which they came.
//!
//! # When the store fails
//!
//! Decisions follow from one another: whoever submits keeps a picture of the store that already contains what is still
//! queued. If a group fails, that picture is wrong, and so is every later decision that was made on it. So a failure has
//! an epoch, and until the submitter acknowledges it everything fails with the same cause, empty batches included:
//!
//! 1. A group fails. All its payloads come back with [`CommitError::Store`], which names the epoch.
//! 2. Whatever is submitted, or was queued, comes back the same way; the store is not touched.
//! 3. The submitter throws its picture away, loads the store anew and calls [`Committer::resume`] with the epoch. The
//!    acknowledgement travels in the queue like a batch, so what was submitted before it still fails and what is
//!    submitted after it is committed.
//!
//! An acknowledgement of an older failure has no effect, so it does no harm to acknowledge twice.
//!
//! A conflict is different: the batch is left out, the others go on. A later batch that builds on one that was left out
//! is left out too, because its comparisons fail.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, bounded};
use sandglass_core::batch::Batch;
use sandglass_core::time::{Clock, Timestamp};

use crate::contract::Store;
use crate::error::{Conflict, StoreError};

/// How many submissions may wait. Who submits more waits in turn.
const QUEUE: usize = 8192;
/// The most batches in one group, so that the first in a long queue does not wait for the last.
const GROUP: usize = 1024;

/// Counts the failures of a committer, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FailureEpoch(u64);

/// Why a batch is not durable.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// A comparison failed; the batch was left out.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The store failed, for this batch or an earlier one. Load anew, then [`Committer::resume`].
    #[error("nothing was committed")]
    Store {
        /// Which failure.
        epoch: FailureEpoch,
        /// What was wrong.
        #[source]
        cause: Arc<StoreError>,
    },
}

/// A payload with what became of its batch.
pub type Committed<T> = (T, Result<(), CommitError>);

/// The committing thread has ended. What was submitted comes back.
#[derive(Debug, thiserror::Error)]
#[error("the committing thread has ended")]
pub struct Stopped<T>(pub Batch, pub T);

enum Message<T> {
    Batch(Batch, T),
    Resume(FailureEpoch),
}

/// The handle of the committing thread. Dropping it commits what is queued and waits for the thread to end.
///
/// Meant for one submitter. Several may share it, but then a failure concerns all of them, and one of them must
/// acknowledge it for all.
#[derive(Debug)]
pub struct Committer<T> {
    sender: Option<Sender<Message<T>>>,
    thread: Option<JoinHandle<()>>,
}

impl<T: Send + 'static> Committer<T> {
    /// Starts the thread. `done` is called on it, once per group, and must not wait for the submitter: the submitter may
    /// be waiting for the thread.
    ///
    /// # Errors
    ///
    /// If the operating system does not give a thread.
    pub fn spawn(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        done: impl FnMut(Vec<Committed<T>>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = bounded(QUEUE);
        let writer = Writer { receiver, groups: GroupWriter::new(store), clock, done };
        let thread = std::thread::Builder::new().name("sandglass-commit".to_owned()).spawn(move || writer.run())?;
        Ok(Self { sender: Some(sender), thread: Some(thread) })
    }

    /// Hands over a batch. Its payload comes back through `done`, after those of all earlier submissions. An empty batch
    /// costs nothing but keeps its place. Waits while the queue is full.
    ///
    /// # Errors
    ///
    /// If the thread has ended because `done` panicked.
    pub fn submit(&self, batch: Batch, payload: T) -> Result<(), Stopped<T>> {
        self.sender().send(Message::Batch(batch, payload)).map_err(|unsent| match unsent.0 {
            Message::Batch(batch, payload) => Stopped(batch, payload),
            Message::Resume(_) => unreachable!("a batch was sent"),
        })
    }

    /// Acknowledges a failure: what is submitted from now on builds on what the store holds.
    pub fn resume(&self, epoch: FailureEpoch) {
        // If the thread has ended, the next submission says so.
        let _ = self.sender().send(Message::Resume(epoch));
    }

    fn sender(&self) -> &Sender<Message<T>> {
        self.sender.as_ref().expect("the sender is there until drop")
    }
}

impl<T> Drop for Committer<T> {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// Commits groups by the rules of the module: what the thread does with each group, for whoever drives it by hand.
pub struct GroupWriter {
    store: Arc<dyn Store>,
    failed: Option<(FailureEpoch, Arc<StoreError>)>,
    failures: u64,
}

impl std::fmt::Debug for GroupWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GroupWriter").field("failed", &self.failed).finish_non_exhaustive()
    }
}

impl GroupWriter {
    /// A writer on `store`, where nothing has failed yet.
    #[must_use]
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store, failed: None, failures: 0 }
    }

    /// Commits `batches` as one group at `now`, and answers each. After a failure, and until it is acknowledged, the store
    /// is not touched and everything fails with the same cause.
    pub fn commit(&mut self, batches: &[Batch], now: Timestamp) -> Vec<Result<(), CommitError>> {
        if self.failed.is_none() {
            if batches.iter().all(Batch::is_empty) {
                return batches.iter().map(|_| Ok(())).collect();
            }
            match self.store.commit(batches, now) {
                Ok(answers) => return answers.into_iter().map(|answer| answer.map_err(CommitError::from)).collect(),
                Err(cause) => {
                    self.failures += 1;
                    self.failed = Some((FailureEpoch(self.failures), Arc::new(cause)));
                }
            }
        }
        let (epoch, cause) = self.failed.as_ref().expect("the store failed, now or earlier");
        batches.iter().map(|_| Err(CommitError::Store { epoch: *epoch, cause: Arc::clone(cause) })).collect()
    }

    /// Takes note that whoever submits builds on what the store holds since the failure of this epoch.
    pub fn resume(&mut self, epoch: FailureEpoch) {
        if self.failed.as_ref().is_some_and(|(failed, _)| *failed == epoch) {
            self.failed = None;
        }
    }
}

struct Writer<T, D> {
    receiver: Receiver<Message<T>>,
    groups: GroupWriter,
    clock: Arc<dyn Clock>,
    done: D,
}

impl<T, D: FnMut(Vec<Committed<T>>)> Writer<T, D> {
    fn run(mut self) {
        let mut next = self.receiver.recv().ok();
        while let Some(message) = next {
            next = match message {
                Message::Resume(epoch) => {
                    self.groups.resume(epoch);
                    None
                }
                Message::Batch(batch, payload) => self.commit_group(batch, payload),
            }
            .or_else(|| self.receiver.recv().ok());
        }
    }

    /// Commits what has queued up behind `batch`. Gives back the message that ended the group, if one did.
    fn commit_group(&mut self, batch: Batch, payload: T) -> Option<Message<T>> {
        let mut batches = vec![batch];
        let mut payloads = vec![payload];
        let mut ended_by = None;
        while batches.len() < GROUP {
            match self.receiver.try_recv() {
                Ok(Message::Batch(batch, payload)) => {
                    batches.push(batch);
                    payloads.push(payload);
                }
                Ok(resume @ Message::Resume(_)) => {
                    ended_by = Some(resume);
                    break;
                }
                Err(_) => break,
            }
        }
        let answers = self.groups.commit(&batches, self.clock.now());
        (self.done)(payloads.into_iter().zip(answers).collect());
        ended_by
    }
}
