//! TOML into the tree.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::NodeError;
use super::node::{Budget, MapBuilder, Node, Scalar, Span, Value};

pub(super) fn read(text: &str) -> Result<Node, NodeError> {
    let lines = Lines::new(text);
    let table = DeTable::parse(text).map_err(|error| {
        let span = lines.span(error.span().unwrap_or(0..0));
        NodeError::at(format!("this is not TOML: {}", error.message()), span)
    })?;
    let mut converter = Converter { lines: &lines, budget: Budget::default() };
    converter.table(table.get_ref(), Span::start(), 1)
}

/// Where lines begin, to find the line and column of a byte.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Self {
        let after = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(after).collect() }
    }

    fn span(&self, range: Range<usize>) -> Span {
        let at = self.text.floor_char_boundary(range.start);
        let end = self.text.floor_char_boundary(range.end.max(at));
        let line = self.starts.partition_point(|start| *start <= at);
        let column = self.text[self.starts[line - 1]..at].chars().count() + 1;
        let length = self.text[at..end].lines().next().unwrap_or_default().chars().count();
        Span::new(line, column, length)
    }
}

struct Converter<'a> {
    lines: &'a Lines<'a>,
    budget: Budget,
}

impl Converter<'_> {
    fn table(&mut self, table: &DeTable<'_>, span: Span, depth: usize) -> Result<Node, NodeError> {
        // The parser sorts keys; a person reads errors in the order of the file.
        let mut entries: Vec<(&Spanned<_>, &Spanned<DeValue<'_>>)> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        let mut map = MapBuilder::default();
        for (key, value) in entries {
            let value = self.value(value, depth + 1)?;
            map.insert(key.get_ref().to_string(), self.lines.span(key.span()), value)?;
        }
        Ok(Node::new(span, Value::Map(map.finish())))
    }

    fn value(&mut self, value: &Spanned<DeValue<'_>>, depth: usize) -> Result<Node, NodeError> {
        let span = self.lines.span(value.span());
        self.budget.take(1, depth, span)?;
        let number = |text: &str, number: Option<serde_json::Number>| match number {
            Some(number) => Ok(Node::scalar(span, text, Scalar::Number(number))),
            None => Err(NodeError::at(format!("the number {text} is not supported"), span)),
        };
        match value.get_ref() {
            DeValue::String(text) => Ok(Node::text(span, text.as_ref())),
            DeValue::Boolean(value) => Ok(Node::scalar(span, value.to_string(), Scalar::Bool(*value))),
            // A date is text, as in the other formats: what it means is decided by the key that it belongs to.
            DeValue::Datetime(date) => Ok(Node::text(span, date.to_string())),
            DeValue::Integer(integer) => {
                let digits = (integer.as_str(), integer.radix());
                let parsed = u64::from_str_radix(digits.0, digits.1).map(serde_json::Number::from);
                let parsed = parsed.or_else(|_| i64::from_str_radix(digits.0, digits.1).map(Into::into));
                number(&integer.to_string(), parsed.ok())
            }
            DeValue::Float(float) => {
                let parsed = float.as_str().parse::<f64>().ok().and_then(serde_json::Number::from_f64);
                number(float.as_str(), parsed)
            }
            DeValue::Array(items) => {
                let items = items.iter().map(|item| self.value(item, depth + 1)).collect::<Result<_, _>>()?;
                Ok(Node::new(span, Value::List(items)))
            }
            DeValue::Table(table) => self.table(table, span, depth),
        }
    }
}
