//! Writing one run's output.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};

use sandglass_core::output::OutputChunk;

use super::place::{Place, Segment};
use super::record::{SEGMENT_HEAD, SegmentHead, read_record, write_record};

/// The least that is kept of an output, in bytes.
const LEAST_LIMIT: u64 = 64 << 10;
/// The longest segment, in bytes of output.
const LONGEST_SEGMENT: u64 = 2 << 20;
/// Into how many segments a limit is divided, if they do not become too long. With few of them, a flood has few files to
/// make and to delete: file systems are slow to give the place of one that was just deleted to another.
const SEGMENTS: u64 = 8;
/// What a record counts at least against the limit, so that output in tiny pieces cannot fill the disk with the heads of
/// records.
const LEAST_CHARGE: u64 = 8;
/// How much is gathered before it is written.
const GATHER: usize = 64 << 10;

/// The writer of one run's output.
#[derive(Debug)]
pub(super) struct Writer {
    place: Place,
    /// The most that one segment holds.
    segment_limit: u64,
    /// How many segments each half of a new output has.
    half_segments: u32,
    /// Where the output stands; none before the first append and after a failure.
    at: Option<Cursor>,
}

#[derive(Debug, Default)]
struct Cursor {
    /// None while it is closed to spare descriptors.
    file: Option<File>,
    /// The present segment: number, first offset, what it counts against the limit.
    number: u32,
    start: u64,
    /// How many segments each half has: as many as when the output began.
    half_segments: u32,
    charged: u64,
    /// Nothing of it has been written yet.
    fresh: bool,
    /// The end of the whole output.
    end: u64,
    /// Where the segments of the second half begin that are still there, the present one included.
    tail: VecDeque<u64>,
}

impl Writer {
    pub(super) fn new(place: Place, limit_bytes: u64) -> Self {
        let limit = limit_bytes.max(LEAST_LIMIT);
        let segment = limit.div_ceil(SEGMENTS).min(LONGEST_SEGMENT);
        let half_segments = u32::try_from((limit / 2).div_ceil(segment)).unwrap_or(u32::MAX);
        // A little more, to make up for what short pieces count above their length.
        let segment_limit = segment + segment / 64 + LEAST_CHARGE;
        Self { place, segment_limit, half_segments, at: None }
    }

    /// Whether a file is open.
    pub(super) fn has_file(&self) -> bool {
        self.at.as_ref().is_some_and(|at| at.file.is_some())
    }

    /// Closes the file until the next append.
    pub(super) fn rest(&mut self) {
        if let Some(at) = &mut self.at {
            at.file = None;
        }
    }

    /// Appends all chunks. After a failure, what was written of them stays; the next append begins after it.
    pub(super) fn append(&mut self, chunks: &[OutputChunk]) -> io::Result<()> {
        if chunks.iter().all(|chunk| chunk.bytes.is_empty()) {
            return Ok(());
        }
        let mut at = match self.at.take() {
            Some(at) => at,
            None => self.find_end()?,
        };
        self.append_at(&mut at, chunks)?;
        self.at = Some(at);
        Ok(())
    }

    fn append_at(&self, at: &mut Cursor, chunks: &[OutputChunk]) -> io::Result<()> {
        let mut gathered = Vec::new();
        for chunk in chunks {
            let mut rest = &chunk.bytes[..];
            while !rest.is_empty() {
                if at.charged >= self.segment_limit {
                    self.write(at, &mut gathered)?;
                    self.next_segment(at)?;
                }
                if std::mem::take(&mut at.fresh) {
                    let head = SegmentHead { number: at.number, stay: at.half_segments };
                    gathered.extend_from_slice(&head.to_bytes());
                }
                let room = usize::try_from(self.segment_limit - at.charged).unwrap_or(usize::MAX);
                let (piece, left) = rest.split_at(room.min(rest.len()));
                write_record(&mut gathered, chunk, piece);
                at.charged += (piece.len() as u64).max(LEAST_CHARGE);
                at.end += piece.len() as u64;
                rest = left;
                if gathered.len() >= GATHER {
                    self.write(at, &mut gathered)?;
                }
            }
        }
        self.write(at, &mut gathered)
    }

    /// Writes what was gathered to the present segment.
    fn write(&self, at: &mut Cursor, gathered: &mut Vec<u8>) -> io::Result<()> {
        if gathered.is_empty() {
            return Ok(());
        }
        if at.file.is_none() {
            at.file = Some(OpenOptions::new().append(true).open(self.place.segment(at.start))?);
        }
        at.file.as_mut().expect("it was opened if it was closed").write_all(gathered)?;
        gathered.clear();
        Ok(())
    }

    /// Begins a segment where the output ends, and deletes the oldest of the second half if it is no longer wanted.
    fn next_segment(&self, at: &mut Cursor) -> io::Result<()> {
        at.number = at.number.saturating_add(1);
        at.start = at.end;
        at.charged = 0;
        at.fresh = true;
        at.file = Some(self.place.create(at.start)?);
        if at.number >= at.half_segments {
            at.tail.push_back(at.start);
        }
        if at.tail.len() > at.half_segments as usize + 1 {
            let oldest = at.tail.pop_front().expect("it has more than one");
            fs::remove_file(self.place.segment(oldest))?;
        }
        Ok(())
    }

    /// Where the output of earlier attempts ends; begins it if there is none.
    fn find_end(&self) -> io::Result<Cursor> {
        match self.place.create(0) {
            Ok(file) => {
                let half_segments = self.half_segments;
                Ok(Cursor { file: Some(file), fresh: true, half_segments, ..Cursor::default() })
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => self.resume(),
            Err(error) => Err(error),
        }
    }

    /// Goes on in the last segment that an earlier writer left, after cutting off what it did not finish.
    fn resume(&self) -> io::Result<Cursor> {
        let mut segments = self.place.segments()?;
        let starts: Vec<u64> = segments.iter().map(|segment| segment.start).collect();
        let last = segments.pop().expect("the first segment is always listed");
        let file = OpenOptions::new().append(true).open(&last.path)?;
        let half_segments = self.half_segments;
        let mut at = Cursor { start: last.start, end: last.start, half_segments, ..Cursor::default() };
        let bytes = last.read()?.ok_or(ErrorKind::NotFound)?;
        let mut rest: &[u8] = &bytes;
        if let Some(head) = SegmentHead::of(&bytes) {
            at.number = head.number;
            at.half_segments = head.stay_or(half_segments);
            rest = &bytes[SEGMENT_HEAD..];
            while let Some((record, after)) = read_record(rest) {
                at.charged += (record.bytes.len() as u64).max(LEAST_CHARGE);
                at.end += record.bytes.len() as u64;
                rest = after;
            }
        } else {
            // Not even its head was finished, so the number comes from the one before.
            at.fresh = true;
            let before = segments.last().map(Segment::read).transpose()?.flatten();
            if let Some(head) = before.as_deref().and_then(SegmentHead::of) {
                at.number = head.number.saturating_add(1);
                at.half_segments = head.stay_or(half_segments);
            }
        }
        file.set_len((bytes.len() - rest.len()) as u64)?;
        at.file = Some(file);
        // Those of the first half are never deleted, so the others come after them.
        at.tail = starts.into_iter().skip(at.half_segments as usize).collect();
        Ok(at)
    }
}
