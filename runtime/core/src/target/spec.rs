//! Targets as they are written.

use std::collections::BTreeMap;
use std::num::NonZeroU16;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::host_key::HostKey;
use super::text::{Account, Address, EngineSocket, LabelName, LabelValue, SocketPath};
use crate::id::{SecretName, TargetName};
use crate::spec::list::OneOrMany;

/// The most labels of a target.
const MAX_LABELS: usize = 64;
/// The most keys of a target's machine.
const MAX_HOST_KEYS: usize = 16;
/// The most accounts that may be switched to.
const MAX_BECOME: usize = 32;

/// A machine that jobs deploy to or run commands on, over SSH.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub struct TargetSpec {
    /// The target's name, unique in its namespace.
    pub name: TargetName,
    /// What the machine is for.
    pub description: Option<String>,
    /// Where it is.
    pub address: Address,
    /// The TCP port of its SSH server.
    pub port: NonZeroU16,
    /// Who logs in.
    pub account: Account,
    /// What it runs.
    pub platform: Platform,
    /// What expressions select it by.
    pub labels: BTreeMap<LabelName, LabelValue>,
    /// Its keys. A machine that proves to have none of them is not the one that is meant.
    pub host_keys: OneOrMany<HostKey>,
    /// How the account proves who it is.
    pub auth: Auth,
    /// The target whose machine the connection goes through.
    pub jump: Option<TargetName>,
    /// Accounts that a command may switch to with `sudo -n`.
    pub may_become: Vec<Account>,
    /// Where its container engine listens, if not where Docker's does.
    pub engine: Option<EngineSocket>,
}

/// How an account proves who it is. There are no passwords.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Auth {
    /// With a private key.
    Key {
        /// The secret that holds it, in the form of OpenSSH.
        secret: SecretName,
        /// The secret that holds the passphrase of it, if it has one.
        passphrase: Option<SecretName>,
    },
    /// With the keys of an agent on the daemon's machine.
    Agent(SocketPath),
}

/// What a target's machine runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// Linux.
    #[default]
    Linux,
    /// macOS.
    Macos,
    /// Windows.
    Windows,
}

impl Platform {
    /// The platform in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Linux => "linux",
            Self::Macos => "macos",
            Self::Windows => "windows",
        }
    }
}

impl TargetSpec {
    /// What expressions find under `label`: the target's own label, or its `name`, `platform` or `account`.
    #[must_use]
    pub fn label(&self, label: &str) -> Option<&str> {
        match label {
            "name" => Some(self.name.as_str()),
            "platform" => Some(self.platform.as_str()),
            "account" => Some(self.account.as_str()),
            other => self.labels.iter().find(|(name, _)| name.as_str() == other).map(|(_, value)| value.as_str()),
        }
    }

    /// The secrets that it needs.
    pub fn secrets(&self) -> impl Iterator<Item = &SecretName> {
        let (key, passphrase) = match &self.auth {
            Auth::Key { secret, passphrase } => (Some(secret), passphrase.as_ref()),
            Auth::Agent(_) => (None, None),
        };
        key.into_iter().chain(passphrase)
    }
}

/// The parts of a target do not go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTarget {
    /// Nothing says how to log in.
    #[error(
        "target '{0}' says neither 'key' nor 'agent': name the secret that holds the private key, or the socket of an agent"
    )]
    NoAuth(TargetName),
    /// Two things say how to log in.
    #[error("target '{0}' says both 'key' and 'agent': take one of them out")]
    TwoAuths(TargetName),
    /// A passphrase of nothing.
    #[error("target '{0}' has a 'key_passphrase' and no 'key': a passphrase opens a private key")]
    NoKey(TargetName),
    /// There is too much of something.
    #[error("target '{name}' has {count} {what}: {most} are allowed")]
    TooMany {
        /// The target.
        name: TargetName,
        /// Of what.
        what: &'static str,
        /// How many there are.
        count: usize,
        /// How many there may be.
        most: usize,
    },
}

/// A target key by key, before it is known whether these go together.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Written {
    /// The target's name, unique in its namespace.
    name: TargetName,
    /// What the machine is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// Its host name or IP address.
    address: Address,
    /// The TCP port of its SSH server.
    #[serde(default = "default_port")]
    port: NonZeroU16,
    /// The user name on the machine.
    account: Account,
    /// What it runs.
    #[serde(default)]
    platform: Platform,
    /// What expressions select it by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(with = "BTreeMap<String, LabelValue>", extend("maxProperties" = MAX_LABELS))]
    labels: BTreeMap<LabelName, LabelValue>,
    /// Its key, or its keys: `SHA256:…`, or `ssh-ed25519 AAAA…` as in `known_hosts`.
    host_key: OneOrMany<HostKey>,
    /// The secret that holds the private key, in the form of OpenSSH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<SecretName>,
    /// The secret that holds the passphrase of the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key_passphrase: Option<SecretName>,
    /// The socket of an agent on the daemon's machine, instead of a key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent: Option<SocketPath>,
    /// The target whose machine the connection goes through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jump: Option<TargetName>,
    /// Accounts that a command may switch to with `sudo -n`.
    #[serde(rename = "become", default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = MAX_BECOME))]
    may_become: Vec<Account>,
    /// The socket of its container engine; `/var/run/docker.sock` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    engine: Option<EngineSocket>,
}

fn default_port() -> NonZeroU16 {
    const SSH: NonZeroU16 = NonZeroU16::new(22).expect("22 is not 0");
    SSH
}

impl TryFrom<Written> for TargetSpec {
    type Error = InvalidTarget;

    fn try_from(written: Written) -> Result<Self, InvalidTarget> {
        let Written { name, description, address, port, account, platform, labels, .. } = written;
        let Written { host_key: host_keys, key, key_passphrase, agent, jump, may_become, engine, .. } = written;
        for (what, count, most) in [
            ("labels", labels.len(), MAX_LABELS),
            ("host keys", host_keys.as_slice().len(), MAX_HOST_KEYS),
            ("accounts under 'become'", may_become.len(), MAX_BECOME),
        ] {
            if count > most {
                return Err(InvalidTarget::TooMany { name, what, count, most });
            }
        }
        let auth = match (key, key_passphrase, agent) {
            (Some(_), _, Some(_)) => return Err(InvalidTarget::TwoAuths(name)),
            (None, Some(_), _) => return Err(InvalidTarget::NoKey(name)),
            (None, None, None) => return Err(InvalidTarget::NoAuth(name)),
            (Some(secret), passphrase, None) => Auth::Key { secret, passphrase },
            (None, None, Some(agent)) => Auth::Agent(agent),
        };
        Ok(Self {
            name,
            description,
            address,
            port,
            account,
            platform,
            labels,
            host_keys,
            auth,
            jump,
            may_become,
            engine,
        })
    }
}

impl From<TargetSpec> for Written {
    fn from(spec: TargetSpec) -> Self {
        let (key, key_passphrase, agent) = match spec.auth {
            Auth::Key { secret, passphrase } => (Some(secret), passphrase, None),
            Auth::Agent(socket) => (None, None, Some(socket)),
        };
        Self {
            name: spec.name,
            description: spec.description,
            address: spec.address,
            port: spec.port,
            account: spec.account,
            platform: spec.platform,
            labels: spec.labels,
            host_key: spec.host_keys,
            key,
            key_passphrase,
            agent,
            jump: spec.jump,
            may_become: spec.may_become,
            engine: spec.engine,
        }
    }
}

impl JsonSchema for TargetSpec {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Target".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = Written::json_schema(generator);
        schema.insert("description".to_owned(), "A machine that jobs deploy to or run commands on, over SSH.".into());
        schema.insert(
            "oneOf".to_owned(),
            serde_json::json!([
                { "required": ["key"] },
                { "required": ["agent"], "not": { "required": ["key_passphrase"] } },
            ]),
        );
        schema
    }
}
