//! The daemon without threads: the event loop and the committer, in the order of things that `sandglass-daemon` keeps.
//! Whoever drives it says when each of them has its turn.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sandglass_core::batch::Batch;
use sandglass_core::dependency::UpstreamRun;
use sandglass_core::event::{Command, Effect, Event, Recall, Reply, Step, Ticket};
use sandglass_core::id::RunId;
use sandglass_core::invocation::{AttemptReport, Cancel, Invocation};
use sandglass_core::scheduler::{Moment, Options, Scheduler, Snapshot};
use sandglass_core::time::Timestamp;
use sandglass_store::{CommitError, FailureEpoch, GroupWriter, Reader, RedbStore, Store, StoreError, last_ended};

use crate::order::{Deed, in_order};

/// How long the loop waits before it tries a failed store again, at first and at most. The wait doubles.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// What arrives at the loop.
#[derive(Clone, Debug)]
pub(crate) enum Inbound {
    Command(Ticket, Command),
    Finished(Box<AttemptReport>),
    Started(Timestamp),
    Recalled(Recall, Option<UpstreamRun>),
    Shutdown,
}

/// What may happen once the batch with it is durable.
#[derive(Default, Debug)]
pub(crate) struct Permitted {
    commit: u64,
    pub(crate) starts: Vec<Invocation>,
    pub(crate) cancels: Vec<Cancel>,
    pub(crate) replies: Vec<(Ticket, Reply)>,
    recalls: Vec<Recall>,
}

/// What several events came to.
#[derive(Default, Debug)]
pub(crate) struct Submission {
    pub(crate) batch: Batch,
    /// Before which writes steps end.
    steps: Vec<usize>,
    pub(crate) permitted: Permitted,
    /// Reports that were decided on in it.
    reports: Vec<AttemptReport>,
    /// When it was decided.
    pub(crate) decided_at: Timestamp,
}

impl Submission {
    /// What was decided, in the order in which it was.
    pub(crate) fn in_order(&self) -> Decision {
        let starts: Vec<RunId> = self.permitted.starts.iter().map(|start| start.run).collect();
        Decision { deeds: in_order(&self.batch, &self.steps, &starts), at: self.decided_at }
    }
}

/// What several events came to, in order.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) deeds: Vec<Deed>,
    /// When it was decided.
    pub(crate) at: Timestamp,
}

enum Message {
    Batch(Submission),
    Resume(FailureEpoch),
}

/// What a group came to.
pub(crate) struct Group {
    /// In order, with the answers.
    pub(crate) submissions: Vec<(Submission, Result<(), CommitError>)>,
}

struct Failed {
    epoch: Option<FailureEpoch>,
    wait: Duration,
    try_at: Timestamp,
}

struct Startup {
    at: Timestamp,
    made: BTreeSet<sandglass_core::id::JobId>,
    commit: Option<u64>,
}

/// The daemon's process.
pub(crate) struct Daemon {
    scheduler: Scheduler,
    options: Options,
    rng: fastrand::Rng,
    store: Arc<RedbStore>,
    groups: GroupWriter,
    pub(crate) inbox: VecDeque<Inbound>,
    queue: VecDeque<Message>,
    unacknowledged: VecDeque<(u64, AttemptReport)>,
    commits: u64,
    durable: u64,
    resolved: u64,
    failed: Option<Failed>,
    failures_in_a_row: u32,
    /// What the committer told and the loop has not yet noticed.
    failure: Option<Option<FailureEpoch>>,
    acknowledged: Option<FailureEpoch>,
    stopping: bool,
    startup: Option<Startup>,
    /// Runs of which an attempt was started and its end is not yet durable.
    going: BTreeMap<RunId, u32>,
    /// Attempts that are to be stopped because the daemon is stopping while commits fail.
    pub(crate) at_once: Vec<(RunId, u32)>,
}

impl Daemon {
    /// Starts on what the store holds.
    pub(crate) fn begin(
        store: Arc<RedbStore>,
        options: Options,
        seed: u64,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let snapshot = snapshot(store.as_ref())?;
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut moment = Moment { now, rng: &mut rng };
        let (scheduler, step) = Scheduler::load(snapshot, options.clone(), &HashSet::new(), false, &mut moment);
        let mut daemon = Self {
            scheduler,
            options,
            rng,
            groups: GroupWriter::new(Arc::clone(&store) as Arc<dyn Store>),
            store,
            inbox: VecDeque::new(),
            queue: VecDeque::new(),
            unacknowledged: VecDeque::new(),
            commits: 0,
            durable: 0,
            resolved: 0,
            failed: None,
            failures_in_a_row: 0,
            failure: None,
            acknowledged: None,
            stopping: false,
            startup: None,
            going: BTreeMap::new(),
            at_once: Vec::new(),
        };
        let mut gathered = Submission { decided_at: now, ..Submission::default() };
        gather(step, &mut gathered);
        daemon.hand_on(gathered);
        daemon.inbox.push_back(Inbound::Started(now));
        Ok(daemon)
    }

    /// When the loop wakes by itself.
    pub(crate) fn wakes_at(&self, now: Timestamp) -> Option<Timestamp> {
        match &self.failed {
            Some(failed) => Some(failed.try_at.min(now.after(failed.wait))),
            None => self.scheduler.next_wake(),
        }
    }

    /// Whether nothing is under way, and the store can be written as far as is known.
    pub(crate) fn is_settled(&self) -> bool {
        let nothing_waits = self.inbox.is_empty() && self.queue.is_empty() && self.unacknowledged.is_empty();
        // A start that nothing fires for has no commit of its own.
        let started =
            self.startup.as_ref().is_none_or(|startup| startup.commit.is_some_and(|commit| commit > self.commits));
        nothing_waits && started && self.failed.is_none() && self.failure.is_none()
    }

    /// Whether a group waits for the committer.
    pub(crate) fn has_queued(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Whether commits fail.
    pub(crate) fn is_failing(&self) -> bool {
        self.failed.is_some() || self.failure.is_some()
    }

    /// Whether it was told to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Whether it was told to stop and has nothing left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.stopping && self.is_settled() && self.scheduler.running() == 0
    }

    /// One turn of the loop that takes in at most `most` of what has arrived. Gives what it reads again from the store, if
    /// it does.
    pub(crate) fn turn(&mut self, most: usize, now: Timestamp) -> Result<bool, StoreError> {
        self.notice_failure(now);
        let mut gathered = Submission { decided_at: now, ..Submission::default() };
        for _ in 0..most {
            let Some(inbound) = self.inbox.pop_front() else { break };
            self.take(inbound, now, &mut gathered);
        }
        let reloads = self.tick(now, &mut gathered);
        self.hand_on(gathered);
        self.forget_acknowledged();
        reloads
    }

    fn notice_failure(&mut self, now: Timestamp) {
        let Some(epoch) = self.failure.take() else { return };
        if epoch.is_some() && epoch <= self.acknowledged {
            return;
        }
        match &mut self.failed {
            Some(failed) => failed.epoch = failed.epoch.max(epoch),
            None => {
                let wait = LONGEST_WAIT.min(FIRST_WAIT * 2u32.saturating_pow(self.failures_in_a_row));
                self.failures_in_a_row += 1;
                self.failed = Some(Failed { epoch, wait, try_at: now.after(wait) });
            }
        }
    }

    fn take(&mut self, inbound: Inbound, now: Timestamp, gathered: &mut Submission) {
        match inbound {
            // Answered with the cause, which promises nothing.
            Inbound::Command(..) if self.failed.is_some() => {}
            Inbound::Command(ticket, command) => self.decide(Event::Command { ticket, command }, now, gathered),
            Inbound::Finished(report) if self.failed.is_some() => self.unacknowledged.push_back((u64::MAX, *report)),
            Inbound::Finished(report) => {
                self.decide(Event::AttemptFinished(report.clone()), now, gathered);
                gathered.reports.push(*report);
            }
            Inbound::Recalled(..) if self.failed.is_some() => {}
            Inbound::Recalled(recall, last) => self.decide(Event::Recalled { recall, last }, now, gathered),
            Inbound::Started(at) => self.startup = Some(Startup { at, made: BTreeSet::new(), commit: None }),
            Inbound::Shutdown => {
                self.stopping = true;
                if self.failed.is_some() {
                    // Needs no commit, so it is not held back for one.
                    self.at_once = self.going.iter().map(|(run, attempt)| (*run, *attempt)).collect();
                } else {
                    self.decide(Event::Shutdown, now, gathered);
                }
            }
        }
    }

    /// Whether the scheduler was made anew.
    fn tick(&mut self, now: Timestamp, gathered: &mut Submission) -> Result<bool, StoreError> {
        if self.failed.is_some() {
            return self.try_to_recover(now, gathered);
        }
        let starting = self.scheduler.is_starting();
        if let Some(Startup { at, made, commit: None }) = &mut self.startup {
            let event = Event::Startup { at: *at, made: std::mem::take(made) };
            self.decide(event, now, gathered);
            self.startup_is_in_next_commit();
        }
        if self.scheduler.is_due(now) {
            self.decide(Event::Tick, now, gathered);
            if starting {
                self.startup_is_in_next_commit();
            }
        }
        Ok(false)
    }

    fn startup_is_in_next_commit(&mut self) {
        if let Some(startup) = &mut self.startup {
            startup.commit = Some(self.commits + 1);
        }
    }

    fn decide(&mut self, event: Event, now: Timestamp, gathered: &mut Submission) {
        let mut moment = Moment { now, rng: &mut self.rng };
        let step = self.scheduler.handle(event, &mut moment);
        gather(step, gathered);
    }

    fn hand_on(&mut self, mut gathered: Submission) {
        let Permitted { starts, cancels, replies, recalls, .. } = &gathered.permitted;
        let permits = !starts.is_empty() || !cancels.is_empty() || !replies.is_empty() || !recalls.is_empty();
        if gathered.batch.is_empty() && !permits && gathered.reports.is_empty() {
            return;
        }
        self.commits += 1;
        gathered.permitted.commit = self.commits;
        let reports = std::mem::take(&mut gathered.reports);
        self.unacknowledged.extend(reports.into_iter().map(|report| (self.commits, report)));
        self.queue.push_back(Message::Batch(gathered));
    }

    fn forget_acknowledged(&mut self) {
        if self.failed.is_some() || self.failure.is_some() {
            return;
        }
        let commit = self.startup.as_ref().and_then(|startup| startup.commit);
        if commit.is_some_and(|commit| commit <= self.durable) && !self.scheduler.is_starting() {
            self.startup = None;
        }
        while let Some((commit, report)) = self.unacknowledged.front() {
            if *commit > self.durable {
                return;
            }
            self.going.remove(&report.run);
            self.unacknowledged.pop_front();
        }
    }

    fn try_to_recover(&mut self, now: Timestamp, gathered: &mut Submission) -> Result<bool, StoreError> {
        let Some(failed) = &mut self.failed else { return Ok(false) };
        let is_time = failed.try_at <= now || failed.try_at.since(now) > failed.wait;
        if !is_time || self.resolved < self.commits {
            return Ok(false);
        }
        let epoch = failed.epoch;
        failed.wait = LONGEST_WAIT.min(failed.wait * 2);
        failed.try_at = now.after(failed.wait);
        let snapshot = snapshot(self.store.as_ref())?;
        let going = self.going.keys().copied().collect();
        if let Some(Startup { at, .. }) = self.startup.take() {
            let there =
                |job: &sandglass_core::id::JobId| matches!(self.store.run(RunId::of_startup(*job, at)), Ok(Some(_)));
            let made = snapshot.jobs.iter().map(|(job, _)| job.id).filter(there).collect();
            self.startup = Some(Startup { at, made, commit: None });
        }
        let mut moment = Moment { now, rng: &mut self.rng };
        let (scheduler, step) = Scheduler::load(snapshot, self.options.clone(), &going, self.stopping, &mut moment);
        self.scheduler = scheduler;
        if let Some(epoch) = epoch {
            self.queue.push_back(Message::Resume(epoch));
            self.acknowledged = Some(epoch);
        }
        self.failed = None;
        gather(step, gathered);
        let reports: Vec<_> = self.unacknowledged.drain(..).map(|(_, report)| report).collect();
        for report in reports {
            self.decide(Event::AttemptFinished(Box::new(report.clone())), now, gathered);
            gathered.reports.push(report);
        }
        if self.stopping {
            self.decide(Event::Shutdown, now, gathered);
        }
        Ok(true)
    }

    /// The committer makes a group of at most `most` submissions durable. Nothing of it may have an effect before
    /// [`Daemon::perform`] is told.
    pub(crate) fn commit_group(&mut self, most: usize, now: Timestamp) -> Group {
        let mut submissions = Vec::new();
        while submissions.len() < most {
            match self.queue.pop_front() {
                Some(Message::Batch(submission)) => submissions.push(submission),
                Some(Message::Resume(epoch)) if submissions.is_empty() => self.groups.resume(epoch),
                Some(resume) => {
                    self.queue.push_front(resume);
                    break;
                }
                None => break,
            }
        }
        if submissions.is_empty() {
            return Group { submissions: Vec::new() };
        }
        let batches: Vec<Batch> = submissions.iter().map(|submission| submission.batch.clone()).collect();
        let answers = self.groups.commit(&batches, now);
        Group { submissions: submissions.into_iter().zip(answers).collect() }
    }

    /// Takes note that a submission is durable, before its effects happen.
    pub(crate) fn perform(&mut self, permitted: &Permitted) {
        self.going.extend(permitted.starts.iter().map(|start| (start.run, start.attempt)));
        self.durable = permitted.commit;
        self.failures_in_a_row = 0;
        self.resolved = permitted.commit;
        for recall in &permitted.recalls {
            let last = last_ended(self.store.as_ref(), recall.job).expect("the store can be read");
            self.inbox.push_back(Inbound::Recalled(recall.clone(), last));
        }
    }

    /// Takes note that a submission is not durable.
    pub(crate) fn refuse(&mut self, permitted: &Permitted, error: &CommitError) {
        let epoch = match error {
            CommitError::Store { epoch, .. } => Some(*epoch),
            CommitError::Conflict(_) => None,
        };
        if self.failure.is_none_or(|known| known < epoch) {
            self.failure = Some(epoch);
        }
        self.resolved = permitted.commit;
    }
}

fn gather(step: Step, gathered: &mut Submission) {
    gathered.batch.writes.extend(step.batch.writes);
    gathered.steps.push(gathered.batch.writes.len());
    let mut cancels = Vec::new();
    for effect in step.after {
        match effect {
            Effect::Start(invocation) => gathered.permitted.starts.push(invocation),
            Effect::Cancel(cancel) => cancels.push(cancel),
            Effect::Reply { ticket, reply } => gathered.permitted.replies.push((ticket, reply)),
            Effect::Recall(recall) => gathered.permitted.recalls.push(recall),
            Effect::Ended(_) => {}
        }
    }
    // In whatever order they come, so that a life is the same each time.
    cancels.sort_unstable_by_key(|cancel| (cancel.run, cancel.attempt));
    gathered.permitted.cancels.extend(cancels);
}

fn snapshot(store: &dyn Store) -> Result<Snapshot, StoreError> {
    let loaded = store.load()?;
    Ok(Snapshot {
        jobs: loaded.jobs.into_iter().map(|stored| (stored.job, stored.cursor)).collect(),
        holds: loaded.holds,
        calendars: loaded.calendars,
        notify: loaded.notify,
        templates: loaded.templates,
        targets: loaded.targets,
        groups: loaded.groups,
        plugins: loaded.plugins,
        active: loaded.active,
    })
}
