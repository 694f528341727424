//! Machines that jobs deploy to or run commands on, and groups of them.
//!
//! In reading order: [`TargetSpec`] and [`GroupSpec`] are what people write, made of texts that are checked as they are read;
//! a [`LabelExpression`] selects targets by what they are labelled with, and a [`Selector`] in any of the ways there are; a
//! [`Fleet`] is all that a namespace has, which answers what is selected and whether it fits together.

mod expression;
mod fleet;
mod group;
mod host_key;
mod selector;
mod spec;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

pub use expression::{InvalidExpression, LabelExpression, MAX_EXPRESSION_BYTES};
pub use fleet::{
    Fleet, FleetError, FleetPart, MAX_GROUP_DEPTH, MAX_GROUPS, MAX_JUMPS, MAX_TARGETS, SelectError, TargetUsers,
};
pub use group::{GroupSpec, InvalidGroup, MAX_MEMBERS};
pub use host_key::{HostKey, InvalidHostKey};
pub use selector::{InvalidSelector, Member, Selector, TargetPattern};
pub use spec::{Auth, InvalidTarget, Platform, TargetSpec};
pub use text::{Account, Address, EngineSocket, InvalidText, LabelName, LabelValue, SocketPath};

use crate::id::Namespace;
use crate::time::Timestamp;

/// A saved target.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Target {
    /// Who owns it.
    pub namespace: Namespace,
    /// Counts from 1; grows by one with every change.
    pub revision: u64,
    /// What it is.
    pub spec: Arc<TargetSpec>,
    /// When this revision was saved.
    pub updated_at: Timestamp,
}

/// A saved group of targets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetGroup {
    /// Who owns it.
    pub namespace: Namespace,
    /// Counts from 1; grows by one with every change.
    pub revision: u64,
    /// What it is.
    pub spec: Arc<GroupSpec>,
    /// When this revision was saved.
    pub updated_at: Timestamp,
}
