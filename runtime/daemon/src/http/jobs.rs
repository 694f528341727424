//! Jobs.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, StatusCode, header};
use sandglass_api::jobfile::{self, Format};
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::{ApplyResult, DEFAULT_LIMIT, Fire, Job, MAX_LIMIT, Page, Run, SpecForms, StartRequest};
use sandglass_core::batch::Expectation;
use sandglass_core::event::{Command, Refusal, Reply, SavedJob, Together};
use sandglass_core::id::{JobId, JobName, Namespace};
use sandglass_core::job_template::NewJob;
use sandglass_core::schedule::{Calendars, JobSchedule, Warning, lint};
use sandglass_core::spec::{JobSpec, ParamValues, WrittenJob};
use sandglass_core::time::{Clock, Timestamp};
use sandglass_store::query::JobPosition;
use sandglass_store::{RunQuery, StoredJob};
use serde::Deserialize;

use super::App;
use super::apply::check_acceptable;
use super::error::Failure;
use super::fleets::Fleets;
use super::path::Path;
use super::schedule::{add_calendars, calendars_named};
use crate::admission::{self, TRIES, Templates};
use crate::clock::SystemClock;
use crate::secrets::missing_secrets;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    tag: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
    #[serde(default)]
    resolved: bool,
}

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(namespace): Path<String>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<Job>>, Failure> {
    let Query(query) = query?;
    let namespace = parse_namespace(&namespace)?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let cursor = query.cursor.as_deref().map(parse_name).transpose()?;
    let mut after = cursor.map(|name| JobPosition { namespace: namespace.clone(), name });
    let (mut items, mut calendars) = (Vec::new(), None);
    loop {
        let page = app.store.jobs(Some(&namespace), after.as_ref(), limit - items.len())?;
        for stored in page.items {
            if query.tag.as_ref().is_none_or(|tag| stored.job.spec.tags.contains(tag)) {
                let job = with_next_fire(&app, view(&app, &stored)?, &mut calendars)?;
                items.push(if query.resolved { resolved(job) } else { job });
            }
        }
        after = page.next;
        if after.is_none() || items.len() >= limit {
            return Ok(Json(Page { items, next: after.map(|position| position.name.to_string()) }));
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ShowQuery {
    #[serde(default)]
    resolved: bool,
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    query: Result<Query<ShowQuery>, QueryRejection>,
) -> Result<Response, Failure> {
    let Query(query) = query?;
    let job = present(&app, parse_namespace(&namespace)?, parse_name(&name)?)?;
    let job = if query.resolved { resolved(job) } else { job };
    Ok((etag(job.revision), Json(job)).into_response())
}

/// The job with its specification as it runs, rather than as it was written.
fn resolved(job: Job) -> Job {
    Job { spec: job.spec.resolved(), ..job }
}

/// The job of this name as the API shows it.
pub(super) fn present(app: &App, namespace: Namespace, name: JobName) -> Result<Job, Failure> {
    let stored = find(app, namespace, name)?;
    with_next_fire(app, view(app, &stored)?, &mut None)
}

/// The header by which a revision is known.
pub(super) type ETag = [(HeaderName, String); 1];

/// The header for what is at `revision`; a change can be made to depend on it with `If-Match`.
pub(super) fn etag(revision: u64) -> ETag {
    [(header::ETAG, format!("\"{revision}\""))]
}

pub(super) async fn create(
    State(app): State<Arc<App>>,
    Path(namespace): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, ETag, Json<ApplyResult>), Failure> {
    let job = read_job(&body?)?;
    let namespace = parse_namespace(&namespace)?;
    let result = save(&app, namespace, &job, Expectation::Absent).await.map_err(|failure| {
        if failure.0.is(Code::RevisionConflict) {
            return Failure(
                Problem::new(Code::JobExists, "a job of this name is there already").with_hint("replace it with PUT"),
            );
        }
        failure
    })?;
    Ok((StatusCode::CREATED, etag(result.job.revision), Json(result)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PutQuery {
    #[serde(default)]
    pub(super) dry_run: bool,
}

pub(super) async fn put(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    query: Result<Query<PutQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let Query(query) = query?;
    let (namespace, name) = (parse_namespace(&namespace)?, parse_name(&name)?);
    let job = read_job(&body?)?;
    if *job.name() != name {
        let detail = format!("the address says '{name}', the job says '{}': they must agree", job.name());
        return Err(Problem::new(Code::InvalidJob, detail.clone()).with_fault("/name", detail).into());
    }
    let expect = expectation(&headers)?;
    if query.dry_run {
        return rehearse(&app, &namespace, &job, expect).await.map(|planned| Json(planned).into_response());
    }
    let result = save(&app, namespace, &job, expect).await?;
    Ok((etag(result.job.revision), Json(result)).into_response())
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let (namespace, name) = (parse_namespace(&namespace)?, parse_name(&name)?);
    let command = Command::DeleteJob { namespace, name, expect: expectation(&headers)? };
    match app.inbox.ask(command).await? {
        Reply::JobDeleted(_) => Ok(StatusCode::NO_CONTENT),
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StartQuery {
    #[serde(default)]
    pub(super) force: bool,
}

pub(super) async fn run(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    query: Result<Query<StartQuery>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Run>), Failure> {
    let Query(query) = query?;
    let (namespace, name) = (parse_namespace(&namespace)?, parse_name(&name)?);
    let params = given(&app, &namespace, &name, &body?)?;
    let command = Command::StartRun { namespace, name, force: query.force, params };
    match app.inbox.ask(command).await? {
        Reply::Run(run) => Ok((StatusCode::ACCEPTED, Json(Run::from(run.as_ref())))),
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    }
}

/// The parameters that the body of a start gives, checked against those that the job declares; none for its defaults.
pub(super) fn given(
    app: &App,
    namespace: &Namespace,
    name: &JobName,
    body: &[u8],
) -> Result<Option<Arc<ParamValues>>, Failure> {
    let StartRequest { params } = read_start(body)?;
    let declared = find(app, namespace.clone(), name.clone())?;
    admission::check_given(&declared.job.spec.parameters, &params)?;
    Ok((!params.is_empty()).then(|| Arc::new(params)))
}

/// Reads what a start asks for; an empty body asks for nothing beyond the start.
fn read_start(body: &[u8]) -> Result<StartRequest, Failure> {
    if body.is_empty() {
        return Ok(StartRequest::default());
    }
    serde_json::from_slice(body).map_err(|error| {
        let hint = "send JSON such as {\"params\": {\"target\": \"s3\"}}, or no body at all";
        Failure(Problem::new(Code::BadRequest, error.to_string()).with_hint(hint))
    })
}

/// Checks a job and saves it.
async fn save(app: &App, namespace: Namespace, job: &WrittenJob, expect: Expectation) -> Result<ApplyResult, Failure> {
    let _with_others = if job.overlay().is_some() { Some(app.extending.read().await) } else { None };
    let mut tries = TRIES;
    loop {
        let job = Templates::new(app, &namespace, &[]).check(job).await?;
        let spec = &job.spec;
        let calendars = calendars_named(app, &namespace, spec.calendars())?;
        let warnings = warnings(app, &Fleets::new(app.store.as_ref(), &namespace, None), &namespace, spec, &calendars);
        let command = Command::PutJob { namespace: namespace.clone(), job, expect };
        match app.inbox.ask(command).await? {
            Reply::Job(saved) => return result(app, &saved, warnings, &mut None),
            // The template is another by now. By now that can be read.
            Reply::Refused(Refusal::TemplateMoved { .. }) if tries > 1 => tries -= 1,
            Reply::Refused(refusal) => return Err(refused(refusal)),
            other => return Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
        }
    }
}

/// What saving a job came to.
pub(super) fn result(
    app: &App,
    saved: &SavedJob,
    warnings: Vec<Warning>,
    calendars: &mut Option<Calendars>,
) -> Result<ApplyResult, Failure> {
    let created = saved.changed && saved.job.revision == 1;
    let last_run = if created { None } else { last_run(app, saved.job.id)? };
    let job = with_next_fire(app, Job::new(&saved.job, &saved.cursor, saved.standing.as_deref(), last_run), calendars)?;
    Ok(ApplyResult { job, changed: saved.changed, created, warnings })
}

/// Why a job was not saved. A calendar or template that is not there is a fault of the job, not of the address.
pub(super) fn refused(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::NoCalendar { .. } => {
            let detail = refusal.to_string();
            let hint = "save the calendar first, or take it out of the trigger";
            Problem::new(Code::InvalidJob, detail.clone()).with_fault("/triggers", detail).with_hint(hint).into()
        }
        Refusal::NoTemplate { .. } => {
            let detail = refusal.to_string();
            Problem::new(Code::InvalidJob, detail.clone()).with_fault("/extends", detail).into()
        }
        other => other.into(),
    }
}

/// What saving would come to, without saving.
async fn rehearse(
    app: &App,
    namespace: &Namespace,
    job: &WrittenJob,
    expect: Expectation,
) -> Result<ApplyResult, Failure> {
    let job = Templates::new(app, namespace, &[]).check(job).await?;
    let calendars = calendars_named(app, namespace, job.spec.calendars())?;
    let fleets = Fleets::new(app.store.as_ref(), namespace, None);
    let planned = planned(app, &fleets, namespace, &job, expect, &mut Some(calendars))?;
    check_acceptable(app, namespace, Together { jobs: vec![job], ..Together::default() }).await?;
    Ok(planned)
}

/// What saving a job that has been checked would come to. `known` are the calendars that it names, as they would be.
pub(super) fn planned(
    app: &App,
    fleets: &Fleets<'_>,
    namespace: &Namespace,
    job: &NewJob,
    expect: Expectation,
    known: &mut Option<Calendars>,
) -> Result<ApplyResult, Failure> {
    let (spec, overlay) = (Arc::clone(&job.spec), job.overlay());
    let calendars = &*known.get_or_insert_default();
    if let Some(missing) = spec.calendars().find(|name| calendars.get(name).is_none()) {
        return Err(refused(Refusal::NoCalendar { namespace: namespace.clone(), name: missing.clone() }));
    }
    let old = app.store.job_named(namespace, &spec.name)?;
    let actual = old.as_ref().map_or(0, |stored| stored.job.revision);
    if !expect.holds(actual) {
        return Err(Refusal::RevisionConflict { name: spec.name.clone(), actual }.into());
    }
    let warnings = warnings(app, fleets, namespace, &spec, calendars);
    if let Some(stored) = old {
        let changed = stored.job.spec != spec || stored.job.overlay != overlay;
        let same_schedule = stored.job.spec.same_schedule(&spec);
        let mut job = view(app, &stored)?;
        if !same_schedule && job.enabled {
            job.next_fire_at = next_fire(app, namespace, &spec, calendars);
        }
        if changed {
            job.spec = SpecForms::new(spec, overlay);
        }
        let job = with_next_fire(app, job, known)?;
        return Ok(ApplyResult { job, changed, created: false, warnings });
    }
    let next = next_fire(app, namespace, &spec, calendars);
    let job = Job::planned(namespace.clone(), SpecForms::new(spec, overlay), next);
    let job = with_next_fire(app, job, known)?;
    Ok(ApplyResult { job, changed: true, created: true, warnings })
}

/// The first fire of `spec`, were it saved now.
fn next_fire(app: &App, namespace: &Namespace, spec: &JobSpec, calendars: &Calendars) -> Option<Timestamp> {
    spec.next_fire(&spec.planning(namespace, SystemClock.now(), app.options.timezone, calendars))
}

/// What is allowed in `spec`, and likely a slip.
pub(super) fn warnings(
    app: &App,
    fleets: &Fleets<'_>,
    namespace: &Namespace,
    spec: &JobSpec,
    calendars: &Calendars,
) -> Vec<Warning> {
    let now = SystemClock.now();
    let mut warnings = lint(spec, &spec.planning(namespace, now, app.options.timezone, calendars), now);
    warnings.extend(missing_secrets(app.store.as_ref(), namespace, spec));
    warnings.extend(fleets.missing(spec));
    warnings
}

fn view(app: &App, stored: &StoredJob) -> Result<Job, Failure> {
    Ok(Job::new(&stored.job, &stored.cursor, stored.standing.as_deref(), last_run(app, stored.job.id)?))
}

/// The job with its next fire in full, if calendars or a window have a say in that. `calendars` are those of its namespace
/// that were read before; what else the job names is added.
fn with_next_fire(app: &App, mut job: Job, calendars: &mut Option<Calendars>) -> Result<Job, Failure> {
    let spec = &job.spec;
    let Some(at) = job.next_fire_at.filter(|_| spec.window.is_some() || spec.calendars().next().is_some()) else {
        return Ok(job);
    };
    let calendars = calendars.get_or_insert_default();
    add_calendars(app, &job.namespace, spec.calendars(), calendars)?;
    let since = job.scheduled_since.unwrap_or_else(|| SystemClock.now());
    let planning = spec.planning(&job.namespace, since, app.options.timezone, calendars);
    let fire = JobSchedule::new(spec, &planning).fire_at(at);
    let window = spec.open_window(app.options.timezone);
    job.next_fire = fire.map(|fire| Fire::new(&fire, window.as_ref()));
    Ok(job)
}

fn last_run(app: &App, job: JobId) -> Result<Option<Run>, Failure> {
    let page = app.store.query(&RunQuery { limit: 1, ..RunQuery::of_job(job) })?;
    Ok(page.items.first().map(|run| Run::from(run.as_ref())))
}

/// The job of this name.
pub(super) fn find(app: &App, namespace: Namespace, name: JobName) -> Result<StoredJob, Failure> {
    let found = app.store.job_named(&namespace, &name)?;
    found.ok_or_else(|| Refusal::NoJob { namespace, name }.into())
}

/// Reads a job from a request's body, in canonical or short form.
fn read_job(body: &[u8]) -> Result<WrittenJob, Failure> {
    let text = std::str::from_utf8(body).map_err(|_| Failure::new(Code::BadRequest, "the body is not UTF-8 text"))?;
    let format = Format::of_text(text);
    jobfile::parse_one(text, format, "the request's body").map_err(|errors| Problem::from_job_errors(&errors).into())
}

pub(super) fn expectation(headers: &HeaderMap) -> Result<Expectation, Failure> {
    let bad = |detail: &str| Failure::new(Code::BadRequest, detail);
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default().trim().to_owned());
    match (text(header::IF_MATCH), text(header::IF_NONE_MATCH)) {
        (None, None) => Ok(Expectation::Anything),
        (None, Some(tag)) if tag == "*" => Ok(Expectation::Absent),
        (None, Some(_)) => Err(bad("If-None-Match knows only *")),
        (Some(_), Some(_)) => Err(bad("send If-Match or If-None-Match, not both")),
        (Some(tag), None) => {
            let revision =
                tag.trim_matches('"').parse().map_err(|_| bad("If-Match wants a revision, such as \"3\""))?;
            Ok(Expectation::At(revision))
        }
    }
}

pub(super) fn parse_namespace(text: &str) -> Result<Namespace, Failure> {
    text.parse().map_err(|error| Failure::new(Code::BadRequest, format!("{error}")))
}

pub(super) fn parse_name(text: &str) -> Result<JobName, Failure> {
    text.parse().map_err(|error| Failure::new(Code::BadRequest, format!("{error}")))
}
