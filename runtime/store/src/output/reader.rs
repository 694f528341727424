//! Reading one run's output, finished or not.

use std::io;

use sandglass_core::output::{OutputChunk, OutputStream};

use super::place::{Place, Segment};
use super::record::{Record, SEGMENT_HEAD, SegmentHead, read_record};
use super::{InFile, OutputPage, OutputPosition};

/// Read beyond the limit of a page, so that what does not end at the limit is there as a whole as a rule.
const READ_AHEAD: u64 = 64 << 10;

/// A page that is being filled.
struct Filling {
    chunks: Vec<OutputChunk>,
    /// The offset up to which output is in the page, or was left out.
    next: u64,
    /// Where in the files that is, if it is known.
    at: Option<InFile>,
    bytes: usize,
    limit: usize,
}

/// What was taken of a segment.
enum Taken {
    /// All that is readable.
    All,
    /// As much as there was room for.
    Part,
    /// Nothing, as it is not there.
    Gone,
}

/// Output from `from` on, until the page has about `limit` bytes.
pub(super) fn read(place: &Place, from: OutputPosition, limit: usize) -> io::Result<OutputPage> {
    let mut page = Filling { chunks: Vec::new(), next: from.offset(), at: from.in_file(), bytes: 0, limit };
    // Whoever follows goes on where the last page ended. If that is not there any more, it was left out.
    if !page.go_on(place)? {
        page.search(place)?;
    }
    Ok(OutputPage { chunks: page.chunks, next: OutputPosition::new(page.next, page.at) })
}

impl Filling {
    /// Takes what follows the known place in the files. False if none is known or it is gone, and nothing was found.
    fn go_on(&mut self, place: &Place) -> io::Result<bool> {
        while let Some(at) = self.at {
            let segment = Segment { start: at.segment, path: place.segment(at.segment) };
            match self.take_from(&segment, at)? {
                Taken::All => {}
                Taken::Part => return Ok(true),
                Taken::Gone => return Ok(!self.chunks.is_empty()),
            }
            // The next segment is named after the offset at which this one ends.
            let ended = self.next > at.segment;
            let next = Segment { start: self.next, path: place.segment(self.next) };
            let head = next.read_from(0, SEGMENT_HEAD as u64)?;
            match head.as_deref().and_then(SegmentHead::of).filter(|_| ended) {
                Some(head) => self.at = Some(InFile::new(next.start, SEGMENT_HEAD, head)),
                None => return Ok(!at.next_may_be_gone || !self.chunks.is_empty()),
            }
        }
        Ok(false)
    }

    /// Takes what follows a byte of a segment's file.
    fn take_from(&mut self, segment: &Segment, at: InFile) -> io::Result<Taken> {
        let ahead = (self.limit.saturating_sub(self.bytes) as u64).saturating_add(READ_AHEAD);
        let Some(mut bytes) = segment.read_from(at.byte, ahead)? else { return Ok(Taken::Gone) };
        if read_record(&bytes).is_none() && bytes.len() as u64 == ahead {
            // One record is longer than that.
            bytes = segment.read_from(at.byte, u64::MAX)?.unwrap_or_default();
        }
        let cut = bytes.len() as u64 >= ahead;
        let mut rest = &bytes[..];
        while let Some((record, after)) = read_record(rest) {
            let start = self.next;
            if !self.take_record(start, &record) {
                return Ok(Taken::Part);
            }
            rest = after;
            self.at = Some(InFile { byte: at.byte + (bytes.len() - rest.len()) as u64, ..at });
        }
        Ok(if cut { Taken::Part } else { Taken::All })
    }

    /// Takes what is wanted of all segments that are there.
    fn search(&mut self, place: &Place) -> io::Result<()> {
        let segments = place.segments()?;
        let begin = segments.partition_point(|segment| segment.start <= self.next).saturating_sub(1);
        for segment in &segments[begin..] {
            if !self.take_segment(segment)? {
                break;
            }
        }
        Ok(())
    }

    /// Takes what is wanted of a segment. False if the page is full.
    fn take_segment(&mut self, segment: &Segment) -> io::Result<bool> {
        // A segment that was deleted since it was listed is one more that was left out.
        let Some(bytes) = segment.read()? else { return Ok(true) };
        let Some(head) = SegmentHead::of(&bytes) else { return Ok(true) };
        let mut rest = &bytes[SEGMENT_HEAD..];
        let mut start = segment.start;
        while let Some((record, after)) = read_record(rest) {
            rest = after;
            let end = start + record.bytes.len() as u64;
            if end > self.next {
                if !self.take_record(start, &record) {
                    return Ok(false);
                }
                self.at = Some(InFile::new(segment.start, bytes.len() - rest.len(), head));
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
