//! The reducer: every event goes through [`Scheduler::handle`], which decides and does nothing.
//!
//! What it decides is a [`Step`]: a batch to commit, and effects that are permitted once the batch is durable. The
//! scheduler's memory is a cache of the store: it runs ahead of it by the batches that are on their way, and after a
//! failed commit or a restart it is rebuilt with [`Scheduler::load`].

mod backfill;
mod calendars;
mod catch_up;
mod command;
#[cfg(feature = "defects")]
mod defect;
mod depend;
mod expire;
mod finish;
mod fire;
mod fleet;
mod groups;
mod hold;
mod job_templates;
mod line;
mod load;
mod notify;
mod observe;
mod of_job;
mod options;
mod overlap;
mod plan;
mod require;
mod retry;
mod save;
mod start;
mod stretch;
#[cfg(test)]
mod tests;
mod waits;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap};
use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "defects")]
pub use defect::Defect;
pub use load::Snapshot;
use of_job::RunsOfJob;
pub use options::Options;

use crate::batch::Write;
use crate::event::{Effect, Event, Reply, Step};
use crate::hold::{Holds, Standing};
use crate::id::{JobId, JobName, Namespace, PluginName, RunId};
use crate::invocation::{Cancel, CancelReason};
use crate::job::{Cursor, Job};
use crate::plugin::Plugin;
use crate::queue::{LaneId, Place, Queue};
use crate::run::{Run, RunState};
use crate::schedule::{JobSchedule, Window};
use crate::target::Fleet;
use crate::time::Timestamp;

/// A fire that is dealt with later than this after its instant counts as late: it is a catch-up, not a punctual fire.
pub const LATE_AFTER: Duration = Duration::from_secs(5);

/// The most fires dealt with in one step, so that a long absence does not become one huge commit.
const FIRES_PER_STEP: usize = 512;

/// A clock that is set back by less changes nothing that would be noticed.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(1);

/// So many entries of the heap of due jobs are no reason to make it anew.
const FEW_DUE: usize = 64;

/// The instant of an event and the randomness for it, passed in so that a seed decides everything.
pub struct Moment<'a> {
    /// The instant.
    pub now: Timestamp,
    /// The generator.
    pub rng: &'a mut fastrand::Rng,
}

/// Decides what happens, event by event.
pub struct Scheduler {
    options: Options,
    /// Boxed, as a map has room for twice as many jobs as there are.
    jobs: HashMap<JobId, Box<Entry>>,
    names: HashMap<Namespace, HashMap<JobName, JobId>>,
    plugins: HashMap<PluginName, Arc<Plugin>>,
    /// When jobs want to be looked at, soonest first. An entry whose job wants another instant by now is stale.
    due: BinaryHeap<Reverse<(Timestamp, JobId)>>,
    /// Runs in `retry_wait`, soonest first.
    retries: BTreeSet<(Timestamp, RunId)>,
    /// Queued runs that wait for the window of their job, or for more to tell of, the one that may go first in front.
    windows: BTreeSet<(Timestamp, RunId)>,
    /// When queued runs expire that are not started before, soonest first.
    expiries: BTreeSet<(Timestamp, RunId)>,
    /// The limits that jobs name for each concurrency group.
    groups: groups::Groups,
    /// The jobs that others wait for.
    upstreams: depend::Upstreams,
    /// Required jobs whose last run the store is to be asked for.
    to_recall: Vec<(Namespace, JobName)>,
    /// Runs that ended in the present step and that jobs wait for.
    ended: Vec<Arc<Run>>,
    /// The calendars of each namespace.
    calendars: HashMap<Namespace, calendars::Kept>,
    /// What notifiers there are, and what waits to be told.
    notify: notify::Notify,
    /// The job templates of each namespace.
    templates: HashMap<Namespace, job_templates::Kept>,
    /// The targets and groups of each namespace.
    fleets: HashMap<Namespace, Fleet>,
    /// Namespaces that are paused or disabled as a whole.
    held_namespaces: HashMap<Namespace, Holds>,
    /// Runs in `queued` that may start.
    queue: Queue,
    /// Every run that is not over.
    active: HashMap<RunId, Active>,
    /// Runs that the present step made.
    inserted: Vec<RunId>,
    running: u32,
    /// When the last event came.
    seen: Timestamp,
    /// The start of the daemon whose fires have not all been dealt with.
    starting: Option<fire::Starting>,
    stopping: bool,
}

/// A job with what follows from it.
struct Entry {
    job: Arc<Job>,
    cursor: Cursor,
    /// When the job is to be looked at: at its next fire. A fire that is overdue waits behind everything that came due
    /// before it was looked at, so that one job's backlog does not hold up the punctual fires of others.
    wake_at: Option<Timestamp>,
    schedule: JobSchedule,
    /// Boxed, as few jobs have one.
    window: Option<Box<Window>>,
    /// What holds the job back; none if nothing does.
    standing: Option<Box<Standing>>,
    /// Runs of the job that are not over.
    runs: RunsOfJob,
}

/// A run that is not over.
struct Active {
    run: Arc<Run>,
    stands: Stands,
    /// When it expires unless it is started before.
    expires_at: Option<Timestamp>,
    /// The write of the present step that inserts it.
    inserted_by: Option<usize>,
}

/// Where a run is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stands {
    /// Nowhere: it waits for its next attempt, or is between two places.
    Apart,
    /// Queued, in the line of its job.
    Line,
    /// Queued, for a free place.
    Queue(LaneId, Place),
    /// Queued, for the window of its job, or until a notification has waited for more to tell of; until then.
    Window(Timestamp),
    /// Queued, for a run of another job to end, until then at most.
    Upstream(Option<Timestamp>),
    /// Running, with the places of this lane.
    Going(LaneId),
}

impl Scheduler {
    /// When [`Event::Tick`] should come at the latest.
    #[must_use]
    pub fn next_wake(&self) -> Option<Timestamp> {
        if self.stopping {
            return None;
        }
        let startup = self.starting.as_ref().map(|starting| starting.at);
        let fire = self.due.peek().map(|Reverse((at, _))| *at);
        let retry = self.retries.first().map(|(at, _)| *at);
        let window = self.windows.first().map(|(at, _)| *at);
        let expiry = self.expiries.first().map(|(at, _)| *at);
        let notice = self.notify.next_wake();
        startup.into_iter().chain(fire).chain(retry).chain(window).chain(expiry).chain(notice).min()
    }

    /// Whether [`Event::Tick`] should come now: something is due, or the clock was set back, which may change what is.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.next_wake().is_some_and(|at| at <= now) || (!self.stopping && self.is_set_back(now))
    }

    /// Decides what `event` comes to at `moment`.
    pub fn handle(&mut self, event: Event, moment: &mut Moment<'_>) -> Step {
        let (mut step, mut answer) = (Step::default(), None);
        if self.is_set_back(moment.now) {
            self.clock_set_back(moment.now);
        }
        self.seen = moment.now;
        match event {
            Event::Tick => self.tick(moment, &mut step),
            Event::Command { ticket, command } => {
                answer = Some((ticket, self.command(command, moment, &mut step)));
            }
            Event::AttemptFinished(report) => self.attempt_finished(*report, moment, &mut step),
            Event::Startup { at, made } => {
                self.begin_startup(at, &made);
                self.startup_fires(moment.now, &mut step);
            }
            Event::Recalled { recall, last } => self.recalled(&recall.namespace, &recall.name, last),
            Event::Shutdown => self.shutdown(&mut step),
        }
        self.conclude(moment, &mut step);
        if let Some((ticket, reply)) = answer {
            step.after.push(Effect::Reply { ticket, reply: self.as_it_is_now(reply) });
        }
        self.drop_stale_fires();
        self.end_step();
        step
    }

    /// A run that was just made may have been started since the reply was.
    fn as_it_is_now(&self, reply: Reply) -> Reply {
        match reply {
            Reply::Run(run) => Reply::Run(self.active.get(&run.id).map_or(run, |active| Arc::clone(&active.run))),
            other => other,
        }
    }

    /// The inserts among the step's writes stay as they are from now on.
    fn end_step(&mut self) {
        for run in self.inserted.drain(..) {
            if let Some(active) = self.active.get_mut(&run) {
                active.inserted_by = None;
            }
        }
    }

    /// Attempts that are going.
    #[must_use]
    pub fn running(&self) -> u32 {
        self.running
    }

    /// Whether `startup` triggers are still to fire for a start of the daemon.
    #[must_use]
    pub fn is_starting(&self) -> bool {
        self.starting.is_some()
    }

    /// Runs that are not over: queued, waiting or running.
    #[must_use]
    pub fn active(&self) -> usize {
        self.active.len()
    }

    /// The plugin of this name.
    #[must_use]
    pub fn plugin(&self, name: &PluginName) -> Option<&Arc<Plugin>> {
        self.plugins.get(name)
    }

    fn tick(&mut self, moment: &mut Moment<'_>, step: &mut Step) {
        if self.stopping {
            return;
        }
        if self.startup_fires(moment.now, step) {
            // What is due may depend on them, as they are runs of the same jobs.
            return;
        }
        self.due_fires(moment.now, step);
        self.due_retries(moment.now, step);
        self.due_windows(moment.now);
        self.due_expiries(moment.now, step);
        self.due_lates(moment.now, step);
        self.due_silences(moment.now, step);
    }

    fn shutdown(&mut self, step: &mut Step) {
        self.stopping = true;
        for active in self.active.values() {
            if active.run.state == RunState::Running {
                step.after.push(cancel_effect(&active.run, CancelReason::Shutdown, false));
            }
        }
    }

    /// Moves an active run to `next`, writes it, and drops it from memory if that is the end of it.
    fn advance(&mut self, id: RunId, next: RunState, step: &mut Step) {
        self.change(id, next, |_| (), step);
    }

    /// As [`Scheduler::advance`], with another change to the run in the same write.
    fn change(&mut self, id: RunId, next: RunState, edit: impl FnOnce(&mut Run), step: &mut Step) {
        let active = self.active.get_mut(&id).expect("only active runs are changed");
        let before = active.run.state;
        let run = Arc::make_mut(&mut active.run);
        edit(run);
        run.transition(next).expect("the reducer only makes documented transitions");
        let run = Arc::clone(&active.run);
        let in_line = active.stands == Stands::Line;
        match before {
            RunState::Queued => self.leave(id),
            RunState::Running => self.running -= 1,
            RunState::RetryWait { until } => _ = self.retries.remove(&(until, id)),
            RunState::Ended { .. } => {}
        }
        match next {
            RunState::Queued => self.enqueue(id),
            RunState::Running => self.running += 1,
            RunState::RetryWait { until } => {
                self.give_places_back(id);
                self.retries.insert((until, id));
            }
            RunState::Ended { .. } => {
                self.give_places_back(id);
                self.active.remove(&id);
                self.end_watch(&run);
                if !in_line {
                    self.give_turn(run.job_id, id);
                }
                self.note_end(&run);
                step.after.push(Effect::Ended(Arc::clone(&run)));
            }
        }
        #[cfg(feature = "defects")]
        if let RunState::RetryWait { until } = next
            && self.loses_retry(id)
        {
            self.retries.remove(&(until, id));
        }
        step.batch.writes.push(Write::UpdateRun(run));
        #[cfg(feature = "defects")]
        self.resurrect(id, step);
    }

    /// A run is not running any more, if it was.
    fn give_places_back(&mut self, id: RunId) {
        let active = self.active.get_mut(&id).expect("only active runs are changed");
        if let Stands::Going(lane) = std::mem::replace(&mut active.stands, Stands::Apart) {
            self.queue.release(lane);
        }
    }

    fn is_set_back(&self, now: Timestamp) -> bool {
        now.after(CLOCK_TOLERANCE) < self.seen
    }

    /// What waits for an instant that was chosen by the clock, as it was, is looked at again.
    fn clock_set_back(&mut self, now: Timestamp) {
        for (id, entry) in &mut self.jobs {
            let wake_at = entry.wants_to_wake(now);
            if entry.wake_at != wake_at {
                entry.wake_at = wake_at;
                self.due.extend(wake_at.map(|at| Reverse((at, *id))));
            }
        }
        self.bound_due();
        let for_windows = self.windows.iter().map(|(_, run)| *run);
        // What was too long ago may not be any more.
        let for_others = self.active.iter().filter(|(_, active)| matches!(active.stands, Stands::Upstream(_)));
        let mut waiting: Vec<RunId> = for_windows.chain(for_others.map(|(id, _)| *id)).collect();
        waiting.sort_unstable();
        for run in waiting {
            self.leave(run);
            self.enqueue(run);
        }
    }

    /// Makes the heap of due jobs anew if most of it is stale: an entry far ahead would otherwise stay until its time, and
    /// every change of a job adds one.
    fn bound_due(&mut self) {
        if self.due.len() > 2 * self.jobs.len() + FEW_DUE {
            let wakes = self.jobs.iter().filter_map(|(id, entry)| Some(Reverse((entry.wake_at?, *id))));
            self.due = wakes.collect();
        }
    }

    fn drop_stale_fires(&mut self) {
        while let Some(Reverse((at, id))) = self.due.peek() {
            if self.jobs.get(id).is_some_and(|entry| entry.wake_at == Some(*at)) {
                return;
            }
            self.due.pop();
        }
    }
}

fn cancel_effect(run: &Run, reason: CancelReason, at_once: bool) -> Effect {
    let attempt = run.attempts.last().map_or(1, |attempt| attempt.number);
    Effect::Cancel(Cancel { run: run.id, attempt, reason, at_once })
}
