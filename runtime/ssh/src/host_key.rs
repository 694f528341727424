//! Host keys, as operators pin them.

use std::fmt;
use std::str::FromStr;

use russh::keys::ssh_key::Fingerprint;
use russh::keys::{HashAlg, PublicKey};

/// A host key that a machine may show: the key itself as in `known_hosts`, or its fingerprint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum HostKey {
    /// `ssh-ed25519 AAAA…`
    Key(Box<PublicKey>),
    /// `SHA256:…`
    Fingerprint(Fingerprint),
}

/// Why a text is no host key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is no host key: write its fingerprint, `SHA256:…`, or the key, `ssh-ed25519 AAAA…`, as `ssh-keyscan` prints them"
)]
pub struct InvalidHostKey {
    text: String,
}

impl FromStr for HostKey {
    type Err = InvalidHostKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let invalid = || InvalidHostKey { text: text.chars().take(100).collect() };
        if text.starts_with("SHA256:") {
            return text.parse().map(Self::Fingerprint).map_err(|_| invalid());
        }
        PublicKey::from_openssh(text).map(|key| Self::Key(Box::new(key))).map_err(|_| invalid())
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "{}", shown(key)),
            Self::Fingerprint(fingerprint) => write!(f, "{fingerprint}"),
        }
    }
}

impl HostKey {
    /// Whether it is this key.
    pub(crate) fn is(&self, key: &PublicKey) -> bool {
        match self {
            Self::Key(pinned) => pinned.key_data() == key.key_data(),
            Self::Fingerprint(pinned) => key.fingerprint(HashAlg::Sha256) == *pinned,
        }
    }
}

/// A key's kind and fingerprint, for people.
pub(crate) fn shown(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    #[test]
    fn keys_and_fingerprints_are_read_and_compared() {
        let key: HostKey = KEY.parse().unwrap();
        let HostKey::Key(public) = &key else { panic!("it is a key") };
        let pinned: HostKey = public.fingerprint(HashAlg::Sha256).to_string().parse().unwrap();
        assert!(key.is(public) && pinned.is(public));
        let with_comment: HostKey = format!(" {KEY} root@web-1\n").parse().unwrap();
        assert!(with_comment.is(public));
        assert!(key.to_string().starts_with("ssh-ed25519 SHA256:"));
    }

    #[test]
    fn what_is_no_key_is_told() {
        for text in
            ["", "SHA256:", "SHA256:ü", "ssh-ed25519", "ssh-ed25519 AAAA", "MD5:00:11", "web-1 ssh-ed25519 AAAA"]
        {
            assert!(text.parse::<HostKey>().unwrap_err().to_string().contains("SHA256"), "{text}");
        }
    }
}
