//! Plugins.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Query, State};
use http::StatusCode;
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::Page;
use sandglass_core::capability::Grants;
use sandglass_core::event::{Command, Reply};
use sandglass_core::id::{Digest, PluginName};
use sandglass_core::plugin::Plugin;
use sandglass_core::time::Clock;
use serde::Deserialize;

use super::App;
use super::error::Failure;
use super::path::Path;
use crate::admission;
use crate::clock::SystemClock;

pub(super) async fn list(State(app): State<Arc<App>>) -> Result<Json<Page<Plugin>>, Failure> {
    let items = app.store.plugins()?.into_iter().map(Arc::unwrap_or_clone).collect();
    Ok(Json(Page { items, next: None }))
}

pub(super) async fn show(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Json<Plugin>, Failure> {
    let name = plugin_name(&name)?;
    let plugin = app.store.plugin(&name)?.ok_or(sandglass_core::event::Refusal::NoPlugin(name))?;
    Ok(Json(Arc::unwrap_or_clone(plugin)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AddQuery {
    name: Option<String>,
    grants: Option<String>,
    /// Only say what the component would be as a plugin.
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn add(
    State(app): State<Arc<App>>,
    query: Result<Query<AddQuery>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<Plugin>), Failure> {
    let Query(query) = query?;
    let wasm = body?;
    let name = query.name.as_deref().map(plugin_name).transpose()?;
    let granted: Option<Grants> = query
        .grants
        .as_deref()
        .map(serde_json::from_str)
        .transpose()
        .map_err(|error| Failure::new(Code::BadRequest, format!("the grants cannot be read: {error}")))?;
    let host = Arc::clone(&app.host);
    let (inspection, wasm) = tokio::task::spawn_blocking(move || (host.inspect(&wasm), wasm))
        .await
        .map_err(|error| Failure::new(Code::Internal, format!("inspecting the component failed: {error}")))?;
    let inspection = inspection.map_err(|refused| Problem::new(Code::InvalidComponent, refused.to_string()))?;
    let mut plugin = admission::plugin(inspection, name, granted.clone(), false, SystemClock.now())?;
    if granted.is_none()
        && let Some(before) = app.store.plugin(&plugin.manifest.name)?.filter(|before| !before.built_in)
    {
        // A new version is the same plugin: what it was granted stays, and allows no more than it asks for.
        plugin.granted = before.granted.clone();
    }
    if query.dry_run {
        forget_unless_used(&app, &plugin.digest)?;
        return Ok((StatusCode::OK, Json(plugin)));
    }
    let command = Command::PutPlugin { plugin: Arc::new(plugin), wasm: wasm.as_ref().into() };
    match app.inbox.ask(command).await? {
        Reply::Plugin(plugin) => Ok((StatusCode::CREATED, Json(Arc::unwrap_or_clone(plugin)))),
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    }
}

pub(super) async fn remove(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<StatusCode, Failure> {
    let name = plugin_name(&name)?;
    match app.inbox.ask(Command::RemovePlugin { name }).await? {
        Reply::PluginRemoved(plugin) => {
            forget_unless_used(&app, &plugin.digest)?;
            Ok(StatusCode::NO_CONTENT)
        }
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    }
}

/// Forgets a compiled component unless a plugin is made of it: several may be, under different names.
fn forget_unless_used(app: &App, digest: &Digest) -> Result<(), Failure> {
    if !app.store.plugins()?.iter().any(|plugin| plugin.digest == *digest) {
        app.host.forget(digest);
    }
    Ok(())
}

fn plugin_name(text: &str) -> Result<PluginName, Failure> {
    text.parse().map_err(|error| Failure::new(Code::BadRequest, format!("{error}")))
}
