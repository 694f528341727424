//! What a run printed, at once or as it comes.

mod follow;
mod lines;
mod selection;

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::sse::{KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, Stream};
use http::{HeaderMap, header};
use sandglass_api::problem::Code;
use sandglass_api::wire::frames::{self, FRAMES};
use sandglass_api::wire::{LogsQuery, OutputEvent, Run};
use sandglass_core::id::{Namespace, RunId};
use sandglass_core::output::{OutputChunk, OutputStream};
use sandglass_store::{OutputPosition, StoreError};

use self::lines::{Lines, Tail};
use self::selection::Selection;
use super::App;
use super::error::Failure;
use super::jobs::parse_namespace;
use super::path::Path;
use super::runs::{load, parse_id};

/// Read from the store at once.
const PAGE_BYTES: usize = 256 << 10;
/// What one stream printed within this is told as one piece, up to [`MAX_PIECE_BYTES`].
const AS_ONE: std::time::Duration = std::time::Duration::from_millis(10);
const MAX_PIECE_BYTES: usize = 256 << 10;
/// A piece that is longer is told as it is, as it costs little then.
const LONG_PIECE_BYTES: usize = 8 << 10;

pub(super) async fn logs(
    State(app): State<Arc<App>>,
    Path((namespace, id)): Path<(String, String)>,
    query: Result<Query<LogsQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let Query(query) = query?;
    let (namespace, id) = (parse_namespace(&namespace)?, parse_id(&id)?);
    load(&app, &namespace, id)?;
    let selection = Selection::new(&query)?;
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let from = header("last-event-id").or(query.from);
    let from = from.map(|text| position(&text)).transpose()?.unwrap_or(OutputPosition::START);
    let mut accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let in_frames = accepted.any(|accept| accept.contains(FRAMES));
    let printed = Printed { app, namespace, id, selection, lines: Lines::default(), next: from };
    Ok(match (query.follow.unwrap_or(false), in_frames) {
        (true, false) => Sse::new(follow::events(printed)).keep_alive(KeepAlive::default()).into_response(),
        (true, true) => streamed(FRAMES, follow::frames(printed)),
        (false, false) => streamed("application/x-ndjson", at_once(printed, write_line)),
        (false, true) => {
            streamed(FRAMES, at_once(printed, |to, piece| frames::write_output(to, &piece.chunk, piece.position)))
        }
    })
}

fn streamed(
    media_type: &'static str,
    body: impl Stream<Item = Result<Bytes, StoreError>> + Send + 'static,
) -> Response {
    ([(header::CONTENT_TYPE, media_type)], Body::from_stream(body)).into_response()
}

fn position(text: &str) -> Result<OutputPosition, Failure> {
    let offset = text.parse().map_err(|_| Failure::new(Code::BadRequest, format!("'{text}' is no position")))?;
    Ok(OutputPosition::from_offset(offset))
}

/// A piece of output that is wanted.
struct Piece {
    chunk: OutputChunk,
    /// Where the output goes on after it, if it was the last that is readable.
    position: Option<u64>,
}

/// A place in a run's output.
struct Printed {
    app: Arc<App>,
    namespace: Namespace,
    id: RunId,
    selection: Selection,
    /// Lines that have not ended, if whole lines are wanted.
    lines: Lines,
    next: OutputPosition,
}

impl Printed {
    /// What is wanted next: first the last lines, if only they are; then as [`Printed::read_page`].
    async fn read(&mut self) -> Result<Option<Vec<Piece>>, StoreError> {
        match self.read_tail().await? {
            Some(last) => Ok(Some(last)),
            None => self.read_page(),
        }
    }

    /// The next pieces; none if there is nothing more now. There may be no piece among what was read that is wanted.
    fn read_page(&mut self) -> Result<Option<Vec<Piece>>, StoreError> {
        let page = self.app.store.read_output(self.id, self.next, PAGE_BYTES)?;
        if page.next == self.next {
            return Ok(None);
        }
        self.next = page.next;
        let chunks = if self.selection.by_line() {
            self.whole_lines(&page.chunks)
        } else {
            as_one(page.chunks.into_iter().filter(|chunk| self.selection.takes(chunk)))
        };
        Ok(Some(self.pieces(chunks)))
    }

    /// The last lines that are readable now, if only they are wanted.
    async fn read_tail(&mut self) -> Result<Option<Vec<Piece>>, StoreError> {
        let Some(most) = self.selection.tail else { return Ok(None) };
        let mut tail = Tail::new(most);
        // Asked first, so that what a run prints last is not taken for lines without an end.
        let ended = self.ended().is_some();
        while let Some(pieces) = self.read_page()? {
            pieces.into_iter().for_each(|piece| tail.push(piece.chunk));
            tokio::task::yield_now().await;
        }
        self.selection.tail = None;
        // What follows is told as it comes, unless whole lines are wanted for another reason.
        if ended || !self.selection.by_line() {
            self.open_lines().into_iter().for_each(|piece| tail.push(piece.chunk));
        }
        Ok(Some(self.pieces(tail.into_lines())))
    }

    /// What has not ended its line and never will.
    fn open_lines(&mut self) -> Vec<Piece> {
        let mut lines = Vec::new();
        self.lines.finish(&mut |line| lines.push(line));
        lines.retain(|line| self.selection.matches(line));
        self.pieces(lines)
    }

    fn whole_lines(&mut self, chunks: &[OutputChunk]) -> Vec<OutputChunk> {
        let mut found = Vec::new();
        for (chunk, start) in chunks.iter().zip(starts(chunks, self.next)) {
            if self.selection.takes(chunk) {
                let selection = &self.selection;
                self.lines.push(chunk, start, |line| found.extend(Some(line).filter(|line| selection.matches(line))));
            }
        }
        found
    }

    fn pieces(&self, chunks: Vec<OutputChunk>) -> Vec<Piece> {
        let mut pieces: Vec<Piece> = chunks.into_iter().map(|chunk| Piece { chunk, position: None }).collect();
        if let Some(last) = pieces.last_mut() {
            // Whoever comes back is told lines that had not ended from their beginning.
            last.position = Some(self.lines.first_open().unwrap_or(self.next.offset()));
        }
        pieces
    }

    /// The run, once it is over.
    fn ended(&self) -> Option<Run> {
        let run = load(&self.app, &self.namespace, self.id).ok()?;
        run.state.name().is_terminal().then(|| Run::from(run.as_ref()))
    }
}

/// Where in the whole output each chunk begins, from where the last of them ends. Before a remark of ours, which may stand
/// for what was left out, it is not known; no line goes on across one.
fn starts(chunks: &[OutputChunk], end: OutputPosition) -> Vec<u64> {
    let mut start = end.offset();
    let back = chunks.iter().rev().map(|chunk| {
        if chunk.stream != OutputStream::System {
            start = start.saturating_sub(chunk.bytes.len() as u64);
        }
        start
    });
    let mut starts: Vec<u64> = back.collect();
    starts.reverse();
    starts
}

/// Makes one chunk of those that one stream printed at about one time.
fn as_one(chunks: impl Iterator<Item = OutputChunk>) -> Vec<OutputChunk> {
    let mut found: Vec<OutputChunk> = Vec::new();
    for chunk in chunks {
        let goes_on = |last: &&mut OutputChunk| {
            matches!(chunk.stream, OutputStream::Stdout | OutputStream::Stderr)
                && last.stream == chunk.stream
                && last.attempt == chunk.attempt
                && chunk.at.since(last.at) < AS_ONE
                && last.at <= chunk.at
                && last.bytes.len() <= LONG_PIECE_BYTES
                && last.bytes.len() + chunk.bytes.len() <= MAX_PIECE_BYTES
        };
        match found.last_mut().filter(goes_on) {
            Some(last) => last.bytes.extend_from_slice(&chunk.bytes),
            None => found.push(chunk),
        }
    }
    found
}

fn write_line(to: &mut Vec<u8>, piece: &Piece) {
    let event = to_event(piece);
    serde_json::to_writer(&mut *to, &event).expect("an event is plain data");
    to.push(b'\n');
}

fn to_event(piece: &Piece) -> OutputEvent {
    OutputEvent::new(&piece.chunk, piece.position.map(|offset| offset.to_string()))
}

/// All there is, each piece as `write` puts it.
fn at_once(
    printed: Printed,
    write: impl Fn(&mut Vec<u8>, &Piece) + Send + 'static,
) -> impl Stream<Item = Result<Bytes, StoreError>> {
    stream::try_unfold((printed, write, false), async |(mut printed, write, over)| {
        let mut over = over;
        while !over {
            let pieces = printed.read().await?.unwrap_or_else(|| {
                over = true;
                printed.open_lines()
            });
            let mut bytes = Vec::new();
            pieces.iter().for_each(|piece| write(&mut bytes, piece));
            tokio::task::yield_now().await;
            if !bytes.is_empty() {
                return Ok(Some((Bytes::from(bytes), (printed, write, over))));
            }
        }
        Ok(None)
    })
}
