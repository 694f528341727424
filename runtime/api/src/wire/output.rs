//! What a run prints, on the wire.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use sandglass_core::output::{OutputChunk, OutputStream};
use sandglass_core::time::Timestamp;

/// The name of the server-sent event that carries an [`OutputEvent`]. The event's id is the event's `position`.
pub const EVENT_OUTPUT: &str = "output";
/// The name of the last server-sent event of a run's output: it carries the finished [`super::Run`].
pub const EVENT_END: &str = "end";

/// The name of the event that says how far a run has come.
pub const EVENT_PROGRESS: &str = "progress";

/// How far a run has come, as its plugin tells.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProgressEvent {
    /// How much is done, in `unit`.
    pub completed: u64,
    /// How much there is in all, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// What is counted, such as `files`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What is going on, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A piece of a run's output: what one stream printed at about one time, within hundredths of a second. Bytes that are not UTF-8 are in `bytes`, as Base64; everything else is in `text`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct OutputEvent {
    /// The attempt that printed it, from 1.
    pub attempt: u32,
    /// When it arrived.
    pub at: Timestamp,
    /// Where it came from.
    pub stream: OutputStream,
    /// What it is, if it is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What it is otherwise: Base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<String>,
    /// Where the output goes on after this piece: `?from=` and `Last-Event-ID` take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
}

impl OutputEvent {
    /// A piece of output and where it goes on.
    #[must_use]
    pub fn new(chunk: &OutputChunk, position: Option<String>) -> Self {
        let (text, bytes) = match std::str::from_utf8(&chunk.bytes) {
            Ok(text) => (Some(text.to_owned()), None),
            Err(_) => (None, Some(STANDARD.encode(&chunk.bytes))),
        };
        Self { attempt: chunk.attempt, at: chunk.at, stream: chunk.stream, text, bytes, position }
    }

    /// The bytes as they were printed. Base64 that cannot be read counts as nothing.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match (&self.text, &self.bytes) {
            (Some(text), _) => text.clone().into_bytes(),
            (None, Some(bytes)) => STANDARD.decode(bytes).unwrap_or_default(),
            (None, None) => Vec::new(),
        }
    }
}

/// How much a logged line matters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogLevel {
    /// Every step.
    Trace,
    /// For whoever looks for a fault.
    Debug,
    /// What is done.
    Info,
    /// What may be wrong.
    Warn,
    /// What is wrong.
    Error,
}

/// The query of `GET …/runs/{id}/logs`. What is asked for must all hold of what is answered.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogsQuery {
    /// Go on until the run is over, as an event stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow: Option<bool>,
    /// Only what came from this stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<OutputStream>,
    /// Only what this attempt printed, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Only lines that this regular expression matches, in the syntax of Rust's `regex`; a line is an event then. A line
    /// longer than 64 KiB counts as several. A logged line matches if its message does or its JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grep: Option<String>,
    /// Only what arrived at or after this instant (RFC 3339).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Only what arrived before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// Only logged lines of at least this level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<LogLevel>,
    /// Of what there is, only the last so many lines, at most [`MAX_TAIL`] and 16 MiB; a line is an event then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tail: Option<usize>,
    /// Begin at this [`OutputEvent::position`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
}

/// The most lines that [`LogsQuery::tail`] gives.
pub const MAX_TAIL: usize = 100_000;
