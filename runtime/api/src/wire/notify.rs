//! The notifiers of a namespace on the wire.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sandglass_core::id::Namespace;
use sandglass_core::notice;
use sandglass_core::spec::Notifiers;
use sandglass_core::time::Timestamp;

/// The notifiers of a namespace as the API shows them.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NamespaceNotify {
    /// The namespace.
    pub namespace: Namespace,
    /// Counts from 1; grows by one with every change. 0 only in the answer to a dry run, if there are none yet.
    pub revision: u64,
    /// The notifiers.
    pub notify: Arc<Notifiers>,
    /// When this revision was saved. Absent only in the answer to a dry run, if there are none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

impl From<&notice::NamespaceNotify> for NamespaceNotify {
    fn from(notify: &notice::NamespaceNotify) -> Self {
        Self {
            namespace: notify.namespace.clone(),
            revision: notify.revision,
            notify: Arc::clone(&notify.notify),
            updated_at: Some(notify.updated_at),
        }
    }
}

/// The body of `PUT …/notify`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyRequest {
    /// The notifiers, in the place of those there are.
    pub notify: Notifiers,
}

/// The answer to saving the notifiers of a namespace.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct NotifyResult {
    /// The notifiers as they are now; after a dry run, as they would be.
    pub notify: NamespaceNotify,
    /// Whether they are others than before.
    pub changed: bool,
}
