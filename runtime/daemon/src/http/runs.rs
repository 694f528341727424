//! Runs.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use http::StatusCode;
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::{DEFAULT_LIMIT, MAX_LIMIT, MAX_WAIT_SECONDS, Page, Run, RunListQuery, WaitsFor};
use sandglass_core::event::{Command, Reply};
use sandglass_core::id::{JobId, JobName, Namespace, RunId};
use sandglass_core::run::{Rerun, StateName, left_to_resume};
use sandglass_core::time::Timestamp;
use sandglass_store::{Order, RunQuery};
use serde::Deserialize;

use super::App;
use super::error::Failure;
use super::jobs::{find, parse_name, parse_namespace};
use super::path::Path;

/// How many pages of runs are looked through for those of a job that was deleted.
const PAGES_OF_THE_PAST: usize = 20;

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(namespace): Path<String>,
    query: Result<Query<RunListQuery>, QueryRejection>,
) -> Result<Json<Page<Run>>, Failure> {
    let Query(query) = query?;
    let mut query = to_store(&app, parse_namespace(&namespace)?, &query)?;
    let mut items = Vec::new();
    // A page of the store may end at a bound of the search; a page of the API is full unless it is the last.
    loop {
        let page = app.store.query(&query)?;
        items.extend(page.items.iter().map(|run| Run::from(run.as_ref())));
        query.after = page.next;
        query.limit -= page.items.len();
        if query.after.is_none() || query.limit == 0 {
            return Ok(Json(Page { items, next: query.after.map(|id| id.to_string()) }));
        }
        tokio::task::yield_now().await;
    }
}

fn to_store(app: &App, namespace: Namespace, query: &RunListQuery) -> Result<RunQuery, Failure> {
    let bad = |detail: String| Failure::new(Code::BadRequest, detail);
    let instant = |text: &Option<String>| -> Result<Option<Timestamp>, Failure> {
        text.as_deref().map(str::parse).transpose().map_err(|error| bad(format!("{error}")))
    };
    let job = match &query.job {
        Some(name) => Some(job_of(app, &namespace, parse_name(name)?)?),
        None => None,
    };
    let notifications = query.notifications.unwrap_or_default();
    if notifications && job.is_some() {
        return Err(bad("notifications are no runs of a job: send 'job' or 'notifications', not both".to_owned()));
    }
    let states =
        query.state.iter().flat_map(|states| states.split(',')).filter(|state| !state.is_empty()).map(|state| {
            StateName::parse(state.trim()).ok_or_else(|| {
                let known = StateName::ALL.map(StateName::as_str).join(", ");
                bad(format!("'{state}' is no state; there are: {known}"))
            })
        });
    let order = match query.order.as_deref() {
        None | Some("desc") => Order::NewestFirst,
        Some("asc") => Order::OldestFirst,
        Some(other) => return Err(bad(format!("'{other}' is no order: use 'desc' or 'asc'"))),
    };
    Ok(RunQuery {
        namespace: Some(namespace),
        job,
        states: states.collect::<Result<_, _>>()?,
        from: instant(&query.from)?,
        until: instant(&query.to)?,
        order,
        after: query.cursor.as_deref().map(parse_id).transpose()?,
        notifications,
        limit: query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT),
    })
}

/// The job of this name: the one that is there, or the last one that was. Of one that was deleted only its runs still
/// tell, so it is looked for among the latest of them.
fn job_of(app: &App, namespace: &Namespace, name: JobName) -> Result<JobId, Failure> {
    let missing = match find(app, namespace.clone(), name.clone()) {
        Ok(stored) => return Ok(stored.job.id),
        Err(missing) => missing,
    };
    let mut query = RunQuery { namespace: Some(namespace.clone()), limit: MAX_LIMIT, ..RunQuery::default() };
    for _ in 0..PAGES_OF_THE_PAST {
        let page = app.store.query(&query)?;
        if let Some(run) = page.items.iter().find(|run| run.job == name) {
            return Ok(run.job_id);
        }
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    Err(missing)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowQuery {
    wait: Option<u64>,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path((namespace, id)): Path<(String, String)>,
    query: Result<Query<ShowQuery>, QueryRejection>,
) -> Result<Json<Run>, Failure> {
    let Query(query) = query?;
    let (namespace, id) = (parse_namespace(&namespace)?, parse_id(&id)?);
    if let Some(seconds) = query.wait {
        wait_for_end(&app, &namespace, id, Duration::from_secs(seconds.min(MAX_WAIT_SECONDS))).await?;
    }
    let run = load(&app, &namespace, id)?;
    let is_queued = run.state.name() == StateName::Queued;
    let waits_for = if is_queued { waits(&app, run.id).await } else { None };
    Ok(Json(Run { waits_for, ..Run::from(run.as_ref()) }))
}

/// What a queued run waits for; none if it is over by now, or nobody can say, as while the store cannot be written.
pub(super) async fn waits(app: &App, run: RunId) -> Option<WaitsFor> {
    match app.inbox.ask(Command::Waits { run }).await {
        Ok(Reply::Waits(waits)) => waits.map(WaitsFor::from),
        _ => None,
    }
}

/// Returns when the run is over, when the time is up, or when the daemon stops and no run is going any more.
async fn wait_for_end(app: &App, namespace: &Namespace, id: RunId, limit: Duration) -> Result<(), Failure> {
    let ended = app.shared.when_ended(id);
    if load(app, namespace, id)?.state.name().is_terminal() {
        return Ok(());
    }
    let mut runs_over = app.runs_over.clone();
    tokio::select! {
        _ = ended => {}
        _ = runs_over.wait_for(|over| *over) => {}
        () = tokio::time::sleep(limit) => {}
    }
    Ok(())
}

pub(super) async fn cancel(
    State(app): State<Arc<App>>,
    Path((namespace, id)): Path<(String, String)>,
) -> Result<(StatusCode, Json<Run>), Failure> {
    let (namespace, id) = (parse_namespace(&namespace)?, parse_id(&id)?);
    let run = load(&app, &namespace, id)?;
    match app.inbox.ask(Command::CancelRun { run: run.id }).await? {
        Reply::Run(run) => Ok((StatusCode::ACCEPTED, Json(Run::from(run.as_ref())))),
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetryQuery {
    #[serde(default)]
    force: bool,
    #[serde(default)]
    failed: bool,
}

pub(super) async fn retry(
    State(app): State<Arc<App>>,
    Path((namespace, id)): Path<(String, String)>,
    query: Result<Query<RetryQuery>, QueryRejection>,
) -> Result<(StatusCode, Json<Run>), Failure> {
    let Query(RetryQuery { force, failed }) = query?;
    let (namespace, id) = (parse_namespace(&namespace)?, parse_id(&id)?);
    let run = load(&app, &namespace, id)?;
    if !run.state.name().is_terminal() {
        let detail = format!("run {id} is {}: wait until it is over, or cancel it", run.state.name().as_str());
        return Err(Failure::new(Code::RunGoing, detail));
    }
    if run.notice.is_some() {
        let detail = format!("run {id} is a notification: only runs of jobs can be made again");
        return Err(Problem::new(Code::BadRequest, detail)
            .with_hint("how often a notification is tried is what its notifier says under 'retry'")
            .into());
    }
    let rerun =
        if failed { Rerun { run: left_by(&app, &run)?, resumes: true } } else { Rerun { run: id, resumes: false } };
    let (job, params, upstream) = (run.job_id, run.params.clone(), run.upstream.clone());
    let command = Command::RetryRun { namespace, name: run.job.clone(), job, rerun, force, params, upstream };
    match app.inbox.ask(command).await? {
        Reply::Run(run) => Ok((StatusCode::ACCEPTED, Json(Run::from(run.as_ref())))),
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    }
}

/// The run whose result a run goes on from that does only what failed of this one: itself, or the one that it went on from if
/// it came to nothing.
fn left_by(app: &App, run: &sandglass_core::run::Run) -> Result<RunId, Failure> {
    let (id, state) = (run.id, run.state.name());
    let all = format!("`sandglass run retry {id}` does all of it again");
    let refused = |code: Code, detail: String| Err(Problem::new(code, detail).with_hint(all.clone()).into());
    if state == StateName::Succeeded {
        return refused(Code::BadRequest, format!("run {id} succeeded: nothing of it failed"));
    }
    let job = find(app, run.namespace.clone(), run.job.clone())?.job;
    if job.id == run.job_id && job.revision != run.revision {
        let detail = format!(
            "job '{}' has been changed since run {id}: what was done then may not be what it says now",
            run.job
        );
        return refused(Code::RevisionConflict, detail);
    }
    // Where it came to nothing, what the one that it went on from left is still so.
    let source = match run.result.as_deref() {
        Some(result) => left_to_resume(result).map(|_| id),
        None => run.resumes(),
    };
    source.map_or_else(
        || {
            let why = "left no word of what was done: its plugin cannot go on from there";
            refused(Code::BadRequest, format!("run {id} is {} and {why}", state.as_str()))
        },
        Ok,
    )
}

/// The run, if it is there and in this namespace.
pub(super) fn load(app: &App, namespace: &Namespace, id: RunId) -> Result<Arc<sandglass_core::run::Run>, Failure> {
    let run = app.store.run(id)?.filter(|run| run.namespace == *namespace);
    run.ok_or_else(|| Failure::new(Code::RunNotFound, format!("there is no run {id} in namespace '{namespace}'")))
}

pub(super) fn parse_id(text: &str) -> Result<RunId, Failure> {
    text.parse().map_err(|error| Failure::new(Code::BadRequest, format!("{error}")))
}
