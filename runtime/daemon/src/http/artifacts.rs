//! What runs left to others.

use std::io;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sandglass_api::problem::Code;
use sandglass_api::wire::{Artifact, Page};
use sandglass_core::artifact::ArtifactName;
use sandglass_store::StoreError;
use tokio::io::AsyncReadExt as _;

use super::App;
use super::error::Failure;
use super::jobs::parse_namespace;
use super::path::Path;
use super::runs::{load, parse_id};

/// How much of a content is under way at once, in bytes.
const PIECE: usize = 64 << 10;

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path((namespace, id)): Path<(String, String)>,
) -> Result<Json<Page<Artifact>>, Failure> {
    let run = load(&app, &parse_namespace(&namespace)?, parse_id(&id)?)?;
    let items = app.store.artifacts(run.id)?.into_iter().map(Artifact::from).collect();
    Ok(Json(Page { items, next: None }))
}

/// The content itself. It never changes under its tag; it is something to keep and nothing for a browser to show, as anybody's
/// run wrote it.
pub(super) async fn content(
    State(app): State<Arc<App>>,
    Path((namespace, id, name)): Path<(String, String, String)>,
    request: HeaderMap,
) -> Result<Response, Failure> {
    let run = load(&app, &parse_namespace(&namespace)?, parse_id(&id)?)?;
    let name: Result<ArtifactName, _> = name.parse();
    let name = name.map_err(|error| Failure::new(Code::BadRequest, error.to_string()))?;
    let artifact = app
        .store
        .artifact(run.id, &name)?
        .ok_or_else(|| Failure::new(Code::ArtifactNotFound, format!("run {} has no artifact '{name}'", run.id)))?;
    let tag = format!("\"{}\"", artifact.digest);
    let mut head = HeaderMap::new();
    let mut put = |field, text: &str| {
        // Media types and tags were checked, or are ours.
        head.extend(HeaderValue::from_str(text).ok().map(|value| (field, value)));
    };
    put(header::ETAG, &tag);
    put(header::CACHE_CONTROL, "private, no-cache");
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    let known = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|tags| tags.to_str().ok());
    if known.flat_map(|tags| tags.split(',')).any(|known| matches!(known.trim(), "*") || known.trim() == tag) {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    put(header::CONTENT_TYPE, &artifact.media_type);
    put(header::CONTENT_LENGTH, &artifact.size_bytes.to_string());
    put(header::CONTENT_DISPOSITION, "attachment");
    let file = app.store.open_content(&artifact.digest)?.ok_or_else(|| {
        let what = format!("the content of the artifact '{name}' of run {} is not there", run.id);
        Failure::from(StoreError::Corrupt { what })
    })?;
    let pieces = futures_util::stream::try_unfold(tokio::fs::File::from_std(file), async |mut file| {
        let mut piece = vec![0; PIECE];
        let read = file.read(&mut piece).await?;
        piece.truncate(read);
        Ok::<_, io::Error>((read > 0).then(|| (Bytes::from(piece), file)))
    });
    Ok((head, Body::from_stream(pieces)).into_response())
}
