//! The scheduler's memory made anew from the store: at start, and after a commit that failed.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet};
use std::sync::Arc;

use super::{Active, Moment, Options, Scheduler, Stands};
use crate::calendar::Calendar;
use crate::event::Step;
use crate::hold::{HoldSubject, Holds, Standing};
use crate::id::{JobId, RunId};
use crate::job::{Cursor, Job};
use crate::job_template::JobTemplate;
use crate::notice::NamespaceNotify;
use crate::plugin::Plugin;
use crate::run::{Run, RunState};
use crate::target::{Target, TargetGroup};
use crate::time::Timestamp;

/// What the store holds that decisions need.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// All jobs with their cursors.
    pub jobs: Vec<(Arc<Job>, Cursor)>,
    /// What holds jobs and namespaces back.
    pub holds: Vec<(HoldSubject, Holds)>,
    /// All calendars.
    pub calendars: Vec<Arc<Calendar>>,
    /// The notifiers of namespaces.
    pub notify: Vec<Arc<NamespaceNotify>>,
    /// All job templates.
    pub templates: Vec<Arc<JobTemplate>>,
    /// All targets.
    pub targets: Vec<Arc<Target>>,
    /// All groups of targets.
    pub groups: Vec<Arc<TargetGroup>>,
    /// All plugins.
    pub plugins: Vec<Arc<Plugin>>,
    /// All runs that are not over.
    pub active: Vec<Arc<Run>>,
}

impl Scheduler {
    /// Rebuilds the scheduler from `snapshot`. `going` are the attempts that this process itself still has under way;
    /// any other run that the store calls running was interrupted, and the step says what becomes of it. While `stopping`,
    /// nothing starts.
    pub fn load(
        snapshot: Snapshot,
        options: Options,
        going: &HashSet<RunId>,
        stopping: bool,
        moment: &mut Moment<'_>,
    ) -> (Self, Step) {
        let queue = options.queue();
        let mut scheduler = Self {
            options,
            jobs: HashMap::with_capacity(snapshot.jobs.len()),
            names: HashMap::new(),
            plugins: HashMap::new(),
            due: BinaryHeap::with_capacity(snapshot.jobs.len()),
            retries: BTreeSet::new(),
            windows: BTreeSet::new(),
            upstreams: super::depend::Upstreams::default(),
            to_recall: Vec::new(),
            ended: Vec::new(),
            calendars: HashMap::new(),
            templates: HashMap::new(),
            fleets: HashMap::new(),
            held_namespaces: HashMap::new(),
            expiries: BTreeSet::new(),
            groups: super::groups::Groups::default(),
            notify: super::notify::Notify::default(),
            queue,
            active: HashMap::new(),
            inserted: Vec::new(),
            running: 0,
            seen: moment.now,
            starting: None,
            stopping,
        };
        for plugin in snapshot.plugins {
            scheduler.plugins.insert(plugin.manifest.name.clone(), plugin);
        }
        for calendar in snapshot.calendars {
            scheduler.adopt_calendar(calendar);
        }
        for notify in snapshot.notify {
            scheduler.adopt_notify(notify);
        }
        for template in snapshot.templates {
            scheduler.adopt_template(template);
        }
        for target in snapshot.targets {
            scheduler.fleets.entry(target.namespace.clone()).or_default().put_target(target);
        }
        for group in snapshot.groups {
            scheduler.fleets.entry(group.namespace.clone()).or_default().put_group(group);
        }
        let mut held_jobs: HashMap<JobId, Holds> = HashMap::new();
        for (subject, holds) in snapshot.holds {
            match subject {
                HoldSubject::Job(job) => _ = held_jobs.insert(job, holds),
                HoldSubject::Namespace(namespace) => scheduler.adopt_namespace_holds(namespace, holds),
            }
        }
        for (job, cursor) in snapshot.jobs {
            let own = held_jobs.remove(&job.id);
            scheduler.adopt_job(job, cursor, own, moment.now);
        }
        let mut step = Step::default();
        let mut interrupted = Vec::new();
        for run in snapshot.active {
            if run.state == RunState::Running && !going.contains(&run.id) {
                interrupted.push(Arc::clone(&run));
            }
            scheduler.adopt_run(run);
        }
        let lines: Vec<_> = scheduler.jobs.values().filter(|entry| entry.runs.line_len() > 0).collect();
        for job in lines.into_iter().map(|entry| entry.job.id).collect::<Vec<_>>() {
            scheduler.next_turn(job);
        }
        for run in interrupted {
            scheduler.interrupt(&run, moment, &mut step);
        }
        scheduler.conclude(moment, &mut step);
        scheduler.drop_stale_fires();
        scheduler.end_step();
        (scheduler, step)
    }

    /// The next fire is asked for anew: the time zones' rules or the daemon's own zone may have changed meanwhile.
    fn adopt_job(&mut self, job: Arc<Job>, cursor: Cursor, own: Option<Holds>, now: Timestamp) {
        self.names.entry(job.namespace.clone()).or_default().insert(job.spec.name.clone(), job.id);
        self.enter_groups(&job.namespace, &job.spec);
        self.change_upstreams(&job.namespace, job.id, None, Some(&job.spec));
        let mut entry = self.entry(Arc::clone(&job), cursor);
        if let Some(own) = own {
            let standing = entry.standing.take().unwrap_or_default();
            entry.standing = Some(Box::new(Standing { own, ..*standing }));
        }
        entry.cursor.next_fire_at = entry.next_fire_after(entry.cursor.done_until);
        entry.wake_at = entry.wants_to_wake(now);
        if let Some(at) = entry.wake_at {
            self.due.push(Reverse((at, job.id)));
        }
        self.count_notified(&job.spec, true);
        self.jobs.insert(job.id, Box::new(entry));
        self.watch_again(job.id);
    }

    fn adopt_run(&mut self, run: Arc<Run>) {
        let (id, job, state) = (run.id, run.job_id, run.state);
        let stands = match state {
            RunState::Queued => {
                self.take_in(run);
                return;
            }
            RunState::Running => {
                self.running += 1;
                let needs = self.needs(&run, self.jobs.get(&job).map(|entry| &**entry));
                let lane = self.queue.lane(&needs);
                self.queue.occupy(lane);
                Stands::Going(lane)
            }
            RunState::RetryWait { until } => {
                self.retries.insert((until, id));
                Stands::Apart
            }
            RunState::Ended { .. } => return,
        };
        if let Some(entry) = self.jobs.get_mut(&job) {
            entry.runs.insert(id);
        }
        self.adopt_notification(&run);
        self.active.insert(id, Active { run, stands, expires_at: None, inserted_by: None });
    }
}
