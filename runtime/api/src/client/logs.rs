//! A run's output as it comes.

use std::collections::VecDeque;
use std::time::Duration;

use http::{Method, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use sandglass_core::output::OutputChunk;

use super::sse::{Assembler, Lines, ServerSentEvent};
use super::transport::{Request, Transport, query};
use super::{ClientError, PATIENCE};
use crate::wire::frames::{FRAMES, Frame, FrameReader};
use crate::wire::{EVENT_END, EVENT_OUTPUT, EVENT_PROGRESS, LogsQuery, OutputEvent, ProgressEvent, Run};

/// How often a lost connection is taken up again without anything new before the stream gives up.
pub(super) const RESUMPTIONS: u32 = 5;
pub(super) const RESUMPTION_PAUSE: Duration = Duration::from_millis(300);
/// The daemon sends something at least every 15 seconds; after this long without anything, the connection is lost.
const SILENCE: Duration = Duration::from_secs(60);

/// A piece of a run's output.
#[derive(Clone, PartialEq, Debug)]
pub struct Printed {
    /// The piece.
    pub chunk: OutputChunk,
    /// Where the output goes on after it; [`LogsQuery::from`] takes it.
    pub position: Option<String>,
}

impl Printed {
    /// As it is in JSON.
    #[must_use]
    pub fn to_event(&self) -> OutputEvent {
        OutputEvent::new(&self.chunk, self.position.clone())
    }
}

impl From<OutputEvent> for Printed {
    fn from(event: OutputEvent) -> Self {
        let bytes = event.to_bytes();
        let OutputEvent { attempt, at, stream, position, .. } = event;
        Self { chunk: OutputChunk { attempt, at, stream, bytes }, position }
    }
}

/// What comes of a run's output.
#[derive(Clone, PartialEq, Debug)]
pub enum LogItem {
    /// A piece of it.
    Output(Printed),
    /// How far the run has come.
    Progress(ProgressEvent),
    /// The run is over; nothing follows.
    End(Box<Run>),
}

/// A run's output as it comes.
#[derive(Debug)]
pub struct LogStream {
    transport: Transport,
    path: String,
    query: LogsQuery,
    body: Option<Body>,
    ready: VecDeque<LogItem>,
    /// Where the output goes on after the last piece that was given out.
    position: Option<String>,
    failures: u32,
    ended: bool,
}

struct Body {
    incoming: Incoming,
    form: Form,
}

/// The form of the answer.
enum Form {
    /// As this client wants it.
    Frames(FrameReader),
    /// A JSON object a line.
    Lines(Lines),
    Events(Lines, Assembler),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body").finish_non_exhaustive()
    }
}

impl LogStream {
    pub(super) async fn open(transport: Transport, path: String, query: LogsQuery) -> Result<Self, ClientError> {
        let position = query.from.clone();
        let (body, ready) = (None, VecDeque::new());
        let mut stream = Self { transport, path, query, body, ready, position, failures: 0, ended: false };
        stream.connect().await?;
        Ok(stream)
    }

    async fn connect(&mut self) -> Result<(), ClientError> {
        let fields = LogsQuery { from: self.position.clone(), ..self.query.clone() };
        let accept = format!("{FRAMES}, application/x-ndjson, text/event-stream, application/problem+json");
        let request =
            Request::new(Method::GET, format!("{}{}", self.path, query(&fields))).with_header("accept", accept);
        let response = self.transport.begin(request, PATIENCE).await?;
        let media_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let form = match media_type {
            Some(FRAMES) => Form::Frames(FrameReader::default()),
            Some(value) if value.starts_with("text/event-stream") => {
                Form::Events(Lines::default(), Assembler::default())
            }
            _ => Form::Lines(Lines::default()),
        };
        self.body = Some(Body { incoming: response.into_body(), form });
        Ok(())
    }

    /// The next piece of output or the end of the run; none if there is no more output and the run's end is not known.
    ///
    /// # Errors
    ///
    /// If the daemon is lost and does not come back, or sends what cannot be read.
    pub async fn next(&mut self) -> Result<Option<LogItem>, ClientError> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                match &item {
                    LogItem::Output(printed) => self.position = printed.position.clone().or(self.position.take()),
                    LogItem::Progress(_) => {}
                    LogItem::End(_) => self.ended = true,
                }
                self.failures = 0;
                return Ok(Some(item));
            }
            if self.ended {
                return Ok(None);
            }
            match self.advance().await {
                Ok(true) => {}
                Ok(false) if !self.ready.is_empty() => {}
                Ok(false) if self.query.follow == Some(true) && self.failures < RESUMPTIONS => self.resume().await,
                Ok(false) => return Ok(None),
                Err(error) if error.is_passing() && self.failures < RESUMPTIONS => self.resume().await,
                Err(error) => return Err(error),
            }
        }
    }

    async fn resume(&mut self) {
        self.failures += 1;
        self.body = None;
        // The last lines of what there was have been answered; now all that came since is wanted.
        if self.position.is_some() {
            self.query.tail = None;
        }
        tokio::time::sleep(RESUMPTION_PAUSE * self.failures).await;
    }

    /// Reads some more. False at the end of the answer.
    async fn advance(&mut self) -> Result<bool, ClientError> {
        if self.body.is_none() {
            self.connect().await?;
        }
        let Some(body) = &mut self.body else { return Ok(false) };
        let frame = tokio::time::timeout(SILENCE, body.incoming.frame());
        let frame = frame.await.map_err(|_| self.transport.no_answer(SILENCE))?;
        let more = frame.is_some();
        let frame = frame.transpose().map_err(ClientError::Broken)?;
        let data = frame.as_ref().map(|frame| frame.data_ref().map(AsRef::as_ref).unwrap_or_default());
        let items = body.form.take(data);
        self.ready.extend(items.map_err(|error| self.transport.unexpected(error))?);
        Ok(more)
    }
}

impl Form {
    /// What the next part of the answer comes to; none is its end.
    fn take(&mut self, data: Option<&[u8]>) -> Result<Vec<LogItem>, String> {
        let mut items = Vec::new();
        match self {
            Self::Frames(reader) => {
                let mut data = data.unwrap_or_default();
                while let Some(frame) = reader.next_frame(&mut data).map_err(|error| error.to_string())? {
                    items.push(frame.into());
                }
            }
            Self::Lines(lines) => {
                for line in next_lines(lines, data)?.into_iter().filter(|line| !line.is_empty()) {
                    let event: OutputEvent = serde_json::from_str(&line).map_err(|error| error.to_string())?;
                    items.push(LogItem::Output(event.into()));
                }
            }
            Self::Events(lines, events) => {
                // What the end of the answer cuts off is no event.
                for line in data.map(|data| next_lines(lines, Some(data))).transpose()?.unwrap_or_default() {
                    items.extend(events.take(&line).and_then(item).transpose().map_err(|error| error.to_string())?);
                }
            }
        }
        Ok(items)
    }
}

/// The lines that are whole now.
fn next_lines(lines: &mut Lines, data: Option<&[u8]>) -> Result<Vec<String>, String> {
    let Some(data) = data else { return Ok(lines.rest().into_iter().collect()) };
    lines.push(data).map_err(|_| "a line without end".to_owned())?;
    Ok(std::iter::from_fn(|| lines.next()).collect())
}

impl From<Frame> for LogItem {
    fn from(frame: Frame) -> Self {
        match frame {
            Frame::Output(chunk, position) => {
                Self::Output(Printed { chunk, position: position.map(|offset| offset.to_string()) })
            }
            Frame::Progress(progress) => Self::Progress(progress),
            Frame::End(run) => Self::End(run),
        }
    }
}

/// What an event tells, if it is one that matters here.
fn item(event: ServerSentEvent) -> Option<serde_json::Result<LogItem>> {
    match event.name.as_str() {
        EVENT_END => Some(serde_json::from_str(&event.data).map(|run| LogItem::End(Box::new(run)))),
        EVENT_PROGRESS => Some(serde_json::from_str(&event.data).map(LogItem::Progress)),
        EVENT_OUTPUT => {
            let output = serde_json::from_str(&event.data)
                .map(|output: OutputEvent| OutputEvent { position: output.position.or(event.id), ..output });
            Some(output.map(|output| LogItem::Output(output.into())))
        }
        // A daemon of a later version may tell more; whoever follows output does not need it.
        _ => None,
    }
}
