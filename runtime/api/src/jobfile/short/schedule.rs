//! `schedule:` and the triggers of a job.

mod text;

use serde::Deserialize;

use sandglass_core::schedule::CronExpression;
use sandglass_core::spec::{CronFields, Trigger};

use crate::jobfile::error::NodeError;
use crate::jobfile::keys;
use crate::jobfile::node::{Entry, Node, Scalar, Span, Value};

/// Units of an interval, with their seconds.
const UNITS: [(&str, u64); 5] =
    [("weeks", 604_800), ("days", 86_400), ("hours", 3600), ("minutes", 60), ("seconds", 1)];
/// The fields of a cron expression from left to right, with their other names.
const FIELDS: [(&str, &str); 6] = [
    ("second", "second"),
    ("minute", "minute"),
    ("hour", "hour"),
    ("day_of_month", "day"),
    ("month", "month"),
    ("day_of_week", "day_of_week"),
];

/// The canonical list of triggers that `key: value` means, and what is wrong with it.
pub(super) fn triggers(key: &str, value: Node) -> (Node, Vec<NodeError>) {
    let span = value.span;
    let items = match value.value {
        Value::List(items) => items,
        // `triggers:` is a list in the canonical form; the job's own type says so.
        _ if key == "triggers" => return (value, Vec::new()),
        _ => vec![value],
    };
    let (mut triggers, mut errors) = (Vec::new(), Vec::new());
    for (index, item) in items.into_iter().enumerate() {
        // Each is read here already, so that a fault in one does not hide those in the others.
        let canonical = trigger(item, key == "schedule");
        match canonical.and_then(checked) {
            Ok(trigger) => triggers.push(trigger),
            Err(error) => errors.push(error.or_at(span).under(&index.to_string())),
        }
    }
    (Node::new(span, Value::List(triggers)), errors)
}

/// The trigger that stands by itself, as a line of text or as a map.
pub(in crate::jobfile) fn alone(item: Node) -> Result<Trigger, NodeError> {
    let span = item.span;
    let canonical = trigger(item, true).map_err(|error| error.or_at(span))?;
    Trigger::deserialize(&canonical).map_err(|error| error.or_at(span))
}

fn checked(trigger: Node) -> Result<Node, NodeError> {
    Trigger::deserialize(&trigger).map_err(|error| error.or_at(trigger.span))?;
    Ok(trigger)
}

fn trigger(item: Node, short: bool) -> Result<Node, NodeError> {
    let span = item.span;
    if short && let Some(written) = item.as_text() {
        let other = text::trigger(written, span);
        return other.map_or_else(|| Ok(single("cron", cron(item)?)), Ok);
    }
    if !matches!(item.value, Value::Map(_)) {
        let wanted = if short { "a cron expression or a map" } else { "a map such as 'daily: \"03:00\"'" };
        let error = NodeError::at(format!("expected {wanted}, found {}", item.kind_name()), span);
        return Err(match item.as_text().filter(|_| !short) {
            Some(_) => error.hint("lines of text go under 'schedule'; here write a map such as 'cron: \"0 2 * * *\"'"),
            None => error,
        });
    }
    let Value::Map(mut entries) = item.value else { return Ok(item) };
    let kind = entries.iter().position(|entry| short && entry.key == "trigger").map(|at| entries.remove(at));
    if let Some(kind) = kind {
        return of_kind(&kind, entries, span);
    }
    let seconds = entries.iter().any(|entry| entry.key == "seconds");
    for entry in &mut entries {
        if entry.key == "cron" {
            let written = std::mem::replace(&mut entry.value, Node::text(span, ""));
            // With 'seconds' the trigger itself knows how to read the expression.
            entry.value = if seconds { Ok(written) } else { cron(written) }.map_err(|error| error.under("cron"))?;
        }
    }
    Ok(Node::new(span, Value::Map(entries)))
}

fn single(key: &str, value: Node) -> Node {
    let span = value.span;
    Node::new(span, Value::Map(vec![Entry { key: key.to_owned(), key_span: span, value }]))
}

/// `{trigger: interval, minutes: 5}` and its like.
fn of_kind(kind: &Entry, entries: Vec<Entry>, span: Span) -> Result<Node, NodeError> {
    match kind.value.as_text() {
        Some("interval") => interval(entries, span),
        Some("cron") => {
            let mut entries = entries;
            match entries.iter().position(|entry| matches!(entry.key.as_str(), "cron" | "expression")) {
                Some(at) if entries.len() == 1 => Ok(single("cron", cron(entries.remove(at).value)?)),
                _ => Ok(single("cron", fields(entries, span)?)),
            }
        }
        Some("date" | "at" | "once") => {
            let mut entries = entries;
            let at = entries.iter().position(|entry| matches!(entry.key.as_str(), "at" | "run_date" | "date"));
            let Some(at) = at.filter(|_| entries.len() == 1) else {
                return Err(NodeError::at("expected 'at' with a date and time, and nothing else", span));
            };
            Ok(single("at", entries.remove(at).value))
        }
        other => {
            let (message, hint) = keys::unknown("trigger", other.unwrap_or_default(), &["interval", "cron", "date"]);
            Err(NodeError { hint, ..NodeError::at(message, kind.value.span) }.under("trigger"))
        }
    }
}

fn interval(entries: Vec<Entry>, span: Span) -> Result<Node, NodeError> {
    let mut total: u64 = 0;
    let mut from = None;
    let mut first = None;
    for entry in entries {
        if entry.key == "from" {
            from = Some(entry);
            continue;
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == entry.key) else {
            let (message, hint) = keys::unknown("key", &entry.key, &UNITS.map(|(name, _)| name));
            return Err(NodeError { hint, ..NodeError::at(message, entry.key_span) }.under(&entry.key));
        };
        let number = match &entry.value.value {
            Value::Scalar { kind: Scalar::Number(number), .. } => number.as_u64(),
            _ => None,
        };
        let seconds = number.and_then(|number| number.checked_mul(*scale)).and_then(|more| total.checked_add(more));
        total = seconds.ok_or_else(|| {
            let message = format!("expected a whole number of {}, found {}", entry.key, entry.value.kind_name());
            NodeError::at(message, entry.value.span).under(&entry.key)
        })?;
        first.get_or_insert(entry.value.span);
    }
    let Some(first) = first else {
        return Err(NodeError::at("an interval needs a length", span).hint("such as minutes: 5"));
    };
    let every = Entry { key: "every".to_owned(), key_span: first, value: Node::text(first, format!("{total}s")) };
    Ok(Node::new(span, Value::Map(std::iter::once(every).chain(from).collect())))
}

/// A cron expression as text or as a map of fields, checked here, where its place is known.
fn cron(value: Node) -> Result<Node, NodeError> {
    let span = value.span;
    let node = match value.value {
        Value::Map(entries) => fields(entries, span)?,
        _ => value,
    };
    if let Some(text) = node.as_text() {
        text.parse::<CronExpression>().map_err(|error| {
            let error = NodeError::at(error.to_string(), span);
            match text::meant(text) {
                Some(meant) => error.hint(meant),
                None => error,
            }
        })?;
    }
    Ok(node)
}

/// `{hour: 2, minute: 30}` with the fields' own names. That second 0 is meant needs no saying: without seconds, the map
/// is the expression `30 2 * * *`.
fn fields(entries: Vec<Entry>, span: Span) -> Result<Node, NodeError> {
    let mut given: Vec<Entry> = Vec::with_capacity(entries.len());
    for mut entry in entries {
        if entry.key == "second" && entry.value.as_written() == Some("0") {
            continue;
        }
        let Some((name, _)) = FIELDS.iter().find(|(name, other)| entry.key == *name || entry.key == *other) else {
            let (message, hint) = keys::unknown("field", &entry.key, &FIELDS.map(|(name, _)| name));
            return Err(NodeError { hint, ..NodeError::at(message, entry.key_span) }.under(&entry.key));
        };
        if *name == "day_of_week"
            && let Some(text) =
                entry.value.as_written().filter(|text| text.contains(|char: char| char.is_ascii_digit()))
            && !text.contains('#')
        {
            let message = format!("'day_of_week: {text}': which day a number means differs from program to program");
            let error = NodeError::at(message, entry.value.span).hint("write names: mon, tue, wed, thu, fri, sat, sun");
            return Err(error.under(&entry.key));
        }
        entry.key = (*name).to_owned();
        given.push(entry);
    }
    let map = Node::new(span, Value::Map(given));
    let fields = CronFields::deserialize(&map).map_err(|error| error.or_at(span))?;
    let expression = fields.expression().map_err(|error| {
        NodeError::at(error.to_string(), span).hint(format!("fields are {}", FIELDS.map(|(name, _)| name).join(", ")))
    })?;
    Ok(if expression.has_seconds() { map } else { Node::text(span, expression.to_string()) })
}
