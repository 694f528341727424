//! The data directory: who may enter it, and the secrets made in it at the first start.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The data directory, there and closed to others.
#[derive(Clone, Debug)]
pub struct DataDir(PathBuf);

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// It cannot be made or entered.
    #[error("the data directory {} cannot be used: {source}; choose another with --data-dir", path.display())]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Others may enter it.
    #[error("the data directory {} can be entered by others (mode {mode:o}): `chmod 700` it, it holds secrets", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Somebody else owns it.
    #[error("the data directory {} belongs to user {owner}, not to user {ours}: run as its owner", path.display())]
    Foreign {
        /// Which.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// The daemon's user.
        ours: u32,
    },
    /// A secret in it is damaged.
    #[error("{} is damaged: remove it, and a new one is made at the next start", .0.display())]
    Damaged(PathBuf),
}

impl DataDir {
    /// Makes the directory, or checks that it belongs to this user alone.
    ///
    /// # Errors
    ///
    /// If it cannot be made, or others may enter it.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let unusable = |source| DataDirError::Unusable { path: path.to_owned(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        let path = path.canonicalize().map_err(unusable)?;
        let metadata = path.metadata().map_err(unusable)?;
        let ours = rustix::process::geteuid().as_raw();
        if metadata.uid() != ours {
            return Err(DataDirError::Foreign { path, owner: metadata.uid(), ours });
        }
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(DataDirError::Open { path, mode });
        }
        Ok(Self(path))
    }

    /// The directory itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The owner-only socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.0.join("sandglass.sock")
    }

    /// The file with the administrator's token.
    #[must_use]
    pub fn token_file(&self) -> PathBuf {
        self.0.join("admin.token")
    }

    /// The file that says on which targets' engines containers were started.
    #[must_use]
    pub(crate) fn engines_file(&self) -> PathBuf {
        self.0.join("engines.json")
    }

    /// The administrator's token, made at the first start: `sgl_` and 64 hexadecimal digits.
    ///
    /// # Errors
    ///
    /// If it cannot be read or made.
    pub fn admin_token(&self) -> Result<String, DataDirError> {
        let path = self.token_file();
        let text = self.read_or_make(&path, || Ok(format!("sgl_{}\n", hex(&random()?)).into_bytes()))?;
        let text = String::from_utf8(text).ok().map(|text| text.trim().to_owned());
        text.filter(|text| text.len() >= 20).ok_or(DataDirError::Damaged(path))
    }

    /// The key that authenticates compiled components.
    ///
    /// # Errors
    ///
    /// If it cannot be read or made.
    pub fn cache_key(&self) -> Result<[u8; 32], DataDirError> {
        let path = self.keys()?.join("cache.key");
        let bytes = self.read_or_make(&path, || Ok(random()?.to_vec()))?;
        bytes.try_into().map_err(|_| DataDirError::Damaged(path))
    }

    /// Where the keys of secrets are kept.
    ///
    /// # Errors
    ///
    /// If the folder cannot be made.
    pub fn secrets_key(&self) -> Result<PathBuf, DataDirError> {
        Ok(self.keys()?.join("secrets.key"))
    }

    /// The folder of keys, made if it is not there.
    fn keys(&self) -> Result<PathBuf, DataDirError> {
        let folder = self.0.join("keys");
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.map_err(|source| DataDirError::Unusable { path: folder.clone(), source })?;
        Ok(folder)
    }

    /// Reads a secret, or makes it.
    fn read_or_make(
        &self,
        path: &Path,
        make: impl FnOnce() -> std::io::Result<Vec<u8>>,
    ) -> Result<Vec<u8>, DataDirError> {
        let unusable = |source| DataDirError::Unusable { path: path.to_owned(), source };
        match std::fs::read(path) {
            Ok(bytes) => return Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(unusable(error)),
        }
        let bytes = make().map_err(unusable)?;
        write_private(path, &bytes).map_err(unusable)?;
        Ok(bytes)
    }
}

/// Writes a file for its owner alone: beside, synced and renamed, so that a crash leaves the old one or the new one.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes).and_then(|()| file.sync_all())?;
    std::fs::rename(&beside, path)?;
    File::open(path.parent().unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())
}

/// 32 bytes from the operating system.
pub(crate) fn random() -> std::io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes)
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_made_once_and_closed_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::open(&folder.path().join("data")).unwrap();
        let token = dir.admin_token().unwrap();
        assert!(token.starts_with("sgl_") && token.len() == 68, "{token}");
        assert_eq!(dir.admin_token().unwrap(), token);
        assert_eq!(dir.cache_key().unwrap(), dir.cache_key().unwrap());
        let mode = dir.token_file().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_directory_that_others_may_enter_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data");
        std::fs::create_dir(&path).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(DataDir::open(&path), Err(DataDirError::Open { mode: 0o755, .. })));
    }
}
