//! What is committed. A store compares and writes; it never decides.

use std::sync::Arc;

use crate::artifact::{Artifact, ArtifactLimits};
use crate::calendar::Calendar;
use crate::hold::{HoldSubject, Holds};
use crate::id::{
    CalendarName, Digest, JobId, Namespace, PluginName, SecretName, TargetGroupName, TargetName, TemplateName,
};
use crate::job::{Cursor, Job};
use crate::job_template::JobTemplate;
use crate::notice::NamespaceNotify;
use crate::plugin::Plugin;
use crate::run::Run;
use crate::secret::Secret;
use crate::target::{Target, TargetGroup};

/// Writes that become durable together or not at all.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// In order.
    pub writes: Vec<Write>,
}

/// One write, with what must hold for it.
#[derive(Clone, Debug)]
pub enum Write {
    /// A run that is not there yet.
    InsertRun(Arc<Run>),
    /// A run that is there with the version before this one.
    UpdateRun(Arc<Run>),
    /// A job: not there yet if its revision is 1, else there with the revision before. Its name is free or its own.
    PutJob(Arc<Job>),
    /// A job that is there with this revision. Its cursor, holds and state go with it; its runs stay.
    DeleteJob {
        /// The job.
        id: JobId,
        /// Its revision.
        revision: u64,
    },
    /// How far a job's schedule has been worked off.
    PutCursor {
        /// The job.
        job: JobId,
        /// How far.
        cursor: Cursor,
    },
    /// What holds a job or a namespace back, instead of what did before. A job must be there.
    PutHolds {
        /// What is held back.
        subject: HoldSubject,
        /// The holds; if there are none, nothing is kept.
        holds: Holds,
    },
    /// A calendar: not there yet if its revision is 1, else there with the revision before.
    PutCalendar(Arc<Calendar>),
    /// A calendar that is there with this revision.
    DeleteCalendar {
        /// Its owner.
        namespace: Namespace,
        /// Its name.
        name: CalendarName,
        /// Its revision.
        revision: u64,
    },
    /// The notifiers of a namespace: not there yet if their revision is 1, else there with the revision before.
    PutNotify(Arc<NamespaceNotify>),
    /// The notifiers of a namespace that are there with this revision.
    DeleteNotify {
        /// The namespace.
        namespace: Namespace,
        /// Their revision.
        revision: u64,
    },
    /// A job template: not there yet if its revision is 1, else there with the revision before.
    PutTemplate(Arc<JobTemplate>),
    /// A job template that is there with this revision.
    DeleteTemplate {
        /// Its owner.
        namespace: Namespace,
        /// Its name.
        name: TemplateName,
        /// Its revision.
        revision: u64,
    },
    /// A secret: not there yet if its revision is 1, else there with the revision before.
    PutSecret(Arc<Secret>),
    /// A secret that is there with this revision.
    DeleteSecret {
        /// Its owner.
        namespace: Namespace,
        /// Its name.
        name: SecretName,
        /// Its revision.
        revision: u64,
    },
    /// A target: not there yet if its revision is 1, else there with the revision before.
    PutTarget(Arc<Target>),
    /// A target that is there with this revision.
    DeleteTarget {
        /// Its owner.
        namespace: Namespace,
        /// Its name.
        name: TargetName,
        /// Its revision.
        revision: u64,
    },
    /// A group of targets: not there yet if its revision is 1, else there with the revision before.
    PutTargetGroup(Arc<TargetGroup>),
    /// A group of targets that is there with this revision.
    DeleteTargetGroup {
        /// Its owner.
        namespace: Namespace,
        /// Its name.
        name: TargetGroupName,
        /// Its revision.
        revision: u64,
    },
    /// A plugin and its component; replaces what was added under the same name.
    PutPlugin {
        /// What is known of it.
        plugin: Arc<Plugin>,
        /// The component's bytes.
        wasm: Arc<[u8]>,
    },
    /// Forgets a plugin that is there under this name with this digest.
    RemovePlugin {
        /// Its name.
        name: PluginName,
        /// Its digest.
        digest: Digest,
    },
    /// Sets a key of a job's state, if the expectation holds. The entry's new revision is one more than the last one
    /// the key had (from 1).
    PutState {
        /// The job.
        job: JobId,
        /// The key.
        key: String,
        /// The value.
        value: Vec<u8>,
        /// What must hold.
        expect: Expectation,
        /// When it is forgotten, if ever.
        expires_at: Option<crate::time::Timestamp>,
    },
    /// An artifact of a run that is going, in the place of one of the same name. Its content must be kept already.
    PutArtifact {
        /// The artifact.
        artifact: Arc<Artifact>,
        /// How much may be kept.
        limits: ArtifactLimits,
    },
    /// Removes a key of a job's state, if the expectation holds.
    DeleteState {
        /// The job.
        job: JobId,
        /// The key.
        key: String,
        /// What must hold.
        expect: Expectation,
    },
}

/// What must hold of a job, a calendar, a template or a key of a state before it is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Expectation {
    /// Anything.
    #[default]
    Anything,
    /// There is none of this name.
    Absent,
    /// It is there at this revision.
    At(u64),
}

impl Expectation {
    /// Whether it holds of what is at revision `actual`; 0 if there is none.
    #[must_use]
    pub const fn holds(self, actual: u64) -> bool {
        match self {
            Self::Anything => true,
            Self::Absent => actual == 0,
            Self::At(revision) => actual != 0 && actual == revision,
        }
    }
}

impl Batch {
    /// A batch of one write.
    #[must_use]
    pub fn of(write: Write) -> Self {
        Self { writes: vec![write] }
    }

    /// Whether there is nothing to write.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }
}
