//! Jobs, templates and calendars are saved: first all is checked and nothing changed, then all is changed and nothing can be refused.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Entry, Moment, Scheduler, plan};
use crate::batch::{Expectation, Write};
use crate::calendar::Calendar;
use crate::event::{Refusal, Reply, SavedCalendar, SavedJob, Step, Together};
use crate::id::{JobId, Namespace};
use crate::job::{Cursor, Job};
use crate::job_template::NewJob;
use crate::notice::NoticeOwner;
use crate::spec::{ActionRef, CalendarSpec, JobSpec, Overlay};
use crate::time::Timestamp;

impl Scheduler {
    pub(super) fn put_job(
        &mut self,
        namespace: &Namespace,
        job: &NewJob,
        expect: Expectation,
        moment: &mut Moment<'_>,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        let spec = &job.spec;
        self.check_job(namespace, spec, &[])?;
        self.check_basis(namespace, job, &[])?;
        self.check_upstreams(namespace, &[Arc::clone(spec)])?;
        let old = self.job_named(namespace, &spec.name).ok();
        let actual = old.map_or(0, |id| self.jobs[&id].job.revision);
        if !expect.holds(actual) {
            return Err(Refusal::RevisionConflict { name: spec.name.clone(), actual });
        }
        self.check_overdue(self.to_settle(namespace, spec), moment.now)?;
        Ok(Reply::Job(self.save_job(namespace, spec, job.overlay(), moment, step)))
    }

    pub(super) fn put_calendar(
        &mut self,
        namespace: &Namespace,
        spec: &Arc<CalendarSpec>,
        expect: Expectation,
        now: Timestamp,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        let actual = self.calendar(namespace, &spec.name).map_or(0, |calendar| calendar.revision);
        if !expect.holds(actual) {
            return Err(Refusal::CalendarConflict { name: spec.name.clone(), actual });
        }
        self.check_room(namespace, std::slice::from_ref(spec))?;
        self.check_overdue(self.concerned(namespace, spec), now)?;
        Ok(Reply::Calendar(self.save_calendar(namespace, spec, now, step)))
    }

    /// Saves templates, calendars, targets, groups, jobs and the notifiers of the namespace, all or none.
    pub(super) fn apply(
        &mut self,
        namespace: &Namespace,
        together: &Together,
        moment: &mut Moment<'_>,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        self.check_together(namespace, together)?;
        let Together { templates, calendars, targets, groups, jobs, notify } = together;
        let mut unsettled: BTreeSet<JobId> =
            calendars.iter().flat_map(|spec| self.concerned(namespace, spec)).collect();
        unsettled.extend(templates.iter().flat_map(|new| self.to_settle_with(namespace, new)));
        unsettled.extend(jobs.iter().filter_map(|job| self.to_settle(namespace, &job.spec)));
        self.check_overdue(unsettled, moment.now)?;
        let now = moment.now;
        let calendars = calendars.iter().map(|spec| self.save_calendar(namespace, spec, now, step)).collect();
        let targets = targets.iter().map(|spec| self.save_target(namespace, spec, now, step)).collect();
        let groups = groups.iter().map(|spec| self.save_group(namespace, spec, now, step)).collect();
        let templates = templates.iter().map(|new| self.save_template(namespace, new, moment, step)).collect();
        let jobs = jobs.iter().map(|job| self.save_job(namespace, &job.spec, job.overlay(), moment, step)).collect();
        let notify = notify.as_ref().map(|notify| self.save_notify(namespace, notify, now, step));
        Ok(Reply::Applied { templates, calendars, targets, groups, jobs, notify })
    }

    /// Refuses what [`Scheduler::apply`] would refuse, whenever it came.
    pub(super) fn check_together(&self, namespace: &Namespace, together: &Together) -> Result<(), Refusal> {
        let Together { templates, calendars, targets, groups, jobs, notify } = together;
        self.check_fleet(namespace, targets, groups)?;
        for job in jobs {
            self.check_job(namespace, &job.spec, calendars)?;
            self.check_basis(namespace, job, templates)?;
        }
        self.check_actions(notify.iter().flat_map(|notify| notify.actions()))?;
        let resolved = templates.iter().flat_map(|new| &new.jobs).map(|job| &job.spec);
        let specs: Vec<Arc<JobSpec>> = resolved.chain(jobs.iter().map(|job| &job.spec)).cloned().collect();
        self.check_upstreams(namespace, &specs)?;
        self.check_room(namespace, calendars)?;
        self.check_templates(namespace, templates, calendars, jobs)
    }

    /// Refuses actions whose plugin is not there.
    pub(super) fn check_actions<'a>(&self, mut actions: impl Iterator<Item = &'a ActionRef>) -> Result<(), Refusal> {
        let is_served =
            |uses: &ActionRef| self.plugins.get(&uses.plugin).is_some_and(|plugin| plan::serves(plugin, uses));
        match actions.find(|uses| !is_served(uses)) {
            Some(unserved) => Err(Refusal::NoPlugin(unserved.plugin.clone())),
            None => Ok(()),
        }
    }

    /// Refuses a job whose plugin is not there, or that names a calendar which neither is there nor is `coming` with it.
    pub(super) fn check_job(
        &self,
        namespace: &Namespace,
        spec: &JobSpec,
        coming: &[Arc<CalendarSpec>],
    ) -> Result<(), Refusal> {
        self.check_actions(spec.actions())?;
        let known = self.calendars_of(namespace);
        let is_missing = |name| known.get(name).is_none() && coming.iter().all(|calendar| calendar.name != *name);
        match spec.calendars().find(|name| is_missing(name)) {
            Some(missing) => Err(Refusal::NoCalendar { namespace: namespace.clone(), name: missing.clone() }),
            None => Ok(()),
        }
    }

    /// The job whose overdue fires are to be dealt with before `spec` is saved, as the new schedule would not know them,
    /// or would take them for something else.
    pub(super) fn to_settle(&self, namespace: &Namespace, spec: &JobSpec) -> Option<JobId> {
        let id = self.job_named(namespace, &spec.name).ok()?;
        (!self.jobs[&id].job.spec.same_fires(spec)).then_some(id)
    }

    /// The jobs whose schedules change with the calendar, by id.
    fn concerned(&self, namespace: &Namespace, spec: &Arc<CalendarSpec>) -> Vec<JobId> {
        match self.calendar(namespace, &spec.name) {
            Some(calendar) if calendar.spec == *spec => Vec::new(),
            _ => self.jobs_with_calendar(namespace, &spec.name),
        }
    }

    fn save_calendar(
        &mut self,
        namespace: &Namespace,
        spec: &Arc<CalendarSpec>,
        now: Timestamp,
        step: &mut Step,
    ) -> SavedCalendar {
        let old = self.calendar(namespace, &spec.name);
        if let Some(same) = old.filter(|calendar| calendar.spec == *spec) {
            return SavedCalendar { calendar: Arc::clone(same), changed: false };
        }
        let revision = old.map_or(0, |calendar| calendar.revision) + 1;
        let users = self.concerned(namespace, spec);
        // Fires that are due already are decided on by the calendar as it was.
        for job in &users {
            self.settle(*job, now, step);
        }
        let calendar =
            Arc::new(Calendar { namespace: namespace.clone(), revision, spec: Arc::clone(spec), updated_at: now });
        self.adopt_calendar(Arc::clone(&calendar));
        step.batch.writes.push(Write::PutCalendar(Arc::clone(&calendar)));
        for job in users {
            self.reschedule(job, now, step);
        }
        SavedCalendar { calendar, changed: true }
    }

    /// Saves a job: what it is, and what was written of it if it extends a template.
    pub(super) fn save_job(
        &mut self,
        namespace: &Namespace,
        spec: &Arc<JobSpec>,
        overlay: Option<Arc<Overlay>>,
        moment: &mut Moment<'_>,
        step: &mut Step,
    ) -> SavedJob {
        let now = moment.now;
        if let Some(id) = self.to_settle(namespace, spec) {
            self.settle(id, now, step);
        }
        let old = self.job_named(namespace, &spec.name).ok().map(|id| &self.jobs[&id]);
        if let Some(entry) = old.filter(|entry| entry.job.spec == *spec && entry.job.overlay == overlay) {
            return saved(entry, false);
        }
        // An unchanged schedule keeps its anchor and its next fire; a changed one counts strictly from now, or from the
        // last fire if the clock was set back: no instant fires twice.
        let kept = old.filter(|entry| entry.job.spec.same_schedule(spec));
        let job = Arc::new(Job {
            id: old.map_or_else(|| JobId::random(now, moment.rng), |entry| entry.job.id),
            namespace: namespace.clone(),
            revision: old.map_or(0, |entry| entry.job.revision) + 1,
            created_at: old.map_or(now, |entry| entry.job.created_at),
            updated_at: now,
            scheduled_since: kept.map_or(now, |entry| entry.job.scheduled_since),
            spec: Arc::clone(spec),
            overlay,
        });
        let from = old.map_or(now, |entry| now.max(entry.cursor.done_until));
        let kept = kept.map(|entry| (entry.cursor.clone(), entry.wake_at));
        let is_kept = kept.is_some();
        let health = old.and_then(|entry| entry.cursor.health.clone());
        let fresh = || (Cursor { done_until: from, health, ..Cursor::default() }, None);
        let (cursor, wake_at) = kept.unwrap_or_else(fresh);
        let mut entry = Entry { wake_at, ..self.entry(Arc::clone(&job), cursor) };
        // Other triggers have another next fire, and `max_runs` may end the fires or let them go on: from now.
        let ended = entry.is_exhausted();
        let moved = !is_kept || ended == entry.cursor.next_fire_at.is_some();
        if moved {
            // Also in the store, or the next start would look for fires from the last one before the change on.
            entry.cursor.done_until = from;
            entry.cursor.next_fire_at = entry.next_fire_after(from);
        }
        let before = self.jobs.get(&job.id).map(|entry| Arc::clone(&entry.job));
        self.replace(entry);
        step.batch.writes.push(Write::PutJob(Arc::clone(&job)));
        if let Some(before) = before {
            self.move_notifiers(namespace, NoticeOwner::Job(job.id), &before.spec.notify, &spec.notify, step);
        }
        if moved {
            self.put_cursor(job.id, now, step);
        }
        saved(&self.jobs[&job.id], true)
    }

    /// Puts `entry` in the place of what was known of its job, with the runs of it that are not over.
    fn replace(&mut self, mut entry: Entry) {
        let job = Arc::clone(&entry.job);
        self.enter_groups(&job.namespace, &job.spec);
        self.count_notified(&job.spec, true);
        let old = self.jobs.remove(&job.id);
        self.change_upstreams(&job.namespace, job.id, old.as_ref().map(|old| old.job.spec.as_ref()), Some(&job.spec));
        if let Some(old) = old {
            self.leave_groups(&job.namespace, &old.job.spec);
            self.count_notified(&old.job.spec, false);
            entry.runs = old.runs;
        }
        self.jobs.insert(job.id, Box::new(entry));
        self.watch_again(job.id);
        self.names.entry(job.namespace.clone()).or_default().insert(job.spec.name.clone(), job.id);
        self.queue_again(job.id);
    }
}

fn saved(entry: &Entry, changed: bool) -> SavedJob {
    let Entry { job, cursor, standing, .. } = entry;
    SavedJob { job: Arc::clone(job), cursor: cursor.clone(), standing: standing.clone(), changed }
}
