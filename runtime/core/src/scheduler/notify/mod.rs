//! Notifications: runs that tell of other runs.
//!
//! What happened in a step is told at its end ([`Scheduler::tell`]): each notifier that asks for it has one more run, or its
//! run that still waits tells of one thing more. What such a run tells is its [`Notice`]; that it belongs to no job is seen
//! by its job id, which stands for the notifier. What is to be told, and how it is put, is decided in [`crate::notice`].

mod places;
mod save;
mod send;
mod timers;
mod watch;

use std::collections::HashMap;
use std::sync::Arc;

use super::{Moment, Scheduler};
use crate::batch::Write;
use crate::event::{Effect, Step};
use crate::id::{JobId, Namespace, RunId};
use crate::notice::{NamespaceNotify, Notice, NoticeEvent, NoticeOwner, grouped, of_end};
use crate::run::{Origin, Run};
use crate::spec::{JobSpec, Notifier};
use crate::time::Timestamp;
use timers::Timers;

/// What notifications need beside jobs and runs.
#[derive(Default)]
pub(super) struct Notify {
    /// The notifiers of whole namespaces.
    namespaces: HashMap<Namespace, Arc<NamespaceNotify>>,
    /// How many jobs have notifiers of their own.
    jobs: usize,
    /// What each notifier that has told something has under way, by what stands for it in its runs.
    lines: HashMap<JobId, Line>,
    /// What the present step has found, besides ends of runs.
    found: Vec<Found>,
    /// When queued runs are late.
    lates: Timers<RunId>,
    /// When jobs have had no success for too long.
    silences: Timers<JobId>,
}

/// What one notifier has under way.
#[derive(Default)]
struct Line {
    /// Its run of which no attempt has begun.
    waiting: Option<RunId>,
    /// When its last run went, or is to go.
    last: Option<Timestamp>,
}

/// Something that one notifier tells of.
struct Found {
    namespace: Namespace,
    owner: NoticeOwner,
    entry: u16,
    event: NoticeEvent,
}

/// A notifier of a job: its own, or one of its namespace.
#[derive(Clone, Copy)]
struct Watcher<'a> {
    owner: NoticeOwner,
    entry: u16,
    notifier: &'a Notifier,
    /// When it was saved.
    since: Timestamp,
}

impl Notify {
    /// Whether nobody is told of anything.
    fn is_idle(&self) -> bool {
        self.jobs == 0 && self.namespaces.is_empty()
    }

    /// Whether nobody is told of anything, and nothing is looked at for those who were.
    fn is_unused(&self) -> bool {
        self.is_idle() && self.next_wake().is_none()
    }

    /// When something is to be looked at.
    pub(super) fn next_wake(&self) -> Option<Timestamp> {
        self.lates.first().into_iter().chain(self.silences.first()).min()
    }
}

impl Scheduler {
    /// The notifiers of a job.
    fn watchers<'a>(&'a self, namespace: &Namespace, job: JobId) -> impl Iterator<Item = Watcher<'a>> {
        let own = self.jobs.get(&job).map(|entry| &entry.job).into_iter();
        let own = own.flat_map(move |saved| {
            let owner = NoticeOwner::Job(job);
            let since = saved.updated_at;
            saved.spec.notify.iter().map(move |(entry, notifier)| Watcher { owner, entry, notifier, since })
        });
        let shared = self.notify.namespaces.get(namespace).into_iter();
        own.chain(shared.flat_map(|shared| {
            let (owner, since) = (NoticeOwner::Namespace, shared.updated_at);
            shared.notify.iter().map(move |(entry, notifier)| Watcher { owner, entry, notifier, since })
        }))
    }

    /// The notifier by which `notice` is told, as it is now; none if it is gone.
    pub(super) fn notifier(&self, namespace: &Namespace, notice: &Notice) -> Option<&Notifier> {
        self.notifier_of(namespace, notice.owner, notice.entry)
    }

    fn notifier_of(&self, namespace: &Namespace, owner: NoticeOwner, entry: u16) -> Option<&Notifier> {
        match owner {
            NoticeOwner::Job(job) => self.jobs.get(&job)?.job.spec.notify.get(entry),
            NoticeOwner::Namespace => self.notify.namespaces.get(namespace)?.notify.get(entry),
        }
    }

    /// Takes note that a job with this specification is there, or is there no more.
    pub(super) fn count_notified(&mut self, spec: &JobSpec, is_there: bool) {
        if !spec.notify.is_empty() {
            self.notify.jobs = if is_there { self.notify.jobs + 1 } else { self.notify.jobs.saturating_sub(1) };
        }
    }

    /// Whether something has happened in the step, beyond its first `told` effects, of which there may be to tell.
    pub(super) fn has_to_tell(&self, told: usize, step: &Step) -> bool {
        !self.notify.is_idle() && (told < step.after.len() || !self.notify.found.is_empty())
    }

    /// Tells of what has happened in the step beyond its first `told` effects; how many effects are told of then. Of runs
    /// that tell themselves there is nothing to tell, so that it ends.
    pub(super) fn tell(&mut self, told: usize, moment: &mut Moment<'_>, step: &mut Step) -> usize {
        if !self.has_to_tell(told, step) {
            return told;
        }
        let ended = step.after[told..].iter().filter_map(|effect| match effect {
            Effect::Ended(run) if run.notice.is_none() => Some(Arc::clone(run)),
            _ => None,
        });
        let ended: Vec<Arc<Run>> = ended.collect();
        let told = step.after.len();
        for run in ended {
            self.find_end(&run, step);
        }
        for found in std::mem::take(&mut self.notify.found) {
            self.tell_of(found, moment, step);
        }
        told
    }

    /// Forgets what was found for nobody.
    pub(super) fn forget_untold(&mut self) {
        self.notify.found.clear();
    }

    /// Finds those who are told that `run` has ended.
    fn find_end(&mut self, run: &Run, step: &mut Step) {
        let Some(at) = run.finished_at() else { return };
        #[cfg(feature = "defects")]
        if self.loses_notice(run.id) {
            return;
        }
        let recovered = self.take_health(run, at, step);
        let state = run.state.name();
        let told = self.watchers(&run.namespace, run.job_id).filter_map(|watcher| {
            let kind = of_end(watcher.notifier, state, recovered)?;
            Some(watcher.found(&run.namespace, NoticeEvent::of_run(kind, run, at)))
        });
        let told: Vec<Found> = told.collect();
        self.notify.found.extend(told);
    }

    /// Lets a notifier tell of something: with the run of it that waits, or with a new one.
    fn tell_of(&mut self, found: Found, moment: &mut Moment<'_>, step: &mut Step) {
        let Found { namespace, owner, entry, event } = found;
        let Some(notifier) = self.notifier_of(&namespace, owner, entry) else { return };
        let group = notifier.group.get();
        let id = JobId::of_notifier(&namespace, owner, entry);
        let line = self.notify.lines.entry(id).or_default();
        if let Some(waiting) = line.waiting {
            self.edit_active(waiting, step, |run| {
                if let Some(notice) = &mut run.notice {
                    notice.add(event);
                }
            });
            return;
        }
        let now = moment.now;
        let not_before = grouped(line.last, group, now);
        let run = Run {
            revision: self.revision_of(&namespace, owner),
            origin: Origin::Notification,
            scheduled_at: not_before.unwrap_or(now),
            notice: Some(Box::new(Notice::new(owner, entry, event.clone(), not_before))),
            ..Run::queued(RunId::random(now, moment.rng), namespace, id, event.job, now)
        };
        self.queue_notification(Arc::new(run), step);
    }

    fn queue_notification(&mut self, run: Arc<Run>, step: &mut Step) {
        let (id, place) = (run.id, step.batch.writes.len());
        step.batch.writes.push(Write::InsertRun(Arc::clone(&run)));
        self.take_in(run);
        self.active.get_mut(&id).expect("taken in just now").inserted_by = Some(place);
        self.inserted.push(id);
    }

    fn revision_of(&self, namespace: &Namespace, owner: NoticeOwner) -> u64 {
        match owner {
            NoticeOwner::Job(job) => self.jobs.get(&job).map_or(1, |entry| entry.job.revision),
            NoticeOwner::Namespace => self.notify.namespaces.get(namespace).map_or(1, |notify| notify.revision),
        }
    }

    /// Changes an active run that stays where it is: in the write that inserts it, if that is of the present step.
    fn edit_active(&mut self, id: RunId, step: &mut Step, edit: impl FnOnce(&mut Run)) {
        let active = self.active.get_mut(&id).expect("runs that wait are active");
        let run = Arc::make_mut(&mut active.run);
        edit(run);
        match active.inserted_by {
            Some(place) => step.batch.writes[place] = Write::InsertRun(Arc::clone(&active.run)),
            None => {
                run.revise();
                step.batch.writes.push(Write::UpdateRun(Arc::clone(&active.run)));
            }
        }
    }

    /// Takes note of a notification that the store has, or will have.
    pub(super) fn adopt_notification(&mut self, run: &Run) {
        let Some(notice) = &run.notice else { return };
        let line = self.notify.lines.entry(run.job_id).or_default();
        let begun = run.started_at();
        // One whose notifier has changed its place takes in nothing more.
        let is_in_place = run.job_id == JobId::of_notifier(&run.namespace, notice.owner, notice.entry);
        line.waiting = if begun.is_none() && is_in_place { Some(run.id) } else { line.waiting };
        line.last = line.last.max(begun.or(notice.not_before).or(Some(run.queued_at)));
    }

    /// A notification begins its first attempt, or is over: it takes in nothing more.
    fn close_notification(&mut self, run: RunId, notifier: JobId, begins_at: Option<Timestamp>) {
        if let Some(line) = self.notify.lines.get_mut(&notifier) {
            line.waiting = line.waiting.filter(|waiting| *waiting != run);
            line.last = begins_at.or(line.last);
        }
    }
}

impl Watcher<'_> {
    fn found(self, namespace: &Namespace, event: NoticeEvent) -> Found {
        Found { namespace: namespace.clone(), owner: self.owner, entry: self.entry, event }
    }
}
