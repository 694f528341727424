//! Why a job ran or did not run at an instant, in words and data.

use std::time::Duration;

use chrono::Timelike as _;
use chrono_tz::Tz;
use sandglass_api::wire::{Fire, Run, Verdict, Why};
use sandglass_core::run::{Run as KeptRun, StateName};
use sandglass_core::schedule::{Calendars, Exclusion, JobSchedule, Planning, Window};
use sandglass_core::spec::{DayShift, JobSpec, Outside, TimeZone};
use sandglass_core::time::Timestamp;
use sandglass_store::{Order, RunQuery, Store, StoreError, StoredJob};

/// The most runs that an answer shows.
const MAX_RUNS: usize = 20;

/// What is asked about, and what is found there.
struct Question<'a> {
    stored: &'a StoredJob,
    /// In which messages show their times.
    zone: Tz,
    window: Option<&'a Window>,
    /// Why calendars let a fire of that time start nothing or move, if they do.
    left_out: Option<String>,
    at: Timestamp,
    now: Timestamp,
    fire: Option<Fire>,
    previous: Option<Fire>,
    next: Option<Fire>,
}

/// What an answer depends on beside the job and the instant.
pub(super) struct Setting<'a> {
    pub(super) store: &'a dyn Store,
    /// The zone of jobs that name none.
    pub(super) default_zone: TimeZone,
    /// The calendars of the job's namespace.
    pub(super) calendars: &'a Calendars,
    pub(super) now: Timestamp,
}

/// Answers for the instant `at`: whoever gives whole minutes means the whole minute, else the second.
pub(super) fn explain(setting: &Setting<'_>, stored: &StoredJob, at: Timestamp) -> Result<Why, StoreError> {
    let Setting { store, default_zone, calendars, now } = *setting;
    let job = &stored.job;
    let planning = job.spec.planning(&job.namespace, job.scheduled_since, default_zone, calendars);
    let schedule = JobSchedule::new(&job.spec, &planning);
    let window = job.spec.open_window(default_zone);
    let whole_minute = at.as_micros().rem_euclid(60_000_000) == 0;
    let end = at.after(Duration::from_secs(if whole_minute { 60 } else { 1 }));
    let just_before = Timestamp::from_micros(at.as_micros().saturating_sub(1));
    let fire = schedule.fire_after(just_before).filter(|fire| fire.occurrence.at < end);
    let last = fire.as_ref().map_or(just_before, |fire| fire.occurrence.at);
    let question = Question {
        stored,
        zone: planning.zone,
        window: window.as_ref(),
        left_out: left_out(&job.spec, &planning, just_before, end),
        at,
        now,
        fire: fire.as_ref().map(Fire::from),
        previous: schedule.fire_before(at).as_ref().map(Fire::from),
        next: schedule.fire_after(last).as_ref().map(Fire::from),
    };
    let query = RunQuery {
        from: Some(at),
        until: Some(end),
        order: Order::OldestFirst,
        limit: MAX_RUNS,
        ..RunQuery::of_job(stored.job.id)
    };
    let runs = store.query(&query)?.items;
    let (verdict, summary) = match runs.iter().find(|run| run.state.name() != StateName::Skipped).or(runs.first()) {
        Some(run) => of_run(run, planning.zone),
        None => question.without_run(),
    };
    let Question { fire, previous, next, .. } = question;
    Ok(Why {
        job: stored.job.spec.name.clone(),
        at,
        verdict,
        summary,
        fire,
        runs: runs.iter().map(|run| Run::from(run.as_ref())).collect(),
        previous,
        next,
    })
}

/// `Sun 2027-03-28 03:30 CEST`; with seconds, if there are any.
fn shown(at: Timestamp, zone: Tz) -> String {
    let local = at.to_chrono().with_timezone(&zone);
    let form = if local.second() == 0 { "%a %Y-%m-%d %H:%M %Z" } else { "%a %Y-%m-%d %H:%M:%S %Z" };
    local.format(form).to_string()
}

/// Why calendars refuse the date of a fire that the triggers would have strictly after `after` and before `end`, and what
/// became of it.
fn left_out(spec: &JobSpec, planning: &Planning<'_>, after: Timestamp, end: Timestamp) -> Option<String> {
    let mut staying = spec.clone();
    for trigger in &mut staying.triggers {
        trigger.calendars.shift = DayShift::None;
    }
    let fire = JobSchedule::new(&staying, planning).fire_after(after).filter(|fire| fire.occurrence.at < end)?;
    let local = fire.occurrence.at.to_chrono().with_timezone(&planning.zone);
    let date = local.format("%a %Y-%m-%d");
    let why = match fire.occurrence.exclusion.as_ref()? {
        Exclusion::In(calendar) => format!("{date} is in calendar '{calendar}', which the trigger leaves out"),
        Exclusion::NotIn(calendar) => format!("{date} is not in calendar '{calendar}', which the trigger keeps to"),
    };
    let shift = spec.triggers.get(usize::from(fire.trigger)).map(|trigger| trigger.calendars.shift);
    Some(match shift {
        Some(DayShift::Next) => format!("{why}; its fire has moved to the next day that is allowed ('shift: next')"),
        Some(DayShift::Previous) => {
            format!("{why}; its fire has moved to the last day before that is allowed ('shift: previous')")
        }
        Some(DayShift::None) | None => why,
    })
}

fn of_run(run: &KeptRun, zone: Tz) -> (Verdict, String) {
    let due = shown(run.scheduled_at, zone);
    let state = run.state.name();
    if state != StateName::Skipped {
        let why = run.reason().map(|reason| format!(" ({})", reason.replace('_', " "))).unwrap_or_default();
        let origin = run.origin.as_str().replace('_', "-");
        let summary = format!("run {} of {due} is {}{why}; it was started by {origin}", run.id, state.as_str());
        return (Verdict::Run, summary);
    }
    let why = match run.reason() {
        Some("missed") => {
            "it came due while the daemon was down, suspended or overloaded, and the job's catch_up policy left it out"
        }
        Some("overlap") => "a run of the job was still going, and the job's overlap policy lets no other start",
        Some("outside_window") => "the job's window was closed, and it says 'outside: skip'",
        Some("calendar") => "a calendar of its trigger leaves its date out",
        _ => "it was left out",
    };
    (Verdict::Skipped, format!("the fire of {due} was skipped: {why}"))
}

impl Question<'_> {
    fn without_run(&self) -> (Verdict, String) {
        let job = &self.stored.job;
        let Some(fire) = &self.fire else { return self.without_fire() };
        let (at, due) = (fire.at, self.shown(fire.at));
        let cursor = &self.stored.cursor;
        if job.spec.max_runs.is_some_and(|most| cursor.fired >= most.get()) && at > cursor.done_until {
            let summary = format!("max_runs permits {} runs, and there have been as many", cursor.fired);
            return (Verdict::Exhausted, summary);
        }
        if at > self.now {
            return (Verdict::Ahead, format!("the fire of {due} lies ahead{}", self.outlook(fire)));
        }
        if at <= job.created_at {
            let summary = format!("the job was first saved at {}, after that fire", self.shown(job.created_at));
            return (Verdict::SavedLater, summary);
        }
        if at <= job.scheduled_since {
            let (since, revision) = (self.shown(job.scheduled_since), job.revision);
            let summary = format!(
                "by the present triggers there is a fire at {due}, but they were saved at {since} (the job is at revision {revision} now) and count from then on"
            );
            return (Verdict::SavedLater, summary);
        }
        if at > cursor.done_until || cursor.held().contains(&at) {
            return (Verdict::Pending, format!("the fire of {due} is due and will be dealt with in a moment"));
        }
        let summary = format!(
            "there is a fire at {due}, but no record of it is kept: it was removed with the history, or a calendar or the time zone's rules were changed since"
        );
        (Verdict::NoRecord, summary)
    }

    fn shown(&self, at: Timestamp) -> String {
        shown(at, self.zone)
    }

    /// What will keep a fire that lies ahead from starting at its instant.
    fn outlook(&self, fire: &Fire) -> String {
        if let Some(excluded) = &fire.excluded {
            return format!("; it will start nothing, because {excluded}");
        }
        match self.window.filter(|window| !window.contains(fire.at)) {
            Some(window) if window.outside() == Outside::Defer => match window.next_open(fire.at) {
                Some(opens_at) => format!("; its run will wait until the window opens at {}", self.shown(opens_at)),
                None => String::new(),
            },
            Some(_) => "; it will be skipped, because the job's window is closed then".to_owned(),
            None => String::new(),
        }
    }

    fn without_fire(&self) -> (Verdict, String) {
        if self.stored.job.spec.triggers.is_empty() {
            return (Verdict::NoSchedule, "the job has no triggers: it runs only when told to".to_owned());
        }
        if let Some(why) = &self.left_out {
            return (Verdict::LeftOut, why.clone());
        }
        let nearest = match (&self.previous, &self.next) {
            (Some(previous), Some(next)) => {
                format!("the nearest fires are {} and {}", self.shown(previous.at), self.shown(next.at))
            }
            (Some(previous), None) => format!("the last fire is {}", self.shown(previous.at)),
            (None, Some(next)) => format!("the first fire is {}", self.shown(next.at)),
            (None, None) => "they never fire by time".to_owned(),
        };
        (Verdict::NoFire, format!("the job's triggers do not name {}: {nearest}", self.shown(self.at)))
    }
}
