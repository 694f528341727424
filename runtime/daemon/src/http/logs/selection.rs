//! Which part of a run's output somebody wants to see.

use regex::bytes::{Regex, RegexBuilder};
use sandglass_api::problem::Code;
use sandglass_api::wire::{LogLevel, LogsQuery, MAX_TAIL};
use sandglass_core::output::{OutputChunk, OutputStream};
use sandglass_core::time::Timestamp;
use serde::Deserialize;

use super::super::error::Failure;

/// The longest regular expression, in bytes.
const MAX_PATTERN_BYTES: usize = 4096;
/// The most memory that a compiled expression may take, and again while it is matched, in bytes. Matching takes time in
/// proportion to what is searched, whatever the expression.
const MAX_COMPILED_BYTES: usize = 1 << 20;

/// What must hold of output to be shown.
#[derive(Debug)]
pub(super) struct Selection {
    stream: Option<OutputStream>,
    attempt: Option<u32>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    level: Option<LogLevel>,
    pattern: Option<Regex>,
    /// Only so many of the last lines there are.
    pub(super) tail: Option<usize>,
}

/// What of a logged line is looked at.
#[derive(Deserialize)]
struct Logged {
    level: Option<String>,
    message: Option<String>,
}

impl Selection {
    pub(super) fn new(query: &LogsQuery) -> Result<Self, Failure> {
        let bad = |detail: String| Failure::new(Code::BadRequest, detail);
        let instant = |text: &Option<String>| -> Result<Option<Timestamp>, Failure> {
            text.as_deref().map(str::parse).transpose().map_err(|error| bad(format!("{error}")))
        };
        Ok(Self {
            stream: query.stream,
            attempt: query.attempt,
            since: instant(&query.since)?,
            until: instant(&query.until)?,
            level: query.level,
            pattern: query.grep.as_deref().map(|text| pattern(text).map_err(bad)).transpose()?,
            tail: query.tail.map(|lines| lines.min(MAX_TAIL)),
        })
    }

    /// Whether lines must be whole before it is known whether they are wanted.
    pub(super) fn by_line(&self) -> bool {
        self.pattern.is_some() || self.tail.is_some()
    }

    /// Whether a piece of output may be wanted, before its lines are looked at.
    pub(super) fn takes(&self, chunk: &OutputChunk) -> bool {
        self.stream.is_none_or(|stream| stream == chunk.stream)
            && self.attempt.is_none_or(|attempt| attempt == chunk.attempt)
            && self.since.is_none_or(|since| chunk.at >= since)
            && self.until.is_none_or(|until| chunk.at < until)
            && self.level.is_none_or(|level| level_of(chunk).is_some_and(|found| found >= level))
    }

    /// Whether a whole line is wanted.
    pub(super) fn matches(&self, line: &OutputChunk) -> bool {
        let Some(pattern) = &self.pattern else { return true };
        let content = line.bytes.strip_suffix(b"\n").unwrap_or(&line.bytes);
        let content = content.strip_suffix(b"\r").unwrap_or(content);
        pattern.is_match(content)
            || (line.stream == OutputStream::Log
                && logged(&line.bytes)
                    .and_then(|logged| logged.message)
                    .is_some_and(|text| pattern.is_match(text.as_bytes())))
    }
}

fn pattern(text: &str) -> Result<Regex, String> {
    if text.len() > MAX_PATTERN_BYTES {
        return Err(format!("a regular expression has at most {MAX_PATTERN_BYTES} bytes; this one has {}", text.len()));
    }
    let built = RegexBuilder::new(text).size_limit(MAX_COMPILED_BYTES).dfa_size_limit(MAX_COMPILED_BYTES).build();
    built.map_err(|error| format!("the regular expression cannot be used: {error}"))
}

fn logged(bytes: &[u8]) -> Option<Logged> {
    serde_json::from_slice(bytes).ok()
}

fn level_of(chunk: &OutputChunk) -> Option<LogLevel> {
    if chunk.stream != OutputStream::Log {
        return None;
    }
    let level = logged(&chunk.bytes)?.level?;
    serde_json::from_value(level.into()).ok()
}
