//! Job templates on the wire.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use sandglass_core::id::{JobName, Namespace, TemplateName};
use sandglass_core::job_template::JobTemplate;
use sandglass_core::spec::JobTemplateSpec;
use sandglass_core::time::Timestamp;

/// A job template as the API shows it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Template {
    /// Its name.
    pub name: TemplateName,
    /// Who owns it.
    pub namespace: Namespace,
    /// Counts from 1; grows by one with every change.
    pub revision: u64,
    /// What it is.
    pub spec: Arc<JobTemplateSpec>,
    /// When this revision was saved.
    pub updated_at: Timestamp,
    /// The jobs that extend it, by name. Left out of the answer to saving it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub used_by: Vec<JobName>,
}

impl From<&JobTemplate> for Template {
    fn from(template: &JobTemplate) -> Self {
        Self {
            name: template.spec.name.clone(),
            namespace: template.namespace.clone(),
            revision: template.revision,
            spec: Arc::clone(&template.spec),
            updated_at: template.updated_at,
            used_by: Vec::new(),
        }
    }
}

/// The answer to saving a job template.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct TemplateResult {
    /// The template as it is now; after a dry run, as it would be.
    pub template: Template,
    /// Whether it is another than before.
    pub changed: bool,
    /// The jobs that are others by it, each with a new revision, by name. Those that came with it are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<JobName>,
}
