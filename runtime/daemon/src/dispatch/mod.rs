//! The event loop: one thread that feeds the reducer, hands what it decided to the committer, and sleeps until the next
//! fire.
//!
//! It does no IO but to recover. The committer's thread makes each batch durable and only then lets its effects happen
//! ([`effects`]). When a commit fails, what the reducer remembers is ahead of the store, so it is thrown away and rebuilt
//! ([`recovery`]).

pub(crate) mod effects;
mod followers;
mod missed;
mod recovery;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use sandglass_core::batch::Batch;
use sandglass_core::dependency::UpstreamRun;
use sandglass_core::event::{Command, Effect, Event, Recall, Refusal, Reply, Step, Ticket};
use sandglass_core::id::JobId;
use sandglass_core::invocation::AttemptReport;
use sandglass_core::scheduler::{Moment, Options, Scheduler};
use sandglass_core::time::{Clock, Timestamp};
use sandglass_host::Host;
use sandglass_store::{Committer, FailureEpoch, Store};
use tokio::sync::oneshot;

use self::effects::{Payload, Permitted, Shared};
use crate::clock::SystemClock;

/// The longest sleep: after a jump of the clock or a suspended machine, due fires are noticed within it.
const LONGEST_WAIT: Duration = Duration::from_secs(1);
/// How long a change of a schedule waits until its overdue fires have been dealt with, and how often it is tried.
const LONGEST_SETTLING: Duration = Duration::from_secs(20);
const SETTLING_PAUSE: Duration = Duration::from_millis(100);
/// Events taken in before what they came to is handed on.
const EVENTS_PER_BATCH: usize = 512;
/// What may wait to be taken in. Reports wait for a place; commands are refused when there is none.
pub(crate) const INBOX_CAPACITY: usize = 16_384;

/// Everything that arrives at the loop.
pub(crate) enum Inbound {
    /// Somebody asks for something.
    Command(Box<Command>, oneshot::Sender<Result<Reply, Unavailable>>),
    /// An attempt is over.
    Finished(Box<AttemptReport>),
    /// Something is to be looked at among what is shared, such as a failed commit.
    Nudge,
    /// The daemon is up: `startup` triggers fire, for this instant.
    Started(Timestamp),
    /// The store was asked for the last run of a job that is over. Boxed, as the inbox has room for thousands of these.
    Recalled(Box<(Recall, Option<UpstreamRun>)>),
    /// The daemon is stopping.
    Shutdown,
}

/// Why a command could not be made durable. Nothing was changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Unavailable {
    /// The disk is full.
    #[error("the disk is full: nothing can be saved or started until there is space again")]
    Full,
    /// Another failure of the store.
    #[error("the store cannot be written: {0}")]
    Store(String),
    /// Too much is waiting.
    #[error("the daemon is overloaded: try again in a moment")]
    Overloaded,
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
}

/// What the loop is made of.
pub(crate) struct Dispatcher {
    inbox: Receiver<Inbound>,
    scheduler: Scheduler,
    options: Options,
    committer: Arc<Committer<Payload>>,
    store: Arc<dyn Store>,
    host: Arc<Host>,
    shared: Arc<Shared>,
    clock: SystemClock,
    rng: fastrand::Rng,
    waiting: HashMap<Ticket, oneshot::Sender<Result<Reply, Unavailable>>>,
    next_ticket: u64,
    /// Reports whose commit is not yet known to be durable, oldest first, with the number of that commit.
    unacknowledged: VecDeque<(u64, AttemptReport)>,
    commits: u64,
    /// Set while commits fail: nothing is decided until the store can be written again.
    failed: Option<recovery::Failed>,
    /// The last commit that was seen to be durable.
    durable_seen: u64,
    /// Failures since then.
    failures_in_a_row: u32,
    /// The last failure of the committer that was recovered from.
    acknowledged: Option<FailureEpoch>,
    stopping: bool,
    /// The fires of the daemon's start, until they are durable.
    startup: Option<Startup>,
    /// The committer is gone: nothing can be made durable any more.
    broken: bool,
}

/// The fires of the daemon's start.
struct Startup {
    at: Timestamp,
    /// Jobs whose fires are durable.
    made: BTreeSet<JobId>,
    /// The loop's commit that they are in, once they were decided on.
    commit: Option<u64>,
}

/// What several events came to, on its way to one batch.
#[derive(Default)]
struct Gathered {
    batch: Batch,
    permitted: Permitted,
    reports: Vec<AttemptReport>,
}

/// What a dispatcher begins with.
pub(crate) struct Beginning {
    pub(crate) options: Options,
    pub(crate) committer: Arc<Committer<Payload>>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) host: Arc<Host>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) seed: u64,
}

impl Dispatcher {
    /// Loads the scheduler from the store and commits what became of interrupted runs.
    pub(crate) fn begin(beginning: Beginning, inbox: Receiver<Inbound>) -> Result<Self, sandglass_store::StoreError> {
        let Beginning { options, committer, store, host, shared, seed } = beginning;
        let clock = SystemClock;
        let mut rng = fastrand::Rng::with_seed(seed);
        let snapshot = recovery::snapshot(store.as_ref(), clock.now())?;
        let mut moment = Moment { now: clock.now(), rng: &mut rng };
        let (scheduler, step) =
            Scheduler::load(snapshot, options.clone(), &std::collections::HashSet::new(), false, &mut moment);
        let mut dispatcher = Self {
            inbox,
            scheduler,
            options,
            committer,
            store,
            host,
            shared,
            clock,
            rng,
            waiting: HashMap::new(),
            next_ticket: 0,
            unacknowledged: VecDeque::new(),
            commits: 0,
            failed: None,
            durable_seen: 0,
            failures_in_a_row: 0,
            acknowledged: None,
            stopping: false,
            startup: None,
            broken: false,
        };
        let mut gathered = Gathered::default();
        dispatcher.gather(step, &mut gathered);
        dispatcher.hand_on(gathered);
        Ok(dispatcher)
    }

    /// Runs until the daemon stops and no attempt is going.
    pub(crate) fn run(mut self) {
        loop {
            let first = match self.inbox.recv_timeout(self.patience()) {
                Ok(inbound) => Some(inbound),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let mut gathered = Gathered::default();
            self.notice_failure();
            let more = std::iter::from_fn(|| self.inbox.try_recv().ok());
            let arrived: Vec<Inbound> = first.into_iter().chain(more.take(EVENTS_PER_BATCH)).collect();
            for inbound in arrived {
                self.take(inbound, &mut gathered);
            }
            self.tick(&mut gathered);
            self.hand_on(gathered);
            self.forget_acknowledged();
            if self.broken || (self.stopping && self.is_quiet()) {
                return;
            }
        }
    }

    fn patience(&self) -> Duration {
        if let Some(failed) = &self.failed {
            return failed.patience(self.clock.now());
        }
        if self.stopping {
            return Duration::from_millis(20);
        }
        let now = self.clock.now();
        self.scheduler.next_wake().map_or(LONGEST_WAIT, |at| at.since(now).min(LONGEST_WAIT))
    }

    /// Whether no attempt is going and every report is durable, or cannot be made so.
    fn is_quiet(&self) -> bool {
        match &self.failed {
            Some(failed) => !self.shared.any_going_but(&self.unacknowledged) && failed.is_hopeless(),
            None => self.scheduler.running() == 0 && self.unacknowledged.is_empty(),
        }
    }

    fn take(&mut self, inbound: Inbound, gathered: &mut Gathered) {
        match inbound {
            Inbound::Command(command, reply) if self.failed.is_some() => self.answer_while_failed(*command, reply),
            Inbound::Command(command, reply) => {
                let ticket = Ticket(self.next_ticket);
                self.next_ticket += 1;
                self.waiting.insert(ticket, reply);
                self.decide(Event::Command { ticket, command: *command }, gathered);
            }
            // Kept until the reducer is rebuilt.
            Inbound::Finished(report) if self.failed.is_some() => self.unacknowledged.push_back((u64::MAX, *report)),
            Inbound::Finished(report) => {
                self.decide(Event::AttemptFinished(report.clone()), gathered);
                gathered.reports.push(*report);
            }
            Inbound::Nudge => {}
            // A scheduler that is made anew asks again.
            Inbound::Recalled(_) if self.failed.is_some() => {}
            Inbound::Recalled(recalled) => {
                let (recall, last) = *recalled;
                self.decide(Event::Recalled { recall, last }, gathered);
            }
            Inbound::Started(at) => self.startup = Some(Startup { at, made: BTreeSet::new(), commit: None }),
            Inbound::Shutdown => {
                self.stopping = true;
                if self.failed.is_some() {
                    self.cancel_all_while_failed();
                } else {
                    self.decide(Event::Shutdown, gathered);
                }
            }
        }
    }

    fn tick(&mut self, gathered: &mut Gathered) {
        if self.failed.is_some() {
            self.try_to_recover(gathered);
            return;
        }
        let starting = self.scheduler.is_starting();
        if let Some(Startup { at, made, commit: None }) = &mut self.startup {
            let event = Event::Startup { at: *at, made: std::mem::take(made) };
            self.decide(event, gathered);
            self.startup_is_in_next_commit();
        }
        let now = self.clock.now();
        if self.scheduler.is_due(now) {
            self.decide(Event::Tick, gathered);
            if starting {
                self.startup_is_in_next_commit();
            }
        }
    }

    fn startup_is_in_next_commit(&mut self) {
        if let Some(startup) = &mut self.startup {
            startup.commit = Some(self.commits + 1);
        }
    }

    fn decide(&mut self, event: Event, gathered: &mut Gathered) {
        let mut moment = Moment { now: self.clock.now(), rng: &mut self.rng };
        let step = self.scheduler.handle(event, &mut moment);
        self.gather(step, gathered);
    }

    /// Adds a step to what is handed on next.
    fn gather(&mut self, step: Step, gathered: &mut Gathered) {
        gathered.batch.writes.extend(step.batch.writes);
        for effect in step.after {
            match effect {
                Effect::Start(invocation) => gathered.permitted.starts.push(invocation),
                Effect::Cancel(cancel) => gathered.permitted.cancels.push(cancel),
                Effect::Ended(run) => gathered.permitted.ended.push(run.id),
                Effect::Recall(recall) => gathered.permitted.recalls.push(recall),
                Effect::Reply { ticket, reply } => {
                    if let Some(sender) = self.waiting.remove(&ticket) {
                        gathered.permitted.replies.push((sender, reply));
                    }
                }
            }
        }
    }

    /// Hands what was gathered to the committer; its effects follow once it is durable.
    fn hand_on(&mut self, mut gathered: Gathered) {
        let nothing = gathered.batch.is_empty() && gathered.permitted.is_empty() && gathered.reports.is_empty();
        if nothing {
            return;
        }
        missed::Missed::of(&gathered.batch).log();
        self.commits += 1;
        gathered.permitted.commit = self.commits;
        self.unacknowledged.extend(gathered.reports.into_iter().map(|report| (self.commits, report)));
        // One alone: threads that have several to start have none to spare.
        let about_to_start = match &gathered.permitted.starts[..] {
            [only] => Some(only.clone()),
            _ => None,
        };
        if self.committer.submit(gathered.batch, Payload::Decided(Box::new(gathered.permitted))).is_err() {
            tracing::error!("the committer has stopped: nothing can be made durable any more");
            self.broken = true;
        } else if let Some(invocation) = about_to_start {
            // After the commit has begun, which people wait for. If it has ended already, this comes too late and helps nobody.
            self.host.announce(invocation);
        }
    }

    /// Forgets the reports whose commit is durable.
    fn forget_acknowledged(&mut self) {
        let durable = self.shared.durable_commit();
        // A failed commit may lie below a durable one. It is told before the durable one is.
        if self.failed.is_some() || self.shared.has_failure() {
            return;
        }
        if durable > self.durable_seen {
            self.durable_seen = durable;
            let commit = self.startup.as_ref().and_then(|startup| startup.commit);
            if commit.is_some_and(|commit| commit <= durable) && !self.scheduler.is_starting() {
                self.startup = None;
            }
            self.failures_in_a_row = 0;
        }
        while let Some((commit, report)) = self.unacknowledged.front() {
            if *commit > durable {
                return;
            }
            self.shared.no_longer_going(report.run);
            self.unacknowledged.pop_front();
        }
    }
}

/// The sending side of the loop's inbox.
#[derive(Clone)]
pub struct Inbox(pub(crate) Sender<Inbound>);

impl Inbox {
    /// Asks for something and waits until it is durable or refused. What is refused because fires are overdue is asked
    /// again for a while, as they are being dealt with.
    ///
    /// # Errors
    ///
    /// If it could not be made durable; nothing was changed then.
    pub async fn ask(&self, command: Command) -> Result<Reply, Unavailable> {
        let patience = tokio::time::Instant::now() + LONGEST_SETTLING;
        loop {
            match self.ask_once(command.clone()).await? {
                Reply::Refused(Refusal::Overdue { .. }) if tokio::time::Instant::now() < patience => {
                    tokio::time::sleep(SETTLING_PAUSE).await;
                }
                reply => return Ok(reply),
            }
        }
    }

    async fn ask_once(&self, command: Command) -> Result<Reply, Unavailable> {
        let (sender, receiver) = oneshot::channel();
        self.0.try_send(Inbound::Command(Box::new(command), sender)).map_err(|error| match error {
            crossbeam_channel::TrySendError::Full(_) => Unavailable::Overloaded,
            crossbeam_channel::TrySendError::Disconnected(_) => Unavailable::Stopping,
        })?;
        receiver.await.unwrap_or(Err(Unavailable::Stopping))
    }

    /// Tells the loop that the daemon is up, since `at`.
    pub(crate) fn started(&self, at: Timestamp) {
        // A loop that is gone starts nothing.
        _ = self.0.send(Inbound::Started(at));
    }

    /// Tells the loop to stop.
    pub fn shut_down(&self) {
        // A loop that is gone has stopped already.
        _ = self.0.send(Inbound::Shutdown);
    }
}
