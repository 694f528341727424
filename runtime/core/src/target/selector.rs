//! The ways to name targets.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::expression::{InvalidExpression, LabelExpression};
use crate::capability::segment;
use crate::id::{InvalidId, TargetGroupName, TargetName};

/// What stands before the name of a group.
const GROUP: &str = "group:";

/// Names targets one by one, by a pattern, or by a group.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub enum Member {
    /// `web-1`: the target of this name, which must be there.
    Target(TargetName),
    /// `web-*`: those whose names match; there may be none.
    Pattern(TargetPattern),
    /// `group:db`: those of the group, which must be there.
    Group(TargetGroupName),
}

/// Names targets in any of the ways there are: as a [`Member`], or by their labels.
///
/// A text with a space, a bracket, a quote, `=` or `!` is an expression; every other one names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Selector {
    /// By name.
    Named(Member),
    /// `role == web and zone == eu`: those whose labels are so.
    Where(LabelExpression),
}

/// A pattern of targets' names: `*` stands for any characters.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct TargetPattern(Arc<str>);

impl TargetPattern {
    /// Whether the name matches.
    #[must_use]
    pub fn matches(&self, name: &TargetName) -> bool {
        segment(&self.0, name.as_str())
    }
}

impl fmt::Display for TargetPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text names no targets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSelector {
    /// It is no name.
    #[error(transparent)]
    Name(#[from] InvalidId),
    /// It is no pattern.
    #[error("'{0}' is no pattern of targets: use at most 100 letters, digits, '-', '_', '.' and '*'")]
    Pattern(String),
    /// It is an expression, where only names may stand.
    #[error(
        "'{0}' is an expression, and only names of targets, patterns and group:NAME can stand here: write it after 'where'"
    )]
    ExpressionAmongNames(String),
    /// It is an expression that cannot be read.
    #[error(transparent)]
    Expression(#[from] InvalidExpression),
}

/// Whether a text is meant as an expression.
fn is_expression(text: &str) -> bool {
    text.contains(|char: char| char.is_whitespace() || "()=!'\"".contains(char))
}

impl FromStr for Member {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Self, InvalidSelector> {
        if is_expression(text) {
            return Err(InvalidSelector::ExpressionAmongNames(text.chars().take(120).collect()));
        }
        if let Some(name) = text.strip_prefix(GROUP) {
            return Ok(Self::Group(name.parse()?));
        }
        if !text.contains('*') {
            return Ok(Self::Target(text.parse()?));
        }
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte);
        if text.len() <= 100 && text.bytes().all(is_part) {
            return Ok(Self::Pattern(TargetPattern(text.into())));
        }
        Err(InvalidSelector::Pattern(text.chars().take(120).collect()))
    }
}

impl FromStr for Selector {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Self, InvalidSelector> {
        let text = text.trim();
        if is_expression(text) { Ok(Self::Where(text.parse()?)) } else { Ok(Self::Named(text.parse()?)) }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(name) => name.fmt(f),
            Self::Pattern(pattern) => pattern.fmt(f),
            Self::Group(name) => write!(f, "{GROUP}{name}"),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(member) => member.fmt(f),
            // An expression of a single label would be read as the name of a target.
            Self::Where(expression) => {
                let text = expression.to_string();
                if is_expression(&text) { f.write_str(&text) } else { write!(f, "({text})") }
            }
        }
    }
}

macro_rules! text_serde {
    ($name:ident, $what:literal) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $what.into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "minLength": 1 })
            }
        }
    };
}

text_serde!(Member, "Member");
text_serde!(Selector, "Selector");
