//! What is durable, by what was acknowledged: the store's contents without the store.

use std::collections::BTreeMap;
use std::sync::Arc;

use sandglass_core::batch::Write;
use sandglass_core::calendar::Calendar;
use sandglass_core::hold::{HoldSubject, Holds, Standing};
use sandglass_core::id::{CalendarName, JobId, Namespace, RunId};
use sandglass_core::job::{Cursor, Job};
use sandglass_core::run::{Run, RunState};
use sandglass_store::{RunQuery, Store};

use crate::check::{Verdict, violation};
use crate::daemon::Decision;
use crate::order::Deed;

/// A namespace's calendar.
type CalendarKey = (Namespace, CalendarName);

/// What is durable.
#[derive(Clone, Default, PartialEq, Debug)]
pub struct Model {
    /// All jobs with their cursors.
    pub jobs: BTreeMap<JobId, (Arc<Job>, Cursor)>,
    /// What holds jobs and namespaces back.
    pub holds: BTreeMap<HoldSubject, Holds>,
    /// All calendars.
    pub calendars: BTreeMap<CalendarKey, Arc<Calendar>>,
    /// All runs.
    pub runs: BTreeMap<RunId, Arc<Run>>,
    /// Those that are not over.
    pub active: BTreeMap<RunId, Arc<Run>>,
}

impl Model {
    /// What `store` holds.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn of(store: &dyn Store) -> anyhow::Result<Self> {
        let snapshot = store.load()?;
        let mut model = Self {
            jobs: snapshot.jobs.into_iter().map(|stored| (stored.job.id, (stored.job, stored.cursor))).collect(),
            holds: snapshot.holds.into_iter().collect(),
            calendars: snapshot.calendars.into_iter().map(|calendar| (key(&calendar), calendar)).collect(),
            active: snapshot.active.into_iter().map(|run| (run.id, run)).collect(),
            ..Self::default()
        };
        let mut query = RunQuery { limit: 1000, notifications: true, ..RunQuery::default() };
        loop {
            let page = store.query(&query)?;
            model.runs.extend(page.items.into_iter().map(|run| (run.id, run)));
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(model),
            }
        }
    }

    /// The model with `decisions`, if nothing is wrong with any of them.
    #[must_use]
    pub(crate) fn with(&self, decisions: &[Decision]) -> Option<Self> {
        let mut model = self.clone();
        for deed in decisions.iter().flat_map(|decision| &decision.deeds) {
            match deed {
                Deed::Write(write) => model.apply(write).ok()?,
                Deed::Begin(run) | Deed::InVain(run) => model.put_run(run),
            }
        }
        Some(model)
    }

    /// Puts a run in the place of what was known of it.
    pub(crate) fn put_run(&mut self, run: &Arc<Run>) {
        self.runs.insert(run.id, Arc::clone(run));
        if matches!(run.state, RunState::Ended { .. }) {
            self.active.remove(&run.id);
        } else {
            self.active.insert(run.id, Arc::clone(run));
        }
    }

    /// Compares and writes as a store does, and holds each change of a run against what may follow what.
    ///
    /// # Errors
    ///
    /// If it does not fit what is there.
    pub fn apply(&mut self, write: &Write) -> Verdict {
        const NAME: &str = "transitions";
        match write {
            Write::InsertRun(run) => {
                if self.runs.contains_key(&run.id) {
                    return violation(NAME, format!("run {} is inserted twice", run.id));
                }
                if run.version != 1 {
                    return violation(NAME, format!("run {} begins at version {}", run.id, run.version));
                }
                self.put_run(run);
            }
            Write::UpdateRun(run) => {
                let Some(old) = self.runs.get(&run.id) else {
                    return violation(NAME, format!("run {} is changed, but is not there", run.id));
                };
                if let RunState::Ended { .. } = old.state {
                    return violation(
                        NAME,
                        format!("run {} is over ({:?}), but becomes {:?}", run.id, old.state, run.state),
                    );
                }
                if old.version + 1 != run.version {
                    return violation(
                        NAME,
                        format!("run {} goes from version {} to {}", run.id, old.version, run.version),
                    );
                }
                let asked = run.cancel.is_some() && old.cancel.is_none();
                let told = run.notice != old.notice;
                let same = (asked || told) && old.state == run.state;
                if !same && !old.state.may_become(run.state) {
                    return violation(NAME, format!("run {} goes from {:?} to {:?}", run.id, old.state, run.state));
                }
                self.put_run(run);
            }
            Write::PutJob(job) => {
                let old = self.jobs.remove(&job.id);
                if old.as_ref().map_or(0, |(old, _)| old.revision) + 1 != job.revision {
                    return violation(NAME, format!("job {} gets revision {}", job.spec.name, job.revision));
                }
                let cursor = old.map(|(_, cursor)| cursor).unwrap_or_default();
                self.jobs.insert(job.id, (Arc::clone(job), cursor));
            }
            Write::DeleteJob { id, .. } => {
                let known = self.jobs.remove(id).is_some();
                self.holds.remove(&HoldSubject::Job(*id));
                return if known { Ok(()) } else { violation(NAME, format!("job {id} is deleted, but is not there")) };
            }
            Write::PutCursor { job, cursor } => match self.jobs.get_mut(job) {
                Some((_, old)) => *old = cursor.clone(),
                None => return violation(NAME, format!("a cursor is written of job {job}, which is not there")),
            },
            Write::PutHolds { subject, holds } if holds.is_empty() => _ = self.holds.remove(subject),
            Write::PutHolds { subject, holds } => _ = self.holds.insert(subject.clone(), holds.clone()),
            Write::PutCalendar(calendar) => {
                let old = self.calendars.insert(key(calendar), Arc::clone(calendar));
                if old.map_or(0, |old| old.revision) + 1 != calendar.revision {
                    return violation(NAME, format!("a calendar gets revision {}", calendar.revision));
                }
            }
            Write::DeleteCalendar { namespace, name, .. } => {
                let known = self.calendars.remove(&(namespace.clone(), name.clone())).is_some();
                return if known { Ok(()) } else { violation(NAME, format!("calendar {name} is not there to delete")) };
            }
            // Nothing here is checked of the rest.
            _ => {}
        }
        Ok(())
    }

    /// All that holds a job back.
    #[must_use]
    pub fn standing(&self, job: &Job) -> Standing {
        let holds = |subject| self.holds.get(&subject).cloned().unwrap_or_default();
        Standing {
            own: holds(HoldSubject::Job(job.id)),
            namespace: holds(HoldSubject::Namespace(job.namespace.clone())),
        }
    }

    /// In words, where `other` differs first.
    #[must_use]
    pub fn difference(&self, other: &Self) -> String {
        fn first<K: Ord + std::fmt::Debug, V: PartialEq + std::fmt::Debug>(
            what: &str,
            ours: &BTreeMap<K, V>,
            theirs: &BTreeMap<K, V>,
        ) -> Option<String> {
            let keys = ours.keys().chain(theirs.keys());
            let key = keys.filter(|key| ours.get(key) != theirs.get(key)).min()?;
            Some(format!("{what} {key:?}: expected {:?}, found {:?}", ours.get(key), theirs.get(key)))
        }
        first("run", &self.runs, &other.runs)
            .or_else(|| first("active run", &self.active, &other.active))
            .or_else(|| first("job", &self.jobs, &other.jobs))
            .or_else(|| first("holds", &self.holds, &other.holds))
            .or_else(|| first("calendar", &self.calendars, &other.calendars))
            .unwrap_or_else(|| "nothing differs".to_owned())
    }
}

fn key(calendar: &Calendar) -> CalendarKey {
    (calendar.namespace.clone(), calendar.spec.name.clone())
}
