//! Names and identities. Each is a type of its own, so that a job's id cannot be passed for a run's.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use ulid::Ulid;

use crate::notice::NoticeOwner;
use crate::time::Timestamp;

/// The text is not an id or name of the kind wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a valid {kind}: {rule}")]
pub struct InvalidId {
    text: String,
    kind: &'static str,
    rule: &'static str,
}

macro_rules! text_serde {
    ($name:ident, $title:literal, $pattern:literal) => {
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
                $title.into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "pattern": $pattern })
            }
        }
    };
}

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(
            // The most significant byte first, so that the order of the bytes is that of the instants. A `u128` would align
            // everything that holds an id to 16 bytes.
            [u8; 16],
        );

        impl $name {
            /// From the 128 bits of a ULID: 48 of milliseconds since the Unix epoch, 80 of identity.
            #[must_use]
            pub const fn from_bits(bits: u128) -> Self {
                Self(bits.to_be_bytes())
            }

            /// The 128 bits.
            #[must_use]
            pub const fn to_bits(self) -> u128 {
                u128::from_be_bytes(self.0)
            }

            /// The 128 bits as bytes, the most significant first: they sort as the ids do.
            #[must_use]
            pub const fn to_bytes(self) -> [u8; 16] {
                self.0
            }

            /// From the bytes of [`Self::to_bytes`].
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// A new id that sorts at `at`, with 80 random bits.
            pub fn random(at: Timestamp, rng: &mut fastrand::Rng) -> Self {
                Self::compose(at, rng.u128(..))
            }

            fn compose(at: Timestamp, identity: u128) -> Self {
                let millis = u128::try_from(at.as_millis().clamp(0, (1 << 48) - 1)).expect("clamped to be positive");
                Self::from_bits(millis << 80 | identity & ((1 << 80) - 1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&Ulid(self.to_bits()), f)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Ulid::from_string(text).map(|ulid| Self::from_bits(ulid.0)).map_err(|_| InvalidId {
                    text: text.to_owned(),
                    kind: $kind,
                    rule: "an id has 26 characters, such as 01K9ZV3QJ8R6T1M4W7X2B5N0CE",
                })
            }
        }
        text_serde!($name, $kind, "^[0-9A-HJKMNP-TV-Z]{26}$");
    };
}

ulid_id!(
    /// A job's identity. It outlives a rename, and a job made anew under an old name has a new one.
    JobId,
    "job id"
);
ulid_id!(
    /// A run's identity. For a fire it follows from job and scheduled instant, so a repeat cannot insert twice.
    RunId,
    "run id"
);

impl JobId {
    /// What stands for the job in the runs of the notifier at place `entry` of `owner`, a job or a whole namespace, so that
    /// notifications never count among the runs of a job.
    #[must_use]
    pub fn of_notifier(namespace: &Namespace, owner: NoticeOwner, entry: u16) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"sandglass notifier");
        match owner {
            NoticeOwner::Job(job) => hash.update(job.to_bytes()),
            NoticeOwner::Namespace => hash.update(namespace.as_str()),
        }
        hash.update(entry.to_be_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        Self(digest[..16].try_into().expect("sixteen of thirty-two bytes"))
    }
}

impl RunId {
    /// The identity of the run for `job`'s fire at `scheduled_at`.
    ///
    /// Two triggers that fall on one instant are one fire, so the trigger is no part of it.
    #[must_use]
    pub fn of_fire(job: JobId, scheduled_at: Timestamp) -> Self {
        Self::derived(b"sandglass fire", job, scheduled_at)
    }

    /// The identity of the run that makes up for `job`'s fire at `scheduled_at`, so that a fire is made up for once.
    #[must_use]
    pub fn of_backfill(job: JobId, scheduled_at: Timestamp) -> Self {
        Self::derived(b"sandglass backfill", job, scheduled_at)
    }

    /// The identity of `job`'s run for the daemon's start at `started_at`.
    #[must_use]
    pub fn of_startup(job: JobId, started_at: Timestamp) -> Self {
        Self::derived(b"sandglass startup", job, started_at)
    }

    /// The identity of `job`'s run that follows from the end of `upstream` at `ended_at`, so that it follows once.
    #[must_use]
    pub fn of_dependency(job: JobId, upstream: Self, ended_at: Timestamp) -> Self {
        Self::derived(&[b"sandglass dependency".as_slice(), &upstream.to_bytes()].concat(), job, ended_at)
    }

    fn derived(kind: &[u8], job: JobId, scheduled_at: Timestamp) -> Self {
        let mut hash = Sha256::new();
        hash.update(kind);
        hash.update(job.to_bytes());
        hash.update(scheduled_at.as_micros().to_be_bytes());
        let digest: [u8; 32] = hash.finalize().into();
        let identity = digest[..16].try_into().expect("sixteen of thirty-two bytes");
        Self::compose(scheduled_at, u128::from_be_bytes(identity))
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        ///
        /// Cheap to clone. 1 to 100 characters: ASCII letters, digits, `-`, `_` and `.`, the first a letter or digit.
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if is_name(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidId { text: text.chars().take(120).collect(), kind: $kind, rule: NAME_RULE })
                }
            }
        }
        text_serde!($name, $kind, "^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$");
    };
}

const NAME_RULE: &str = "use 1 to 100 letters, digits, '-', '_' or '.', beginning with a letter or digit";

fn is_name(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    first && text.len() <= 100 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

name!(
    /// A namespace: it owns jobs, state and grants.
    Namespace,
    "namespace"
);
name!(
    /// A job's name, unique in its namespace.
    JobName,
    "job name"
);
name!(
    /// A plugin's name.
    PluginName,
    "plugin name"
);
name!(
    /// A named calendar's name, unique in its namespace.
    CalendarName,
    "calendar name"
);
name!(
    /// A job template's name, unique in its namespace.
    TemplateName,
    "template name"
);
name!(
    /// A concurrency group's name, unique in its namespace.
    GroupName,
    "concurrency group"
);
name!(
    /// A target's name, unique in its namespace.
    TargetName,
    "target name"
);
name!(
    /// A name of several targets together, unique in its namespace.
    TargetGroupName,
    "group name"
);

/// The name of a secret, unique in its namespace. It is also the name of the environment variable that has its value.
///
/// Cheap to clone. 1 to 100 characters: ASCII letters, digits and `_`, the first no digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SecretName(Arc<str>);

impl SecretName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SecretName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for SecretName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        if first && text.len() <= 100 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Ok(Self(text.into()));
        }
        let rule = "use 1 to 100 letters, digits or '_', not beginning with a digit, such as DB_PASSWORD";
        Err(InvalidId { text: text.chars().take(120).collect(), kind: "secret name", rule })
    }
}
text_serde!(SecretName, "secret name", "^[A-Za-z_][A-Za-z0-9_]{0,99}$");

impl Default for Namespace {
    fn default() -> Self {
        Self("default".into())
    }
}

/// SHA-256 of a component's bytes, as 64 hexadecimal digits in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// From the 32 bytes themselves.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid =
            || InvalidId { text: text.to_owned(), kind: "digest", rule: "a digest has 64 hexadecimal digits" };
        if text.len() != 64 || !text.is_ascii() {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| invalid())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| invalid())?;
        }
        Ok(Self(bytes))
    }
}
text_serde!(Digest, "digest", "^[0-9a-f]{64}$");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fire_has_one_identity_and_sorts_by_its_instant() {
        let job = JobId::from_bits(7);
        let at = Timestamp::from_secs(1_800_000_000);
        assert_eq!(RunId::of_fire(job, at), RunId::of_fire(job, at));
        assert_ne!(RunId::of_fire(job, at), RunId::of_fire(JobId::from_bits(8), at));
        assert_ne!(RunId::of_fire(job, at), RunId::of_backfill(job, at));
        assert_ne!(RunId::of_fire(job, at), RunId::of_startup(job, at));
        assert!(RunId::of_fire(job, at) < RunId::of_fire(job, Timestamp::from_secs(1_800_000_001)));
        let text = RunId::of_fire(job, at).to_string();
        assert_eq!(text.parse::<RunId>().unwrap(), RunId::of_fire(job, at));
    }

    #[test]
    fn names_are_checked() {
        for good in ["a", "nightly-backup", "A.b_c-9"] {
            assert!(good.parse::<JobName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a b", "ä", "a/b", &"x".repeat(101)] {
            assert!(bad.parse::<JobName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn digests_round_trip() {
        let digest = Digest::of(b"");
        assert!(digest.to_string().starts_with("e3b0c442"));
        assert_eq!(digest.to_string().parse::<Digest>().unwrap(), digest);
        assert!("xyz".parse::<Digest>().is_err());
    }
}
