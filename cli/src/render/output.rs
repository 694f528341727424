//! A run's output as people read it.

use sandglass_core::output::{OutputChunk, OutputStream};
use sandglass_core::time::Timestamp;
use serde_json::Value;

use super::ansi::{self, Filter, Keep};
use super::paint::Paint;

/// Ends every colour.
const RESET: &[u8] = b"\x1b[0m";

/// Whether colours and other escape sequences of a run's output stay.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Colour {
    /// Colours stay on a terminal, everything stays in a pipe or file
    #[default]
    Auto,
    /// Colours stay, everything else is taken out
    Always,
    /// All are taken out
    Never,
}

/// Turns output into what is shown, piece by piece.
#[derive(Debug)]
pub(crate) struct OutputRenderer {
    paint: Paint,
    timestamps: bool,
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
        Self { paint, timestamps: false, filters, at_line_start: true }
    }

    /// With or without the escape sequences of the output.
    pub(crate) fn with_colour(self, colour: Colour) -> Self {
        let keep = match colour {
            Colour::Auto => return self,
            Colour::Always => Keep::Colours,
            Colour::Never => Keep::Nothing,
        };
        let paint = Paint::new(colour == Colour::Always);
        Self { paint, filters: Some(Filters { stdout: Filter::new(keep), stderr: Filter::new(keep) }), ..self }
    }

    /// With the instant of each line before it.
    pub(crate) fn with_timestamps(self) -> Self {
        Self { timestamps: true, ..self }
    }

    pub(crate) fn at_line_start(&self) -> bool {
        self.at_line_start
    }

    /// The bytes to show for a piece of output.
    pub(crate) fn render(&mut self, chunk: OutputChunk) -> Vec<u8> {
        let OutputChunk { at, stream, bytes, .. } = chunk;
        let bytes = match (stream, &mut self.filters) {
            (OutputStream::Stdout, Some(filters)) => filters.stdout.pass(&bytes),
            (OutputStream::Stderr, Some(filters)) => filters.stderr.pass(&bytes),
            _ => bytes,
        };
        let shown = match stream {
            OutputStream::Stdout | OutputStream::Stderr => self.stamped(at, bytes),
            OutputStream::Log => self.line(at, &self.log(&String::from_utf8_lossy(&bytes))),
            OutputStream::System => {
                let text = ansi::strip(&String::from_utf8_lossy(&bytes));
                self.line(at, &self.paint.dim(&format!("-- {}", text.trim_end())))
            }
        };
        if let Some(last) = shown.last() {
            self.at_line_start = *last == b'\n';
        }
        shown
    }

    /// With the instant before each line that begins here, if it is wanted.
    fn stamped(&self, at: Timestamp, bytes: Vec<u8>) -> Vec<u8> {
        if !self.timestamps {
            return bytes;
        }
        let mut shown = Vec::with_capacity(bytes.len() + 32);
        for (number, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
            if number > 0 || self.at_line_start {
                shown.extend_from_slice(self.stamp(at).as_bytes());
            }
            shown.extend_from_slice(line);
        }
        shown
    }

    fn stamp(&self, at: Timestamp) -> String {
        if !self.timestamps {
            return String::new();
        }
        self.paint.dim(&at.to_chrono().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()) + " "
    }

    /// What ends the output: the colours that it left on a terminal.
    pub(crate) fn finish(&mut self) -> &'static [u8] {
        let filters = self.filters.take();
        let coloured = filters.is_some_and(|both| both.stdout.left_coloured() || both.stderr.left_coloured());
        if coloured { RESET } else { b"" }
    }

    /// A line of its own.
    fn line(&self, at: Timestamp, text: &str) -> Vec<u8> {
        let before = if self.at_line_start { "" } else { "\n" };
        format!("{before}{}{text}\n", self.stamp(at)).into_bytes()
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
