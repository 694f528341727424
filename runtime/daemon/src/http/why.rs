//! Why a job ran or did not run at an instant, in words and data.

use std::time::Duration;

use sandglass_api::wire::{Fire, Run, Verdict, Why};
use sandglass_core::run::{Run as KeptRun, StateName};
use sandglass_core::schedule::{JobSchedule, Window};
use sandglass_core::spec::Outside;
use sandglass_core::time::Timestamp;
use sandglass_store::{Order, RunQuery, Store, StoreError, StoredJob};

/// The most runs that an answer shows.
const MAX_RUNS: usize = 20;

/// What is asked about, and what is found there.
struct Question<'a> {
    stored: &'a StoredJob,
    window: Option<&'a Window>,
    at: Timestamp,
    now: Timestamp,
    fire: Option<Fire>,
    previous: Option<Fire>,
    next: Option<Fire>,
}

/// Answers for the instant `at`: whoever gives whole minutes means the whole minute, else the second.
pub(super) fn explain(
    store: &dyn Store,
    stored: &StoredJob,
    schedule: &JobSchedule,
    window: Option<&Window>,
    at: Timestamp,
    now: Timestamp,
) -> Result<Why, StoreError> {
    let whole_minute = at.as_micros().rem_euclid(60_000_000) == 0;
    let end = at.after(Duration::from_secs(if whole_minute { 60 } else { 1 }));
    let just_before = Timestamp::from_micros(at.as_micros().saturating_sub(1));
    let fire = schedule.fire_after(just_before).filter(|fire| fire.occurrence.at < end);
    let last = fire.as_ref().map_or(just_before, |fire| fire.occurrence.at);
    let question = Question {
        stored,
        window,
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
        Some(run) => of_run(run),
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

fn of_run(run: &KeptRun) -> (Verdict, String) {
    let state = run.state.name();
    if state != StateName::Skipped {
        let why = run.reason().map(|reason| format!(" ({})", reason.replace('_', " "))).unwrap_or_default();
        let origin = run.origin.as_str().replace('_', "-");
        let summary =
            format!("run {} of {} is {}{why}; it was started by {origin}", run.id, run.scheduled_at, state.as_str());
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
    (Verdict::Skipped, format!("the fire of {} was skipped: {why}", run.scheduled_at))
}

impl Question<'_> {
    fn without_run(&self) -> (Verdict, String) {
        let job = &self.stored.job;
        let Some(fire) = &self.fire else { return self.without_fire() };
        let at = fire.at;
        let cursor = &self.stored.cursor;
        if job.spec.max_runs.is_some_and(|most| cursor.fired >= most.get()) && at > cursor.done_until {
            let summary = format!("max_runs permits {} runs, and there have been as many", cursor.fired);
            return (Verdict::Exhausted, summary);
        }
        if at > self.now {
            return (Verdict::Ahead, format!("the fire of {at} lies ahead{}", self.outlook(fire)));
        }
        if at <= job.created_at {
            let summary = format!("the job was first saved at {}, after that fire", job.created_at);
            return (Verdict::SavedLater, summary);
        }
        if at <= job.scheduled_since {
            let (since, revision) = (job.scheduled_since, job.revision);
            let summary = format!(
                "by the present triggers there is a fire at {at}, but they were saved at {since} (the job is at revision {revision} now) and count from then on"
            );
            return (Verdict::SavedLater, summary);
        }
        if at > cursor.done_until || cursor.held().contains(&at) {
            return (Verdict::Pending, format!("the fire of {at} is due and will be dealt with in a moment"));
        }
        let summary = format!(
            "there is a fire at {at}, but no record of it is kept: it was removed with the history, or a calendar or the time zone's rules were changed since"
        );
        (Verdict::NoRecord, summary)
    }

    /// What will keep a fire that lies ahead from starting at its instant.
    fn outlook(&self, fire: &Fire) -> String {
        if let Some(excluded) = &fire.excluded {
            return format!("; it will start nothing, because {excluded}");
        }
        match self.window.filter(|window| !window.contains(fire.at)) {
            Some(window) if window.outside() == Outside::Defer => match window.next_open(fire.at) {
                Some(opens_at) => format!("; its run will wait until the window opens at {opens_at}"),
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
        let nearest = match (&self.previous, &self.next) {
            (Some(previous), Some(next)) => format!("the nearest fires are {} and {}", previous.at, next.at),
            (Some(previous), None) => format!("the last fire is {}", previous.at),
            (None, Some(next)) => format!("the first fire is {}", next.at),
            (None, None) => "they never fire by time".to_owned(),
        };
        (Verdict::NoFire, format!("the job's triggers do not name {}: {nearest}", self.at))
    }
}
