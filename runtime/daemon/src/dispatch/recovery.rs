//! When a commit failed: what the reducer remembers never became durable, so it is rebuilt from the store, and the
//! reports that were not durable yet are taken in again. Until that succeeds nothing starts and nothing is saved;
//! attempts that are going go on.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use sandglass_core::event::{Command, Event, Reply};
use sandglass_core::id::{JobId, RunId};
use sandglass_core::invocation::{Cancel, CancelReason};
use sandglass_core::job::Job;
use sandglass_core::scheduler::{Moment, Scheduler, Snapshot};
use sandglass_core::spec::bounds::{Excess, excess};
use sandglass_core::time::{Clock, Timestamp};
use sandglass_store::{FailureEpoch, Store, StoreError};
use tokio::sync::oneshot;

use super::{Dispatcher, Gathered, Startup, Unavailable};

/// How long to wait before the store is tried again, at first and at most. The wait doubles from failure to failure.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
/// How much the clock may be set back without a word.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(60);
/// A stopping daemon gives up on its store after this many failures.
const HOPELESS_AFTER: u32 = 4;

/// Commits fail.
pub(super) struct Failed {
    epoch: Option<FailureEpoch>,
    pub(super) cause: Unavailable,
    tries: u32,
    wait: Duration,
    try_at: Timestamp,
}

impl Failed {
    pub(super) fn patience(&self, now: Timestamp) -> Duration {
        // A clock that was set back must not make this wait for hours.
        self.try_at.since(now).min(self.wait)
    }

    /// Whether a stopping daemon should wait no longer.
    pub(super) fn is_hopeless(&self) -> bool {
        self.tries >= HOPELESS_AFTER
    }

    fn is_time(&self, now: Timestamp) -> bool {
        self.try_at <= now || self.try_at.since(now) > self.wait
    }
}

impl Dispatcher {
    /// Looks whether a commit has failed since the last time.
    pub(super) fn notice_failure(&mut self) {
        let Some(failure) = self.shared.take_failure() else { return };
        if failure.epoch.is_some() && failure.epoch <= self.acknowledged {
            return;
        }
        match &mut self.failed {
            // A store that failed outright weighs more than a conflict.
            Some(failed) => failed.epoch = failed.epoch.max(failure.epoch),
            None => {
                let tries = self.failures_in_a_row;
                self.failures_in_a_row += 1;
                if tries == 0 {
                    let cause = &failure.cause;
                    tracing::error!(%cause, "a commit failed; nothing starts until the store can be written again");
                }
                self.shared.set_failing(true);
                let wait = LONGEST_WAIT.min(FIRST_WAIT * 2u32.saturating_pow(tries));
                let try_at = self.clock.now().after(wait);
                self.failed = Some(Failed { epoch: failure.epoch, cause: failure.cause, tries, wait, try_at });
                if self.stopping {
                    self.cancel_all_while_failed();
                }
            }
        }
    }

    /// Commands need a commit, so they are refused with the cause. Stopping a going run needs none, and may be just what
    /// makes space.
    pub(super) fn answer_while_failed(&mut self, command: Command, reply: oneshot::Sender<Result<Reply, Unavailable>>) {
        if let Command::CancelRun { run } = command
            && let Some(attempt) = self.shared.going_attempt(run)
            && let Ok(Some(stored)) = self.store.run(run)
        {
            // Directly: an empty batch would fail like any other, so this cannot go through the committer.
            self.host.cancel(Cancel { run, attempt, reason: CancelReason::User, at_once: false });
            _ = reply.send(Ok(Reply::Run(stored)));
            return;
        }
        let cause = self.failed.as_ref().map_or(Unavailable::Stopping, |failed| failed.cause.clone());
        // Nobody may be waiting any more; then the answer goes nowhere.
        _ = reply.send(Err(cause));
    }

    pub(super) fn cancel_all_while_failed(&self) {
        for (run, attempt) in self.shared.going() {
            self.host.cancel(Cancel { run, attempt, reason: CancelReason::Shutdown, at_once: false });
        }
    }

    /// Rebuilds the reducer if it is time and nothing is on its way to the store any more. Whether the store really can
    /// be written again shows when something is committed; if not, that failure is noticed and the next try follows.
    pub(super) fn try_to_recover(&mut self, gathered: &mut Gathered) {
        let now = self.clock.now();
        let Some(failed) = &self.failed else { return };
        if !failed.is_time(now) || self.shared.resolved_commit() < self.commits {
            return;
        }
        let epoch = failed.epoch;
        match snapshot(self.store.as_ref(), self.clock.now()) {
            Ok(snapshot) => self.rebuild(snapshot, epoch, gathered),
            Err(error) => {
                tracing::warn!(%error, "the store cannot be used yet");
                self.postpone();
            }
        }
    }

    fn postpone(&mut self) {
        let now = self.clock.now();
        if let Some(failed) = &mut self.failed {
            failed.tries += 1;
            failed.wait = LONGEST_WAIT.min(failed.wait * 2);
            failed.try_at = now.after(failed.wait);
        }
    }

    fn rebuild(&mut self, snapshot: Snapshot, epoch: Option<FailureEpoch>, gathered: &mut Gathered) {
        let going = self.shared.going().into_iter().map(|(run, _)| run).collect();
        self.startup = self.startup_after_failure(&snapshot);
        let active: HashSet<RunId> = snapshot.active.iter().map(|run| run.id).collect();
        let mut moment = Moment { now: self.clock.now(), rng: &mut self.rng };
        let (scheduler, step) = Scheduler::load(snapshot, self.options.clone(), &going, self.stopping, &mut moment);
        self.scheduler = scheduler;
        if let Some(epoch) = epoch {
            self.committer.resume(epoch);
            self.acknowledged = Some(epoch);
        }
        self.failed = None;
        self.shared.set_failing(false);
        tracing::info!("trying again from what the store holds");
        self.gather(step, gathered);
        // Reports whose commit failed are decided on again. One whose commit did become durable finds its run over; those
        // who follow that run have not been told.
        let reports: Vec<_> = self.unacknowledged.drain(..).map(|(_, report)| report).collect();
        for report in reports {
            if !active.contains(&report.run) {
                gathered.permitted.ended.push(report.run);
            }
            self.decide(Event::AttemptFinished(Box::new(report.clone())), gathered);
            gathered.reports.push(report);
        }
        if self.stopping {
            self.decide(Event::Shutdown, gathered);
        }
    }
}

impl Dispatcher {
    /// The fires of the daemon's start, if they still have to be decided on, with the jobs whose fires are durable.
    fn startup_after_failure(&mut self, snapshot: &Snapshot) -> Option<Startup> {
        let at = self.startup.take()?.at;
        let there = |job: &JobId| matches!(self.store.run(RunId::of_startup(*job, at)), Ok(Some(_)));
        let made = snapshot.jobs.iter().map(|(job, _)| job.id).filter(there).collect();
        Some(Startup { at, made, commit: None })
    }
}

/// What the store holds, as the scheduler wants it.
pub(super) fn snapshot(store: &dyn Store, now: Timestamp) -> Result<Snapshot, StoreError> {
    let loaded = store.load()?;
    warn_of_clock(loaded.jobs.iter().map(|stored| stored.cursor.done_until), now);
    for stored in &loaded.jobs {
        let Job { namespace, spec, .. } = stored.job.as_ref();
        for Excess { pointer, message } in excess(spec) {
            let job = &spec.name;
            tracing::warn!(%namespace, %job, "{pointer}: {message}; until it is saved anew the rest has no effect");
        }
    }
    Ok(Snapshot {
        jobs: loaded.jobs.into_iter().map(|stored| (Arc::clone(&stored.job), stored.cursor)).collect(),
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

/// Tells of jobs that have dealt with fires which lie ahead by the present clock. They do not fire again before those.
fn warn_of_clock(done_until: impl Iterator<Item = Timestamp>, now: Timestamp) {
    let ahead: Vec<Timestamp> = done_until.filter(|done| *done > now && done.since(now) > CLOCK_TOLERANCE).collect();
    if let Some(until) = ahead.iter().max() {
        let jobs = ahead.len();
        tracing::warn!(
            jobs,
            %until,
            "the clock has been later than it is now: these jobs fire again only after the last fire that was dealt with, \
             at the latest after the instant named; if the clock is right now, delete them and apply them again"
        );
    }
}
