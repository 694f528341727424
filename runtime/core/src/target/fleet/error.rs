//! Why targets and groups do not fit together, and why nothing can be selected.

use std::fmt;

use super::{MAX_GROUP_DEPTH, MAX_GROUPS, MAX_JUMPS, MAX_TARGETS};
use crate::id::{TargetGroupName, TargetName};

/// A target or a group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum FleetPart {
    /// The target of this name.
    Target(TargetName),
    /// The group of this name.
    Group(TargetGroupName),
}

impl fmt::Display for FleetPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target(name) => write!(f, "target '{name}'"),
            Self::Group(name) => write!(f, "group '{name}'"),
        }
    }
}

/// Targets and groups do not fit together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FleetError {
    /// Something names a target or group that is not there.
    #[error("{by} names {missing}, which is not there{}: save that first, or apply both together", did_you_mean(meant.as_deref()))]
    Missing {
        /// What names it.
        by: FleetPart,
        /// Where in it, as a JSON Pointer (RFC 6901).
        pointer: String,
        /// What is not there.
        missing: FleetPart,
        /// What was perhaps meant.
        meant: Option<String>,
    },
    /// Connections would go round and round.
    #[error("the way to target '{}' goes in a circle: {}; let one of them have no 'jump', or another", names[0], chain(names, " by way of "))]
    JumpCircle {
        /// The targets, each with the next as its `jump`; the first is the last too.
        names: Vec<TargetName>,
    },
    /// A connection would go through too many machines.
    #[error("the way to target '{}' is too long: {}; {MAX_JUMPS} machines on the way are allowed", names[0], chain(names, " by way of "))]
    TooManyJumps {
        /// The target, and the machines on the way to it, the nearest to it first.
        names: Vec<TargetName>,
    },
    /// Groups have one another as members.
    #[error("group '{}' would be a member of itself: {}; take one of them out", names[0], chain(names, " has "))]
    GroupCircle {
        /// The groups, each with the next among its members; the first is the last too.
        names: Vec<TargetGroupName>,
    },
    /// Groups are in groups too deeply.
    #[error("group '{}' is nested too deeply: {}; {MAX_GROUP_DEPTH} levels are allowed", names[0], chain(names, " has "))]
    GroupsTooDeep {
        /// The groups, each with the next among its members.
        names: Vec<TargetGroupName>,
    },
    /// There would be too many targets.
    #[error("there would be {0} targets in the namespace: {MAX_TARGETS} are allowed; use another namespace for some")]
    TooManyTargets(usize),
    /// There would be too many groups.
    #[error("there would be {0} groups in the namespace: {MAX_GROUPS} are allowed; delete what is not used")]
    TooManyGroups(usize),
}

impl FleetError {
    /// What is at fault and where in it, as a JSON Pointer (RFC 6901), the most likely first.
    #[must_use]
    pub fn places(&self) -> Vec<(FleetPart, String)> {
        let jumps = |names: &[TargetName]| {
            names.iter().map(|name| (FleetPart::Target(name.clone()), "/jump".to_owned())).collect()
        };
        let members = |names: &[TargetGroupName]| {
            names.iter().map(|name| (FleetPart::Group(name.clone()), "/members".to_owned())).collect()
        };
        match self {
            Self::Missing { by, pointer, .. } => vec![(by.clone(), pointer.clone())],
            Self::JumpCircle { names } | Self::TooManyJumps { names } => jumps(names),
            Self::GroupCircle { names } | Self::GroupsTooDeep { names } => members(names),
            Self::TooManyTargets(_) | Self::TooManyGroups(_) => Vec::new(),
        }
    }

    /// Whether it is about groups rather than targets.
    #[must_use]
    pub const fn is_of_group(&self) -> bool {
        match self {
            Self::Missing { by, .. } => matches!(by, FleetPart::Group(_)),
            Self::JumpCircle { .. } | Self::TooManyJumps { .. } | Self::TooManyTargets(_) => false,
            Self::GroupCircle { .. } | Self::GroupsTooDeep { .. } | Self::TooManyGroups(_) => true,
        }
    }
}

/// A selector names what is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no {missing}{}", did_you_mean(meant.as_deref()))]
pub struct SelectError {
    /// What is not there.
    pub missing: FleetPart,
    /// What was perhaps meant.
    pub meant: Option<String>,
}

fn did_you_mean(meant: Option<&str>) -> String {
    meant.map(|meant| format!(" (did you mean '{meant}'?)")).unwrap_or_default()
}

/// `'a' by way of 'b' by way of 'c'`.
fn chain(names: &[impl fmt::Display], word: &str) -> String {
    names.iter().map(|name| format!("'{name}'")).collect::<Vec<_>>().join(word)
}
