//! Secrets as they are kept: a name, a few versions of a sealed value, and where the value may go.
//!
//! The values are sealed before they get here and opened after: nothing in this crate or in a store ever sees one.

use crate::id::{Namespace, SecretName};
use crate::time::Timestamp;

/// The most versions of a secret that are kept. Older ones are forgotten when a new one is set.
pub const MAX_VERSIONS: usize = 10;
/// The most secrets of a namespace.
pub const MAX_SECRETS: usize = 1_000;
/// The most that the value of a secret may have, in bytes.
pub const MAX_VALUE_BYTES: usize = 64 << 10;
/// Values, and lines of values, with fewer bytes than this are not masked in output: too much else would be with them.
pub const SHORTEST_MASKED: usize = 8;
/// The most secrets that one job may name.
pub const MAX_SECRETS_OF_JOB: usize = 64;
/// The most hosts that a secret may be limited to.
pub const MAX_HOSTS: usize = 32;

/// A secret with all versions that are kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Secret {
    /// Who owns it.
    pub namespace: Namespace,
    /// Its name, unique in the namespace.
    pub name: SecretName,
    /// Counts from 1; grows by one with every change.
    pub revision: u64,
    /// The hosts that its value may be sent to in HTTP requests, with `*` as in grants of requests. If there are any, the
    /// value goes nowhere else: to no process and to no guest.
    pub hosts: Vec<String>,
    /// Oldest first; the last is the one in use. Never empty.
    pub versions: Vec<SecretVersion>,
}

/// One version of a secret's value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretVersion {
    /// From 1. Never given twice, also if the secret is rolled back.
    pub number: u64,
    /// When it was set.
    pub set_at: Timestamp,
    /// The value.
    pub sealed: Sealed,
}

/// A value that only the holder of a key can read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// Which key it was sealed with.
    pub key: KeyId,
    /// Everything that opening it needs but the key.
    pub bytes: Vec<u8>,
}

/// Which of an installation's keys it is. Says nothing about the key itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct KeyId(pub [u8; 8]);

impl Secret {
    /// The version in use.
    ///
    /// # Panics
    ///
    /// Never for a secret that [`Secret::set`] made: it has a version.
    #[must_use]
    pub fn current(&self) -> &SecretVersion {
        self.versions.last().expect("a secret has at least one version")
    }

    /// The number that the next version gets.
    #[must_use]
    pub fn next_version(old: Option<&Self>) -> u64 {
        old.map_or(1, |old| old.current().number.saturating_add(1))
    }

    /// What `old` becomes when it gets `sealed` as its newest version, or what is made anew. `hosts` replaces where it may
    /// go, unless it is none.
    #[must_use]
    pub fn set(
        old: Option<&Self>,
        namespace: &Namespace,
        name: &SecretName,
        sealed: Sealed,
        hosts: Option<Vec<String>>,
        now: Timestamp,
    ) -> Self {
        let mut versions = old.map(|old| old.versions.clone()).unwrap_or_default();
        versions.push(SecretVersion { number: Self::next_version(old), set_at: now, sealed });
        let excess = versions.len().saturating_sub(MAX_VERSIONS);
        versions.drain(..excess);
        Self {
            namespace: namespace.clone(),
            name: name.clone(),
            revision: old.map_or(0, |old| old.revision) + 1,
            hosts: hosts.or_else(|| old.map(|old| old.hosts.clone())).unwrap_or_default(),
            versions,
        }
    }

    /// The same with every version sealed anew by `seal`, for a change of keys.
    ///
    /// # Errors
    ///
    /// The first that `seal` gives.
    pub fn resealed<E>(&self, mut seal: impl FnMut(&SecretVersion) -> Result<Sealed, E>) -> Result<Self, E> {
        let versions =
            self.versions.iter().map(|version| Ok(SecretVersion { sealed: seal(version)?, ..version.clone() }));
        Ok(Self { revision: self.revision + 1, versions: versions.collect::<Result<_, E>>()?, ..self.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(byte: u8) -> Sealed {
        Sealed { key: KeyId([0; 8]), bytes: vec![byte] }
    }

    #[test]
    fn versions_are_counted_on_and_only_the_newest_are_kept() {
        let (namespace, name) = (Namespace::default(), "TOKEN".parse().unwrap());
        let at = Timestamp::from_secs;
        let mut secret = Secret::set(None, &namespace, &name, sealed(0), Some(vec!["a.example".to_owned()]), at(0));
        for round in 1..=12 {
            secret = Secret::set(Some(&secret), &namespace, &name, sealed(round), None, at(i64::from(round)));
        }
        let numbers: Vec<u64> = secret.versions.iter().map(|version| version.number).collect();
        assert_eq!(numbers, (4..=13).collect::<Vec<_>>());
        assert_eq!((secret.revision, secret.current().sealed.bytes.as_slice()), (13, &[12][..]));
        assert_eq!(secret.hosts, ["a.example"], "what is not said stays");
    }

    #[test]
    fn a_change_of_keys_keeps_everything_else() {
        let secret =
            Secret::set(None, &Namespace::default(), &"A".parse().unwrap(), sealed(1), None, Timestamp::from_secs(0));
        let other = Sealed { key: KeyId([1; 8]), bytes: vec![2] };
        let resealed = secret.resealed(|_| Ok::<_, ()>(other.clone())).unwrap();
        assert_eq!((resealed.revision, &resealed.current().sealed), (2, &other));
        assert_eq!((resealed.current().number, resealed.current().set_at), (1, Timestamp::from_secs(0)));
        assert_eq!(secret.resealed(|_| Err::<Sealed, _>("no key")), Err("no key"));
    }
}
