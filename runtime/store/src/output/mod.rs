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

pub use files::FileOutput;

/// A place in a run's output: the number of bytes printed before it, whether kept or not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct OutputPosition(u64);

impl OutputPosition {
    /// The beginning.
    pub const START: Self = Self(0);

    /// From the number of bytes before it.
    #[must_use]
    pub const fn from_offset(offset: u64) -> Self {
        Self(offset)
    }

    /// The number of bytes before it.
    #[must_use]
    pub const fn offset(self) -> u64 {
        self.0
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
