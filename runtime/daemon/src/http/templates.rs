//! Job templates.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use sandglass_api::jobfile::{self, Format};
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::{ApplyRequest, Page, Template, TemplateResult};
use sandglass_core::event::{Command, Refusal, Reply};
use sandglass_core::id::{JobName, Namespace, TemplateName};
use sandglass_core::job_template::SavedTemplate;

use super::error::Failure;
use super::jobs::{etag, expectation, parse_namespace};
use super::path::Path;
use super::{App, apply};
use crate::admission::each_job;

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(namespace): Path<String>,
) -> Result<Json<Page<Template>>, Failure> {
    let namespace = parse_namespace(&namespace)?;
    let templates = app.store.templates(&namespace)?;
    let mut users = if templates.is_empty() { HashMap::new() } else { users(&app, &namespace)? };
    let items = templates.iter().map(|template| {
        let used_by = users.remove(&template.spec.name).unwrap_or_default();
        Template { used_by, ..Template::from(template.as_ref()) }
    });
    Ok(Json(Page { items: items.collect(), next: None }))
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let (namespace, name) = (parse_namespace(&namespace)?, parse_template(&name)?);
    let Some(template) = app.store.template(&namespace, &name)? else {
        let kept = app.store.templates(&namespace)?;
        let names = kept.iter().map(|template| &template.spec.name);
        return Err(Refusal::no_template(&namespace, &name, names).into());
    };
    let used_by = users(&app, &namespace)?.remove(&name).unwrap_or_default();
    let shown = Template { used_by, ..Template::from(template.as_ref()) };
    Ok((etag(template.revision), Json(shown)).into_response())
}

/// The jobs of a namespace that extend a template, by the template, each list by name.
fn users(app: &App, namespace: &Namespace) -> Result<HashMap<TemplateName, Vec<JobName>>, Failure> {
    let mut users: HashMap<TemplateName, Vec<JobName>> = HashMap::new();
    each_job(app.store.as_ref(), namespace, |stored| {
        if let Some(overlay) = &stored.job.overlay {
            users.entry(overlay.template().clone()).or_default().push(stored.job.spec.name.clone());
        }
    })?;
    Ok(users)
}

pub(super) async fn put(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let (namespace, name) = (parse_namespace(&namespace)?, parse_template(&name)?);
    let body = body?;
    let text = std::str::from_utf8(&body).map_err(|_| Failure::new(Code::BadRequest, "the body is not UTF-8 text"))?;
    let spec = jobfile::parse_template(text, Format::of_text(text), "the request's body").map_err(|errors| {
        let problem = Problem::from_job_errors(&errors);
        let code = Problem::new(Code::InvalidTemplate, problem.detail);
        Failure(Problem { hint: problem.hint, errors: problem.errors, ..code })
    })?;
    if spec.name != name {
        let detail = format!("the address says '{name}', the template says '{}': they must agree", spec.name);
        return Err(Problem::new(Code::InvalidTemplate, detail.clone()).with_fault("/name", detail).into());
    }
    let expect = expectation(&headers)?;
    let request = ApplyRequest { templates: vec![Arc::new(spec)], ..ApplyRequest::default() };
    let mut saved = apply::save_expecting(&app, namespace, &request, expect).await.map_err(alone)?;
    let saved = saved.templates.pop().ok_or_else(|| Failure::new(Code::Internal, "the template has no answer"))?;
    Ok((etag(saved.template.revision), Json(saved)).into_response())
}

/// A failure of a request that is the template itself, rather than holds it.
fn alone(mut failure: Failure) -> Failure {
    for fault in &mut failure.0.errors {
        if let Some(rest) = fault.pointer.strip_prefix("/templates/0") {
            fault.pointer = rest.to_owned();
        }
    }
    failure
}

/// What saving a template came to.
pub(super) fn result(saved: &SavedTemplate) -> TemplateResult {
    let template = Template::from(saved.template.as_ref());
    TemplateResult { template, changed: saved.changed, jobs: saved.jobs.clone() }
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    let command = Command::DeleteTemplate { namespace: parse_namespace(&namespace)?, name: parse_template(&name)? };
    match app.inbox.ask(command).await? {
        Reply::TemplateDeleted(_) => Ok(StatusCode::NO_CONTENT),
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    }
}

fn parse_template(text: &str) -> Result<TemplateName, Failure> {
    text.parse().map_err(|error| Failure::new(Code::BadRequest, format!("{error}")))
}
