//! Templates, calendars, targets, groups, jobs and the notifiers of a namespace that are saved together.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::{Applied, ApplyRequest, Calendar, CalendarResult, Template, TemplateResult};
use sandglass_core::batch::Expectation;
use sandglass_core::event::{Command, Refusal, Reply, Together};
use sandglass_core::id::Namespace;
use sandglass_core::job_template::{JobTemplate, NewJob, Resolved};
use sandglass_core::schedule::Calendars;
use sandglass_core::time::Clock as _;

use super::error::Failure;
use super::fleets::Fleets;
use super::jobs::{self, PutQuery, parse_namespace};
use super::path::Path;
use super::schedule::calendars_named;
use super::{App, calendars, notify, targets, templates};
use crate::admission::{Checked, Part, Refused, TRIES, check_notify, check_together};
use crate::clock::SystemClock;

pub(super) async fn apply(
    State(app): State<Arc<App>>,
    Path(namespace): Path<String>,
    query: Result<Query<PutQuery>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Applied>, Failure> {
    let Query(query) = query?;
    let namespace = parse_namespace(&namespace)?;
    let request: ApplyRequest = serde_json::from_slice(&body?).map_err(|error| {
        let hint = "send JSON: lists of 'templates', 'calendars', 'targets', 'groups' and 'jobs' in canonical form, and of notifiers under \
                    'notify'";
        Failure(Problem::new(Code::InvalidJob, error.to_string()).with_hint(hint))
    })?;
    if query.dry_run {
        return rehearse(&app, &namespace, &request).await.map(Json);
    }
    save(&app, namespace, &request).await.map(Json)
}

/// Checks what is asked for and saves all of it, or nothing.
pub(crate) async fn save(app: &App, namespace: Namespace, request: &ApplyRequest) -> Result<Applied, Failure> {
    save_expecting(app, namespace, request, Expectation::Anything).await
}

/// As [`save`]; `expect` is what must be there of the templates.
pub(super) async fn save_expecting(
    app: &App,
    namespace: Namespace,
    request: &ApplyRequest,
    expect: Expectation,
) -> Result<Applied, Failure> {
    let alone = if request.templates.is_empty() { None } else { Some(app.extending.write().await) };
    let extends = request.jobs.iter().any(|job| job.overlay().is_some());
    let _with_others = if extends && alone.is_none() { Some(app.extending.read().await) } else { None };
    let mut tries = TRIES;
    loop {
        let Checked { templates, jobs, .. } = check(app, &namespace, request, expect).await?;
        let known = calendars_of(app, &namespace, request, &jobs)?;
        let fleets = Fleets::new(app.store.as_ref(), &namespace, Some(request));
        let warnings = |job: &NewJob| jobs::warnings(app, &fleets, &namespace, &job.spec, &known);
        let warnings: Vec<_> = jobs.iter().map(warnings).collect();
        let calendars = request.calendars.iter().cloned().map(Arc::new).collect();
        let notify = request.notify.clone().map(Arc::new);
        let (targets, groups) = (request.targets.clone(), request.groups.clone());
        let together = Together { templates, calendars, targets, groups, jobs, notify };
        let command = Command::Apply { namespace: namespace.clone(), together };
        match app.inbox.ask(command).await? {
            Reply::Applied { templates, calendars, targets, groups, jobs, notify } => {
                let mut known = Some(known);
                return Ok(Applied {
                    templates: templates.iter().map(templates::result).collect(),
                    calendars: calendars.iter().map(calendars::result).collect(),
                    targets: targets.iter().map(|saved| targets::result(app, saved)).collect::<Result<_, _>>()?,
                    groups: groups.iter().map(targets::group_result).collect(),
                    jobs: jobs
                        .iter()
                        .zip(warnings)
                        .map(|(saved, warnings)| jobs::result(app, saved, warnings, &mut known))
                        .collect::<Result<_, _>>()?,
                    notify: notify.as_ref().map(notify::result),
                });
            }
            // What was checked is not what is there any more. By now it can be read.
            Reply::Refused(Refusal::TemplateMoved { .. }) if tries > 1 => tries -= 1,
            Reply::Refused(refusal) => return Err(targets::refused_together(refusal, request)),
            other => return Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
        }
    }
}

/// What saving all of it would come to, without saving.
async fn rehearse(app: &App, namespace: &Namespace, request: &ApplyRequest) -> Result<Applied, Failure> {
    let checked = check(app, namespace, request, Expectation::Anything).await?;
    let known = calendars_of(app, namespace, request, &checked.jobs)?;
    let mut applied = Applied::default();
    let mut refused = Vec::new();
    for (place, (new, change)) in checked.templates.iter().zip(checked.changes).enumerate() {
        let calendars = calendars_named(app, namespace, new.jobs.iter().flat_map(|job| job.spec.calendars()))?;
        let is_missing = |name: &&_| calendars.get(name).is_none() && known.get(name).is_none();
        let lacks = |job: &&Resolved| job.spec.calendars().any(|name| is_missing(&name));
        if let Some(job) = new.jobs.iter().find(lacks) {
            let missing = job.spec.calendars().find(is_missing).cloned();
            let why = missing.map(|name| Refusal::NoCalendar { namespace: namespace.clone(), name });
            let (name, job) = (new.spec.name.clone(), job.spec.name.clone());
            let why = why.map(|why| Refusal::TemplateBreaks { name, job, why: Box::new(why) });
            refused.extend(why.map(|why| Refused { what: Part::Template(place), problem: jobs::refused(why).0 }));
            continue;
        }
        let old = change.old.as_ref().map_or(0, |old| old.revision);
        let template = JobTemplate {
            namespace: namespace.clone(),
            revision: old + u64::from(change.changed),
            spec: Arc::clone(&new.spec),
            updated_at: change.old.filter(|_| !change.changed).map_or_else(|| SystemClock.now(), |old| old.updated_at),
        };
        let template = Template::from(&template);
        applied.templates.push(TemplateResult { template, changed: change.changed, jobs: change.jobs });
    }
    for spec in &request.calendars {
        let old = app.store.calendar(namespace, &spec.name)?;
        let changed = old.as_ref().is_none_or(|old| *old.spec != *spec);
        let calendar = Calendar {
            name: spec.name.clone(),
            namespace: namespace.clone(),
            revision: old.as_ref().map_or(0, |old| old.revision) + u64::from(changed),
            spec: Arc::new(spec.clone()),
            updated_at: old.filter(|_| !changed).map_or_else(|| SystemClock.now(), |old| old.updated_at),
        };
        applied.calendars.push(CalendarResult { calendar, changed });
    }
    (applied.targets, applied.groups) = targets::rehearse(app, namespace, request)?;
    let mut known = Some(known);
    let fleets = Fleets::new(app.store.as_ref(), namespace, Some(request));
    for (place, job) in checked.jobs.iter().enumerate() {
        match jobs::planned(app, &fleets, namespace, job, Expectation::Anything, &mut known) {
            Ok(result) => applied.jobs.push(result),
            Err(Failure(problem)) => refused.push(Refused { what: Part::Job(place), problem }),
        }
    }
    if let Some(notify) = &request.notify {
        applied.notify = Some(notify::rehearse(app, namespace.clone(), notify.clone())?);
    }
    if !refused.is_empty() {
        return Err(told(refused, request));
    }
    let (calendars, notify) = (request.calendars.iter().cloned().map(Arc::new), request.notify.clone().map(Arc::new));
    let (targets, groups) = (request.targets.clone(), request.groups.clone());
    let Checked { templates, jobs, .. } = checked;
    let together = Together { templates, calendars: calendars.collect(), targets, groups, jobs, notify };
    match acceptable(app, namespace, together).await? {
        None => Ok(applied),
        Some(refusal) => Err(targets::refused_together(refusal, request)),
    }
}

/// Refuses what saving it would be refused for.
pub(super) async fn check_acceptable(app: &App, namespace: &Namespace, together: Together) -> Result<(), Failure> {
    acceptable(app, namespace, together).await?.map_or(Ok(()), |refusal| Err(jobs::refused(refusal)))
}

/// Why saving it would be refused, if it would be.
async fn acceptable(app: &App, namespace: &Namespace, together: Together) -> Result<Option<Refusal>, Failure> {
    match app.inbox.ask(Command::Rehearse { namespace: namespace.clone(), together }).await? {
        // Saving would look at the templates again.
        Reply::Acceptable | Reply::Refused(Refusal::TemplateMoved { .. }) => Ok(None),
        Reply::Refused(refusal) => Ok(Some(refusal)),
        other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    }
}

/// The calendars that the jobs name, those that come with them as they come.
fn calendars_of(
    app: &App,
    namespace: &Namespace,
    request: &ApplyRequest,
    jobs: &[NewJob],
) -> Result<Calendars, Failure> {
    let mut known = calendars_named(app, namespace, jobs.iter().flat_map(|job| job.spec.calendars()))?;
    request.calendars.iter().for_each(|calendar| known.insert(calendar));
    Ok(known)
}

async fn check(
    app: &App,
    namespace: &Namespace,
    request: &ApplyRequest,
    expect: Expectation,
) -> Result<Checked, Failure> {
    let checked = check_together(app, namespace, &request.templates, expect, &request.jobs).await;
    let checked = checked.map_err(|refused| told(refused, request))?;
    if let Some(notify) = &request.notify {
        check_notify(notify, app.store.as_ref(), &app.host, &app.options.ceiling).await?;
    }
    Ok(checked)
}

/// What is wrong with several parts of a request, as one problem: says which, and where in the request.
fn told(refused: Vec<Refused>, request: &ApplyRequest) -> Failure {
    let count = refused.len();
    let mut refused = refused.into_iter().map(|Refused { what, mut problem }| {
        let at = match what {
            Part::Template(place) => format!("/templates/{place}"),
            Part::Job(place) => format!("/jobs/{place}"),
        };
        if problem.errors.is_empty() {
            let message = problem.to_string();
            problem = problem.with_fault("", message);
        }
        for fault in &mut problem.errors {
            fault.pointer.insert_str(0, &at);
        }
        if let (Some(fault), true) = (problem.errors.last_mut(), count > 1) {
            fault.hint.clone_from(&problem.hint);
        }
        if let Part::Job(place) = what {
            let name = request.jobs.get(place).map(|job| job.name().to_string()).unwrap_or_default();
            problem.detail = format!("job '{name}': {problem}");
        }
        problem
    });
    let Some(mut first) = refused.next() else { return Failure::new(Code::Internal, "nothing was refused") };
    first.errors.extend(refused.flat_map(|problem| problem.errors));
    if count > 1 {
        first.detail.push_str(&format!(" (and {} more)", count - 1));
    }
    first.into()
}
