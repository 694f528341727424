//! The tables and their keys. All keys and values are bytes; all numbers in keys are big-endian, so that they sort.

use redb::TableDefinition;
use sandglass_core::id::{Digest, JobId, RunId};
use sandglass_core::run::StateName;

use super::run_row::state_number;
use crate::error::StoreError;

/// The format of the whole. A store with another one is refused.
pub(super) const FORMAT: u32 = 13;

pub(super) const META_FORMAT: &[u8] = b"format";
pub(super) const META_FENCE: &[u8] = b"fence";
pub(super) const META_COUNTS: &[u8] = b"counts";
pub(super) const META_NOTIFICATIONS: &[u8] = b"notifications";

/// A piece of a component: small enough that redb needs no large contiguous space for it.
pub(super) const COMPONENT_PIECE: usize = 500_000;

/// The tables.
///
/// Runs that are going are apart from those that are over: they are found at once when a store is loaded, the table that
/// changes most stays small, and a run enters the indexes once, when it ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Table {
    /// Words about the store itself.
    Meta,
    /// run → row, of runs that are not over.
    Active,
    /// run → row, of runs that are over.
    Ended,
    /// job, state, run → nothing, of runs that are over.
    EndedByJob,
    /// state, run → nothing, of runs that are over.
    EndedByState,
    /// job → row.
    Jobs,
    /// namespace, name → job.
    JobNames,
    /// job → row.
    Cursors,
    /// job or namespace → what holds it back; only of those that something does.
    Holds,
    /// namespace, name → row.
    Calendars,
    /// namespace → row.
    Notify,
    /// namespace, name → row.
    Templates,
    /// namespace, name → row.
    Secrets,
    /// namespace, name → row.
    Targets,
    /// namespace, name → row.
    TargetGroups,
    /// name → row.
    Plugins,
    /// digest, piece → bytes.
    Components,
    /// job, key → row.
    State,
    /// job → how much of its state there is.
    StateSizes,
    /// instant, job, key → nothing, of state entries that expire.
    StateExpiry,
    /// run, name → row.
    Artifacts,
    /// digest, run, name → nothing: what has each content.
    ArtifactContents,
    /// namespace → how much its artifacts have together.
    ArtifactSizes,
}

impl Table {
    pub(super) const ALL: [Self; 23] = [
        Self::Meta,
        Self::Active,
        Self::Ended,
        Self::EndedByJob,
        Self::EndedByState,
        Self::Jobs,
        Self::JobNames,
        Self::Cursors,
        Self::Holds,
        Self::Calendars,
        Self::Notify,
        Self::Templates,
        Self::Secrets,
        Self::Targets,
        Self::TargetGroups,
        Self::Plugins,
        Self::Components,
        Self::State,
        Self::StateSizes,
        Self::StateExpiry,
        Self::Artifacts,
        Self::ArtifactContents,
        Self::ArtifactSizes,
    ];

    pub(super) const fn definition(self) -> TableDefinition<'static, &'static [u8], &'static [u8]> {
        TableDefinition::new(match self {
            Self::Meta => "meta",
            Self::Active => "active",
            Self::Ended => "ended",
            Self::EndedByJob => "ended_by_job",
            Self::EndedByState => "ended_by_state",
            Self::Jobs => "jobs",
            Self::JobNames => "job_names",
            Self::Cursors => "cursors",
            Self::Holds => "holds",
            Self::Calendars => "calendars",
            Self::Notify => "notify",
            Self::Templates => "templates",
            Self::Secrets => "secrets",
            Self::Targets => "targets",
            Self::TargetGroups => "target_groups",
            Self::Plugins => "plugins",
            Self::Components => "components",
            Self::State => "state",
            Self::StateSizes => "state_sizes",
            Self::StateExpiry => "state_expiry",
            Self::Artifacts => "artifacts",
            Self::ArtifactContents => "artifact_contents",
            Self::ArtifactSizes => "artifact_sizes",
        })
    }
}

pub(super) fn run_key(id: RunId) -> [u8; 16] {
    id.to_bytes()
}

pub(super) fn job_key(id: JobId) -> [u8; 16] {
    id.to_bytes()
}

pub(super) fn by_job_key(job: JobId, state: StateName, run: RunId) -> [u8; 33] {
    let mut key = [0; 33];
    key[..16].copy_from_slice(&job_key(job));
    key[16] = state_number(state);
    key[17..].copy_from_slice(&run_key(run));
    key
}

pub(super) fn by_state_key(state: StateName, run: RunId) -> [u8; 17] {
    let mut key = [0; 17];
    key[0] = state_number(state);
    key[1..].copy_from_slice(&run_key(run));
    key
}

pub(super) fn piece_key(digest: &Digest, piece: u32) -> [u8; 36] {
    let mut key = [0; 36];
    key[..32].copy_from_slice(digest.as_bytes());
    key[32..].copy_from_slice(&piece.to_be_bytes());
    key
}

/// The run at the end of a key.
pub(super) fn run_of_key(key: &[u8]) -> Result<RunId, StoreError> {
    let bits = key.last_chunk().ok_or_else(|| StoreError::corrupt("the key of a run is cut short"))?;
    Ok(RunId::from_bytes(*bits))
}

/// The job at the beginning of a key.
pub(super) fn job_of_key(key: &[u8]) -> Result<JobId, StoreError> {
    let bits = key.first_chunk().ok_or_else(|| StoreError::corrupt("the key of a job is cut short"))?;
    Ok(JobId::from_bytes(*bits))
}
