//! The last lines of what a run printed, as a notification shows them.

use std::collections::VecDeque;

use crate::output::{OutputChunk, OutputStream};

/// The most lines that are shown.
const LINES: usize = 20;
/// The most bytes of them.
const BYTES: usize = 2048;

/// Takes output in its order and keeps the last lines of the last attempt.
#[derive(Debug, Default)]
pub struct Tail {
    attempt: u32,
    lines: VecDeque<String>,
    /// Lines of standard output and standard error that have not ended.
    open: [Vec<u8>; 2],
}

impl Tail {
    /// Takes the next piece.
    pub fn push(&mut self, chunk: &OutputChunk) {
        if chunk.attempt > self.attempt {
            *self = Self { attempt: chunk.attempt, ..Self::default() };
        }
        let stream = match chunk.stream {
            OutputStream::Stdout => 0,
            OutputStream::Stderr => 1,
            OutputStream::Log => return self.push_log(&chunk.bytes),
            // What we remark is no part of what the run printed, but no line goes on across it.
            OutputStream::System => return self.end_lines(),
        };
        for part in chunk.bytes.split_inclusive(|byte| *byte == b'\n') {
            let open = &mut self.open[stream];
            open.extend_from_slice(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(open);
                self.add(&line);
            } else if open.len() > 4 * BYTES {
                // Only the end of a line so long can be shown.
                open.drain(..open.len() - 2 * BYTES);
            }
        }
    }

    /// What people see: at most 20 lines and 2 KiB, without colours; none if nothing was printed.
    #[must_use]
    pub fn into_text(mut self) -> Option<String> {
        self.end_lines();
        let mut room = BYTES;
        let mut shown: Vec<String> = Vec::new();
        for line in self.lines.into_iter().rev() {
            let cost = line.len() + 1;
            if cost > room {
                if shown.is_empty() {
                    let start = line.ceil_char_boundary(line.len() + '…'.len_utf8() - BYTES);
                    shown.push(format!("…{}", &line[start..]));
                }
                break;
            }
            room -= cost;
            shown.push(line);
        }
        shown.reverse();
        (!shown.is_empty()).then(|| shown.join("\n"))
    }

    /// A line that the guest logged is JSON, of which people want the message.
    fn push_log(&mut self, bytes: &[u8]) {
        let line: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
        let message = line.as_ref().and_then(|line| line.get("message")).and_then(serde_json::Value::as_str);
        for line in message.unwrap_or_default().lines() {
            self.add(line.as_bytes());
        }
    }

    fn end_lines(&mut self) {
        for open in std::mem::take(&mut self.open) {
            self.add(&open);
        }
    }

    fn add(&mut self, line: &[u8]) {
        // The end is enough, whatever the line is made of.
        let line = String::from_utf8_lossy(&line[line.len().saturating_sub(2 * BYTES)..]);
        // Of what overwrites itself, such as a bar that grows, the last is what a terminal shows.
        let line = line.trim_end();
        let line = plain(line.rsplit('\r').next().unwrap_or_default());
        if line.trim().is_empty() {
            return;
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }
}

/// A line without what terminals take for commands: control sequences and control characters (ECMA-48).
fn plain(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line.chars();
    while let Some(character) = rest.next() {
        match character {
            '\u{1b}' => match rest.next() {
                Some('[') => _ = rest.find(|last| matches!(last, '\u{40}'..='\u{7e}')),
                // Up to the bell, or the backslash of the terminator.
                Some(']') => _ = rest.find(|last| matches!(last, '\u{7}' | '\\')),
                _ => {}
            },
            '\t' => plain.push_str("    "),
            other if other.is_control() => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn tail(chunks: &[(u32, OutputStream, &[u8])]) -> Option<String> {
        let mut tail = Tail::default();
        for (attempt, stream, bytes) in chunks {
            let (attempt, stream) = (*attempt, *stream);
            tail.push(&OutputChunk { attempt, at: Timestamp::EPOCH, stream, bytes: bytes.to_vec() });
        }
        tail.into_text()
    }

    #[test]
    fn the_last_attempts_lines_are_shown_as_they_ended() {
        use OutputStream::{Log, Stderr, Stdout, System};
        let text = tail(&[
            (1, Stdout, b"of the first attempt\n"),
            (2, Stdout, b"on"),
            (2, Stderr, b"\x1b[31merr\x1b[0mor\x1b]0;title\x07\n"),
            (2, Stdout, b"e\n\n10%\r50%\r100%\r\n"),
            (2, System, b"[5 bytes of output were left out here]\n"),
            (2, Log, br#"{"level":"info","message":"two\nlines"}"#),
            (2, Stdout, b"last \xff\tone"),
        ]);
        assert_eq!(text.as_deref(), Some("error\none\n100%\ntwo\nlines\nlast \u{fffd}    one"));
        assert_eq!(tail(&[(1, Stdout, b"\n \n")]), None);
        assert_eq!(tail(&[]), None);
    }

    #[test]
    fn lines_and_bytes_are_bounded() {
        use OutputStream::Stdout;
        let many: String = (0..100).map(|number| format!("{number}\n")).collect();
        let text = tail(&[(1, Stdout, many.as_bytes())]).unwrap();
        assert_eq!((text.lines().count(), text.lines().next()), (20, Some("80")));
        let long: String = (0..9).map(|number| format!("{}\n", number.to_string().repeat(600))).collect();
        let text = tail(&[(1, Stdout, long.as_bytes())]).unwrap();
        assert_eq!((text.lines().count(), text.len() <= BYTES), (3, true));
        for length in [BYTES - 1, BYTES, 3 * BYTES, 100_000] {
            let line = "ä".repeat(length);
            let pieces: Vec<_> = line.as_bytes().chunks(1000).map(|piece| (1, Stdout, piece)).collect();
            let text = tail(&pieces).unwrap();
            assert!(text.len() <= BYTES && text.starts_with('…') && text.ends_with('ä'), "{length}: {}", text.len());
        }
    }
}
