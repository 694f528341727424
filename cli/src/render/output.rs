//! A run's output as people read it.

use sandglass_api::wire::OutputEvent;
use sandglass_core::output::OutputStream;
use serde_json::Value;

use super::ansi::{self, Stripper};
use super::paint::Paint;

/// Turns output events into what is shown, piece by piece.
#[derive(Debug)]
pub(crate) struct OutputRenderer {
    /// Whether a terminal reads it, so that the output's own escape sequences may stay.
    terminal: bool,
    paint: Paint,
    stdout: Stripper,
    stderr: Stripper,
    /// Whether what was shown last ended its line.
    at_line_start: bool,
}

impl OutputRenderer {
    pub(crate) fn new(terminal: bool, paint: Paint) -> Self {
        let (stdout, stderr) = (Stripper::default(), Stripper::default());
        Self { terminal, paint, stdout, stderr, at_line_start: true }
    }

    pub(crate) fn at_line_start(&self) -> bool {
        self.at_line_start
    }

    /// The bytes to show for `event`.
    pub(crate) fn render(&mut self, event: &OutputEvent) -> Vec<u8> {
        let bytes = event.to_bytes();
        let shown = match event.stream {
            OutputStream::Stdout | OutputStream::Stderr if self.terminal => bytes,
            OutputStream::Stdout => self.stdout.strip(&bytes),
            OutputStream::Stderr => self.stderr.strip(&bytes),
            OutputStream::Log => self.line(&self.log(&String::from_utf8_lossy(&bytes))),
            OutputStream::System => {
                let text = ansi::strip(&String::from_utf8_lossy(&bytes));
                self.line(&self.paint.dim(&format!("-- {}", text.trim_end())))
            }
        };
        if let Some(last) = shown.last() {
            self.at_line_start = *last == b'\n';
        }
        shown
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
