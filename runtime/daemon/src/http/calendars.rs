//! Named calendars.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::{Calendar, CalendarResult, Page};
use sandglass_core::event::{Command, Refusal, Reply, SavedCalendar};
use sandglass_core::id::CalendarName;
use sandglass_core::spec::CalendarSpec;

use super::App;
use super::error::Failure;
use super::jobs::{etag, expectation, parse_namespace};
use super::path::Path;

pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path(namespace): Path<String>,
) -> Result<Json<Page<Calendar>>, Failure> {
    let calendars = app.store.calendars(&parse_namespace(&namespace)?)?;
    let items = calendars.iter().map(|calendar| Calendar::from(calendar.as_ref())).collect();
    Ok(Json(Page { items, next: None }))
}

pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let (namespace, name) = (parse_namespace(&namespace)?, parse_calendar(&name)?);
    let found = app.store.calendar(&namespace, &name)?;
    let calendar = found.ok_or_else(|| Failure::from(Refusal::NoCalendar { namespace, name }))?;
    Ok((etag(calendar.revision), Json(Calendar::from(calendar.as_ref()))).into_response())
}

pub(super) async fn put(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Failure> {
    let (namespace, name) = (parse_namespace(&namespace)?, parse_calendar(&name)?);
    let spec: CalendarSpec = serde_json::from_slice(&body?).map_err(|error| {
        let hint = "send JSON: a name, and dates, weekdays or yearly dates";
        Failure(Problem::new(Code::InvalidCalendar, error.to_string()).with_hint(hint))
    })?;
    if spec.name != name {
        let detail = format!("the address says '{name}', the calendar says '{}': they must agree", spec.name);
        return Err(Problem::new(Code::InvalidCalendar, detail.clone()).with_fault("/name", detail).into());
    }
    let expect = expectation(&headers)?;
    match app.inbox.ask(Command::PutCalendar { namespace, spec: Arc::new(spec), expect }).await? {
        Reply::Calendar(saved) => Ok((etag(saved.calendar.revision), Json(result(&saved))).into_response()),
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    }
}

/// What saving a calendar came to.
pub(super) fn result(saved: &SavedCalendar) -> CalendarResult {
    CalendarResult { calendar: Calendar::from(saved.calendar.as_ref()), changed: saved.changed }
}

pub(super) async fn delete(
    State(app): State<Arc<App>>,
    Path((namespace, name)): Path<(String, String)>,
) -> Result<StatusCode, Failure> {
    let command = Command::DeleteCalendar { namespace: parse_namespace(&namespace)?, name: parse_calendar(&name)? };
    match app.inbox.ask(command).await? {
        Reply::CalendarDeleted(_) => Ok(StatusCode::NO_CONTENT),
        Reply::Refused(refusal) => Err(refusal.into()),
        other => Err(Failure::new(Code::Internal, format!("unexpected reply {other:?}"))),
    }
}

fn parse_calendar(text: &str) -> Result<CalendarName, Failure> {
    text.parse().map_err(|error| Failure::new(Code::BadRequest, format!("{error}")))
}
