//! Compiled components on disk.
//!
//! Machine code is trusted by the engine without limit, so a file counts only if this installation's key authenticates
//! it, for the very component and for the very engine that would run it. Anything else is compiled anew.

use std::fs;
use std::io::{self, Read, Write};
use std::ops::Deref;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use hmac::{Hmac, KeyInit, Mac};
use memmap2::MmapMut;
use sandglass_core::id::Digest;
use sha2::Sha256;

use crate::config::HostError;

/// What files of this form begin with. After it come the authentication code, one byte that says whether the component
/// begins with code, and the machine code.
const MAGIC: &[u8; 16] = b"sandglass aot 2\n";
const MAC: usize = 32;
const HEAD: usize = MAGIC.len() + MAC + 1;

/// Machine code that can be trusted, in memory that goes back to the system once the engine has its own copy.
pub(crate) struct Code(MmapMut);

impl Deref for Code {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0[HEAD..]
    }
}

impl Code {
    /// Whether making an instance runs code of the component.
    pub(super) fn begins_with_code(&self) -> bool {
        self.0[HEAD - 1] != 0
    }
}

/// The folder of compiled components.
pub(crate) struct Cache {
    folder: PathBuf,
    key: [u8; 32],
    compatibility: [u8; 32],
}

impl Cache {
    /// Opens the folder, made if it is absent, and closes it to other users.
    pub(crate) fn open(folder: PathBuf, key: [u8; 32], compatibility: [u8; 32]) -> Result<Self, HostError> {
        let prepared = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&folder)
            .and_then(|()| fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)));
        match prepared {
            Ok(()) => Ok(Self { folder, key, compatibility }),
            Err(source) => Err(HostError::Cache { path: folder, source }),
        }
    }

    /// The machine code for `digest`, if there is some that can be trusted. It is in memory: what was verified is what
    /// is used, even if the file changes.
    pub(crate) fn load(&self, digest: &Digest) -> Option<Code> {
        let path = self.path(digest);
        let file = read(&path).ok()?;
        if file.len() < HEAD || !file.starts_with(MAGIC) {
            return None;
        }
        let (mac, authenticated) = file[MAGIC.len()..].split_at(MAC);
        if self.mac(digest, authenticated).verify_slice(mac).is_err() {
            tracing::warn!("{} is not genuine and is compiled anew", path.display());
            return None;
        }
        Some(Code(file))
    }

    /// Keeps machine code for `digest`. It is whole or absent, whenever the machine stops.
    pub(crate) fn store(&self, digest: &Digest, begins_with_code: bool, code: &[u8]) -> io::Result<()> {
        self.forget(digest);
        let path = self.path(digest);
        let temporary = path.with_extension("new");
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary)?;
        file.write_all(MAGIC)?;
        let mut mac = self.mac(digest, &[u8::from(begins_with_code)]);
        mac.update(code);
        file.write_all(&mac.finalize().into_bytes())?;
        file.write_all(&[u8::from(begins_with_code)])?;
        file.write_all(code)?;
        fs::rename(&temporary, &path)
    }

    /// Removes what is kept for `digest`, for other engines too.
    pub(crate) fn forget(&self, digest: &Digest) {
        let prefix = format!("{digest}-");
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        for entry in entries.flatten() {
            if entry.file_name().to_str().is_some_and(|name| name.starts_with(&prefix)) {
                remove(&entry.path());
            }
        }
    }

    fn path(&self, digest: &Digest) -> PathBuf {
        let engine: String = self.compatibility[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(format!("{digest}-{engine}.cwasm"))
    }

    /// Over all but itself, up to `authenticated`.
    fn mac(&self, digest: &Digest, authenticated: &[u8]) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes keys of any length");
        mac.update(MAGIC);
        mac.update(digest.as_bytes());
        mac.update(&self.compatibility);
        mac.update(authenticated);
        mac
    }
}

/// The bytes of a file, in memory of their own. An allocator would keep a megabyte or more for later, of which there is no
/// need once the daemon has started.
fn read(path: &Path) -> io::Result<MmapMut> {
    let mut file = fs::File::open(path)?;
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    let mut bytes = MmapMut::map_anon(length)?;
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!("{} could not be removed: {error}", path.display());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_stored_for_the_same_engine_and_key_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let open = |key, engine| Cache::open(folder.path().join("cache"), [key; 32], [engine; 32]).unwrap();
        let cache = open(1, 1);
        let digest = Digest::of(b"component");
        assert!(cache.load(&digest).is_none());
        cache.store(&digest, true, b"machine code").unwrap();
        let code = cache.load(&digest).unwrap();
        assert_eq!((&*code, code.begins_with_code()), (&b"machine code"[..], true));
        assert!(open(2, 1).load(&digest).is_none(), "another key");
        assert!(open(1, 2).load(&digest).is_none(), "another engine");

        let other = Digest::of(b"other");
        fs::copy(cache.path(&digest), cache.path(&other)).unwrap();
        assert!(cache.load(&other).is_none(), "another component");

        let stored = fs::read(cache.path(&digest)).unwrap();
        for changed in [0, MAGIC.len(), HEAD - 1, stored.len() - 1] {
            let mut bytes = stored.clone();
            bytes[changed] ^= 1;
            fs::write(cache.path(&digest), bytes).unwrap();
            assert!(cache.load(&digest).is_none(), "byte {changed} was changed");
        }
        fs::write(cache.path(&digest), b"short").unwrap();
        assert!(cache.load(&digest).is_none(), "cut");

        cache.store(&digest, false, b"machine code").unwrap();
        assert!(!cache.load(&digest).unwrap().begins_with_code());
        cache.forget(&digest);
        assert!(cache.load(&digest).is_none());
    }

    #[test]
    fn nobody_else_may_look() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::open(folder.path().join("cache"), [0; 32], [0; 32]).unwrap();
        let digest = Digest::of(b"component");
        cache.store(&digest, true, b"machine code").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&cache.folder), 0o700);
        assert_eq!(mode(&cache.path(&digest)), 0o600);
    }
}
