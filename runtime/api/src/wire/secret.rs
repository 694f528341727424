//! Secrets on the wire. No answer ever has a value.

use std::fmt;

use sandglass_core::id::{JobName, Namespace, SecretName, TargetName};
use sandglass_core::secret;
use sandglass_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// A secret as the API shows it: without its value.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Secret {
    /// The namespace.
    pub namespace: Namespace,
    /// The name.
    pub name: SecretName,
    /// Counts from 1; grows by one with every change.
    pub revision: u64,
    /// The version in use.
    pub version: u64,
    /// When that was set.
    pub set_at: Timestamp,
    /// The hosts that the value may be sent to; if there are any, it goes nowhere else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// The versions that are kept, oldest first; the last is in use.
    pub versions: Vec<SecretVersion>,
    /// The jobs that use it, by name.
    pub used_by: Vec<JobName>,
    /// The targets that use it, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_by_targets: Vec<TargetName>,
    /// The notifiers of the namespace use it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub used_by_notifiers: bool,
}

/// A version of a secret.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct SecretVersion {
    /// From 1.
    pub version: u64,
    /// When it was set.
    pub set_at: Timestamp,
}

impl From<&secret::Secret> for Secret {
    fn from(secret: &secret::Secret) -> Self {
        let current = secret.current();
        let versions = secret.versions.iter();
        Self {
            namespace: secret.namespace.clone(),
            name: secret.name.clone(),
            revision: secret.revision,
            version: current.number,
            set_at: current.set_at,
            hosts: secret.hosts.clone(),
            versions: versions.map(|kept| SecretVersion { version: kept.number, set_at: kept.set_at }).collect(),
            used_by: Vec::new(),
            used_by_targets: Vec::new(),
            used_by_notifiers: false,
        }
    }
}

/// The body of `PUT …/secrets/{name}`: a value, or where it may go, or both.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRequest {
    /// The value as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The value as bytes, in base64 (RFC 4648).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// The hosts that it may be sent to; empty for no such limit. Default: as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Vec<String>>,
}

impl fmt::Debug for SecretRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretRequest").field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// The body of `POST …/secrets/{name}/rollback`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// The version whose value becomes the newest again.
    pub version: u64,
}

/// What a change of keys came to.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct RotatedKeys {
    /// How many secrets were sealed anew.
    pub secrets: u64,
    /// How many versions they have together.
    pub versions: u64,
}
