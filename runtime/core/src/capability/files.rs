//! Which folders of the host may be used.
//!
//! Only paths are compared here; that the folder behind a path lies where its path says is the host's to see to.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::process::segment;
use super::{Denial, EffectiveGrants, Grants, Layer};

/// Which folders of the host may be used: `any`, or a list of folders. Whoever has this grant, be the list empty, also has
/// `work`, the run's own folder.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub enum FilesGrant {
    /// Every folder that another layer names. None is mounted because of this.
    Any,
    /// These folders and what is below them.
    Folders(Vec<FolderGrant>),
}

/// A folder, and what may be done there: written `/srv/in:ro` or `/srv/out:rw`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct FolderGrant {
    /// An absolute path; in a pattern, `*` stands for any characters but `/`.
    path: String,
    access: Access,
}

/// What may be done in a folder and below it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Access {
    /// Looking and reading.
    ReadOnly,
    /// Everything.
    ReadWrite,
}

/// A folder that a run has, by the path that the run knows it by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Mount {
    /// The absolute path, on the host and in the guest.
    pub path: String,
    /// What may be done there.
    pub access: Access,
}

/// The text is no folder that could be granted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' grants no folder: {reason}; write an absolute path and what may be done there, such as /srv/in:ro or /srv/out:rw"
)]
pub struct InvalidFolderGrant {
    text: String,
    reason: &'static str,
}

impl Access {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "ro",
            Self::ReadWrite => "rw",
        }
    }
}

impl FilesGrant {
    /// Whether the folder at `path`, a normal path without patterns, may be used so.
    #[must_use]
    pub fn allows(&self, path: &str, access: Access) -> bool {
        match self {
            Self::Any => true,
            Self::Folders(folders) => {
                folders.iter().any(|folder| folder.access >= access && covers(&folder.path, path))
            }
        }
    }

    /// The folders that are named in full, which is what can be mounted.
    pub fn named(&self) -> impl Iterator<Item = &FolderGrant> {
        self.folders().iter().filter(|folder| !folder.is_pattern())
    }

    /// The folders, named or as patterns.
    #[must_use]
    pub fn folders(&self) -> &[FolderGrant] {
        match self {
            Self::Any => &[],
            Self::Folders(folders) => folders,
        }
    }
}

impl FolderGrant {
    /// The path or the pattern.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What may be done there.
    #[must_use]
    pub fn access(&self) -> Access {
        self.access
    }

    /// Whether it stands for many folders.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.path.contains('*')
    }
}

/// Whether `path` is absolute and says where it leads: no part is empty, `.` or `..`.
fn is_normal(path: &str) -> bool {
    let parts = |below: &str| below.split('/').all(|part| !matches!(part, "" | "." | "..") && !part.contains('\0'));
    path == "/" || path.strip_prefix('/').is_some_and(parts)
}

/// Whether `path` is the folder that `pattern` names, or lies below it.
fn covers(pattern: &str, path: &str) -> bool {
    if !is_normal(path) {
        return false;
    }
    let mut parts = path.split('/').filter(|part| !part.is_empty());
    pattern
        .split('/')
        .filter(|pattern| !pattern.is_empty())
        .all(|pattern| parts.next().is_some_and(|part| segment(pattern, part)))
}

impl EffectiveGrants {
    /// Whether the plugin may use the run's own folder, `work`. It is nobody else's and goes with the run, so the job's
    /// grants, which say what of the machine the job may touch, are not asked.
    ///
    /// # Errors
    ///
    /// If a layer above the job gives no files at all.
    pub fn work(&self) -> Result<(), Denial> {
        match self.layers().find(|(layer, grants)| *layer != Layer::Job && grants.files.is_none()) {
            Some((layer, _)) => Err(Denial { what: "using files".to_owned(), layer, grant: "files: []".to_owned() }),
            None => Ok(()),
        }
    }

    /// Whether the folder at `path` may be used so.
    ///
    /// # Errors
    ///
    /// If a layer does not allow it.
    pub fn folder(&self, path: &str, access: Access) -> Result<(), Denial> {
        self.folder_of(self.layers(), path, access)
    }

    /// Whether a folder that all layers allow by its name may be used where it really lies, at `path`. The job's owner is
    /// answered by the name alone, as who writes down a link means what it leads to.
    ///
    /// # Errors
    ///
    /// If a layer above the job does not allow it.
    pub fn real_folder(&self, path: &str, access: Access) -> Result<(), Denial> {
        self.folder_of(self.layers().filter(|(layer, _)| *layer != Layer::Job), path, access)
    }

    fn folder_of<'a>(
        &self,
        mut layers: impl Iterator<Item = (Layer, &'a Grants)>,
        path: &str,
        access: Access,
    ) -> Result<(), Denial> {
        let refuses = |grants: &Grants| !grants.files.as_ref().is_some_and(|grant| grant.allows(path, access));
        match layers.find(|(_, grants)| refuses(grants)) {
            Some((layer, _)) => Err(Denial {
                what: match access {
                    Access::ReadOnly => format!("using the folder {path}"),
                    Access::ReadWrite => format!("writing in the folder {path}"),
                },
                layer,
                grant: line(path, access),
            }),
            None => Ok(()),
        }
    }

    /// The folders of the host that the run has: those that the job, the plugin's grant or its manifest name in full. One may
    /// be written only if every layer lets it be.
    ///
    /// # Errors
    ///
    /// If the job names a folder that a layer does not allow at all.
    pub fn mounts(&self) -> Result<Vec<Mount>, Denial> {
        let named = |grants: &'_ Grants| grants.files.iter().flat_map(FilesGrant::named).cloned().collect::<Vec<_>>();
        let mut mounts = BTreeMap::new();
        for (layer, grants) in self.layers().filter(|(layer, _)| *layer != Layer::Ceiling) {
            for folder in named(grants) {
                match self.folder(folder.path(), Access::ReadOnly) {
                    // What a plugin would use and the job leaves out is not there.
                    Err(_) if layer != Layer::Job => continue,
                    allowed => allowed?,
                }
                let write = !self.looks_only
                    && folder.access() == Access::ReadWrite
                    && self.folder(folder.path(), Access::ReadWrite).is_ok();
                let access = if write { Access::ReadWrite } else { Access::ReadOnly };
                let known = mounts.entry(folder.path().to_owned()).or_insert(access);
                *known = access.max(*known);
            }
        }
        Ok(mounts.into_iter().map(|(path, access)| Mount { path, access }).collect())
    }

    /// The folders that the job names and does not get as it names them, and the first that the plugin itself cannot do
    /// without. A plugin that uses whatever a job names misses nothing.
    pub(super) fn missing_folders(&self) -> Vec<Denial> {
        let of_job = self.job.iter().flat_map(|job| &job.files).flat_map(FilesGrant::folders);
        let mut missing: Vec<Denial> =
            of_job.filter_map(|folder| self.real_folder(folder.path(), folder.access()).err()).collect();
        let first = self.request.files.as_ref().and_then(|grant| grant.folders().first());
        let ungranted = [(Layer::Ceiling, &self.ceiling), (Layer::Plugin, &self.plugin)];
        if let Some(folder) = first
            && let Some((layer, _)) = ungranted.into_iter().find(|(_, grants)| grants.files.is_none())
        {
            missing.push(Denial {
                what: format!("using the folder {}", folder.path()),
                layer,
                grant: line(folder.path(), folder.access()),
            });
        }
        missing
    }
}

/// The line that grants `access` to the folder at `path`.
fn line(path: &str, access: Access) -> String {
    format!("files: [\"{path}:{}\"]", access.as_str())
}

impl FromStr for FolderGrant {
    type Err = InvalidFolderGrant;

    fn from_str(text: &str) -> Result<Self, InvalidFolderGrant> {
        let invalid = |reason| InvalidFolderGrant { text: text.escape_debug().to_string(), reason };
        let (path, access) = match text.rsplit_once(':') {
            Some((path, "ro")) => (path, Access::ReadOnly),
            Some((path, "rw")) => (path, Access::ReadWrite),
            _ => return Err(invalid("it does not end with ':ro' or ':rw'")),
        };
        if path == "work" {
            return Err(invalid("every grant of files, even an empty list, has the run's own folder 'work'"));
        }
        if path == "/work" {
            return Err(invalid("guests know the run's own folder by this name, so grant one above or below it"));
        }
        if !is_normal(path) {
            return Err(invalid("its path is not absolute, or has an empty, '.' or '..' part"));
        }
        Ok(Self { path: path.to_owned(), access })
    }
}

impl fmt::Display for FolderGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path, self.access.as_str())
    }
}

impl TryFrom<serde_json::Value> for FilesGrant {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        let items = match value {
            serde_json::Value::String(text) if text == "any" => return Ok(Self::Any),
            serde_json::Value::Array(items) => items,
            other => return Err(format!("{other} is no files grant: write a list of folders, or 'any'")),
        };
        let mut folders: Vec<FolderGrant> = Vec::with_capacity(items.len());
        for item in items {
            let text = item.as_str().ok_or_else(|| format!("{item} grants no folder: write a text"))?;
            folders.push(text.parse().map_err(|error: InvalidFolderGrant| error.to_string())?);
        }
        match folders.iter().find_map(|folder| Some((folder, undone_by(folder, &folders)?))) {
            Some((folder, by)) => Err(format!(
                "'{folder}' takes nothing away from '{by}', which lets everything below it be written: keep one of them"
            )),
            None => Ok(Self::Folders(folders)),
        }
    }
}

/// Who writes a read-only folder below one that may be written means to protect it, and would not.
fn undone_by<'a>(folder: &FolderGrant, folders: &'a [FolderGrant]) -> Option<&'a FolderGrant> {
    let protects = folder.access == Access::ReadOnly;
    folders.iter().find(|other| protects && other.access == Access::ReadWrite && covers(&other.path, &folder.path))
}

impl From<FilesGrant> for serde_json::Value {
    fn from(grant: FilesGrant) -> Self {
        match grant {
            FilesGrant::Any => "any".into(),
            FilesGrant::Folders(folders) => folders.iter().map(ToString::to_string).collect::<Vec<_>>().into(),
        }
    }
}

impl JsonSchema for FilesGrant {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FilesGrant".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "folders of the host that may be used, each read-only ('/srv/in:ro') or read-write ('/srv/out:rw'), or 'any'; even an empty list gives the run's own folder 'work'",
            "oneOf": [
                { "const": "any" },
                { "type": "array", "items": { "type": "string", "pattern": "^/.*:r[ow]$" } },
            ]
        })
    }
}
