//! One fire of a trigger in full.

use chrono::NaiveDate;
use sha2::{Digest, Sha256};

use crate::id::{CalendarName, JobName, Namespace};
use crate::time::Timestamp;

/// A fire, with how it came to its instant.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Occurrence {
    /// The fire's instant.
    pub at: Timestamp,
    /// Its instant before jitter.
    pub nominal: Timestamp,
    /// The date on which it would be if calendars allowed it, if it moved from there.
    pub moved_from: Option<NaiveDate>,
    /// Why it starts nothing, if calendars do not allow its date.
    pub exclusion: Option<Exclusion>,
    /// What a change of the clocks did to it, if one did.
    pub change: Option<ClockChange>,
}

impl Occurrence {
    /// A fire to which nothing happened.
    pub(super) fn at(at: Timestamp) -> Self {
        Self { at, nominal: at, moved_from: None, exclusion: None, change: None }
    }
}

/// Why calendars do not allow a date.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Exclusion {
    /// It is in this calendar, which is excluded.
    In(CalendarName),
    /// It is in none of the calendars that are included; the first of them is this.
    NotIn(CalendarName),
}

/// What a change of the clocks did to a fire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClockChange {
    /// The clocks skip the local time that is named, so the fire comes at another one.
    Moved,
    /// The clocks show the local time twice, and this is the first of them.
    First,
    /// The clocks show the local time twice, and this is the second of them.
    Second,
}

/// A number that stands for the job of this name in this namespace: what `H` in a cron expression and jitter depend on,
/// so that a forecast from job files equals what a daemon does.
///
/// It is the first eight bytes, big-endian, of SHA-256 over `sandglass job`, the namespace, a zero byte and the name, and
/// never changes.
#[must_use]
pub fn job_seed(namespace: &Namespace, name: &JobName) -> u64 {
    let mut hash = Sha256::new();
    hash.update(b"sandglass job");
    hash.update(namespace.as_str().as_bytes());
    hash.update([0]);
    hash.update(name.as_str().as_bytes());
    let digest: [u8; 32] = hash.finalize().into();
    u64::from_be_bytes(digest[..8].try_into().expect("eight of thirty-two bytes"))
}
