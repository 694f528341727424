//! What can be done with the store as a whole. Everybody else waits meanwhile.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use sandglass_api::problem::Code;
use sandglass_api::wire::StoreSize;
use sandglass_store::{Compacted, Store, StoreError};

use super::App;
use super::error::Failure;

/// Gives space that is no longer used back to the file system.
pub(super) async fn compact(State(app): State<Arc<App>>) -> Result<Json<StoreSize>, Failure> {
    tracing::info!("the store is compacted: starts and answers wait");
    let Compacted { before_bytes, after_bytes } = off_the_loop(&app, |store| store.compact()).await?;
    tracing::info!(before_bytes, after_bytes, "the store was compacted");
    Ok(Json(StoreSize { before_bytes, after_bytes }))
}

/// Compares everything with its checksums.
pub(super) async fn check(State(app): State<Arc<App>>) -> Result<StatusCode, Failure> {
    tracing::info!("the store is checked: starts and answers wait");
    off_the_loop(&app, |store| store.check()).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn off_the_loop<R: Send + 'static>(
    app: &App,
    work: impl FnOnce(&dyn Store) -> Result<R, StoreError> + Send + 'static,
) -> Result<R, Failure> {
    let store = Arc::clone(&app.store);
    match tokio::task::spawn_blocking(move || work(store.as_ref())).await {
        Ok(done) => Ok(done?),
        Err(_) => Err(Failure::new(Code::Internal, "the work on the store ended by a fault of Sandglass")),
    }
}
