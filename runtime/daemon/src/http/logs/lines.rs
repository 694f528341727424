//! Output put together to whole lines, and the last of them.

use std::collections::{BTreeMap, VecDeque};

use sandglass_core::output::{OutputChunk, OutputStream};

/// A line that is longer counts as several.
const MAX_LINE_BYTES: usize = 64 << 10;
/// The most bytes of last lines that are kept.
const MAX_TAIL_BYTES: usize = 16 << 20;
/// What a line costs beside its bytes.
const LINE_OVERHEAD: usize = 64;

/// Lines that have not ended, one of each stream and attempt at most.
#[derive(Default, Debug)]
pub(super) struct Lines {
    open: BTreeMap<(u32, u8), Open>,
}

#[derive(Debug)]
struct Open {
    /// Where in the whole output the line begins.
    start: u64,
    line: OutputChunk,
}

impl Lines {
    /// Takes a piece of output that begins at `start`, and gives each line that ends in it to `ended`.
    pub(super) fn push(&mut self, chunk: &OutputChunk, start: u64, mut ended: impl FnMut(OutputChunk)) {
        match chunk.stream {
            OutputStream::Stdout | OutputStream::Stderr => {}
            OutputStream::Log => return ended(chunk.clone()),
            // Where output was left out, no line goes on.
            OutputStream::System => {
                self.finish(&mut ended);
                return ended(chunk.clone());
            }
        }
        let key = (chunk.attempt, u8::from(chunk.stream == OutputStream::Stderr));
        let mut start = start;
        for part in chunk.bytes.split_inclusive(|byte| *byte == b'\n') {
            for piece in part.chunks(MAX_LINE_BYTES) {
                let open = self.open.entry(key).or_insert_with(|| Open { start, line: empty(chunk) });
                open.line.bytes.extend_from_slice(piece);
                start += piece.len() as u64;
                let is_long = open.line.bytes.len() >= MAX_LINE_BYTES;
                if (is_long || piece.ends_with(b"\n"))
                    && let Some(open) = self.open.remove(&key)
                {
                    ended(open.line);
                }
            }
        }
    }

    /// Gives what has not ended, the first first.
    pub(super) fn finish(&mut self, ended: &mut impl FnMut(OutputChunk)) {
        let mut open: Vec<Open> = std::mem::take(&mut self.open).into_values().collect();
        open.sort_by_key(|open| open.start);
        open.into_iter().for_each(|open| ended(open.line));
    }

    /// Where the first line begins that has not ended.
    pub(super) fn first_open(&self) -> Option<u64> {
        self.open.values().map(|open| open.start).min()
    }
}

fn empty(like: &OutputChunk) -> OutputChunk {
    OutputChunk { attempt: like.attempt, at: like.at, stream: like.stream, bytes: Vec::new() }
}

/// The last lines there were.
#[derive(Debug)]
pub(super) struct Tail {
    most: usize,
    lines: VecDeque<OutputChunk>,
    bytes: usize,
}

impl Tail {
    pub(super) fn new(most: usize) -> Self {
        Self { most, lines: VecDeque::new(), bytes: 0 }
    }

    pub(super) fn push(&mut self, line: OutputChunk) {
        self.bytes += line.bytes.len() + LINE_OVERHEAD;
        self.lines.push_back(line);
        while self.lines.len() > self.most || self.bytes > MAX_TAIL_BYTES {
            let Some(first) = self.lines.pop_front() else { return };
            self.bytes -= first.bytes.len() + LINE_OVERHEAD;
        }
    }

    pub(super) fn into_lines(self) -> Vec<OutputChunk> {
        self.lines.into()
    }
}

#[cfg(test)]
mod tests {
    use sandglass_core::time::Timestamp;

    use super::*;

    fn chunk(stream: OutputStream, bytes: &[u8]) -> OutputChunk {
        OutputChunk { attempt: 1, at: Timestamp::EPOCH, stream, bytes: bytes.to_vec() }
    }

    #[test]
    fn a_line_is_whole_whatever_the_pieces() {
        let text = b"one\r\ntwo \xff\n\nlast";
        for cut in 1..text.len() {
            let (mut lines, mut found, mut start) = (Lines::default(), Vec::new(), 0);
            for piece in text.chunks(cut) {
                lines.push(&chunk(OutputStream::Stdout, piece), start, |line| found.push(line.bytes));
                lines.push(&chunk(OutputStream::Stderr, b"x"), start, |line| found.push(line.bytes));
                start += piece.len() as u64;
            }
            assert_eq!(found, [&b"one\r\n"[..], b"two \xff\n", b"\n"], "in pieces of {cut}");
            lines.finish(&mut |line| found.push(line.bytes));
            assert!(found.contains(&b"last".to_vec()));
            assert_eq!(lines.first_open(), None);
        }
    }

    #[test]
    fn where_a_line_begins_is_known() {
        let mut lines = Lines::default();
        lines.push(&chunk(OutputStream::Stdout, b"a\nbc"), 10, |_| ());
        lines.push(&chunk(OutputStream::Stderr, b"d"), 14, |_| ());
        assert_eq!(lines.first_open(), Some(12));
        lines.push(&chunk(OutputStream::Stdout, b"\n"), 15, |_| ());
        assert_eq!(lines.first_open(), Some(14));
    }

    #[test]
    fn long_lines_and_many_lines_are_bounded() {
        let (mut lines, mut sizes) = (Lines::default(), Vec::new());
        for _ in 0..5 {
            lines.push(&chunk(OutputStream::Stdout, &[b'x'; 50_000]), 0, |line| sizes.push(line.bytes.len()));
        }
        assert!(sizes.len() >= 2 && sizes.iter().all(|size| *size <= 2 * MAX_LINE_BYTES), "{sizes:?}");
        let mut tail = Tail::new(3);
        (0..10_u8).for_each(|number| tail.push(chunk(OutputStream::Stdout, &[number])));
        assert_eq!(tail.into_lines().iter().map(|line| line.bytes[0]).collect::<Vec<_>>(), [7, 8, 9]);
        let mut tail = Tail::new(MAX_TAIL_BYTES);
        (0..1000).for_each(|_| tail.push(chunk(OutputStream::Stdout, &[0; 50_000])));
        assert!(tail.into_lines().len() < 400);
    }
}
