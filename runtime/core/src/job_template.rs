//! Job templates as they are kept, and what saves them and the jobs that extend them.

use std::sync::Arc;

use crate::batch::Expectation;
use crate::id::{JobId, JobName, Namespace};
use crate::spec::{JobSpec, JobTemplateSpec, Overlay};
use crate::time::Timestamp;

/// A saved job template.
#[derive(Clone, PartialEq, Debug)]
pub struct JobTemplate {
    /// Who owns it.
    pub namespace: Namespace,
    /// Counts from 1; grows by one with every change.
    pub revision: u64,
    /// What it is.
    pub spec: Arc<JobTemplateSpec>,
    /// When this revision was saved.
    pub updated_at: Timestamp,
}

/// A job that is to be saved. It has been checked.
#[derive(Clone, PartialEq, Debug)]
pub struct NewJob {
    /// What it is, resolved if it extends a template.
    pub spec: Arc<JobSpec>,
    /// What was written, if it extends a template.
    pub extends: Option<Box<Extension>>,
}

/// How a job that extends a template came to its specification.
#[derive(Clone, PartialEq, Debug)]
pub struct Extension {
    /// What was written.
    pub overlay: Arc<Overlay>,
    /// The template that it was resolved with.
    pub basis: Basis,
}

/// The template that a job was resolved with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Basis {
    /// The saved one, at this revision. If it is at another one by now, what was checked is not what would run.
    Saved(u64),
    /// The one that comes with the job in the same command.
    Together,
}

impl NewJob {
    /// What was written, if it extends a template.
    #[must_use]
    pub fn overlay(&self) -> Option<Arc<Overlay>> {
        self.extends.as_ref().map(|extends| Arc::clone(&extends.overlay))
    }
}

impl From<Arc<JobSpec>> for NewJob {
    fn from(spec: Arc<JobSpec>) -> Self {
        Self { spec, extends: None }
    }
}

/// A template that is to be saved, with all the jobs that extend it, as it makes them.
#[derive(Clone, PartialEq, Debug)]
pub struct NewTemplate {
    /// What it is.
    pub spec: Arc<JobTemplateSpec>,
    /// What must be there.
    pub expect: Expectation,
    /// The jobs that extend it, but for those that come in the same command. If there are others by now, or they have other
    /// revisions, some were not checked.
    pub jobs: Vec<Resolved>,
}

/// What a job that is there comes to with another template. It has been checked.
#[derive(Clone, PartialEq, Debug)]
pub struct Resolved {
    /// The job.
    pub job: JobId,
    /// The revision whose overlay was resolved.
    pub revision: u64,
    /// What it comes to.
    pub spec: Arc<JobSpec>,
}

/// A template as it is once it was saved.
#[derive(Clone, Debug)]
pub struct SavedTemplate {
    /// The template.
    pub template: Arc<JobTemplate>,
    /// Whether anything had to be written: false if it was the same already.
    pub changed: bool,
    /// The jobs that are others by it, by name; those that came with it in one command are left out.
    pub jobs: Vec<JobName>,
}
