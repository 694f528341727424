//! The keys that secrets are sealed with, in a file of their own beside the store, so that a copy of the store alone is worth
//! nothing.
//!
//! The file has one key a line, the newest first: its id and the key, in hexadecimal digits. New values are sealed with the
//! newest; the others are there until everything is sealed anew.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use sandglass_core::id::{Namespace, SecretName};
use sandglass_core::secret::{KeyId, Sealed};
use zeroize::Zeroizing;

use crate::data_dir::{hex, random, write_private};

/// The most keys that a file may have. Two are needed while keys are rotated.
const MAX_KEYS: usize = 16;
/// The bytes of a nonce of XChaCha20-Poly1305, which are drawn at random for each value.
const NONCE: usize = 24;

/// Why a key cannot be used, or a value not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    /// The file cannot be read or written.
    #[error("the key file {} cannot be used: {source}", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Others may read it.
    #[error("the key file {} can be read by others (mode {mode:o}): `chmod 600` it, and rotate the keys", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// It is no key file.
    #[error("the key file {} is damaged: {why}; restore it from a backup, or the secrets are lost", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A value was sealed with a key that is not there.
    #[error("its key {} is not in {}: restore the file that has it, or set the secret anew", hex(&id.0), path.display())]
    NoKey {
        /// Which.
        id: KeyId,
        /// The file.
        path: PathBuf,
    },
    /// The file is gone.
    #[error(
        "the key file {} is not there, and secrets are sealed with a key in it: restore it and start again; if it is lost, \
         delete the secrets and start again",
        path.display()
    )]
    Gone {
        /// The file.
        path: PathBuf,
    },
    /// A value is not what was sealed.
    #[error("what is kept of it is damaged or not its own; set the secret anew")]
    Forged,
}

/// A key with its id.
type Key = (KeyId, Zeroizing<[u8; 32]>);

/// All keys.
pub(crate) struct Keyring {
    path: PathBuf,
    /// The newest first. None if the file is gone.
    keys: Vec<Key>,
}

/// What a value belongs to. It is authenticated with it, so that no value can be passed for another's.
#[derive(Clone, Copy)]
pub(crate) struct Whose<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) name: &'a SecretName,
    pub(crate) version: u64,
}

impl Whose<'_> {
    fn bytes(self) -> Vec<u8> {
        let Self { namespace, name, version } = self;
        format!("sandglass secret\0{namespace}\0{name}\0{version}").into_bytes()
    }
}

impl Keyring {
    /// Reads the file. If it is not there, it is made with a first key, unless something was sealed with what was in it:
    /// then nothing is sealed or opened, so that nothing more is lost once it is restored.
    pub(crate) fn open(path: PathBuf, was_used: bool) -> Result<Self, KeyError> {
        let text = match read(&path) {
            Ok(text) => text,
            Err(KeyError::Unusable { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let mut keyring = Self { path, keys: Vec::new() };
                if !was_used {
                    keyring.add()?;
                }
                return Ok(keyring);
            }
            Err(error) => return Err(error),
        };
        let keys = parse(&text).map_err(|why| KeyError::Damaged { path: path.clone(), why })?;
        Ok(Self { path, keys })
    }

    /// Makes a new key, with which values are sealed from now on; the others stay until [`Self::forget_old`]. It is durable
    /// when this returns. Where so many changes of keys have begun and not ended that there is no room for one more, the newest
    /// key is taken.
    pub(crate) fn begin_rotation(&mut self) -> Result<(), KeyError> {
        match self.keys.len() {
            0 => Err(self.gone()),
            MAX_KEYS.. => Ok(()),
            _ => self.add(),
        }
    }

    /// Whether there is no key.
    pub(crate) const fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn gone(&self) -> KeyError {
        KeyError::Gone { path: self.path.clone() }
    }

    fn add(&mut self) -> Result<(), KeyError> {
        let unusable = |source| KeyError::Unusable { path: self.path.clone(), source };
        let (key, id) = (Zeroizing::new(random().map_err(unusable)?), random().map_err(unusable)?);
        let id = KeyId(id[..8].try_into().expect("eight of thirty-two bytes"));
        let mut keys = vec![(id, key)];
        keys.extend(self.keys.iter().cloned());
        write(&self.path, &keys)?;
        self.keys = keys;
        Ok(())
    }

    /// Forgets all keys but the newest: nothing is sealed with them any more.
    pub(crate) fn forget_old(&mut self) -> Result<(), KeyError> {
        write(&self.path, &self.keys[..1])?;
        self.keys.truncate(1);
        Ok(())
    }

    /// Seals a value with the newest key.
    pub(crate) fn seal(&self, whose: Whose<'_>, value: &[u8]) -> Result<Sealed, KeyError> {
        let (id, key) = self.keys.first().ok_or_else(|| self.gone())?;
        let chance = random().map_err(|source| KeyError::Unusable { path: self.path.clone(), source })?;
        let nonce: [u8; NONCE] = chance[..NONCE].try_into().expect("twenty-four of thirty-two bytes");
        let payload = Payload { msg: value, aad: &whose.bytes() };
        let sealed = cipher(key).encrypt(&XNonce::from(nonce), payload).map_err(|_| KeyError::Forged)?;
        Ok(Sealed { key: *id, bytes: [&nonce[..], &sealed].concat() })
    }

    /// Opens what was sealed.
    pub(crate) fn open_sealed(&self, whose: Whose<'_>, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let key = self.keys.iter().find(|(id, _)| *id == sealed.key);
        let (_, key) = key.ok_or_else(|| KeyError::NoKey { id: sealed.key, path: self.path.clone() })?;
        let (nonce, msg) = sealed.bytes.split_first_chunk::<NONCE>().ok_or(KeyError::Forged)?;
        let opened = cipher(key).decrypt(&XNonce::from(*nonce), Payload { msg, aad: &whose.bytes() });
        opened.map(Zeroizing::new).map_err(|_| KeyError::Forged)
    }
}

fn cipher(key: &[u8; 32]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(key.into())
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let unusable = |source| KeyError::Unusable { path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(unusable)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Open { path: path.to_owned(), mode });
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(unusable)
}

fn parse(text: &str) -> Result<Vec<Key>, String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    if lines.is_empty() || lines.len() > MAX_KEYS {
        return Err(format!("it has {} keys", lines.len()));
    }
    let key = |(place, line): (usize, &&str)| {
        let wrong = || format!("line {} is no key", place + 1);
        let (id, key) = line.split_once(' ').ok_or_else(wrong)?;
        let (id, key) = (unhex(id.trim()).ok_or_else(wrong)?, unhex(key.trim()).ok_or_else(wrong)?);
        Ok((KeyId(id), Zeroizing::new(key)))
    };
    lines.iter().enumerate().map(key).collect()
}

fn write(path: &Path, keys: &[Key]) -> Result<(), KeyError> {
    let lines = keys.iter().map(|(id, key)| format!("{} {}\n", hex(&id.0), hex(&key[..])));
    let text = Zeroizing::new(lines.collect::<String>());
    write_private(path, text.as_bytes()).map_err(|source| KeyError::Unusable { path: path.to_owned(), source })
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; N];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn whose<'a>(namespace: &'a Namespace, name: &'a SecretName) -> Whose<'a> {
        Whose { namespace, name, version: 1 }
    }

    #[test]
    fn only_the_right_key_opens_a_value_and_only_where_it_belongs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.key");
        let mut keyring = Keyring::open(path.clone(), false).unwrap();
        let (namespace, name) = (Namespace::default(), "TOKEN".parse().unwrap());
        let mine = whose(&namespace, &name);
        let sealed = keyring.seal(mine, b"value").unwrap();
        assert!(!sealed.bytes.windows(5).any(|bytes| bytes == b"value"));
        assert_ne!(keyring.seal(mine, b"value").unwrap(), sealed, "each has a nonce of its own");
        assert_eq!(&keyring.open_sealed(mine, &sealed).unwrap()[..], b"value");

        let other = "OTHER".parse().unwrap();
        for wrong in [Whose { name: &other, ..mine }, Whose { version: 2, ..mine }] {
            assert!(matches!(keyring.open_sealed(wrong, &sealed), Err(KeyError::Forged)));
        }
        let mut changed = sealed.clone();
        *changed.bytes.last_mut().unwrap() ^= 1;
        assert!(matches!(keyring.open_sealed(mine, &changed), Err(KeyError::Forged)));
        let short = Sealed { bytes: vec![0; 5], ..sealed.clone() };
        assert!(matches!(keyring.open_sealed(mine, &short), Err(KeyError::Forged)));

        keyring.begin_rotation().unwrap();
        keyring.begin_rotation().unwrap();
        assert_eq!(keyring.keys.len(), 3, "none is lost, and the newest is new");
        let keyring = Keyring::open(path.clone(), false).unwrap();
        assert_eq!(&keyring.open_sealed(mine, &sealed).unwrap()[..], b"value", "the old key is still there");
        assert_ne!(keyring.seal(mine, b"value").unwrap().key, sealed.key);
        let mut keyring = keyring;
        keyring.forget_old().unwrap();
        let error = Keyring::open(path, false).unwrap().open_sealed(mine, &sealed).unwrap_err();
        assert!(matches!(error, KeyError::NoKey { .. }), "{error}");
    }

    #[test]
    fn a_file_that_cannot_be_trusted_is_refused_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.key");
        Keyring::open(path.clone(), false).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Keyring::open(path.clone(), false), Err(KeyError::Open { mode: 0o640, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for text in ["", "00 11\n", "zz\n", &format!("{} {}\n", "0".repeat(16), "é".repeat(32))] {
            fs::write(&path, text).unwrap();
            assert!(matches!(Keyring::open(path.clone(), false), Err(KeyError::Damaged { .. })), "{text:?}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
