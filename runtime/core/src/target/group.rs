//! Groups of targets as they are written.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expression::LabelExpression;
use super::selector::Member;
use crate::id::TargetGroupName;

/// The most members that a group names.
pub const MAX_MEMBERS: usize = 500;

/// Several targets under one name: those that are named, those of all that an expression selects, or those of the named ones
/// that it selects. Which they are is asked anew every time.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct GroupSpec {
    /// The group's name, unique in its namespace.
    pub name: TargetGroupName,
    /// What the targets have in common.
    pub description: Option<String>,
    /// Whom it names. If it names none, `filter` selects among all targets.
    pub members: Vec<Member>,
    /// Which of those belong to it; none for all of them.
    pub filter: Option<LabelExpression>,
}

/// What is written is no group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidGroup {
    /// Nothing says who belongs to it.
    #[error(
        "group '{0}' says neither 'members' nor 'where': name targets, or select them by their labels; where: 'name' takes all"
    )]
    Nobody(TargetGroupName),
    /// It names too many.
    #[error(
        "group '{name}' names {count} members: {MAX_MEMBERS} are allowed; use a pattern, 'where', or groups of groups"
    )]
    TooMany {
        /// The group.
        name: TargetGroupName,
        /// How many it names.
        count: usize,
    },
}

/// A group key by key, before it is known whether these go together.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The group's name, unique in its namespace.
    name: TargetGroupName,
    /// What the targets have in common.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Targets (`web-1`), patterns of them (`web-*`) and other groups (`group:db`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_MEMBERS))]
    members: Vec<Member>,
    /// Which of the members belong to it, or without members which of all targets: `role == web and zone != us`.
    #[serde(rename = "where", default, skip_serializing_if = "Option::is_none")]
    filter: Option<LabelExpression>,
}

impl TryFrom<Written> for GroupSpec {
    type Error = InvalidGroup;

    fn try_from(written: Written) -> Result<Self, InvalidGroup> {
        let Written { name, description, members, filter } = written;
        if members.is_empty() && filter.is_none() {
            return Err(InvalidGroup::Nobody(name));
        }
        if members.len() > MAX_MEMBERS {
            return Err(InvalidGroup::TooMany { name, count: members.len() });
        }
        Ok(Self { name, description, members, filter })
    }
}

impl From<GroupSpec> for Written {
    fn from(GroupSpec { name, description, members, filter }: GroupSpec) -> Self {
        Self { name, description, members, filter }
    }
}

impl JsonSchema for GroupSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Group".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = Written::json_schema(generator);
        schema.insert("description".to_owned(), "Several targets under one name.".into());
        let either = serde_json::json!([{ "required": ["members"] }, { "required": ["where"] }]);
        schema.insert("anyOf".to_owned(), either);
        schema
    }
}
