//! What runs print, in segment files beside the database.
//!
//! Most runs print little: their output is one file, written with one system call per append. Output that outgrows a
//! segment gets a folder for the further ones, each named after the offset of its first byte in the whole output. Once
//! more than the limit was printed, the oldest segments of the second half are deleted as new ones come, so that disk and
//! memory stay bounded however much goes through.
//!
//! ```text
//! output/<time of the run, 19 hours each>/<last two hex digits of its id>/<run>        the first segment
//!                                                                        /<run>.more/<offset>   the others
//! ```
//!
//! A segment is a header followed by records. A reader needs nothing but the files, so it can follow a run that is being
//! written, in this process or another. A record that is not complete, because it is being written or because the process
//! was killed, ends the segment; what the next opener appends replaces it.

mod files;
mod place;
mod reader;
mod record;
mod writer;

#[cfg(test)]
mod tests;

use sandglass_core::output::OutputChunk;

use self::record::SegmentHead;

pub use files::FileOutput;

/// A place in a run's output: the number of bytes printed before it, whether kept or not.
///
/// One that a page gave also knows where in the files that is, so that going on there needs no search. That is no part of
/// what it is: two positions of the same offset are equal.
#[derive(Clone, Copy, Debug, Default)]
pub struct OutputPosition {
    offset: u64,
    in_file: Option<InFile>,
}

/// Where a record begins.
#[derive(Clone, Copy, Debug)]
struct InFile {
    /// The segment, by the offset of its first byte in the whole output.
    segment: u64,
    /// The byte of the segment's file.
    byte: u64,
    /// Whether the next segment may be gone while this one is there.
    next_may_be_gone: bool,
}

impl InFile {
    const fn new(segment: u64, byte: usize, head: SegmentHead) -> Self {
        Self { segment, byte: byte as u64, next_may_be_gone: head.next_may_be_gone() }
    }
}

impl OutputPosition {
    /// The beginning.
    pub const START: Self = Self::from_offset(0);

    /// From the number of bytes before it.
    #[must_use]
    pub const fn from_offset(offset: u64) -> Self {
        Self { offset, in_file: None }
    }

    /// The number of bytes before it.
    #[must_use]
    pub const fn offset(self) -> u64 {
        self.offset
    }

    const fn new(offset: u64, in_file: Option<InFile>) -> Self {
        Self { offset, in_file }
    }

    const fn in_file(self) -> Option<InFile> {
        self.in_file
    }
}

impl PartialEq for OutputPosition {
    fn eq(&self, other: &Self) -> bool {
        self.offset == other.offset
    }
}

impl Eq for OutputPosition {}

impl PartialOrd for OutputPosition {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for OutputPosition {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.offset.cmp(&other.offset)
    }
}

/// A piece of a run's output.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OutputPage {
    /// In the order in which they were printed.
    pub chunks: Vec<OutputChunk>,
    /// Where to go on. If it is where this page began, there was nothing.
    pub next: OutputPosition,
}
