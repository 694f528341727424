//! Health, version and an overview.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use sandglass_api::problem::Code;
use sandglass_api::wire::{Status, Version};
use sandglass_core::run::StateName;
use sandglass_core::time::Clock;
use sandglass_store::RunCounts;
use sandglass_store::query::JobPosition;

use super::App;
use super::error::Failure;
use crate::clock::SystemClock;

/// The process answers.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The daemon takes commands.
pub(super) async fn readyz(State(app): State<Arc<App>>) -> Result<&'static str, Failure> {
    if *app.stopping.borrow() {
        return Err(Failure::new(Code::Stopping, "the daemon is stopping"));
    }
    if app.shared.is_failing() {
        return Err(Failure::new(Code::Unavailable, "the store cannot be written: nothing can be saved or started"));
    }
    app.store.stats()?;
    Ok("ready\n")
}

pub(super) async fn version() -> Json<Version> {
    Json(Version::current())
}

pub(super) async fn status(State(app): State<Arc<App>>) -> Result<Json<Status>, Failure> {
    let stats = app.store.stats()?;
    let now = SystemClock.now();
    let version = Version::current();
    let by_state = |counts: RunCounts| {
        let counts = StateName::ALL.map(|state| (state.as_str().to_owned(), counts.of(state)));
        counts.into_iter().filter(|(_, count)| *count > 0).collect()
    };
    Ok(Json(Status {
        version: version.version,
        started_at: app.started_at,
        uptime_seconds: now.since(app.started_at).as_secs(),
        jobs: stats.jobs,
        plugins: stats.plugins,
        runs: by_state(stats.runs),
        notifications: by_state(stats.notifications),
        next_fire_at: next_fire(&app)?,
        store_bytes: stats.size_bytes,
        data_dir: Some(app.data_dir.path().display().to_string()),
        listen: app.listen.clone(),
        timezone: Some(app.options.timezone),
        tz_database: version.tz_database,
    }))
}

/// The soonest next fire of any job.
fn next_fire(app: &App) -> Result<Option<sandglass_core::time::Timestamp>, Failure> {
    let mut soonest = None;
    let mut after: Option<JobPosition> = None;
    loop {
        let page = app.store.jobs(None, after.as_ref(), sandglass_store::query::MAX_PAGE)?;
        let fires = page.items.iter().filter_map(|stored| stored.cursor.next_fire_at);
        soonest = soonest.into_iter().chain(fires).min();
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(soonest),
        }
    }
}
