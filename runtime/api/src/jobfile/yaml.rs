//! YAML 1.2 into the tree: the core schema, anchors and aliases within bounds, merge keys, several documents.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Tag};

use super::error::NodeError;
use super::node::{Budget, Entry, MapBuilder, Node, Scalar, Span, Value};

/// Reads every document of the text that is not empty.
pub(super) fn read(text: &str) -> Result<Vec<Node>, NodeError> {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|error| syntax(text, &error))?;
        if matches!(event, Event::StreamEnd) {
            break;
        }
        builder.take(event, span_of(span.start, span.end))?;
    }
    Ok(builder.documents)
}

/// A fault of syntax in words, with the commonest mistakes named.
fn syntax(text: &str, error: &ScanError) -> NodeError {
    let span = span_of(*error.marker(), *error.marker());
    let line = text.lines().nth(span.position.line - 1).unwrap_or_default();
    let fault = NodeError::at(format!("this is not YAML: {}", error.info()), span);
    let value = line.split_once(':').map_or(line, |(_, value)| value).trim_start();
    let value = value.strip_prefix("- ").unwrap_or(value);
    if line.contains('\t') && line.trim_start_matches([' ', '-']).starts_with('\t') {
        fault.hint("YAML is indented with spaces, not with tabs")
    } else if value.strip_prefix('*').is_some_and(|rest| rest.starts_with([' ', '/', ','])) {
        fault.hint("put a cron expression in quotes, such as \"*/5 * * * *\": a bare '*' means something else in YAML")
    } else if value.starts_with(['*', '{', '%', '@', '`', '&', '!', '|', '>']) || value.contains(": ") {
        fault.hint("put the text in quotes")
    } else {
        fault
    }
}

/// A value that reaches over several lines is marked where it begins.
fn span_of(start: Marker, end: Marker) -> Span {
    let length = if end.line() == start.line() { end.col().saturating_sub(start.col()) } else { 1 };
    Span::new(start.line(), start.col() + 1, length)
}

#[derive(Default)]
struct Builder {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    budget: Budget,
}

/// A list or map that is not closed yet.
struct Open {
    span: Span,
    anchor: usize,
    items: Items,
}

enum Items {
    List(Vec<Node>),
    Map {
        map: MapBuilder,
        /// The key whose value comes next.
        key: Option<(String, Span)>,
        /// What `<<` names, in order.
        merged: Vec<Node>,
    },
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), NodeError> {
        match event {
            Event::Scalar(value, style, anchor, tag) => {
                let node = scalar(&value, style, tag.as_deref(), span)?;
                self.complete(node, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), "seq", span)?;
                self.open(Open { span, anchor, items: Items::List(Vec::new()) })
            }
            Event::MappingStart(anchor, tag) => {
                refuse_tag(tag.as_deref(), "map", span)?;
                let items = Items::Map { map: MapBuilder::default(), key: None, merged: Vec::new() };
                self.open(Open { span, anchor, items })
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => {
                let known = self.anchors.get(&anchor).cloned();
                let node = known.ok_or_else(|| {
                    NodeError::at("this alias names an anchor that is not there or not complete", span)
                        .hint("text that begins with '*' stands in quotes")
                })?;
                // The copy shows the place of the alias in errors about the whole, that of the anchor in its parts.
                self.budget.take(node.size(), self.open.len() + 1, span)?;
                self.complete(Node { span, ..node }, 0)
            }
            Event::DocumentStart(_) => {
                self.anchors.clear();
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(&mut self, open: Open) -> Result<(), NodeError> {
        self.budget.take(0, self.open.len() + 1, open.span)?;
        self.open.push(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), NodeError> {
        let Some(open) = self.open.pop() else { return Ok(()) };
        let value = match open.items {
            Items::List(items) => Value::List(items),
            Items::Map { map, merged, .. } => Value::Map(merge(map.finish(), merged)?),
        };
        self.complete(Node::new(open.span, value), open.anchor)
    }

    /// Puts a finished value to where it belongs.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), NodeError> {
        self.budget.take(1, self.open.len() + 1, node.span)?;
        if anchor != 0 {
            // The table of anchors is a copy of its own, and counts as one.
            self.budget.take(node.size(), 0, node.span)?;
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            if !node.is_null() {
                self.documents.push(node);
            }
            return Ok(());
        };
        match &mut open.items {
            Items::List(items) => items.push(node),
            Items::Map { map, key, merged } => match key.take() {
                None => {
                    let Some(text) = node.as_written() else {
                        let message = format!("expected a key, found {}", node.kind_name());
                        return Err(NodeError::at(message, node.span).hint("text with braces stands in quotes"));
                    };
                    *key = Some((text.to_owned(), node.span));
                }
                Some((name, _)) if name == "<<" => merged.push(node),
                Some((name, span)) => map.insert(name, span, node)?,
            },
        }
        Ok(())
    }
}

/// Adds what `<<` names to a map; the map's own keys win, then the earlier of the named maps.
fn merge(mut entries: Vec<Entry>, merged: Vec<Node>) -> Result<Vec<Entry>, NodeError> {
    if merged.is_empty() {
        return Ok(entries);
    }
    let mut present: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for node in merged {
        let maps = match node.value {
            Value::List(items) => items,
            value => vec![Node::new(node.span, value)],
        };
        for map in maps {
            let Value::Map(inherited) = map.value else {
                return Err(NodeError::at("'<<' wants a map, or a list of maps", map.span));
            };
            for entry in inherited {
                if present.insert(entry.key.clone()) {
                    entries.push(entry);
                }
            }
        }
    }
    Ok(entries)
}

fn refuse_tag(tag: Option<&Tag>, allowed: &str, span: Span) -> Result<(), NodeError> {
    match tag {
        Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == allowed) => {
            Err(NodeError::at(format!("the tag '{tag}' is not supported"), span).hint("remove the tag"))
        }
        _ => Ok(()),
    }
}

fn scalar(value: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Result<Node, NodeError> {
    let kind = match tag {
        Some(tag) => {
            refuse_tag(Some(tag), "str", span)?;
            Scalar::Text
        }
        None if style == ScalarStyle::Plain => plain(value),
        None => Scalar::Text,
    };
    Ok(Node::scalar(span, value, kind))
}

/// What a bare word stands for: YAML 1.2.2, section 10.3.2.
fn plain(text: &str) -> Scalar {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        _ => number(text).map_or(Scalar::Text, Scalar::Number),
    }
}

fn number(text: &str) -> Option<serde_json::Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Into::into);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Into::into);
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let first = digits.bytes().next()?;
    if !(first.is_ascii_digit() || first == b'.') || digits.bytes().any(|byte| !b"0123456789.eE+-".contains(&byte)) {
        return None;
    }
    if digits.bytes().all(|byte| byte.is_ascii_digit()) {
        if let Ok(number) = text.parse::<u64>() {
            return Some(number.into());
        }
        if let Ok(number) = text.parse::<i64>() {
            return Some(number.into());
        }
    }
    serde_json::Number::from_f64(text.parse::<f64>().ok()?)
}
