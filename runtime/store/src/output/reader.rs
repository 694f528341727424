//! Reading one run's output, finished or not.

use std::io;

use sandglass_core::output::{OutputChunk, OutputStream};

use super::place::{Place, Segment};
use super::record::{Record, SEGMENT_HEAD, read_record, segment_number};
use super::{OutputPage, OutputPosition};

/// A page that is being filled.
struct Filling {
    chunks: Vec<OutputChunk>,
    /// The offset up to which output is in the page, or was left out.
    next: u64,
    bytes: usize,
    limit: usize,
}

/// Output from `from` on, until the page has about `limit` bytes.
pub(super) fn read(place: &Place, from: OutputPosition, limit: usize) -> io::Result<OutputPage> {
    let segments = place.segments()?;
    let mut page = Filling { chunks: Vec::new(), next: from.offset(), bytes: 0, limit };
    let begin = segments.partition_point(|segment| segment.start <= from.offset()).saturating_sub(1);
    for segment in &segments[begin..] {
        if !page.take_segment(segment)? {
            break;
        }
    }
    Ok(OutputPage { chunks: page.chunks, next: OutputPosition::from_offset(page.next) })
}

impl Filling {
    /// Takes what is wanted of a segment. False if the page is full.
    fn take_segment(&mut self, segment: &Segment) -> io::Result<bool> {
        // A segment that was deleted since it was listed is one more that was left out.
        let Some(bytes) = segment.read()? else { return Ok(true) };
        let Some(mut rest) = segment_number(&bytes).map(|_| &bytes[SEGMENT_HEAD..]) else { return Ok(true) };
        let mut start = segment.start;
        while let Some((record, after)) = read_record(rest) {
            rest = after;
            let end = start + record.bytes.len() as u64;
            if end > self.next && !self.take_record(start, &record) {
                return Ok(false);
            }
            start = end;
        }
        Ok(true)
    }

    /// Takes a record, or what of it was not taken before. False if the page is full.
    fn take_record(&mut self, start: u64, record: &Record<'_>) -> bool {
        let known = usize::try_from(self.next.saturating_sub(start)).unwrap_or(usize::MAX);
        let bytes = &record.bytes[known.min(record.bytes.len())..];
        if !self.chunks.is_empty() && self.bytes.saturating_add(bytes.len()) > self.limit {
            return false;
        }
        if start > self.next {
            let mark = format!("[{} bytes of output were left out here]\n", start - self.next);
            self.push(record, OutputStream::System, mark.as_bytes());
        }
        self.push(record, record.stream, bytes);
        self.next = start.max(self.next) + bytes.len() as u64;
        self.bytes += bytes.len();
        true
    }

    fn push(&mut self, record: &Record<'_>, stream: OutputStream, bytes: &[u8]) {
        self.chunks.push(OutputChunk { attempt: record.attempt, at: record.at, stream, bytes: bytes.to_vec() });
    }
}
