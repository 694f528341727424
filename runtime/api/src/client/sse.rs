//! Server-sent events (the HTML standard, section 9.2), as far as a client needs them.

/// The longest line that is taken: an output piece in Base64 with room to spare.
pub(super) const MAX_LINE_BYTES: usize = 16 << 20;

/// One event.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct ServerSentEvent {
    pub(super) name: String,
    pub(super) data: String,
    /// The last id seen, of this event or an earlier one.
    pub(super) id: Option<String>,
}

/// Cuts a stream of bytes into lines.
#[derive(Default)]
pub(super) struct Lines {
    buffer: Vec<u8>,
    /// How much of the buffer is known to hold no line end.
    searched: usize,
}

/// A line longer than [`MAX_LINE_BYTES`].
#[derive(Debug)]
pub(super) struct LineTooLong;

impl Lines {
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), LineTooLong> {
        self.buffer.extend_from_slice(bytes);
        let open = self.buffer[self.searched..].iter().all(|byte| *byte != b'\n');
        if open && self.buffer.len() > MAX_LINE_BYTES { Err(LineTooLong) } else { Ok(()) }
    }

    /// The next whole line, without its end.
    pub(super) fn next(&mut self) -> Option<String> {
        let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') else {
            self.searched = self.buffer.len();
            return None;
        };
        let end = self.searched + end;
        let line = String::from_utf8_lossy(&self.buffer[..end]).trim_end_matches('\r').to_owned();
        self.buffer.drain(..=end);
        self.searched = 0;
        Some(line)
    }

    /// What is left when the stream has ended.
    pub(super) fn rest(&mut self) -> Option<String> {
        self.searched = 0;
        let rest = std::mem::take(&mut self.buffer);
        (!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned())
    }
}

/// Puts lines together to events.
#[derive(Default)]
pub(super) struct Assembler {
    name: String,
    data: Option<String>,
    id: Option<String>,
}

impl Assembler {
    /// Takes a line; an empty one completes an event.
    pub(super) fn take(&mut self, line: &str) -> Option<ServerSentEvent> {
        if line.is_empty() {
            let name = std::mem::take(&mut self.name);
            return self.data.take().map(|data| ServerSentEvent { name, data, id: self.id.clone() });
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.name = value.to_owned(),
            "id" => self.id = Some(value.to_owned()),
            "data" => match &mut self.data {
                Some(data) => {
                    data.push('\n');
                    data.push_str(value);
                }
                None => self.data = Some(value.to_owned()),
            },
            // A comment, which keeps the connection alive, or a field that is of no use here.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_any_cut() {
        let stream =
            b": hello\r\nid: 7\nevent: output\ndata: a\ndata:b\n\n\ndata: {\"x\": \"\xc3\xa4\"}\n\nevent: lost\n";
        for cut in 1..stream.len() {
            let (mut lines, mut assembler, mut events) = (Lines::default(), Assembler::default(), Vec::new());
            for part in stream.chunks(cut) {
                lines.push(part).unwrap();
                while let Some(line) = lines.next() {
                    events.extend(assembler.take(&line));
                }
            }
            let id = Some("7".to_owned());
            let first = ServerSentEvent { name: "output".to_owned(), data: "a\nb".to_owned(), id: id.clone() };
            let second = ServerSentEvent { name: String::new(), data: "{\"x\": \"ä\"}".to_owned(), id };
            assert_eq!(events, [first, second]);
            assert_eq!(lines.rest(), None);
        }
    }

    #[test]
    fn an_endless_line_is_refused() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; 1 << 20];
        assert!((0..17).any(|_| {
            let refused = lines.push(&piece).is_err();
            let _ = lines.next();
            refused
        }));
    }
}
