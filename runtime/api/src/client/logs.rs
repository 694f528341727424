//! A run's output as it comes.

use std::collections::VecDeque;
use std::time::Duration;

use http::{Method, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::sse::{Assembler, Lines};
use super::transport::{Request, Transport, query};
use super::{ClientError, PATIENCE};
use crate::wire::{EVENT_END, EVENT_OUTPUT, EVENT_PROGRESS, LogsQuery, OutputEvent, ProgressEvent, Run};

/// How often a lost connection is taken up again without anything new before the stream gives up.
pub(super) const RESUMPTIONS: u32 = 5;
pub(super) const RESUMPTION_PAUSE: Duration = Duration::from_millis(300);
/// The daemon sends something at least every 15 seconds; after this long without anything, the connection is lost.
const SILENCE: Duration = Duration::from_secs(60);

/// What comes of a run's output.
#[derive(Clone, PartialEq, Debug)]
pub enum LogItem {
    /// A piece of it.
    Output(OutputEvent),
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
    lines: Lines,
    /// None if the answer is a line an event.
    events: Option<Assembler>,
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
        let request = Request::new(Method::GET, format!("{}{}", self.path, query(&fields)));
        let response = self.transport.begin(request, PATIENCE).await?;
        let media_type = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let events = media_type.is_some_and(|value| value.starts_with("text/event-stream")).then(Assembler::default);
        self.body = Some(Body { incoming: response.into_body(), lines: Lines::default(), events });
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
                    LogItem::Output(event) => self.position = event.position.clone().or(self.position.take()),
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
        let mut texts = Vec::new();
        let more = frame.is_some();
        match frame.transpose().map_err(ClientError::Broken)? {
            Some(frame) => {
                let data = frame.data_ref().map(AsRef::as_ref).unwrap_or_default();
                body.lines.push(data).map_err(|_| self.transport.unexpected("a line without end".to_owned()))?;
                while let Some(line) = body.lines.next() {
                    texts.push(line);
                }
            }
            None => texts.extend(body.lines.rest().filter(|_| body.events.is_none())),
        }
        for line in texts {
            let Some(item) = item(body.events.as_mut(), &line) else { continue };
            self.ready.push_back(item.map_err(|error| self.transport.unexpected(error.to_string()))?);
        }
        Ok(more)
    }
}

/// What a line comes to, if it completes something.
fn item(events: Option<&mut Assembler>, line: &str) -> Option<serde_json::Result<LogItem>> {
    let Some(events) = events else {
        return (!line.is_empty()).then(|| serde_json::from_str(line).map(LogItem::Output));
    };
    let event = events.take(line)?;
    match event.name.as_str() {
        EVENT_END => Some(serde_json::from_str(&event.data).map(|run| LogItem::End(Box::new(run)))),
        EVENT_PROGRESS => Some(serde_json::from_str(&event.data).map(LogItem::Progress)),
        EVENT_OUTPUT => {
            let output = serde_json::from_str(&event.data)
                .map(|output: OutputEvent| OutputEvent { position: output.position.or(event.id), ..output });
            Some(output.map(LogItem::Output))
        }
        // A daemon of a later version may tell more; whoever follows output does not need it.
        _ => None,
    }
}
