//! Writing a file of this machine to another.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use sandglass_ssh::SshError;
use sandglass_ssh::files::{FileDigest, Files, Kind, Put, Stat};
use tokio::io::{AsyncRead, AsyncSeekExt as _, ReadBuf};
use tokio::sync::OnceCell;

use crate::attempt::{Attempt, lock};
use crate::bindings::remote::{ChangeKind, CopyOptions, CopyReport, FileChange};
use crate::capability::progress;

/// The most files whose digests an attempt remembers.
const REMEMBERED: usize = 10_000;
/// After how many bytes is told how far the sending of a file is.
const STEP: u64 = 4 << 20;

/// The digests of files that an attempt uploads, so that one that goes to many machines is read for it once.
#[derive(Default)]
pub(crate) struct Digests {
    known: Mutex<HashMap<Version, Arc<OnceCell<Content>>>>,
}

/// What a file holds: its digest, and how many bytes.
type Content = (FileDigest, u64);

/// A file as it was at some time.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Version {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
}

impl Digests {
    /// The digest and length of an open file. It is read from its beginning afterwards.
    pub(super) async fn of(&self, file: &mut tokio::fs::File) -> std::io::Result<Content> {
        let data = file.metadata().await?;
        let version = Version {
            device: data.dev(),
            inode: data.ino(),
            size: data.size(),
            modified: (data.mtime(), data.mtime_nsec()),
        };
        let cell = {
            let mut known = lock(&self.known);
            if known.len() >= REMEMBERED {
                known.clear();
            }
            Arc::clone(known.entry(version).or_default())
        };
        let found = cell.get_or_try_init(|| FileDigest::of(file)).await.copied();
        file.rewind().await?;
        found
    }
}

/// A file that is being sent, which tells now and then how many bytes of it are.
pub(super) struct Watched<F> {
    file: tokio::fs::File,
    tell: F,
    sent: u64,
    told: u64,
}

/// A file of `length` bytes that goes to `dest`, of which the attempt's progress tells how far it is.
pub(super) fn watched<'a>(
    file: tokio::fs::File,
    length: u64,
    attempt: &'a Attempt,
    files: Files<'a>,
    dest: &'a str,
) -> Watched<impl FnMut(u64) + Unpin + Send + 'a> {
    let tell = move |sent: u64| {
        let (machine, sent, length) = (files.connection.machine(), sent >> 20, length >> 20);
        progress::tell_meanwhile(attempt, format!("{machine}: {dest}, {sent} of {length} MiB"));
    };
    Watched { file, tell, sent: 0, told: 0 }
}

impl<F: FnMut(u64) + Unpin> AsyncRead for Watched<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = into.filled().len();
        let polled = Pin::new(&mut self.file).poll_read(context, into);
        self.sent += u64::try_from(into.filled().len() - before).unwrap_or_default();
        if self.sent - self.told >= STEP {
            self.told = self.sent;
            let sent = self.sent;
            (self.tell)(sent);
        }
        polled
    }
}

/// Where a file goes, and how.
pub(super) struct Upload {
    pub(super) dest: String,
    pub(super) options: CopyOptions,
}

impl Upload {
    fn put(&self) -> Put {
        let CopyOptions { mode, owner, make_parents, .. } = &self.options;
        Put { mode: *mode, owner: owner.clone(), make_parents: *make_parents }
    }

    /// Writes an open file.
    pub(super) async fn file(self, files: Files<'_>, attempt: &Attempt, file: File) -> Result<CopyReport, SshError> {
        let mut file = tokio::fs::File::from_std(file);
        let unreadable =
            |error: std::io::Error| SshError::Invalid(format!("the file for {} cannot be read: {error}", self.dest));
        let (digest, bytes) = attempt.digests.of(&mut file).await.map_err(unreadable)?;
        let change = self.change(files, digest).await?;
        if change.is_some() && !self.options.dry_run {
            let file = watched(file, bytes, attempt, files, &self.dest);
            files.put(&self.dest, file, digest, &self.put()).await?;
        }
        Ok(self.report(bytes, change, digest))
    }

    /// Writes these bytes.
    pub(super) async fn bytes(self, files: Files<'_>, contents: &[u8]) -> Result<CopyReport, SshError> {
        let mut content = contents;
        let unread = |error: std::io::Error| SshError::Invalid(error.to_string());
        let (digest, bytes) = FileDigest::of(&mut content).await.map_err(unread)?;
        let change = self.change(files, digest).await?;
        if change.is_some() && !self.options.dry_run {
            files.put(&self.dest, contents, digest, &self.put()).await?;
        }
        Ok(self.report(bytes, change, digest))
    }

    fn report(self, bytes: u64, change: Option<ChangeKind>, digest: FileDigest) -> CopyReport {
        let changes = change.map(|kind| FileChange { path: self.dest, kind });
        let changes: Vec<_> = changes.into_iter().collect();
        CopyReport { bytes, changed: !changes.is_empty(), sha256: digest.to_string(), changes }
    }

    /// What is to be done; nothing if the file is there already, as it should be.
    async fn change(&self, files: Files<'_>, digest: FileDigest) -> Result<Option<ChangeKind>, SshError> {
        if !self.options.skip_unchanged {
            return Ok(Some(ChangeKind::Update));
        }
        let Some(found) = files.stat(&self.dest, true).await? else { return Ok(Some(ChangeKind::Create)) };
        let is_same =
            found.sha256 == Some(digest.to_string()) && is_as_wanted(&self.options, self.options.mode, &found);
        Ok((!is_same).then_some(ChangeKind::Update))
    }
}

/// Whether a file has the mode and owner that it should have, as far as they are given.
pub(super) fn is_as_wanted(options: &CopyOptions, mode: Option<u32>, found: &Stat) -> bool {
    found.kind == Kind::File
        && mode.is_none_or(|mode| mode == found.mode)
        && options.owner.as_deref().is_none_or(|owner| is_owner(owner, &found.owner))
}

/// Whether `found`, which is `user:group`, is the owner that `wanted` names in full or in part.
fn is_owner(wanted: &str, found: &str) -> bool {
    let (user, group) = found.split_once(':').unwrap_or((found, ""));
    let (wanted_user, wanted_group) = wanted.split_once(':').unwrap_or((wanted, ""));
    (wanted_user.is_empty() || wanted_user == user) && (wanted_group.is_empty() || wanted_group == group)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_compared_as_far_as_it_is_named() {
        for wanted in ["app", "app:web", ":web", "app:"] {
            assert!(is_owner(wanted, "app:web"), "{wanted}");
        }
        for wanted in ["web", "app:app", ":app"] {
            assert!(!is_owner(wanted, "app:web"), "{wanted}");
        }
    }

    #[tokio::test]
    async fn how_far_a_file_is_on_its_way_is_told() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("file");
        std::fs::write(&path, vec![0; 11 << 20]).expect("a file can be written");
        let file = tokio::fs::File::open(&path).await.expect("the file is there");
        let mut told = Vec::new();
        let mut watched = Watched { file, tell: |sent: u64| told.push(sent >> 20), sent: 0, told: 0 };
        let sent = tokio::io::copy(&mut watched, &mut tokio::io::sink()).await.expect("the file can be read");
        assert_eq!((sent, told), (11 << 20, vec![4, 8]));
    }

    #[tokio::test]
    async fn a_digest_is_that_of_the_file_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("file");
        let digests = Digests::default();
        let digest = async |text: &str| {
            std::fs::write(&path, text).expect("a file can be written");
            let mut file = tokio::fs::File::open(&path).await.expect("the file is there");
            let first = digests.of(&mut file).await.expect("the file can be read");
            assert_eq!(digests.of(&mut file).await.expect("the file can be read"), first);
            first
        };
        let (one, two) = (digest("one").await, digest("three").await);
        assert!(one.0 != two.0 && (one.1, two.1) == (3, 5));
    }
}
