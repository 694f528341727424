//! Expressions that select targets by their labels.
//!
//! ```text
//! expression = all { "or" all }
//! all        = one { "and" one }
//! one        = "not" one | "(" expression ")" | test
//! test       = LABEL                                  has the label, whatever it says
//!            | LABEL "==" VALUE                       the label says this
//!            | LABEL "!=" VALUE                       the label says something else, or is not there
//!            | LABEL "in" "(" VALUE { "," VALUE } ")"  the label says one of these
//! ```
//!
//! Values are bare, or in single or double quotes. `name`, `platform` and `account` are labels that every target has.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::spec::TargetSpec;
use super::text::RESERVED;

/// The longest expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 1000;
/// How deeply brackets and `not` may be nested.
const MAX_DEPTH: usize = 32;

/// Selects targets by their labels.
///
/// Shows itself in one way however it was written, so that two that are written alike mean the same.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LabelExpression(Node);

#[derive(Clone, PartialEq, Eq, Debug)]
enum Node {
    Has(String),
    Is(String, String),
    IsNot(String, String),
    In(String, Vec<String>),
    Not(Box<Node>),
    /// At least two.
    All(Vec<Node>),
    /// At least two.
    Any(Vec<Node>),
}

/// The text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the expression cannot be read at column {column}: {message}")]
pub struct InvalidExpression {
    /// Where, in characters from 1.
    pub column: usize,
    /// What is wrong and what was expected.
    pub message: String,
}

impl LabelExpression {
    /// Whether the target's labels are so.
    #[must_use]
    pub fn selects(&self, target: &TargetSpec) -> bool {
        self.0.holds(target)
    }
}

impl Node {
    fn holds(&self, target: &TargetSpec) -> bool {
        match self {
            Self::Has(label) => target.label(label).is_some(),
            Self::Is(label, value) => target.label(label) == Some(value),
            Self::IsNot(label, value) => target.label(label) != Some(value),
            Self::In(label, values) => target.label(label).is_some_and(|says| values.iter().any(|value| value == says)),
            Self::Not(node) => !node.holds(target),
            Self::All(nodes) => nodes.iter().all(|node| node.holds(target)),
            Self::Any(nodes) => nodes.iter().any(|node| node.holds(target)),
        }
    }

    /// Writes it where an operand of `and`, `or` or `not` stands.
    fn operand(&self, f: &mut fmt::Formatter<'_>, in_brackets: bool) -> fmt::Result {
        if in_brackets { write!(f, "({self})") } else { write!(f, "{self}") }
    }
}

impl FromStr for LabelExpression {
    type Err = InvalidExpression;

    fn from_str(text: &str) -> Result<Self, InvalidExpression> {
        let expression = Self(parse::expression(text)?);
        // What is kept is how it shows itself, which may be longer than what was written and must be readable again.
        if expression.to_string().len() > MAX_EXPRESSION_BYTES {
            return Err(parse::too_long());
        }
        Ok(expression)
    }
}

impl fmt::Display for LabelExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, nodes: &[Self], word: &str, brackets: fn(&Self) -> bool| {
            for (place, node) in nodes.iter().enumerate() {
                if place > 0 {
                    write!(f, " {word} ")?;
                }
                node.operand(f, brackets(node))?;
            }
            Ok(())
        };
        match self {
            Self::Has(label) => f.write_str(label),
            Self::Is(label, value) => write!(f, "{label} == {}", Value(value)),
            Self::IsNot(label, value) => write!(f, "{label} != {}", Value(value)),
            Self::In(label, values) => {
                let values: Vec<String> = values.iter().map(|value| Value(value).to_string()).collect();
                write!(f, "{label} in ({})", values.join(", "))
            }
            Self::Not(node) => {
                f.write_str("not ")?;
                node.operand(f, matches!(**node, Self::All(_) | Self::Any(_)))
            }
            Self::All(nodes) => joined(f, nodes, "and", |node| matches!(node, Self::All(_) | Self::Any(_))),
            Self::Any(nodes) => joined(f, nodes, "or", |node| matches!(node, Self::Any(_))),
        }
    }
}

/// A value as it is written: bare if it can be.
struct Value<'a>(&'a str);

impl fmt::Display for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.is_empty() && self.0.chars().all(parse::is_bare) && !RESERVED.contains(&self.0) {
            return f.write_str(self.0);
        }
        write!(f, "\"{}\"", self.0.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

impl Serialize for LabelExpression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for LabelExpression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for LabelExpression {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "LabelExpression".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": MAX_EXPRESSION_BYTES })
    }
}
