//! Segments and records as bytes.
//!
//! ```text
//! segment  "SGOUT1\n\0" (8)  number (4)  segments that always stay (4)  record…
//! record   0x9e (1)  stream (1)  attempt (4)  instant in µs (8)  length (4)  bytes
//! ```
//!
//! All numbers are little-endian.

use sandglass_core::output::{OutputChunk, OutputStream};
use sandglass_core::time::Timestamp;

const MAGIC: &[u8; 8] = b"SGOUT1\n\0";
pub(super) const SEGMENT_HEAD: usize = 16;
const RECORD_MARK: u8 = 0x9e;
const RECORD_HEAD: usize = 18;

/// What a segment says of itself.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentHead {
    /// Counts from 0.
    pub(super) number: u32,
    /// How many of the first segments are never deleted; 0 if that is not known.
    pub(super) stay: u32,
}

impl SegmentHead {
    pub(super) fn to_bytes(self) -> [u8; SEGMENT_HEAD] {
        let mut head = [0; SEGMENT_HEAD];
        head[..8].copy_from_slice(MAGIC);
        head[8..12].copy_from_slice(&self.number.to_le_bytes());
        head[12..].copy_from_slice(&self.stay.to_le_bytes());
        head
    }

    /// What these bytes say, if they begin a segment.
    pub(super) fn of(bytes: &[u8]) -> Option<Self> {
        let (number, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk()?;
        let stay = rest.first_chunk()?;
        Some(Self { number: u32::from_le_bytes(*number), stay: u32::from_le_bytes(*stay) })
    }

    /// How many of the first segments are never deleted; `otherwise`, if it does not say.
    pub(super) const fn stay_or(self, otherwise: u32) -> u32 {
        if self.stay == 0 { otherwise } else { self.stay }
    }

    /// Whether the next segment may have been deleted while this one is there. Otherwise the oldest go first.
    pub(super) const fn next_may_be_gone(self) -> bool {
        self.stay == 0 || self.number.saturating_add(1) == self.stay
    }
}

/// A record of `bytes`, which are a part of `chunk`.
pub(super) fn write_record(to: &mut Vec<u8>, chunk: &OutputChunk, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).expect("a segment is shorter than 4 GiB");
    to.reserve(RECORD_HEAD + bytes.len());
    to.extend_from_slice(&[RECORD_MARK, stream_number(chunk.stream)]);
    to.extend_from_slice(&chunk.attempt.to_le_bytes());
    to.extend_from_slice(&chunk.at.as_micros().to_le_bytes());
    to.extend_from_slice(&length.to_le_bytes());
    to.extend_from_slice(bytes);
}

/// A record where it lies.
pub(super) struct Record<'a> {
    pub(super) attempt: u32,
    pub(super) at: Timestamp,
    pub(super) stream: OutputStream,
    pub(super) bytes: &'a [u8],
}

/// The first record of `bytes` and what follows it. None if there is no complete one.
pub(super) fn read_record(bytes: &[u8]) -> Option<(Record<'_>, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<RECORD_HEAD>()?;
    let number = |range: std::ops::Range<usize>| {
        head[range].iter().rev().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    if head[0] != RECORD_MARK {
        return None;
    }
    let length = usize::try_from(number(14..18)).ok()?;
    let (bytes, rest) = rest.split_at_checked(length)?;
    let at = Timestamp::from_micros(number(6..14) as i64);
    let record = Record { attempt: number(2..6) as u32, at, stream: stream_of(head[1])?, bytes };
    Some((record, rest))
}

const fn stream_number(stream: OutputStream) -> u8 {
    match stream {
        OutputStream::Stdout => 0,
        OutputStream::Stderr => 1,
        OutputStream::Log => 2,
        OutputStream::System => 3,
    }
}

fn stream_of(number: u8) -> Option<OutputStream> {
    let streams = [OutputStream::Stdout, OutputStream::Stderr, OutputStream::Log, OutputStream::System];
    streams.into_iter().find(|stream| stream_number(*stream) == number)
}
