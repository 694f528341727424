//! Why a job ran or did not run at an instant, in words and data.

mod of_run;
#[cfg(test)]
mod tests;
mod words;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use chrono_tz::Tz;
use sandglass_api::wire::{Fire, Run, Verdict, WaitsFor, Why, refusal};
use sandglass_core::hold::HoldKind;
use sandglass_core::id::RunId;
use sandglass_core::run::{Run as KeptRun, StateName};
use sandglass_core::schedule::{self, Admission, JobSchedule, MovedFire, Window};
use sandglass_core::time::Timestamp;
use sandglass_store::{Order, RunQuery, Store, StoreError, StoredJob};

/// The most runs that an answer shows.
const MAX_RUNS: usize = 20;

/// How many records of skipped fires are looked through for one that stands for several.
const LOOKED_THROUGH: usize = 50;

/// What answers are made from.
pub(super) struct Asked<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) stored: &'a StoredJob,
    pub(super) schedule: &'a JobSchedule,
    pub(super) window: Option<&'a Window>,
    /// The zone of the job's local times.
    pub(super) zone: Tz,
    pub(super) now: Timestamp,
    /// What the queued ones of the runs that [`Asked::explain`] gives wait for, as far as it is known.
    pub(super) waits: HashMap<RunId, WaitsFor>,
}

impl Asked<'_> {
    /// Answers for the instant `at`: whoever gives whole minutes means the whole minute, else the second.
    pub(super) fn explain(&self, at: Timestamp) -> Result<Why, StoreError> {
        let whole_minute = at.as_micros().rem_euclid(60_000_000) == 0;
        let end = at.after(Duration::from_secs(if whole_minute { 60 } else { 1 }));
        let just_before = Timestamp::from_micros(at.as_micros().saturating_sub(1));
        let mut fire = self.schedule.fire_after(just_before).filter(|fire| fire.occurrence.at < end);
        let last = fire.as_ref().map_or(just_before, |fire| fire.occurrence.at);
        let (previous, next) = (self.schedule.fire_before(at), self.schedule.fire_after(last));
        let mut runs = self.runs(at, end)?;
        if let Some(fire) = fire.as_ref().filter(|fire| !runs.iter().any(|run| run.stands_for(fire.occurrence.at))) {
            runs.extend(self.record(fire.occurrence.at)?);
        }
        let main = runs.iter().find(|run| run.state.name() != StateName::Skipped).or(runs.first());
        let (verdict, summary) = match (main, &fire) {
            (Some(run), _) => self.of_run(run, fire.as_ref())?,
            (None, Some(fire)) => self.of_fire(fire),
            (None, None) => match self.schedule.moved_away(at, end) {
                Some(moved) => {
                    fire = self.schedule.fire_after(Timestamp::from_micros(moved.to.as_micros().saturating_sub(1)));
                    let run = fire.as_ref().map(|fire| self.record(fire.occurrence.at)).transpose()?.flatten();
                    runs.extend(run);
                    self.of_moved(&moved, runs.last())
                }
                None => self.without_fire(at, previous.as_ref(), next.as_ref()),
            },
        };
        let record = |fire: &Option<schedule::Fire>| match fire {
            Some(fire) => self.record(fire.occurrence.at),
            None => Ok(None),
        };
        let (previous_run, next_run) = (record(&previous)?, record(&next)?);
        let shown = |run: &KeptRun| Run { waits_for: self.waits.get(&run.id).cloned(), ..Run::from(run) };
        let fire_of = |fire: &schedule::Fire| Fire::new(fire, self.window);
        Ok(Why {
            job: self.stored.job.spec.name.clone(),
            at,
            verdict,
            summary,
            fire: fire.as_ref().map(fire_of),
            runs: runs.iter().map(shown).collect(),
            previous: previous.as_ref().map(fire_of),
            previous_run: previous_run.as_ref().map(shown),
            next: next.as_ref().map(fire_of),
            next_run: next_run.as_ref().map(shown),
        })
    }

    /// The runs from `at` to before `end`, the earliest first.
    fn runs(&self, at: Timestamp, end: Timestamp) -> Result<Vec<KeptRun>, StoreError> {
        let query = RunQuery {
            from: Some(at),
            until: Some(end),
            order: Order::OldestFirst,
            limit: MAX_RUNS,
            ..RunQuery::of_job(self.stored.job.id)
        };
        Ok(self.store.query(&query)?.items.iter().map(|run| run.as_ref().clone()).collect())
    }

    /// What is kept of the fire at `at`: its own record, or one that stands for it and others before it.
    fn record(&self, at: Timestamp) -> Result<Option<KeptRun>, StoreError> {
        let job = self.stored.job.id;
        if let Some(run) = self.store.run(RunId::of_fire(job, at))? {
            return Ok(Some(run.as_ref().clone()));
        }
        let before = RunQuery {
            until: Some(at.after(Duration::from_millis(1))),
            states: BTreeSet::from([StateName::Skipped]),
            limit: LOOKED_THROUGH,
            ..RunQuery::of_job(job)
        };
        let records = self.store.query(&before)?.items;
        Ok(records.iter().find(|run| run.missed.is_some() && run.stands_for(at)).map(|run| run.as_ref().clone()))
    }

    /// An instant in the job's zone.
    fn shown(&self, at: Timestamp) -> String {
        words::moment(at, self.zone)
    }

    /// Of a fire that left no record.
    fn of_fire(&self, fire: &schedule::Fire) -> (Verdict, String) {
        let at = fire.occurrence.at;
        let (job, cursor) = (&self.stored.job, &self.stored.cursor);
        let which = format!("the fire of {}{}", self.shown(at), self.moved_here(fire));
        if job.spec.max_runs.is_some_and(|most| cursor.fired >= most.get()) && at > cursor.done_until {
            let summary = format!("max_runs permits {} runs, and there have been as many", cursor.fired);
            return (Verdict::Exhausted, summary);
        }
        if let Some(disabled) = self.held(HoldKind::Disabled, at) {
            return (
                Verdict::Disabled,
                format!("by its triggers there is a fire at {}, but {disabled}", self.shown(at)),
            );
        }
        if at > self.now {
            return (Verdict::Ahead, format!("{which} lies ahead{}", self.outlook(fire)));
        }
        if at <= job.created_at {
            let summary = format!("the job was first saved at {}, after that fire", self.shown(job.created_at));
            return (Verdict::SavedLater, summary);
        }
        if at <= job.scheduled_since {
            let (since, revision) = (self.shown(job.scheduled_since), job.revision);
            let summary = format!(
                "by the present triggers there is a fire at {}, but they were saved at {since} (the job is at revision {revision} now) and count from then on",
                self.shown(at)
            );
            return (Verdict::SavedLater, summary);
        }
        if at > cursor.done_until || cursor.held().contains(&at) {
            return (Verdict::Pending, format!("{which} is due and will be dealt with in a moment"));
        }
        let summary = format!(
            "there is a fire at {}, but no record of it is kept: the job was disabled then, it was removed with the history, or a calendar or the time zone's rules were changed since",
            self.shown(at)
        );
        (Verdict::NoRecord, summary)
    }

    /// How the job was and is held back, if it was so at `at`: `the job is paused since … by …`.
    fn held(&self, kind: HoldKind, at: Timestamp) -> Option<String> {
        let (hold, whole) = self.stored.standing.as_ref()?.of(kind).filter(|(hold, _)| hold.since <= at)?;
        let whole = if whole { " with its namespace" } else { "" };
        let reason = hold.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let (word, since) = (kind.as_str(), self.shown(hold.since));
        Some(format!("the job is {word}{whole} since {since} by {}{reason}", hold.by))
    }

    /// What will keep a fire that lies ahead from starting at its instant.
    fn outlook(&self, fire: &schedule::Fire) -> String {
        if let Some(exclusion) = &fire.occurrence.exclusion {
            return format!("; it will start nothing, because {}", refusal(exclusion));
        }
        if let Some(paused) = self.held(HoldKind::Paused, fire.occurrence.at) {
            return format!("; it will be skipped, because {paused}");
        }
        match self.window.map(|window| window.admission(fire.occurrence.at)) {
            Some(Admission::Waits(opens_at)) => {
                format!("; its run will wait for the job's window, which opens at {}", self.shown(opens_at))
            }
            Some(Admission::Skipped) => "; it will be skipped, because the job's window is closed then".to_owned(),
            Some(Admission::Open) | None => String::new(),
        }
    }

    /// From where calendars moved a fire, if they did.
    fn moved_here(&self, fire: &schedule::Fire) -> String {
        let Some(date) = fire.occurrence.moved_from else { return String::new() };
        let why = self.schedule.why_moved(fire).map(|exclusion| format!(": {}", refusal(&exclusion)));
        format!(" (moved here from {}{})", date.format("%a %Y-%m-%d"), why.unwrap_or_default())
    }

    /// Of a fire that calendars moved away. `run` is the record of what it came to.
    fn of_moved(&self, moved: &MovedFire, run: Option<&KeptRun>) -> (Verdict, String) {
        let (from, to) = (self.shown(moved.from), self.shown(moved.to));
        let came_to = match run {
            Some(run) => format!("; run {} of it is {}", run.id, words::state(run)),
            None if moved.to > self.now => "; that lies ahead".to_owned(),
            None => String::new(),
        };
        let why = refusal(&moved.exclusion);
        (Verdict::LeftOut, format!("the fire of {from} has moved to {to}: {why}{came_to}"))
    }

    fn without_fire(
        &self,
        at: Timestamp,
        previous: Option<&schedule::Fire>,
        next: Option<&schedule::Fire>,
    ) -> (Verdict, String) {
        let job = &self.stored.job;
        if job.spec.triggers.is_empty() {
            return (Verdict::NoSchedule, "the job has no triggers: it runs only when told to".to_owned());
        }
        let shown = |fire: &schedule::Fire| self.shown(fire.occurrence.at);
        let nearest = match (previous, next) {
            (Some(previous), Some(next)) => format!("the nearest fires are {} and {}", shown(previous), shown(next)),
            (Some(previous), None) => format!("the last fire is {}", shown(previous)),
            (None, Some(next)) => format!("the first fire is {}", shown(next)),
            (None, None) => "they never fire by time".to_owned(),
        };
        let present = match at <= job.scheduled_since {
            true if at <= job.created_at => {
                format!(" (the job was first saved at {}, after that time)", self.shown(job.created_at))
            }
            true => format!(
                " (its present triggers are those of {}, after that time; what it had before is not kept)",
                self.shown(job.scheduled_since)
            ),
            false => String::new(),
        };
        (Verdict::NoFire, format!("the job's triggers do not name {}: {nearest}{present}", self.shown(at)))
    }
}
