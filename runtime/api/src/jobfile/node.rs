//! The tree that every format is read into: values that know their place.

use std::collections::HashMap;

use super::error::NodeError;
use super::{MAX_DEPTH, MAX_VALUES};
use crate::problem::Position;

/// Where a value is, and how far it reaches on its first line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Span {
    pub(super) position: Position,
    /// In characters; at least 1.
    pub(super) length: usize,
}

impl Span {
    pub(super) fn new(line: usize, column: usize, length: usize) -> Self {
        Self { position: Position { line: line.max(1), column: column.max(1) }, length: length.max(1) }
    }

    /// The first character of a text.
    pub(super) fn start() -> Self {
        Self::new(1, 1, 1)
    }
}

/// A value and its place.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    pub(super) value: Value,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) enum Value {
    Scalar {
        /// As it was written, quotes and escapes resolved.
        text: String,
        kind: Scalar,
    },
    List(Vec<Node>),
    /// In the order of the file; keys are unique.
    Map(Vec<Entry>),
}

/// What a scalar's text stands for.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text,
}

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Span,
    pub(super) value: Node,
}

impl Node {
    pub(super) fn new(span: Span, value: Value) -> Self {
        Self { span, value }
    }

    pub(super) fn scalar(span: Span, text: impl Into<String>, kind: Scalar) -> Self {
        Self::new(span, Value::Scalar { text: text.into(), kind })
    }

    pub(super) fn text(span: Span, text: impl Into<String>) -> Self {
        Self::scalar(span, text, Scalar::Text)
    }

    /// The text of a scalar that is text.
    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { text, kind: Scalar::Text } => Some(text),
            _ => None,
        }
    }

    /// The text of any scalar that is something.
    pub(super) fn as_written(&self) -> Option<&str> {
        match &self.value {
            Value::Scalar { kind: Scalar::Null, .. } => None,
            Value::Scalar { text, .. } => Some(text),
            _ => None,
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(&self.value, Value::Scalar { kind: Scalar::Null, .. })
    }

    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value),
            _ => None,
        }
    }

    /// The value at `pointer` (RFC 6901), if there is one.
    pub(super) fn at(&self, pointer: &str) -> Option<&Node> {
        pointer.split('/').skip(1).try_fold(self, |node, step| node.step(step))
    }

    fn step(&self, step: &str) -> Option<&Node> {
        let step = step.replace("~1", "/").replace("~0", "~");
        match &self.value {
            Value::List(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
            Value::Map(_) => self.get(&step),
            Value::Scalar { .. } => None,
        }
    }

    /// What it is, for people.
    pub(super) fn kind_name(&self) -> &'static str {
        match &self.value {
            Value::Scalar { kind: Scalar::Null, .. } => "nothing",
            Value::Scalar { kind: Scalar::Bool(_), .. } => "true or false",
            Value::Scalar { kind: Scalar::Number(_), .. } => "a number",
            Value::Scalar { kind: Scalar::Text, .. } => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }

    /// How many values it holds, itself included.
    pub(super) fn size(&self) -> usize {
        match &self.value {
            Value::Scalar { .. } => 1,
            Value::List(items) => 1 + items.iter().map(Self::size).sum::<usize>(),
            Value::Map(entries) => 1 + entries.iter().map(|entry| entry.value.size()).sum::<usize>(),
        }
    }

    /// The place of the value at `pointer` (RFC 6901), or of the innermost value on the way to it.
    pub(super) fn nearest(&self, pointer: &str) -> Span {
        let mut node = self;
        for step in pointer.split('/').skip(1) {
            match node.step(step) {
                Some(next) => node = next,
                None => break,
            }
        }
        node.span
    }
}

/// Counts values and depth while a tree is built, so that a small file cannot become a large tree.
#[derive(Default)]
pub(super) struct Budget {
    values: usize,
}

impl Budget {
    /// Takes note of `values` more values, the deepest of them at `depth`.
    pub(super) fn take(&mut self, values: usize, depth: usize, span: Span) -> Result<(), NodeError> {
        self.values = self.values.saturating_add(values);
        if depth > MAX_DEPTH {
            return Err(NodeError::at(format!("values are nested too deeply: {MAX_DEPTH} levels are allowed"), span));
        }
        if self.values > MAX_VALUES {
            let message = format!("the file holds too many values: {MAX_VALUES} are allowed, repeated ones included");
            return Err(NodeError::at(message, span));
        }
        Ok(())
    }
}

/// Collects the entries of a map and refuses a key that is there already.
#[derive(Default)]
pub(super) struct MapBuilder {
    entries: Vec<Entry>,
    seen: HashMap<String, Position>,
}

impl MapBuilder {
    pub(super) fn insert(&mut self, key: String, key_span: Span, value: Node) -> Result<(), NodeError> {
        if let Some(first) = self.seen.get(&key) {
            let message = format!("key '{key}' is given twice: first in line {}, and here again", first.line);
            return Err(NodeError::at(message, key_span));
        }
        self.seen.insert(key.clone(), key_span.position);
        self.entries.push(Entry { key, key_span, value });
        Ok(())
    }

    pub(super) fn finish(self) -> Vec<Entry> {
        self.entries
    }
}
