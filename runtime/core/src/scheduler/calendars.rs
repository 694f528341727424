//! Named calendars, and what a change of one means to the jobs that use it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Scheduler, plan};
use crate::batch::Write;
use crate::calendar::Calendar;
use crate::event::{MAX_CALENDARS, Refusal, Reply, Step};
use crate::id::{CalendarName, JobId, Namespace};
use crate::schedule::Calendars;
use crate::spec::CalendarSpec;
use crate::time::Timestamp;

/// The calendars of a namespace.
#[derive(Default)]
pub(super) struct Kept {
    by_name: BTreeMap<CalendarName, Arc<Calendar>>,
    /// The same, made ready for schedules.
    ready: Calendars,
}

impl Kept {
    fn put(&mut self, calendar: Arc<Calendar>) {
        self.ready.insert(&calendar.spec);
        self.by_name.insert(calendar.spec.name.clone(), calendar);
    }
}

impl Scheduler {
    /// Takes in a calendar that the store has.
    pub(super) fn adopt_calendar(&mut self, calendar: Arc<Calendar>) {
        self.calendars.entry(calendar.namespace.clone()).or_default().put(calendar);
    }

    /// The calendars of a namespace, ready for schedules.
    pub(super) fn calendars_of(&self, namespace: &Namespace) -> &Calendars {
        self.calendars.get(namespace).map_or(Calendars::NONE, |kept| &kept.ready)
    }

    /// The calendar of this name.
    pub(super) fn calendar(&self, namespace: &Namespace, name: &CalendarName) -> Option<&Arc<Calendar>> {
        self.calendars.get(namespace)?.by_name.get(name)
    }

    pub(super) fn delete_calendar(
        &mut self,
        namespace: Namespace,
        name: CalendarName,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        let users = self.jobs_with_calendar(&namespace, &name);
        let kept = self.calendars.get_mut(&namespace);
        let Some((kept, revision)) = kept.and_then(|kept| {
            let revision = kept.by_name.get(&name)?.revision;
            Some((kept, revision))
        }) else {
            return Err(Refusal::NoCalendar { namespace, name });
        };
        if let Some(example) = users.first() {
            let example = self.jobs[example].job.spec.name.clone();
            return Err(Refusal::CalendarInUse { name, jobs: users.len(), example });
        }
        kept.by_name.remove(&name);
        kept.ready.remove(&name);
        step.batch.writes.push(Write::DeleteCalendar { namespace, name: name.clone(), revision });
        Ok(Reply::CalendarDeleted(name))
    }

    /// Refuses calendars that would be too many for their namespace.
    pub(super) fn check_room(&self, namespace: &Namespace, coming: &[Arc<CalendarSpec>]) -> Result<(), Refusal> {
        let known = |name| self.calendar(namespace, name).is_some();
        let new: BTreeSet<&CalendarName> = coming.iter().map(|spec| &spec.name).filter(|name| !known(name)).collect();
        let count = self.calendars.get(namespace).map_or(0, |kept| kept.by_name.len()) + new.len();
        if new.is_empty() || count <= MAX_CALENDARS {
            return Ok(());
        }
        Err(Refusal::TooManyCalendars { namespace: namespace.clone(), count })
    }

    /// The jobs of a namespace that name the calendar, by id.
    pub(super) fn jobs_with_calendar(&self, namespace: &Namespace, name: &CalendarName) -> Vec<JobId> {
        let jobs = self.jobs.values().map(|entry| &entry.job).filter(|job| job.namespace == *namespace);
        let mut users: Vec<_> =
            jobs.filter(|job| job.spec.calendars().any(|used| used == name)).map(|job| job.id).collect();
        users.sort_unstable();
        users
    }

    /// Makes a job's schedule anew; its next fire is strictly after now.
    pub(super) fn reschedule(&mut self, id: JobId, now: Timestamp, step: &mut Step) {
        let job = &self.jobs[&id].job;
        let schedule = plan::schedule(job, &self.options, self.calendars_of(&job.namespace));
        let entry = self.jobs.get_mut(&id).expect("jobs that use a calendar are there");
        entry.schedule = schedule;
        entry.cursor.done_until = now.max(entry.cursor.done_until);
        entry.cursor.next_fire_at = entry.next_fire_after(entry.cursor.done_until);
        self.put_cursor(id, now, step);
    }
}
