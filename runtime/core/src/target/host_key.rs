//! The keys by which machines are known.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// The kinds of keys that a machine may have, as they stand in `known_hosts`.
const ALGORITHMS: [&str; 5] =
    ["ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa"];
/// The longest public key, in bytes: an RSA key of 16384 bits has some 2100.
const MAX_KEY_BYTES: usize = 4096;
const FINGERPRINT: &str = "SHA256:";

/// A key that a machine must prove to have before anything is sent to it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum HostKey {
    /// `SHA256:` and the digest of the public key in base64, as `ssh-keygen -l` prints it.
    Fingerprint([u8; 32]),
    /// A public key as it stands in `known_hosts` after the host: `ssh-ed25519 AAAA…`.
    Public {
        /// What kind of key it is.
        algorithm: &'static str,
        /// The key as it goes over the wire (RFC 4253, section 6.6).
        blob: Vec<u8>,
    },
}

impl HostKey {
    /// Whether `blob`, a public key as it goes over the wire, is this key.
    #[must_use]
    pub fn matches(&self, blob: &[u8]) -> bool {
        match self {
            Self::Fingerprint(digest) => Sha256::digest(blob).as_slice() == digest,
            Self::Public { blob: own, .. } => own == blob,
        }
    }

    /// The digest of the key in text, by which people compare keys.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        let digest = match self {
            Self::Fingerprint(digest) => *digest,
            Self::Public { blob, .. } => Sha256::digest(blob).into(),
        };
        format!("{FINGERPRINT}{}", BASE64_STANDARD_NO_PAD.encode(digest))
    }
}

/// The text is no key of a machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a host key: {reason}; write a fingerprint (SHA256:…) or a public key (ssh-ed25519 AAAA…), as \
     `ssh-keygen -lf` or /etc/ssh/ssh_host_ed25519_key.pub of that machine has it"
)]
pub struct InvalidHostKey {
    text: String,
    reason: &'static str,
}

impl FromStr for HostKey {
    type Err = InvalidHostKey;

    fn from_str(text: &str) -> Result<Self, InvalidHostKey> {
        let invalid = |reason| InvalidHostKey { text: text.chars().take(120).collect(), reason };
        if text.trim().contains('\n') || text.matches(FINGERPRINT).count() > 1 {
            return Err(invalid("it is more than one"));
        }
        // `ssh-keygen -lf` prints the length of the key before its fingerprint, and more behind it.
        let is_length = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
        let (first, rest) = text.trim().split_once(' ').unwrap_or_default();
        let printed = is_length(first) && (rest.starts_with(FINGERPRINT) || rest.starts_with("MD5:"));
        let mut words = (if printed { rest } else { text }).split_whitespace();
        let kind = words.next().unwrap_or_default();
        if let Some(digest) = kind.strip_prefix(FINGERPRINT) {
            let bytes = BASE64_STANDARD_NO_PAD.decode(digest.trim_end_matches('='));
            let bytes = bytes.ok().and_then(|bytes| bytes.try_into().ok());
            return bytes.map(Self::Fingerprint).ok_or_else(|| invalid("its digest is not 32 bytes in base64"));
        }
        if kind.starts_with("MD5:") {
            return Err(invalid("an MD5 fingerprint can be forged"));
        }
        let Some(key) = words.next() else {
            return Err(invalid("it is neither a fingerprint nor a public key"));
        };
        let Some(algorithm) = ALGORITHMS.into_iter().find(|known| *known == kind) else {
            return Err(invalid("its first word is no kind of key that is known here; leave a host before it out"));
        };
        let blob = BASE64_STANDARD.decode(key).map_err(|_| invalid("its second word is no base64"))?;
        if blob.len() > MAX_KEY_BYTES {
            return Err(invalid("it is too long"));
        }
        // The key itself says again what kind it is: a length of four bytes, then the name (RFC 4251, section 5).
        let named = u32::try_from(algorithm.len()).map(u32::to_be_bytes).unwrap_or_default();
        let rest = blob.strip_prefix(named.as_slice()).and_then(|rest| rest.strip_prefix(algorithm.as_bytes()));
        if rest.is_none_or(<[u8]>::is_empty) {
            return Err(invalid("its second word is no key of the kind that its first word says"));
        }
        Ok(Self::Public { algorithm, blob })
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fingerprint(_) => f.write_str(&self.fingerprint()),
            Self::Public { algorithm, blob } => write!(f, "{algorithm} {}", BASE64_STANDARD.encode(blob)),
        }
    }
}

impl Serialize for HostKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HostKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for HostKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HostKey".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let pattern =
            format!("^\\s*(([0-9]+ )?{FINGERPRINT}[A-Za-z0-9+/]{{43}}=?( .*)?|({}) .+)\\s*$", ALGORITHMS.join("|"));
        schemars::json_schema!({ "type": "string", "pattern": pattern })
    }
}
