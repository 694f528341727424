//! A job's fires: those ahead, those to be made up for, and why there was or was not one.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use http::StatusCode;
use sandglass_api::problem::Code;
use sandglass_api::wire::{Backfill, BackfillRequest, Fire, Page, Why};
use sandglass_core::event::{Command, MAX_BACKFILL, Refusal, Reply};
use sandglass_core::id::{CalendarName, JobId, Namespace, RunId};
use sandglass_core::run::StateName;
use sandglass_core::schedule::{Calendars, JobSchedule};
use sandglass_core::spec::Outside;
use sandglass_core::time::{Clock, Timestamp};
use sandglass_store::{StoreError, StoredJob};
use serde::Deserialize;

use super::App;
use super::error::Failure;
use super::jobs::{find, parse_name, parse_namespace};
use super::path::Path;
use super::runs::waits;
use super::why::Asked;
use crate::clock::SystemClock;

/// Fires on a page if the request names no count, and at most.
const DEFAULT_FIRES: usize = 10;
const MAX_FIRES: usize = 1000;
/// Fires looked at for one backfill, whether missing or not.
const MAX_SEEN: usize = 200_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NextQuery {
    count: Option<usize>,
    from: Option<String>,
}

pub(super) async fn next(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    query: Result<Query<NextQuery>, QueryRejection>,
) -> Result<Json<Page<Fire>>, Failure> {
    let Query(query) = query?;
    let stored = find(&app, parse_namespace(&namespace)?, parse_name(&name)?)?;
    // After the clock was set back, what has been dealt with already does not fire again.
    let from = query.from.as_deref().map(parse_instant).transpose()?;
    let from = from.unwrap_or_else(|| SystemClock.now().max(stored.cursor.done_until));
    let schedule = schedule_of(&app, &stored)?;
    let left = stored.job.spec.max_runs.map(|most| most.get().saturating_sub(stored.cursor.fired));
    let left = left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
    let disabled = stored.standing.as_ref().is_some_and(|standing| standing.is_disabled());
    let left = if disabled { 0 } else { left };
    let count = query.count.unwrap_or(DEFAULT_FIRES).min(MAX_FIRES);
    let window = stored.job.spec.open_window(app.options.timezone);
    let mut items: Vec<Fire> = Vec::new();
    let mut at = from;
    // A fire that starts nothing does not count as a run.
    let mut runs = 0;
    while items.len() < count && runs < left {
        let Some(fire) = schedule.fire_after(at) else { break };
        at = fire.occurrence.at;
        let fire = Fire::new(&fire, window.as_ref());
        runs += usize::from(fire.excluded.is_none());
        items.push(fire);
    }
    Ok(Json(Page { items, next: None }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WhyQuery {
    at: String,
}

pub(super) async fn why(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    query: Result<Query<WhyQuery>, QueryRejection>,
) -> Result<Json<Why>, Failure> {
    let Query(query) = query?;
    let stored = find(&app, parse_namespace(&namespace)?, parse_name(&name)?)?;
    let at = parse_instant(&query.at)?;
    let schedule = schedule_of(&app, &stored)?;
    let window = stored.job.spec.open_window(app.options.timezone);
    let mut asked = Asked {
        store: app.store.as_ref(),
        stored: &stored,
        schedule: &schedule,
        window: window.as_ref(),
        zone: stored.job.spec.timezone.unwrap_or(app.options.timezone).0,
        now: SystemClock.now(),
        waits: HashMap::new(),
    };
    let why = asked.explain(at)?;
    for run in why.runs.iter().filter(|run| run.state == StateName::Queued) {
        asked.waits.extend(waits(&app, run.id).await.map(|waits| (run.id, waits)));
    }
    // What was found is told once it is known what the scheduler says of it.
    Ok(Json(if asked.waits.is_empty() { why } else { asked.explain(at)? }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BackfillQuery {
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn backfill(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    query: Result<Query<BackfillQuery>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Backfill>), Failure> {
    let Query(query) = query?;
    let (namespace, name) = (parse_namespace(&namespace)?, parse_name(&name)?);
    let request: BackfillRequest =
        serde_json::from_slice(&body?).map_err(|error| Failure::new(Code::BadRequest, error.to_string()))?;
    let stored = find(&app, namespace.clone(), name)?;
    // In a task of its own: even if whoever asked goes away, no other backfill of the job looks at what is there before
    // this one's runs are.
    let done = tokio::spawn(async move {
        let _only = if query.dry_run { None } else { Some(app.backfilling.lock(stored.job.id).await) };
        make_up(app, namespace, stored, request, query.dry_run).await
    });
    let answer = done.await.map_err(|_| Failure::new(Code::Internal, "the backfill broke off"))??;
    let status = if query.dry_run { StatusCode::OK } else { StatusCode::ACCEPTED };
    Ok((status, Json(answer)))
}

async fn make_up(
    app: Arc<App>,
    namespace: Namespace,
    stored: StoredJob,
    request: BackfillRequest,
    dry_run: bool,
) -> Result<Backfill, Failure> {
    let now = SystemClock.now();
    let to = request.to.map_or(now, |to| to.min(now));
    if to <= request.from {
        return Err(Failure::new(Code::BadRequest, no_past(&request, now)));
    }
    let name = stored.job.spec.name.clone();
    let (asked, from, all) = (Arc::clone(&app), request.from, request.all);
    // It takes seconds, and no thread that others need.
    let look = move || {
        let (fires, left_out) = fires_between(&asked, &stored, from, to)?;
        let wanted = if all { fires.clone() } else { missing(&asked, stored.job.id, &fires)? };
        let pending = wanted.iter().filter(|at| stored.cursor.is_pending(**at)).count();
        Ok::<_, Failure>((fires.len(), left_out, wanted, pending))
    };
    let looked = tokio::task::spawn_blocking(look).await;
    let (fires, left_out, wanted, pending) =
        looked.map_err(|_| Failure::new(Code::Internal, "the backfill broke off"))??;
    if wanted.len() > MAX_BACKFILL {
        return Err(Refusal::BackfillTooLarge { fires: wanted.len() }.into());
    }
    let present = fires - wanted.len();
    let runs = wanted.len() - pending;
    let answer = Backfill { from, to, fires, left_out, present, pending, runs, dry_run, ids: Vec::new() };
    if dry_run || wanted.is_empty() {
        return Ok(answer);
    }
    let overlap = request.overlap.into();
    let command = Command::Backfill { namespace, name, fires: wanted, again: request.all, overlap };
    match app.inbox.ask(command).await? {
        Reply::Backfilled { runs, pending } => Ok(Backfill { runs: runs.len(), pending, ids: runs, ..answer }),
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    }
}

/// Why there is nothing past in what was asked for.
fn no_past(request: &BackfillRequest, now: Timestamp) -> String {
    match request.to {
        Some(to) if to <= request.from => {
            format!("'to' ({to}) is not after 'from' ({}): give the earlier instant as 'from'", request.from)
        }
        _ => {
            format!("'from' ({}) lies ahead, and it is {now}: only fires of the past can be made up for", request.from)
        }
    }
}

/// The fires that the schedule has from `from` to before `to`, and how many calendars or the window leave out of them.
fn fires_between(
    app: &App,
    stored: &StoredJob,
    from: Timestamp,
    to: Timestamp,
) -> Result<(Vec<Timestamp>, usize), Failure> {
    let schedule = schedule_of(app, stored)?;
    let window = stored.job.spec.open_window(app.options.timezone);
    let window = window.filter(|window| window.outside() == Outside::Skip);
    let mut fires = Vec::new();
    let mut at = Timestamp::from_micros(from.as_micros().saturating_sub(1));
    let mut seen = 0usize;
    while let Some(fire) = schedule.fire_after(at).filter(|fire| fire.occurrence.at < to) {
        at = fire.occurrence.at;
        if fire.occurrence.exclusion.is_none() && window.as_ref().is_none_or(|window| window.contains(at)) {
            fires.push(at);
        }
        seen += 1;
        if seen > MAX_SEEN {
            let detail = format!(
                "there are more than {MAX_SEEN} fires in that time, and one backfill may have {MAX_BACKFILL}: split it into parts"
            );
            return Err(Failure::new(Code::BackfillTooLarge, detail));
        }
    }
    let left_out = seen - fires.len();
    Ok((fires, left_out))
}

/// Those of the fires that came to no run: there is no record, or one that says that the fire was skipped.
fn missing(app: &App, job: JobId, fires: &[Timestamp]) -> Result<Vec<Timestamp>, StoreError> {
    let mut missing = Vec::new();
    for at in fires {
        if is_missing(app, job, *at)? {
            missing.push(*at);
        }
    }
    Ok(missing)
}

fn is_missing(app: &App, job: JobId, at: Timestamp) -> Result<bool, StoreError> {
    let run = app.store.run(RunId::of_fire(job, at))?;
    if run.is_some_and(|run| run.state.name() != StateName::Skipped) {
        return Ok(false);
    }
    Ok(app.store.run(RunId::of_backfill(job, at))?.is_none())
}

/// The job's schedule with the calendars of its namespace.
pub(super) fn schedule_of(app: &App, stored: &StoredJob) -> Result<JobSchedule, Failure> {
    let job = &stored.job;
    let calendars = calendars_named(app, &job.namespace, job.spec.calendars())?;
    let planning = job.spec.planning(&job.namespace, job.scheduled_since, app.options.timezone, &calendars);
    Ok(JobSchedule::new(&job.spec, &planning))
}

/// Those of the calendars that the namespace has, ready for schedules.
pub(super) fn calendars_named<'a>(
    app: &App,
    namespace: &Namespace,
    names: impl IntoIterator<Item = &'a CalendarName>,
) -> Result<Calendars, Failure> {
    let mut calendars = Calendars::default();
    add_calendars(app, namespace, names, &mut calendars)?;
    Ok(calendars)
}

/// Adds those that are not there yet and that the namespace has.
pub(super) fn add_calendars<'a>(
    app: &App,
    namespace: &Namespace,
    names: impl IntoIterator<Item = &'a CalendarName>,
    calendars: &mut Calendars,
) -> Result<(), Failure> {
    for name in names {
        if calendars.get(name).is_none()
            && let Some(calendar) = app.store.calendar(namespace, name)?
        {
            calendars.insert(&calendar.spec);
        }
    }
    Ok(())
}

fn parse_instant(text: &str) -> Result<Timestamp, Failure> {
    text.parse().map_err(|error| Failure::new(Code::BadRequest, format!("{error}")))
}
