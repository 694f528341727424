//! Writing a whole folder of this machine to another.

use std::collections::{BTreeSet, HashMap};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sandglass_ssh::SshError;
use sandglass_ssh::files::{FileDigest, Files, Put, Stat};

use super::session::writing;
use super::upload::{is_as_wanted, watched};
use super::{Place, failed, invalid};
use crate::attempt::Attempt;
use crate::bindings::remote::{ChangeKind, CopyOptions, CopyReport, FileChange};
use crate::bindings::types::ErrorCode;
use crate::capability::files::walk::{self, Found};
use crate::capability::{CallError, CallResult};
use crate::services::BoxFuture;

/// The most bytes that a folder may have: 64 GiB.
const MAX_BYTES: u64 = 64 << 30;
/// How many of its files go to a machine beside one another.
const AT_ONCE: usize = 4;
/// The most files that are removed.
const MAX_REMOVED: usize = 20_000;

/// Where a folder goes, and how.
pub(super) struct FolderUpload {
    pub(super) attempt: Arc<Attempt>,
    pub(super) place: Place,
    pub(super) source: OwnedFd,
    /// Without a slash at its end.
    pub(super) dest: String,
    pub(super) options: CopyOptions,
}

impl FolderUpload {
    /// Writes the files that are not there, or otherwise than they should be. All of it is asked for before any is written.
    pub(super) async fn send(self, files: Files<'_>) -> CallResult<CopyReport> {
        let source = self.source.try_clone().map_err(|error| invalid(error.to_string()))?;
        let walked = tokio::task::spawn_blocking(move || walk::walk(source)).await;
        let walked = walked.unwrap_or_else(|error| Err(error.to_string()));
        let wanted = walked.map_err(|why| invalid(format!("the folder for {} cannot be sent: {why}", self.dest)))?;
        if wanted.is_empty() {
            // With `delete` it would take all that is there, where perhaps only a build came to nothing.
            return Err(invalid(format!(
                "the folder for {} has no files: nothing is sent, and nothing removed",
                self.dest
            )));
        }
        let bytes = wanted.iter().map(|found| found.size).sum();
        if bytes > MAX_BYTES {
            let message = format!("the folder for {} has more than {} GiB", self.dest, MAX_BYTES >> 30);
            return Err(CallError::new(ErrorCode::LimitExceeded, message));
        }
        wanted.iter().try_for_each(|found| self.may(&found.path))?;
        let writes = self.to_write(files, &wanted).await?;
        let removed = if self.options.delete { self.to_remove(files, &wanted).await? } else { Vec::new() };
        removed.iter().try_for_each(|path| self.may(path))?;
        // A link to a folder would have taken what is written below it elsewhere.
        let is_above = |path: &&String| {
            wanted.iter().any(|found| found.path.strip_prefix(path.as_str()).is_some_and(|rest| rest.starts_with('/')))
        };
        if let Some(path) = removed.iter().find(is_above) {
            let message =
                format!("{} is no folder there, and the source has files below it; remove it first", self.at(path));
            return Err(invalid(message));
        }
        let mut changes: Vec<FileChange> =
            writes.iter().map(|(found, kind, _)| FileChange { path: self.at(&found.path), kind: *kind }).collect();
        changes.extend(removed.iter().map(|path| FileChange { path: self.at(path), kind: ChangeKind::Remove }));
        if !self.options.dry_run {
            let write = |at: usize| -> BoxFuture<'_, CallResult<()>> {
                let (found, _, digest) = writes[at];
                Box::pin(self.write(files, found, digest))
            };
            let writing: Vec<_> = (0..writes.len()).map(write).collect();
            stream::iter(writing).buffer_unordered(AT_ONCE).try_collect::<()>().await?;
            let removed: Vec<&str> = removed.iter().map(String::as_str).collect();
            files.remove_all(&self.dest, &removed).await.map_err(|error| self.failed(&error))?;
        }
        changes.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(CopyReport { bytes, changed: !changes.is_empty(), sha256: String::new(), changes })
    }

    fn may(&self, path: &str) -> CallResult<()> {
        self.place.may(&self.attempt, writing(&self.at(path), &self.options))
    }

    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.dest)
    }

    fn failed(&self, error: &SshError) -> CallError {
        failed(&self.attempt, error)
    }

    fn mode(&self, found: &Found) -> u32 {
        self.options.mode.unwrap_or(found.mode)
    }

    /// The files that are not there as they should be. Only what has the same length there is read.
    async fn to_write<'a>(
        &self,
        files: Files<'_>,
        wanted: &'a [Found],
    ) -> CallResult<Vec<(&'a Found, ChangeKind, FileDigest)>> {
        let paths: Vec<&str> = wanted.iter().map(|found| found.path.as_str()).collect();
        let there = files.stat_all(&self.dest, &paths).await.map_err(|error| self.failed(&error))?;
        let there: HashMap<String, Stat> = there.into_iter().collect();
        let may_be_same = |found: &&Found| {
            there.get(&found.path).is_some_and(|stat| {
                stat.size == found.size && is_as_wanted(&self.options, Some(self.mode(found)), stat)
            })
        };
        let compared: Vec<&str> = wanted.iter().filter(may_be_same).map(|found| found.path.as_str()).collect();
        let digests = files.digest_all(&self.dest, &compared).await.map_err(|error| self.failed(&error))?;
        let digests: HashMap<String, String> = digests.into_iter().collect();
        let mut writes = Vec::new();
        for found in wanted {
            let digest = self.digest(found).await?;
            match digests.get(&found.path) {
                Some(same) if self.options.skip_unchanged && *same == digest.to_string() => {}
                _ if there.contains_key(&found.path) => writes.push((found, ChangeKind::Update, digest)),
                _ => writes.push((found, ChangeKind::Create, digest)),
            }
        }
        Ok(writes)
    }

    /// What is there and the source has not.
    async fn to_remove(&self, files: Files<'_>, wanted: &[Found]) -> CallResult<Vec<String>> {
        let wanted: BTreeSet<&str> = wanted.iter().map(|found| found.path.as_str()).collect();
        let mut there = files.list(&self.dest).await.map_err(|error| self.failed(&error))?;
        there.retain(|path| !wanted.contains(path.as_str()));
        if there.len() > MAX_REMOVED {
            let message =
                format!("{} has {} files that the source has not: that many are not removed", self.dest, there.len());
            return Err(CallError::new(ErrorCode::LimitExceeded, message));
        }
        there.sort_unstable();
        Ok(there)
    }

    async fn open(&self, found: &Found) -> CallResult<tokio::fs::File> {
        let opened = walk::file(&self.source, found).map(tokio::fs::File::from_std);
        opened.map_err(|why| invalid(format!("the folder for {} cannot be sent: {why}", self.dest)))
    }

    async fn digest(&self, found: &Found) -> CallResult<FileDigest> {
        let mut file = self.open(found).await?;
        let known = self.attempt.digests.of(&mut file).await;
        known.map(|(digest, _)| digest).map_err(|error| invalid(format!("'{}' cannot be read: {error}", found.path)))
    }

    async fn write(&self, files: Files<'_>, found: &Found, digest: FileDigest) -> CallResult<()> {
        let put = Put { mode: Some(self.mode(found)), owner: self.options.owner.clone(), make_parents: true };
        let file = self.open(found).await?;
        let length = file.metadata().await.map_or(0, |data| data.len());
        let dest = self.at(&found.path);
        let file = watched(file, length, &self.attempt, files, &dest);
        files.put(&dest, file, digest, &put).await.map_err(|error| self.failed(&error))
    }
}
