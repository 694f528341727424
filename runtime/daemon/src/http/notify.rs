//! The notifiers of a namespace.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::{NamespaceNotify, NotifyRequest, NotifyResult};
use sandglass_core::event::{Command, Refusal, Reply, SavedNotify};
use sandglass_core::id::Namespace;
use sandglass_core::spec::Notifiers;
use serde::Deserialize;

use super::App;
use super::error::Failure;
use super::jobs::{etag, expectation, parse_namespace};
use super::path::Path;
use crate::admission;

pub(super) async fn show(State(app): State<Arc<App>>, Path(namespace): Path<String>) -> Result<Response, Failure> {
    let namespace = parse_namespace(&namespace)?;
    let notify = app.store.notify(&namespace)?.ok_or_else(|| Failure::from(Refusal::NoNotify(namespace)))?;
    Ok((etag(notify.revision), Json(NamespaceNotify::from(notify.as_ref()))).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PutQuery {
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn put(
    State(app): State<Arc<App>>,
    Path(namespace): Path<String>,
    query: Result<Query<PutQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let Query(query) = query?;
    let namespace = parse_namespace(&namespace)?;
    let NotifyRequest { notify } = serde_json::from_slice(&body?).map_err(|error| {
        let hint = "send JSON: a list of notifiers under 'notify'";
        Failure(Problem::new(Code::InvalidNotify, error.to_string()).with_hint(hint))
    })?;
    admission::check_notify(&notify, app.store.as_ref(), &app.host, &app.options.ceiling).await?;
    if query.dry_run {
        return Ok(Json(rehearse(&app, namespace, notify)?).into_response());
    }
    let expect = expectation(&headers)?;
    match app.inbox.ask(Command::PutNotify { namespace, notify: Arc::new(notify), expect }).await? {
        Reply::Notify(saved) => Ok((etag(saved.notify.revision), Json(result(&saved))).into_response()),
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    }
}

/// What saving would come to, without saving.
pub(super) fn rehearse(app: &App, namespace: Namespace, notify: Notifiers) -> Result<NotifyResult, Failure> {
    let old = app.store.notify(&namespace)?;
    let changed = old.as_ref().is_none_or(|old| *old.notify != notify);
    let (revision, updated_at) = (old.as_ref().map_or(0, |old| old.revision), old.as_ref().map(|old| old.updated_at));
    Ok(NotifyResult { notify: NamespaceNotify { namespace, revision, notify: Arc::new(notify), updated_at }, changed })
}

/// What saving notifiers came to.
pub(super) fn result(saved: &SavedNotify) -> NotifyResult {
    NotifyResult { notify: NamespaceNotify::from(saved.notify.as_ref()), changed: saved.changed }
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path(namespace): Path<String>,
    headers: HeaderMap,
) -> Result<StatusCode, Failure> {
    let command = Command::DeleteNotify { namespace: parse_namespace(&namespace)?, expect: expectation(&headers)? };
    match app.inbox.ask(command).await? {
        Reply::NotifyDeleted(_) => Ok(StatusCode::NO_CONTENT),
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    }
}
