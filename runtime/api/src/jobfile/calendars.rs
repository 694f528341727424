//! Calendars in files: under `calendars:` beside `jobs:`, or in a file of their own.

use std::collections::HashMap;

use serde::Deserialize as _;

use sandglass_core::spec::CalendarSpec;

use super::document::Document;
use super::error::{JobFileError, NodeError};
use super::node::{Entry, Node, Value};
use crate::problem::Position;

/// The most calendars in a file.
const MAX_CALENDARS: usize = 1000;

/// A calendar as it was read, and where in its file it is.
#[derive(Clone, Debug)]
pub struct FileCalendar {
    /// The calendar.
    pub spec: CalendarSpec,
    pub(super) node: Node,
}

impl FileCalendar {
    /// Where its name is.
    #[must_use]
    pub fn position(&self) -> Position {
        self.node.nearest("/name").position
    }

    /// What somebody else found wrong with its name, as a fault of the file that the calendar was read from: `text` and
    /// `source` are those given to [`read_all`](super::read_all).
    #[must_use]
    pub fn fault(&self, text: &str, source: &str, message: &str) -> JobFileError {
        let error = NodeError::at(message, self.node.nearest("/name"));
        JobFileError { pointer: "/name".to_owned(), job: None, ..Document { text, source }.error(&error) }
    }
}

/// The calendars under `calendars:`: a list of them, or a map from names to them.
pub(super) fn read(list: Node) -> Result<Vec<FileCalendar>, Vec<NodeError>> {
    let span = list.span;
    let items: Vec<(String, Node)> = match list.value {
        Value::List(items) => items.into_iter().enumerate().map(|(index, item)| (index.to_string(), item)).collect(),
        Value::Map(entries) => entries
            .into_iter()
            .map(|Entry { key, key_span, value }| (key.clone(), named(key, key_span, value)))
            .collect(),
        Value::Scalar { .. } => {
            let message = format!("expected a list of calendars, found {}", list.kind_name());
            return Err(vec![NodeError::at(message, span)]);
        }
    };
    if items.len() > MAX_CALENDARS {
        return Err(vec![NodeError::at(
            format!("{} calendars are too many: {MAX_CALENDARS} are allowed", items.len()),
            span,
        )]);
    }
    let (mut calendars, mut errors, mut names) = (Vec::new(), Vec::new(), HashMap::new());
    for (step, node) in items {
        match calendar(node) {
            Err(error) => errors.push(error.under(&step)),
            Ok(calendar) => {
                if let Some(line) = names.insert(calendar.spec.name.clone(), calendar.position().line) {
                    let name = &calendar.spec.name;
                    let message = format!("calendar '{name}' is in this file twice: first in line {line}");
                    errors.push(NodeError::at(message, calendar.node.nearest("/name")).under("name").under(&step));
                }
                calendars.push(calendar);
            }
        }
    }
    if errors.is_empty() { Ok(calendars) } else { Err(errors) }
}

/// A calendar that stands by itself.
pub(super) fn calendar(node: Node) -> Result<FileCalendar, NodeError> {
    if !matches!(node.value, Value::Map(_)) {
        let message = format!("expected a calendar, found {}", node.kind_name());
        return Err(NodeError::at(message, node.span).hint("a calendar has a name and dates, weekdays or yearly dates"));
    }
    let spec = CalendarSpec::deserialize(&node).map_err(|error| error.or_at(node.span))?;
    Ok(FileCalendar { spec, node })
}

/// The calendar, or what else, under the key `name`, which need not say its name again.
pub(super) fn named(name: String, key_span: super::node::Span, mut value: Node) -> Node {
    if let Value::Map(entries) = &mut value.value
        && !entries.iter().any(|entry| entry.key == "name")
    {
        entries.push(Entry { key: "name".to_owned(), key_span, value: Node::text(key_span, name) });
    }
    value
}
