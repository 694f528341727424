//! What a run printed, at once or as it comes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use http::{HeaderMap, header};
use sandglass_api::problem::Code;
use sandglass_api::wire::{EVENT_END, EVENT_OUTPUT, EVENT_PROGRESS, LogsQuery, OutputEvent, ProgressEvent, Run};
use sandglass_core::id::{Namespace, RunId};
use sandglass_core::output::OutputStream;
use sandglass_host::services::Progress;
use sandglass_store::{OutputPosition, StoreError};
use tokio::sync::watch;

use super::App;
use super::error::Failure;
use super::jobs::parse_namespace;
use super::path::Path;
use super::runs::{load, parse_id};

/// Read from the store at once.
const PAGE_BYTES: usize = 256 << 10;
/// How often a run that waits for its start or for a retry is looked at.
const LOOK_AGAIN_AFTER: std::time::Duration = std::time::Duration::from_millis(200);

pub(super) async fn logs(
    State(app): State<Arc<App>>,
    Path((namespace, id)): Path<(String, String)>,
    query: Result<Query<LogsQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Query(query) = query?;
    let (namespace, id) = (parse_namespace(&namespace)?, parse_id(&id)?);
    load(&app, &namespace, id)?;
    let resume = headers.get("last-event-id").and_then(|value| value.to_str().ok()).map(str::to_owned);
    let from = resume.or(query.from).map(|text| position(&text)).transpose()?.unwrap_or(OutputPosition::START);
    let printed = Printed { app, namespace, id, stream: query.stream, next: from };
    if query.follow.unwrap_or(false) {
        return Ok(Sse::new(follow(printed)).keep_alive(KeepAlive::default()).into_response());
    }
    let body = Body::from_stream(lines(printed));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

fn position(text: &str) -> Result<OutputPosition, Failure> {
    let offset = text.parse().map_err(|_| Failure::new(Code::BadRequest, format!("'{text}' is no position")))?;
    Ok(OutputPosition::from_offset(offset))
}

/// A place in a run's output.
struct Printed {
    app: Arc<App>,
    namespace: Namespace,
    id: RunId,
    stream: Option<OutputStream>,
    next: OutputPosition,
}

impl Printed {
    /// The next events; none if there is nothing more now. The last of them tells where to go on.
    fn read(&mut self) -> Result<Option<VecDeque<OutputEvent>>, StoreError> {
        let page = self.app.store.read_output(self.id, self.next, PAGE_BYTES)?;
        if page.next == self.next {
            return Ok(None);
        }
        self.next = page.next;
        let wanted = page.chunks.iter().filter(|chunk| self.stream.is_none_or(|stream| stream == chunk.stream));
        let mut events: VecDeque<OutputEvent> = wanted.map(|chunk| OutputEvent::new(chunk, None)).collect();
        if let Some(last) = events.back_mut() {
            last.position = Some(self.next.offset().to_string());
        }
        Ok(Some(events))
    }

    /// The run, once it is over.
    fn ended(&self) -> Option<Run> {
        let run = load(&self.app, &self.namespace, self.id).ok()?;
        run.state.name().is_terminal().then(|| Run::from(run.as_ref()))
    }
}

/// All of it, a JSON object a line.
fn lines(printed: Printed) -> impl Stream<Item = Result<Bytes, StoreError>> {
    stream::try_unfold(printed, async |mut printed| {
        let Some(events) = printed.read()? else { return Ok(None) };
        let mut text = Vec::new();
        for event in &events {
            serde_json::to_writer(&mut text, event).expect("an event is plain data");
            text.push(b'\n');
        }
        tokio::task::yield_now().await;
        Ok(Some((Bytes::from(text), printed)))
    })
}

struct Following {
    printed: Printed,
    changed: watch::Receiver<()>,
    pending: VecDeque<OutputEvent>,
    progress: Option<Progress>,
    over: bool,
}

/// All of it and what still comes, until the run is over; the last event is the run.
fn follow(printed: Printed) -> impl Stream<Item = Result<Event, Infallible>> {
    let changed = printed.app.outputs.follow(printed.id);
    let following = Following { printed, changed, pending: VecDeque::new(), progress: None, over: false };
    stream::unfold(following, async |mut following| {
        let event = following.next().await?;
        Some((Ok(event), following))
    })
}

impl Following {
    async fn next(&mut self) -> Option<Event> {
        if self.over {
            return None;
        }
        let mut runs_over = self.printed.app.runs_over.clone();
        loop {
            // Asked before the run, so that how it ended is seen if the daemon stops.
            let last_look = *runs_over.borrow_and_update();
            if let Some(event) = self.pending.pop_front() {
                return Some(output_event(&event));
            }
            // Whether the run is over is asked before the rest is read, so that nothing printed before its end is missed.
            let ended = self.printed.ended();
            match self.printed.read() {
                Ok(Some(events)) => {
                    self.pending = events;
                    continue;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, run = %self.printed.id, "output could not be read"),
            }
            if let Some(run) = ended {
                self.over = true;
                return Some(json_event(EVENT_END, &run));
            }
            let progress = self.printed.app.outputs.progress_of(self.printed.id);
            if let Some(progress) = progress.filter(|progress| Some(progress) != self.progress.as_ref()) {
                let event = progress_event(&progress);
                self.progress = Some(progress);
                return Some(event);
            }
            if last_look {
                return None;
            }
            let run_ended = self.printed.app.shared.when_ended(self.printed.id);
            if self.printed.ended().is_some() {
                continue;
            }
            tokio::select! {
                () = self.more_output() => {}
                _ = run_ended => {}
                _ = runs_over.wait_for(|over| *over) => {}
            }
        }
    }

    /// Resolves when more output may be readable. A run that is not going yet is looked at again every so often.
    async fn more_output(&mut self) {
        if self.changed.changed().await.is_err() {
            tokio::time::sleep(LOOK_AGAIN_AFTER).await;
            self.changed = self.printed.app.outputs.follow(self.printed.id);
        }
    }
}

fn output_event(event: &OutputEvent) -> Event {
    let sse = json_event(EVENT_OUTPUT, event);
    match &event.position {
        Some(position) => sse.id(position.as_str()),
        None => sse,
    }
}

fn progress_event(progress: &Progress) -> Event {
    let Progress { completed, total, unit, message } = progress.clone();
    json_event(EVENT_PROGRESS, &ProgressEvent { completed, total, unit, message })
}

fn json_event<T: serde::Serialize>(name: &str, data: &T) -> Event {
    Event::default().event(name).json_data(data).expect("what is sent is plain data")
}
