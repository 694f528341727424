//! Files that runs leave to others: what they are called, how they are found, and how much is kept.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{Digest, JobName, Namespace, RunId};
use crate::time::Timestamp;

/// The most that a name may have, in bytes: what a file system takes as a file's name.
const NAME: usize = 255;
/// The most that a reference may have, in bytes: a job's name or a run's id, and a name.
const REFERENCE: usize = NAME + 1 + 100;
/// The most that a media type may have, in bytes.
const MEDIA_TYPE: usize = 127;
/// The most artifacts that a run may have.
pub const ARTIFACTS_OF_RUN: u64 = 1000;

/// What an artifact is called within its run: a relative path such as `out/app.tar`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ArtifactName(String);

/// The text is no name of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' cannot be the name of an artifact: {why}", text.escape_debug())]
pub struct InvalidArtifactName {
    text: String,
    why: &'static str,
}

impl ArtifactName {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ArtifactName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn check_path(text: &str, most: usize) -> Result<(), &'static str> {
    if text.is_empty() || text.len() > most {
        return Err("it has 1 to 255 bytes");
    }
    if text.chars().any(char::is_control) {
        return Err("it has no control characters");
    }
    if text.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err("it is a relative path without empty parts, '.' and '..'");
    }
    Ok(())
}

fn invalid(text: &str, why: &'static str) -> InvalidArtifactName {
    InvalidArtifactName { text: text.chars().take(100).collect(), why }
}

impl FromStr for ArtifactName {
    type Err = InvalidArtifactName;

    fn from_str(text: &str) -> Result<Self, InvalidArtifactName> {
        check_path(text, NAME).map_err(|why| invalid(text, why))?;
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for ArtifactName {
    type Error = InvalidArtifactName;

    fn try_from(text: String) -> Result<Self, InvalidArtifactName> {
        text.parse()
    }
}

impl From<ArtifactName> for String {
    fn from(name: ArtifactName) -> Self {
        name.0
    }
}

/// Which artifact is meant: `NAME` of the run itself or of a run that it follows from, `JOB/NAME` of the job's last run that
/// succeeded, or `RUN_ID/NAME`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArtifactReference(String);

impl ArtifactReference {
    /// The text: also a relative path without steps upwards.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a name alone.
    #[must_use]
    pub fn name(&self) -> Option<ArtifactName> {
        self.0.parse().ok()
    }

    /// As a name after a run's id.
    #[must_use]
    pub fn of_run(&self) -> Option<(RunId, ArtifactName)> {
        let (run, name) = self.0.split_once('/')?;
        Some((run.parse().ok()?, name.parse().ok()?))
    }

    /// As a name after a job's.
    #[must_use]
    pub fn of_job(&self) -> Option<(JobName, ArtifactName)> {
        let (job, name) = self.0.split_once('/')?;
        Some((job.parse().ok()?, name.parse().ok()?))
    }
}

impl FromStr for ArtifactReference {
    type Err = InvalidArtifactName;

    fn from_str(text: &str) -> Result<Self, InvalidArtifactName> {
        check_path(text, REFERENCE).map_err(|why| invalid(text, why))?;
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for ArtifactReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A file that a run left to others. Its content is kept once, whoever has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Artifact {
    /// Whose it is.
    pub run: RunId,
    /// The attempt that published it last.
    pub attempt: u32,
    /// What it is called in the run.
    pub name: ArtifactName,
    /// How long its content is, in bytes.
    pub size_bytes: u64,
    /// The SHA-256 of its content.
    pub digest: Digest,
    /// What its content is, such as `application/json`.
    pub media_type: String,
    /// When it was published last.
    pub published_at: Timestamp,
}

/// How much is kept, in bytes. What has the same content counts each time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ArtifactLimits {
    /// Of one artifact.
    pub artifact: u64,
    /// Of one run.
    pub run: u64,
    /// Of one namespace.
    pub namespace: u64,
}

impl ArtifactLimits {
    /// What holds where nothing else is said.
    pub const STANDARD: Self = Self { artifact: 1 << 30, run: 4 << 30, namespace: 32 << 30 };
}

impl Default for ArtifactLimits {
    fn default() -> Self {
        Self::STANDARD
    }
}

/// Which bound an artifact would break.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ArtifactsFull {
    /// The run would have too many.
    #[error("a run has at most {ARTIFACTS_OF_RUN} artifacts; pack several files into one")]
    Count,
    /// The run's would be too large together.
    #[error(
        "the run's artifacts would have {bytes} bytes, and may have {most}; the operator may raise `run` under [artifacts]"
    )]
    Run {
        /// What they would have.
        bytes: u64,
        /// What they may have.
        most: u64,
    },
    /// The namespace's would be too large together.
    #[error(
        "the artifacts of namespace '{namespace}' would have {bytes} bytes, and may have {most}; let runs go earlier with \
         `retention`, or let the operator raise `namespace` under [artifacts]"
    )]
    Namespace {
        /// Whose.
        namespace: Namespace,
        /// What they would have.
        bytes: u64,
        /// What they may have.
        most: u64,
    },
}

/// A media type that was given, or the one that a name's ending stands for.
///
/// # Errors
///
/// If it is no media type.
pub fn media_type(given: &str, name: &ArtifactName) -> Result<String, String> {
    if given.is_empty() {
        return Ok(by_ending(name.as_str()).to_owned());
    }
    let is_sound = given.len() <= MEDIA_TYPE && given.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    let is_type = given.split_once('/').is_some_and(|(kind, rest)| {
        !kind.is_empty() && !rest.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    });
    if is_sound && is_type {
        return Ok(given.to_owned());
    }
    let text: String = given.chars().take(100).collect();
    Err(format!("'{}' is no media type; write one such as application/json", text.escape_debug()))
}

fn by_ending(name: &str) -> &'static str {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "csv" => "text/csv",
        "gz" | "tgz" => "application/gzip",
        "html" => "text/html",
        "jpeg" | "jpg" => "image/jpeg",
        "json" => "application/json",
        "log" | "md" | "txt" => "text/plain; charset=utf-8",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "svg" => "image/svg+xml",
        "tar" => "application/x-tar",
        "xml" => "application/xml",
        "yaml" | "yml" => "application/yaml",
        "zip" => "application/zip",
        "zst" => "application/zstd",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths_that_lead_nowhere_else() {
        for good in ["a", "out/app.tar", "ä b.txt", "..a", "a..", &"x".repeat(255)] {
            assert!(good.parse::<ArtifactName>().is_ok(), "{good}");
        }
        for bad in ["", "/a", "a/", "a//b", "..", "a/../b", "./a", "a\nb", "a\0", &"x".repeat(256)] {
            assert!(bad.parse::<ArtifactName>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn references_are_read_in_three_ways() {
        let reference = |text: &str| text.parse::<ArtifactReference>().unwrap();
        assert_eq!(reference("app.tar").name().unwrap().as_str(), "app.tar");
        assert!(reference("app.tar").of_job().is_none() && reference("app.tar").of_run().is_none());
        let (job, name) = reference("build/out/app.tar").of_job().unwrap();
        assert_eq!((job.as_str(), name.as_str()), ("build", "out/app.tar"));
        assert!(reference("build/out/app.tar").of_run().is_none());
        let run = RunId::from_bits(9);
        assert_eq!(reference(&format!("{run}/a")).of_run().unwrap(), (run, "a".parse().unwrap()));
        assert!("../etc/passwd".parse::<ArtifactReference>().is_err());
    }

    #[test]
    fn media_types_are_given_or_follow_from_the_name() {
        let name = |text: &str| text.parse().unwrap();
        assert_eq!(media_type("", &name("a/b.JSON")).unwrap(), "application/json");
        assert_eq!(media_type("", &name("a.json/b")).unwrap(), "application/octet-stream");
        assert_eq!(media_type("text/plain; charset=utf-8", &name("a")).unwrap(), "text/plain; charset=utf-8");
        for bad in ["text", "/a", "a/", "a/b\r\nX: y", "tëxt/a"] {
            assert!(media_type(bad, &name("a")).is_err(), "{bad:?}");
        }
    }
}
