//! Targets and groups of them on the wire.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sandglass_core::id::{Namespace, TargetGroupName, TargetName};
use sandglass_core::schedule::Warning;
use sandglass_core::target::{self, GroupSpec, TargetGroup, TargetSpec};
use sandglass_core::time::Timestamp;

/// A target as the API shows it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Target {
    /// Its name.
    pub name: TargetName,
    /// Who owns it.
    pub namespace: Namespace,
    /// Counts from 1; grows by one with every change.
    pub revision: u64,
    /// What it is.
    pub spec: Arc<TargetSpec>,
    /// When this revision was saved.
    pub updated_at: Timestamp,
    /// The groups that it is in now, by name. Only where one target is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<TargetGroupName>,
}

impl From<&target::Target> for Target {
    fn from(target: &target::Target) -> Self {
        Self {
            name: target.spec.name.clone(),
            namespace: target.namespace.clone(),
            revision: target.revision,
            spec: Arc::clone(&target.spec),
            updated_at: target.updated_at,
            groups: Vec::new(),
        }
    }
}

/// A group of targets as the API shows it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: TargetGroupName,
    /// Who owns it.
    pub namespace: Namespace,
    /// Counts from 1; grows by one with every change.
    pub revision: u64,
    /// What it is.
    pub spec: Arc<GroupSpec>,
    /// When this revision was saved.
    pub updated_at: Timestamp,
    /// The targets that it selects now, by name. Left out of the answer to saving it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetName>,
}

impl From<&TargetGroup> for Group {
    fn from(group: &TargetGroup) -> Self {
        Self {
            name: group.spec.name.clone(),
            namespace: group.namespace.clone(),
            revision: group.revision,
            spec: Arc::clone(&group.spec),
            updated_at: group.updated_at,
            targets: Vec::new(),
        }
    }
}

/// The answer to saving a target.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TargetResult {
    /// The target as it is now; after a dry run, as it would be.
    pub target: Target,
    /// Whether it is another than before.
    pub changed: bool,
    /// What is allowed, and likely a slip.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// The answer to saving a group of targets.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct GroupResult {
    /// The group as it is now; after a dry run, as it would be.
    pub group: Group,
    /// Whether it is another than before.
    pub changed: bool,
}
