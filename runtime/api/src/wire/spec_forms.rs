//! What a job is, in its two forms.

use std::ops::Deref;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use sandglass_core::job;
use sandglass_core::spec::{JobSpec, Overlay, WrittenJob};

/// What a job is: as it was written, and what that comes to if it extends a template, which is what runs.
///
/// In JSON it is `spec`, as it was written; and beside it `resolved`, of a job that extends a template. It reads as what
/// runs.
#[derive(Clone, PartialEq, Debug)]
pub struct SpecForms {
    resolved: Arc<JobSpec>,
    overlay: Option<Arc<Overlay>>,
}

#[derive(Serialize, Deserialize)]
struct Form {
    spec: WrittenJob,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resolved: Option<Arc<JobSpec>>,
}

impl SpecForms {
    /// What runs, and what was written if that extends a template.
    #[must_use]
    pub fn new(resolved: Arc<JobSpec>, overlay: Option<Arc<Overlay>>) -> Self {
        Self { resolved, overlay }
    }

    /// What a saved job is.
    #[must_use]
    pub fn of(job: &job::Job) -> Self {
        Self::new(Arc::clone(&job.spec), job.overlay.clone())
    }

    /// The job as it was written.
    #[must_use]
    pub fn written(&self) -> WrittenJob {
        match &self.overlay {
            Some(overlay) => WrittenJob::Extending(Arc::clone(overlay)),
            None => WrittenJob::Whole(Arc::clone(&self.resolved)),
        }
    }

    /// What was written, if it extends a template.
    #[must_use]
    pub fn overlay(&self) -> Option<&Arc<Overlay>> {
        self.overlay.as_ref()
    }

    /// Only what runs, as if it had been written so.
    #[must_use]
    pub fn resolved(self) -> Self {
        Self { overlay: None, ..self }
    }
}

impl Deref for SpecForms {
    type Target = JobSpec;

    fn deref(&self) -> &JobSpec {
        &self.resolved
    }
}

impl Serialize for SpecForms {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let resolved = self.overlay.as_ref().map(|_| Arc::clone(&self.resolved));
        Form { spec: self.written(), resolved }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SpecForms {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Form::deserialize(deserializer)? {
            Form { spec: WrittenJob::Whole(spec), .. } => Ok(Self::new(spec, None)),
            Form { spec: WrittenJob::Extending(overlay), resolved: Some(resolved) } => {
                Ok(Self::new(resolved, Some(overlay)))
            }
            Form { resolved: None, .. } => Err(D::Error::missing_field("resolved")),
        }
    }
}
