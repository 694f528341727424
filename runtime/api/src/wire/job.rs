//! Jobs on the wire.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sandglass_core::hold::{Hold, HoldKind, Holds, Standing};
use sandglass_core::id::{JobId, JobName, Namespace};
use sandglass_core::job;
use sandglass_core::schedule::Warning;
use sandglass_core::spec::{CalendarSpec, JobTemplateSpec, Notifiers, WrittenJob};
use sandglass_core::target::{GroupSpec, TargetSpec};
use sandglass_core::time::Timestamp;

use super::{CalendarResult, Fire, GroupResult, NotifyResult, Run, SpecForms, TargetResult, TemplateResult};

/// A job as the API shows it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Job {
    /// Its name.
    pub name: JobName,
    /// Who owns it.
    pub namespace: Namespace,
    /// Its identity. Absent only in the answer to a dry run, of a job that is not there yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<JobId>,
    /// Counts from 1; grows by one with every change.
    pub revision: u64,
    /// False while it does nothing at all; `disabled` tells more.
    pub enabled: bool,
    /// Who paused it and since when: its fires start nothing. Absent if it is not paused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<JobHold>,
    /// Who disabled it and since when. Absent if it is enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<JobHold>,
    /// What it is, in canonical form.
    #[serde(flatten)]
    pub spec: SpecForms,
    /// Its next fire, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_fire_at: Option<Timestamp>,
    /// The next fire in full, if calendars or a window have a say in it: they may let it start nothing, or later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_fire: Option<Fire>,
    /// Its latest run, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<Run>,
    /// When its present triggers were saved: intervals without an anchor of their own count from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_since: Option<Timestamp>,
    /// When it was first saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// When this revision was saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<Timestamp>,
}

impl Job {
    /// A saved job, with how far its schedule is, what holds it back, and its latest run.
    #[must_use]
    pub fn new(job: &job::Job, cursor: &job::Cursor, standing: Option<&Standing>, last_run: Option<Run>) -> Self {
        let hold = |kind| standing.and_then(|standing| JobHold::new(standing, kind));
        let disabled = hold(HoldKind::Disabled);
        Self {
            name: job.spec.name.clone(),
            namespace: job.namespace.clone(),
            id: Some(job.id),
            revision: job.revision,
            enabled: disabled.is_none(),
            paused: hold(HoldKind::Paused),
            disabled,
            spec: SpecForms::of(job),
            next_fire_at: cursor.next_fire_at,
            next_fire: None,
            last_run,
            scheduled_since: Some(job.scheduled_since),
            created_at: Some(job.created_at),
            updated_at: Some(job.updated_at),
        }
    }

    /// A job that would be there after a dry run, but is not.
    #[must_use]
    pub fn planned(namespace: Namespace, spec: SpecForms, next_fire_at: Option<Timestamp>) -> Self {
        Self {
            name: spec.name.clone(),
            namespace,
            id: None,
            revision: 1,
            enabled: true,
            paused: None,
            disabled: None,
            spec,
            next_fire_at,
            next_fire: None,
            last_run: None,
            scheduled_since: None,
            created_at: None,
            updated_at: None,
        }
    }
}

/// Who holds a job back, and since when.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct JobHold {
    /// Who, since when and why.
    #[serde(flatten)]
    pub hold: Hold,
    /// Whether it is the job's whole namespace that is held back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub namespace_wide: bool,
}

impl JobHold {
    fn new(standing: &Standing, kind: HoldKind) -> Option<Self> {
        standing.of(kind).map(|(hold, namespace_wide)| Self { hold: hold.clone(), namespace_wide })
    }
}

/// The body of `POST …/pause`, `…/resume`, `…/disable` and `…/enable`, of a job or a namespace; it may be left out. Of a
/// namespace, without `tag` and `all`, the namespace itself is meant: all its jobs, those that are saved later included.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoldRequest {
    /// Why, in a few words, which are shown with the job; at most 1000 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Only the jobs of the namespace that have this tag now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Each job that the namespace has now.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
}

/// The answer to pausing, resuming, disabling or enabling many jobs.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct HoldResult {
    /// How many jobs were meant.
    pub jobs: usize,
    /// Those for which something changed; others were so already.
    pub changed: Vec<JobName>,
    /// What holds the namespace itself back now, if it was meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Holds>,
}

/// The answer to saving a job.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ApplyResult {
    /// The job as it is now; after a dry run, as it would be.
    pub job: Job,
    /// Whether the specification is another than before.
    pub changed: bool,
    /// Whether the job was not there before.
    pub created: bool,
    /// What is allowed in its schedule, and likely a slip.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// The body of `POST …/apply`: what is saved together, or not at all.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    /// Job templates, whatever is there under their names. Other jobs that extend them change with them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<Arc<JobTemplateSpec>>,
    /// Calendars, whatever is there under their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calendars: Vec<CalendarSpec>,
    /// Targets, whatever is there under their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Arc<TargetSpec>>,
    /// Groups of targets, whatever is there under their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Arc<GroupSpec>>,
    /// Jobs in canonical form, whatever is there under their names. They may name the templates and calendars that come with
    /// them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<WrittenJob>,
    /// The notifiers of the namespace, in the place of those there are; if absent, these stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<Notifiers>,
}

/// The answer to saving templates, calendars, targets, groups and jobs together, in the order of the request; after a dry run, as all would be.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Applied {
    /// The templates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub templates: Vec<TemplateResult>,
    /// The calendars.
    pub calendars: Vec<CalendarResult>,
    /// The targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<TargetResult>,
    /// The groups of targets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<GroupResult>,
    /// The jobs.
    pub jobs: Vec<ApplyResult>,
    /// The notifiers of the namespace, if they were among it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<NotifyResult>,
}
