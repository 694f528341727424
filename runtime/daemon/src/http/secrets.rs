//! Secrets. Their values go in and never come out.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, StatusCode};
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::{Page, RollbackRequest, RotatedKeys, Secret, SecretRequest};
use sandglass_core::id::SecretName;
use sandglass_core::secret;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::App;
use super::error::Failure;
use super::jobs::{etag, expectation, parse_namespace};
use super::path::Path;
use crate::secrets::{Change, Users, users};

/// How many jobs, and targets, that use a secret are named when it cannot be deleted.
const MOST_NAMED: usize = 10;

pub(super) fn routes() -> Router<Arc<App>> {
    Router::new()
        .route("/secrets", get(list))
        .route("/secrets/{name}", get(show).put(put).delete(delete))
        .route("/secrets/{name}/rollback", post(roll_back))
}

async fn list(State(app): State<Arc<App>>, Path(namespace): Path<String>) -> Result<Json<Page<Secret>>, Failure> {
    let namespace = parse_namespace(&namespace)?;
    let secrets = app.store.secrets(Some(&namespace))?;
    let mut users = users(app.store.as_ref(), &namespace)?;
    let items = secrets.iter().map(|secret| view(secret, users.remove(&secret.name).unwrap_or_default()));
    Ok(Json(Page { items: items.collect(), next: None }))
}

async fn show(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let (namespace, name) = (parse_namespace(&namespace)?, parse_secret(&name)?);
    let secret = app.secrets.found(&namespace, &name)?;
    Ok((etag(secret.revision), Json(with_users(&app, &secret)?)).into_response())
}

async fn put(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let (namespace, name) = (parse_namespace(&namespace)?, parse_secret(&name)?);
    let body = body?;
    // What is wrong is told without the text, which may hold the value.
    let SecretRequest { value, base64, hosts } = serde_json::from_slice(&body).map_err(|error| {
        let detail = format!("the request is no JSON of a secret (line {}, column {})", error.line(), error.column());
        Failure(Problem::new(Code::BadRequest, detail).with_hint("send {\"value\": \"…\"}, or bytes under 'base64'"))
    })?;
    let value = match (value, base64) {
        (Some(_), Some(_)) => return Err(Failure::new(Code::BadRequest, "give either 'value' or 'base64', not both")),
        (Some(text), None) => Some(Zeroizing::new(text.into_bytes())),
        (None, Some(text)) => {
            let text = Zeroizing::new(text);
            let bytes = BASE64_STANDARD.decode(text.trim());
            Some(Zeroizing::new(bytes.map_err(|_| Failure::new(Code::BadRequest, "'base64' is no base64"))?))
        }
        (None, None) if hosts.is_none() => return Err(Failure::new(Code::BadRequest, "give a 'value', or 'hosts'")),
        (None, None) => None,
    };
    let expect = expectation(&headers)?;
    let saved = app.secrets.set(&namespace, &name, Change { value, hosts, expect }).await?;
    let status = if saved.revision == 1 { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, etag(saved.revision), Json(with_users(&app, &saved)?)).into_response())
}

async fn roll_back(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let (namespace, name) = (parse_namespace(&namespace)?, parse_secret(&name)?);
    let RollbackRequest { version } = serde_json::from_slice(&body?)
        .map_err(|error| Failure::new(Code::BadRequest, format!("send {{\"version\": N}}: {error}")))?;
    let saved = app.secrets.roll_back(&namespace, &name, version, expectation(&headers)?).await?;
    Ok((etag(saved.revision), Json(with_users(&app, &saved)?)).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeleteQuery {
    #[serde(default)]
    force: bool,
}

async fn delete(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    query: Result<Query<DeleteQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let Query(DeleteQuery { force }) = query?;
    let (namespace, name) = (parse_namespace(&namespace)?, parse_secret(&name)?);
    app.secrets.found(&namespace, &name)?;
    if !force && let Some(used) = users(app.store.as_ref(), &namespace)?.remove(&name) {
        return Err(Failure(in_use(&name, &used)));
    }
    app.secrets.delete(&namespace, &name, expectation(&headers)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn in_use(name: &SecretName, used: &Users) -> Problem {
    let mut by: Vec<String> = used.jobs.iter().take(MOST_NAMED).map(|job| format!("job '{job}'")).collect();
    if used.jobs.len() > MOST_NAMED {
        by.push(format!("{} more jobs", used.jobs.len() - MOST_NAMED));
    }
    by.extend(used.targets.iter().take(MOST_NAMED).map(|target| format!("target '{target}'")));
    if used.targets.len() > MOST_NAMED {
        by.push(format!("{} more targets", used.targets.len() - MOST_NAMED));
    }
    if used.notifiers {
        by.push("the notifiers of the namespace".to_owned());
    }
    Problem::new(Code::SecretInUse, format!("the secret {name} is used by {}", by.join(", ")))
        .with_hint("they would fail without it; change them first, or delete it with --force")
}

pub(super) async fn rotate_keys(State(app): State<Arc<App>>) -> Result<Json<RotatedKeys>, Failure> {
    Ok(Json(app.secrets.rotate_keys().await?))
}

/// A secret with what uses it.
fn with_users(app: &App, secret: &secret::Secret) -> Result<Secret, Failure> {
    let used = users(app.store.as_ref(), &secret.namespace)?.remove(&secret.name);
    Ok(view(secret, used.unwrap_or_default()))
}

fn view(secret: &secret::Secret, used: Users) -> Secret {
    Secret {
        used_by: used.jobs,
        used_by_targets: used.targets,
        used_by_notifiers: used.notifiers,
        ..Secret::from(secret)
    }
}

fn parse_secret(text: &str) -> Result<SecretName, Failure> {
    text.parse().map_err(|error: sandglass_core::id::InvalidId| Failure::new(Code::InvalidSecret, error.to_string()))
}
