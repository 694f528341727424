//! The admin API: thin handlers between the wire and the store, the loop and the host.

pub(crate) mod apply;
mod artifacts;
mod auth;
mod calendars;
mod caller;
mod error;
mod fleets;
mod holds;
mod job_locks;
mod jobs;
mod logs;
mod notify;
mod path;
mod plan;
mod plugins;
mod runs;
mod schedule;
mod secrets;
mod serve;
mod status;
mod store;
mod targets;
mod templates;
mod why;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use sandglass_api::problem::{Code, Problem};
use sandglass_core::scheduler::Options;
use sandglass_core::time::Timestamp;
use sandglass_host::Host;
use sandglass_store::Store;

pub(crate) use self::caller::Caller;
use self::error::Failure;
pub(crate) use self::job_locks::JobLocks;
pub(crate) use self::serve::serve;
use crate::data_dir::DataDir;
use crate::dispatch::Inbox;
use crate::dispatch::effects::Shared;
use crate::output::Outputs;
use crate::secrets::Secrets;

/// The largest job that may be sent, in bytes.
const MAX_JOB_BYTES: usize = 1 << 20;
/// The most bytes of jobs, calendars, templates, targets and groups that are saved together.
const MAX_APPLY_BYTES: usize = 32 << 20;
/// The largest component that may be sent, in bytes.
const MAX_COMPONENT_BYTES: usize = 65 << 20;

/// What handlers need.
pub(crate) struct App {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) host: Arc<Host>,
    pub(crate) inbox: Inbox,
    pub(crate) shared: Arc<Shared>,
    pub(crate) outputs: Arc<Outputs>,
    pub(crate) secrets: Arc<Secrets>,
    pub(crate) options: Options,
    pub(crate) started_at: Timestamp,
    pub(crate) data_dir: DataDir,
    pub(crate) listen: Option<String>,
    pub(crate) token: String,
    /// A job's is held by a backfill from its look at what is there until its runs are durable.
    pub(crate) backfilling: JobLocks,
    /// Held while a job that extends a template is checked and saved, and by one alone while a template is: whoever checks
    /// much is not overtaken again and again. That all was checked as it is saved does not depend on it.
    pub(crate) extending: tokio::sync::RwLock<()>,
    pub(crate) stopping: tokio::sync::watch::Receiver<bool>,
    /// True once the daemon is stopping and no run is going any more; how each ended is durable then.
    pub(crate) runs_over: tokio::sync::watch::Receiver<bool>,
}

/// The routes for the owner-only socket: whoever can open it may do everything.
pub(crate) fn local(app: Arc<App>) -> Router {
    routes().with_state(app)
}

/// The routes for TCP: a bearer token is needed for all but the health checks.
pub(crate) fn public(app: Arc<App>) -> Router {
    let check = axum::middleware::from_fn_with_state(Arc::clone(&app), auth::bearer);
    routes().layer(check).with_state(app)
}

fn routes() -> Router<Arc<App>> {
    let namespace = Router::new()
        .route("/jobs", get(jobs::list).post(jobs::create))
        .route("/jobs/{name}", get(jobs::show).put(jobs::put).delete(jobs::delete))
        .route("/jobs/{name}/run", post(jobs::run))
        .route("/jobs/{name}/plan", post(plan::plan))
        .merge(holds::routes())
        .merge(secrets::routes())
        .merge(targets::routes())
        .route("/jobs/{name}/backfill", post(schedule::backfill))
        .route("/jobs/{name}/next", get(schedule::next))
        .route("/jobs/{name}/why", get(schedule::why))
        .route("/apply", post(apply::apply).layer(DefaultBodyLimit::max(MAX_APPLY_BYTES)))
        .route("/calendars", get(calendars::list))
        .route("/calendars/{name}", get(calendars::show).put(calendars::put).delete(calendars::delete))
        .route("/notify", get(notify::show).put(notify::put).delete(notify::delete))
        .route("/templates", get(templates::list))
        .route("/templates/{name}", get(templates::show).put(templates::put).delete(templates::delete))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/cancel", post(runs::cancel))
        .route("/runs/{id}/retry", post(runs::retry))
        .route("/runs/{id}/logs", get(logs::logs))
        .route("/runs/{id}/artifacts", get(artifacts::list))
        .route("/runs/{id}/artifacts/{*name}", get(artifacts::content));
    let plugins = Router::new()
        .route("/", get(plugins::list).post(plugins::add).layer(DefaultBodyLimit::max(MAX_COMPONENT_BYTES)))
        .route("/{name}", get(plugins::show).delete(plugins::remove));
    Router::new()
        .route("/healthz", get(status::healthz))
        .route("/readyz", get(status::readyz))
        .route("/api/v1/status", get(status::status))
        .route("/api/v1/version", get(status::version))
        .nest("/api/v1/namespaces/{ns}", namespace)
        .nest("/api/v1/plugins", plugins)
        .route("/api/v1/secrets/rotate-keys", post(secrets::rotate_keys))
        .route("/api/v1/store/compact", post(store::compact))
        .route("/api/v1/store/check", post(store::check))
        .layer(DefaultBodyLimit::max(MAX_JOB_BYTES))
        .fallback(async || Failure(Problem::new(Code::NoRoute, "there is nothing at this address")))
        .method_not_allowed_fallback(async || {
            Failure(Problem::new(Code::MethodNotAllowed, "this address knows other methods"))
        })
}
