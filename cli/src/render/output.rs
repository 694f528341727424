//! A run's output as people read it.

use sandglass_api::wire::OutputEvent;
use sandglass_core::output::OutputStream;
use serde_json::Value;

use super::ansi::{self, Filter, Keep};
use super::paint::Paint;

/// Ends every colour.
const RESET: &[u8] = b"\x1b[0m";

/// Turns output events into what is shown, piece by piece.
#[derive(Debug)]
pub(crate) struct OutputRenderer {
    paint: Paint,
    /// What a terminal is kept from; a pipe or file gets every byte as it was printed.
    filters: Option<Filters>,
    /// Whether what was shown last ended its line.
    at_line_start: bool,
}

/// A filter for each stream, because each may stop in the middle of a sequence.
#[derive(Debug)]
struct Filters {
    stdout: Filter,
    stderr: Filter,
}

impl OutputRenderer {
    /// For a terminal, or for a pipe or file.
    pub(crate) fn new(terminal: bool, paint: Paint) -> Self {
        let filter = || Filter::new(if paint.is_on() { Keep::Colours } else { Keep::Nothing });
        let filters = terminal.then(|| Filters { stdout: filter(), stderr: filter() });
        Self { paint, filters, at_line_start: true }
    }

    pub(crate) fn at_line_start(&self) -> bool {
        self.at_line_start
    }

    /// The bytes to show for `event`.
    pub(crate) fn render(&mut self, event: &OutputEvent) -> Vec<u8> {
        let bytes = event.to_bytes();
        let shown = match (event.stream, &mut self.filters) {
            (OutputStream::Stdout, Some(filters)) => filters.stdout.pass(&bytes),
            (OutputStream::Stderr, Some(filters)) => filters.stderr.pass(&bytes),
            (OutputStream::Stdout | OutputStream::Stderr, None) => bytes,
            (OutputStream::Log, _) => self.line(&self.log(&String::from_utf8_lossy(&bytes))),
            (OutputStream::System, _) => {
                let text = ansi::strip(&String::from_utf8_lossy(&bytes));
                self.line(&self.paint.dim(&format!("-- {}", text.trim_end())))
            }
        };
        if let Some(last) = shown.last() {
            self.at_line_start = *last == b'\n';
        }
        shown
    }

    /// What ends the output: the colours that it left on a terminal.
    pub(crate) fn finish(&mut self) -> &'static [u8] {
        let filters = self.filters.take();
        let coloured = filters.is_some_and(|both| both.stdout.left_coloured() || both.stderr.left_coloured());
        if coloured { RESET } else { b"" }
    }

    /// A line of its own.
    fn line(&self, text: &str) -> Vec<u8> {
        let before = if self.at_line_start { "" } else { "\n" };
        format!("{before}{text}\n").into_bytes()
    }

    /// A logged line: level, message, then the fields.
    fn log(&self, json: &str) -> String {
        let Ok(Value::Object(mut fields)) = serde_json::from_str(json) else { return ansi::strip(json.trim_end()) };
        let mut take = |name| match fields.remove(name) {
            Some(Value::String(text)) => ansi::strip(&text),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        let (level, message) = (take("level"), take("message"));
        let level = match level.to_ascii_lowercase().as_str() {
            "error" | "critical" => self.paint.red(&level),
            "warn" | "warning" => self.paint.yellow(&level),
            "info" => self.paint.green(&level),
            _ => self.paint.dim(&level),
        };
        let fields: String = fields
            .iter()
            .map(|(name, value)| {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                self.paint.dim(&format!(" {}={}", ansi::strip(name), ansi::strip(&value)))
            })
            .collect();
        format!("{level} {message}{fields}")
    }
}
