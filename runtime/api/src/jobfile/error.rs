//! What is wrong with a job file, and where.

use std::fmt;

use super::node::Span;
use crate::problem::Position;

/// One fault of a job file.
///
/// Displays as `file:line:column: message`, then the line with a caret under the fault, then what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct JobFileError {
    /// The file's name.
    pub source: String,
    /// Where in the file.
    pub position: Position,
    /// How many characters the fault spans on its line; at least 1.
    pub length: usize,
    /// The line itself, without its end; of a very long line the part around the fault.
    pub line: String,
    /// How many characters of the line's beginning are left out in `line`.
    pub cut: usize,
    /// JSON Pointer (RFC 6901) to the faulty value in the file as it is written.
    pub pointer: String,
    /// The job's name, if it is known.
    pub job: Option<String>,
    /// What is wrong and what was expected.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl fmt::Display for JobFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.position;
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        writeln!(f, "{}:{line}:{column}: {}", self.source, indented(&self.message))?;
        writeln!(f, " {gutter} |")?;
        writeln!(f, " {number} | {}", self.line)?;
        // Tabs stay tabs, so that the caret stands under its character however wide a tab is shown.
        let before = self.line.chars().take(column - 1 - self.cut);
        let lead: String = before.map(|char| if char == '\t' { '\t' } else { ' ' }).collect();
        write!(f, " {gutter} | {lead}{}", "^".repeat(self.length))?;
        if let Some(hint) = &self.hint {
            write!(f, "\n {gutter} = {}", indented(hint))?;
        }
        Ok(())
    }
}

impl std::error::Error for JobFileError {}

/// Further lines of a message, set in by four.
fn indented(message: &str) -> String {
    message.replace('\n', "\n    ")
}

/// A fault before the file's name and line are put to it.
#[derive(Clone, Debug)]
pub(super) struct NodeError {
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// None until the innermost value around the fault is known.
    pub(super) span: Option<Span>,
    /// The keys and indices from the outside in, escaped as in RFC 6901.
    pub(super) path: Vec<String>,
    /// That a key is not there, which may stand elsewhere if only a part is read.
    pub(super) is_missing: bool,
}

impl NodeError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, span: None, path: Vec::new(), is_missing: false }
    }

    pub(super) fn at(message: impl Into<String>, span: Span) -> Self {
        Self { span: Some(span), ..Self::new(message) }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Puts the place of the value around the fault to it, unless a value further in did so already.
    pub(super) fn or_at(mut self, span: Span) -> Self {
        self.span.get_or_insert(span);
        self
    }

    /// The fault as seen from the value that holds `step`.
    pub(super) fn under(mut self, step: &str) -> Self {
        self.path.insert(0, step.replace('~', "~0").replace('/', "~1"));
        self
    }

    pub(super) fn pointer(&self) -> String {
        self.path.iter().map(|step| format!("/{step}")).collect()
    }
}

impl fmt::Display for NodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for NodeError {}
