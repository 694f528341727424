//! From a fire or a manual start to a run, and from the queue to an attempt.

use std::sync::Arc;

use super::overlap::Passage;
use super::require::Needed;
use super::{Entry, Scheduler, Stands};
use crate::batch::Write;
use crate::dependency::UpstreamRun;
use crate::event::{Effect, Step};
use crate::id::{JobId, RunId};
use crate::invocation::Invocation;
use crate::run::{
    Attempt, AttemptEnd, AttemptError, AttemptOutcome, Ending, ErrorClass, ExpiryReason, Gate, Missed, Origin, Rerun,
    Run, RunState, SkipReason, Usage,
};
use crate::spec::{Outside, ParamValues};
use crate::time::Timestamp;

/// A start that is wanted, before it is known whether it becomes a run.
pub(super) struct Start {
    pub(super) id: RunId,
    pub(super) origin: Origin,
    pub(super) trigger: Option<u16>,
    pub(super) rerun_of: Option<Rerun>,
    /// The fires behind its own for which its record stands too.
    pub(super) missed: Option<Missed>,
    pub(super) scheduled_at: Timestamp,
    /// How it passes other runs of the job.
    pub(super) passage: Passage,
    /// Values of the job's parameters; none for its defaults.
    pub(super) params: Option<Arc<ParamValues>>,
    /// Runs of other jobs that it follows from.
    pub(super) upstream: Vec<UpstreamRun>,
}

impl Start {
    /// A start that follows from nothing, gives no parameters, and passes other runs by the job's policy.
    pub(super) const fn of(id: RunId, origin: Origin, scheduled_at: Timestamp) -> Self {
        Self {
            id,
            origin,
            trigger: None,
            rerun_of: None,
            missed: None,
            scheduled_at,
            passage: Passage::ByPolicy,
            params: None,
            upstream: Vec::new(),
        }
    }
}

impl Scheduler {
    /// Takes a start through the gate: it becomes a queued run, which starts in the same step if there is a place for it, or
    /// a record of why it was skipped.
    pub(super) fn start(&mut self, job: JobId, start: Start, now: Timestamp, step: &mut Step) -> Arc<Run> {
        #[cfg(feature = "defects")]
        let start = self.passes_over(start);
        let entry = self.jobs.get(&job).expect("starts are made for jobs that are there");
        let opening = match start.passage {
            Passage::Forced => Opening::Open,
            _ => entry.opening(start.origin, now),
        };
        if opening == Opening::Never {
            return self.skip(job, &start, SkipReason::OutsideWindow, now, step);
        }
        let Some(gate) = entry.gate_for(start.passage) else {
            return self.skip(job, &start, SkipReason::Overlap, now, step);
        };
        // Whether a run that waits for its turn or its window may start is asked when it could.
        let starts_now = opening == Opening::Open && (gate == Gate::Window || gate == Gate::Turn && entry.has_room());
        if starts_now && self.is_unmet(entry, now) {
            return self.skip(job, &start, SkipReason::Requires, now, step);
        }
        let supersedes = entry.job.spec.overlap.supersedes();
        #[cfg(feature = "defects")]
        let supersedes = supersedes || self.supersedes_anyway(start.id);
        if supersedes && start.passage == Passage::ByPolicy {
            self.supersede(job, now, step);
        }
        let mut run = self.new_run(job, &start, RunState::Queued, now);
        run.gate = gate;
        let run = Arc::new(run);
        let inserted_by = step.batch.writes.len();
        step.batch.writes.push(Write::InsertRun(Arc::clone(&run)));
        self.take_in(Arc::clone(&run));
        self.active.get_mut(&run.id).expect("taken in just now").inserted_by = Some(inserted_by);
        self.inserted.push(run.id);
        self.next_turn(job);
        run
    }

    /// Records that a start came to nothing.
    pub(super) fn skip(
        &mut self,
        job: JobId,
        start: &Start,
        reason: SkipReason,
        now: Timestamp,
        step: &mut Step,
    ) -> Arc<Run> {
        let state = RunState::Ended { ending: Ending::Skipped(reason), at: now };
        let run = Arc::new(self.new_run(job, start, state, now));
        step.batch.writes.push(Write::InsertRun(Arc::clone(&run)));
        self.note_end(&run);
        step.after.push(Effect::Ended(Arc::clone(&run)));
        run
    }

    pub(super) fn new_run(&self, job: JobId, start: &Start, state: RunState, now: Timestamp) -> Run {
        let job = &self.jobs[&job].job;
        Run {
            revision: job.revision,
            origin: start.origin,
            trigger: start.trigger,
            rerun_of: start.rerun_of,
            missed: start.missed,
            scheduled_at: start.scheduled_at,
            params: start.params.clone(),
            upstream: start.upstream.clone(),
            state,
            ..Run::queued(start.id, job.namespace.clone(), job.id, job.spec.name.clone(), now)
        }
    }

    /// Gives free places to queued runs, in order.
    pub(super) fn fill(&mut self, now: Timestamp, step: &mut Step) {
        while self.has_place() {
            let Some((id, lane)) = self.queue.take() else { return };
            let active = self.active.get_mut(&id).expect("only active runs are queued");
            active.stands = Stands::Going(lane);
            let run = Arc::clone(&active.run);
            if active.expires_at.is_some_and(|at| at <= now) {
                self.expire(id, now, step);
                continue;
            }
            // A run that began inside the window may be tried again outside.
            let asks = run.gate != Gate::Open && run.attempts.is_empty();
            let job = self.jobs.get(&run.job_id).filter(|_| asks);
            match job.map_or(Opening::Open, |entry| entry.opening(run.origin, now)) {
                Opening::Open => match job.map_or(Needed::Met, |entry| self.needed(entry, &run, now)) {
                    Needed::Met => self.begin(id, now, step),
                    Needed::Waits(until) => {
                        self.give_places_back(id);
                        self.await_upstream(id, until);
                    }
                    Needed::Unmet => {
                        let ending = Ending::Expired(ExpiryReason::Requires);
                        self.advance(id, RunState::Ended { ending, at: now }, step);
                    }
                },
                Opening::At(opens_at) => {
                    self.give_places_back(id);
                    self.defer(id, opens_at);
                }
                Opening::Never => {
                    let ending = Ending::Expired(ExpiryReason::OutsideWindow);
                    self.advance(id, RunState::Ended { ending, at: now }, step);
                }
            }
        }
    }

    /// Begins the next attempt of a run that has its places.
    fn begin(&mut self, id: RunId, now: Timestamp, step: &mut Step) {
        self.forget_expiry(id);
        let late = self.begins_late(id, now);
        let run = &self.active[&id].run;
        let entry = self.jobs.get(&run.job_id);
        let first = entry.filter(|_| run.attempts.is_empty());
        let needed = first.map(|entry| self.needed_by(entry, run)).unwrap_or_default();
        // The job may have been changed while the run waited: the attempt does what it is now.
        let revision = entry.map(|entry| entry.job.revision);
        let active = self.active.get_mut(&id).expect("it was queued until now");
        let begin = |run: &mut Run| {
            run.upstream.extend(needed);
            add_attempt(run, now);
            run.take_up(revision.unwrap_or(run.revision));
            run.late = late.or(run.late);
        };
        match active.inserted_by {
            // Nobody knows of it yet, so it is running from the first.
            Some(place) => {
                let run = Arc::make_mut(&mut active.run);
                begin(run);
                run.state = RunState::Running;
                step.batch.writes[place] = Write::InsertRun(Arc::clone(&active.run));
                self.running += 1;
            }
            None => self.change(id, RunState::Running, begin, step),
        }
        let run = Arc::clone(&self.active[&id].run);
        self.invoke(&run, now, step);
    }

    fn has_place(&self) -> bool {
        let most = self.options.max_running;
        #[cfg(feature = "defects")]
        let most = most + self.too_many();
        !self.stopping && self.running < most
    }

    /// Lets the run's attempt start once this step is durable.
    fn invoke(&mut self, run: &Arc<Run>, now: Timestamp, step: &mut Step) {
        let work = match run.notice.as_deref() {
            Some(notice) => self.work_of_notice(run, notice),
            None => self.jobs.get(&run.job_id).and_then(|entry| self.work(entry, run, now)),
        };
        let Some(work) = work else {
            self.fail_unstartable(run.id, now, step);
            return;
        };
        let attempt = run.attempts.last().map_or(1, |attempt| attempt.number);
        step.after.push(Effect::Start(Invocation {
            run: run.id,
            attempt,
            origin: run.origin,
            scheduled_at: run.scheduled_at,
            resumes: run.resumes(),
            work,
        }));
    }

    fn fail_unstartable(&mut self, id: RunId, now: Timestamp, step: &mut Step) {
        let (code, message) = if self.active[&id].run.notice.is_some() {
            (
                "no-notifier",
                "the notifier, or the plugin that it names, is not there any more: there is nothing to tell with",
            )
        } else {
            (
                "no-plugin",
                "the job's plugin, or the version or action of it that the job names, is not there any more: add it again, \
                 or let the job use another",
            )
        };
        let error = AttemptError { class: ErrorClass::Lost, code: code.to_owned(), message: message.to_owned() };
        let end = AttemptEnd {
            finished_at: now,
            outcome: AttemptOutcome::Failed,
            error: Some(error),
            exit_code: None,
            usage: Usage::default(),
        };
        let ended = RunState::Ended { ending: Ending::Failed, at: now };
        self.change(id, ended, |run| run.attempts.last_mut().expect("it was just begun").end = Some(end), step);
    }
}

/// When a run may start by the window of its job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Opening {
    Open,
    At(Timestamp),
    Never,
}

impl Entry {
    /// When a run of this origin may start. What somebody asked to make up for waits for the window in any case: it would
    /// be no use to skip it.
    fn opening(&self, origin: Origin, now: Timestamp) -> Opening {
        match &self.window {
            Some(window) if !window.contains(now) => {
                let waits = window.outside() == Outside::Defer || origin == Origin::Backfill;
                window.next_open(now).filter(|_| waits).map_or(Opening::Never, Opening::At)
            }
            _ => Opening::Open,
        }
    }
}

fn add_attempt(run: &mut Run, now: Timestamp) {
    let number = run.attempts.last().map_or(1, |attempt| attempt.number + 1);
    run.attempts.push(Attempt { number, started_at: now, end: None });
}
