//! Job templates, and what a change of one means to the jobs that extend it.
//!
//! Jobs are resolved and checked before a command comes here: that asks plugins, which is not for the reducer. What it makes
//! sure of is that nothing has changed between: the template that a job was resolved with is at the same revision, and the
//! jobs that were checked with a new template are all that extend it, at the same revisions. So no job is scheduled as
//! nobody checked it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Moment, Scheduler};
use crate::batch::Write;
use crate::event::{MAX_TEMPLATES, Refusal, Reply, Step};
use crate::id::{JobId, JobName, Namespace, TemplateName};
use crate::job_template::{Basis, Extension, JobTemplate, NewJob, NewTemplate, Resolved, SavedTemplate};
use crate::spec::{CalendarSpec, JobTemplateSpec};
use crate::time::Timestamp;

/// The templates of a namespace.
pub(super) type Kept = BTreeMap<TemplateName, Arc<JobTemplate>>;

impl Scheduler {
    /// Takes in a template that the store has.
    pub(super) fn adopt_template(&mut self, template: Arc<JobTemplate>) {
        let kept = self.templates.entry(template.namespace.clone()).or_default();
        kept.insert(template.spec.name.clone(), template);
    }

    fn template(&self, namespace: &Namespace, name: &TemplateName) -> Option<&Arc<JobTemplate>> {
        self.templates.get(namespace)?.get(name)
    }

    fn no_template(&self, namespace: &Namespace, name: &TemplateName) -> Refusal {
        Refusal::no_template(namespace, name, self.templates.get(namespace).into_iter().flatten().map(|(name, _)| name))
    }

    pub(super) fn delete_template(
        &mut self,
        namespace: Namespace,
        name: TemplateName,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        let Some(revision) = self.template(&namespace, &name).map(|template| template.revision) else {
            return Err(self.no_template(&namespace, &name));
        };
        let users = self.jobs_extending(&namespace, &name);
        if let Some(example) = users.first() {
            let example = self.jobs[example].job.spec.name.clone();
            return Err(Refusal::TemplateInUse { name, jobs: users.len(), example });
        }
        if let Some(kept) = self.templates.get_mut(&namespace) {
            kept.remove(&name);
        }
        step.batch.writes.push(Write::DeleteTemplate { namespace, name: name.clone(), revision });
        Ok(Reply::TemplateDeleted(name))
    }

    /// The jobs of a namespace that extend the template, by id.
    fn jobs_extending(&self, namespace: &Namespace, name: &TemplateName) -> Vec<JobId> {
        let jobs = self.jobs.values().map(|entry| &entry.job).filter(|job| job.namespace == *namespace);
        let extends = |job: &&Arc<crate::job::Job>| job.overlay.as_ref().is_some_and(|over| over.template() == name);
        let mut users: Vec<_> = jobs.filter(extends).map(|job| job.id).collect();
        users.sort_unstable();
        users
    }

    /// Whether `spec` is another than what is there under its name.
    fn is_change(&self, namespace: &Namespace, spec: &Arc<JobTemplateSpec>) -> bool {
        self.template(namespace, &spec.name).is_none_or(|template| template.spec != *spec)
    }

    /// Refuses a job that was resolved with another template than there is, or `comes` with it.
    pub(super) fn check_basis(
        &self,
        namespace: &Namespace,
        job: &NewJob,
        coming: &[NewTemplate],
    ) -> Result<(), Refusal> {
        let Some(Extension { overlay, basis }) = job.extends.as_deref() else { return Ok(()) };
        let name = overlay.template();
        let comes = coming.iter().any(|template| template.spec.name == *name);
        let holds = match (basis, self.template(namespace, name)) {
            (Basis::Together, _) => comes,
            (Basis::Saved(_), None) => return Err(self.no_template(namespace, name)),
            (Basis::Saved(revision), Some(template)) => !comes && template.revision == *revision,
        };
        if holds { Ok(()) } else { Err(Refusal::TemplateMoved { name: name.clone() }) }
    }

    /// Refuses templates that are not what was expected, would be too many, or whose jobs were not all checked with them or
    /// cannot be as the templates would make them. `jobs` come in the same command, as do the `calendars`.
    pub(super) fn check_templates(
        &self,
        namespace: &Namespace,
        coming: &[NewTemplate],
        calendars: &[Arc<CalendarSpec>],
        jobs: &[NewJob],
    ) -> Result<(), Refusal> {
        let known = |name| self.template(namespace, name).is_some();
        let new: BTreeSet<&TemplateName> =
            coming.iter().map(|new| &new.spec.name).filter(|name| !known(name)).collect();
        let count = self.templates.get(namespace).map_or(0, Kept::len) + new.len();
        if !new.is_empty() && count > MAX_TEMPLATES {
            return Err(Refusal::TooManyTemplates { namespace: namespace.clone(), count });
        }
        let come_too: BTreeSet<&JobName> = jobs.iter().map(|job| &job.spec.name).collect();
        for new in coming {
            let name = &new.spec.name;
            let actual = self.template(namespace, name).map_or(0, |template| template.revision);
            if !new.expect.holds(actual) {
                return Err(Refusal::TemplateConflict { name: name.clone(), actual });
            }
            if self.is_change(namespace, &new.spec) {
                self.check_all_resolved(namespace, new, &come_too)?;
                for Resolved { spec, .. } in &new.jobs {
                    self.check_job(namespace, spec, calendars).map_err(|why| Refusal::TemplateBreaks {
                        name: name.clone(),
                        job: spec.name.clone(),
                        why: Box::new(why),
                    })?;
                }
            }
        }
        Ok(())
    }

    fn check_all_resolved(
        &self,
        namespace: &Namespace,
        new: &NewTemplate,
        come_too: &BTreeSet<&JobName>,
    ) -> Result<(), Refusal> {
        let users = self.jobs_extending(namespace, &new.spec.name).into_iter().map(|id| &self.jobs[&id].job);
        let users: BTreeSet<(JobId, u64)> =
            users.filter(|job| !come_too.contains(&job.spec.name)).map(|job| (job.id, job.revision)).collect();
        let checked: BTreeSet<(JobId, u64)> = new.jobs.iter().map(|job| (job.job, job.revision)).collect();
        if users == checked { Ok(()) } else { Err(Refusal::TemplateMoved { name: new.spec.name.clone() }) }
    }

    /// The jobs whose overdue fires are to be dealt with before the template is saved.
    pub(super) fn to_settle_with(&self, namespace: &Namespace, new: &NewTemplate) -> Vec<JobId> {
        if !self.is_change(namespace, &new.spec) {
            return Vec::new();
        }
        new.jobs.iter().filter_map(|job| self.to_settle(namespace, &job.spec)).collect()
    }

    /// Saves a template, and the jobs that extend it as it makes them.
    pub(super) fn save_template(
        &mut self,
        namespace: &Namespace,
        new: &NewTemplate,
        moment: &mut Moment<'_>,
        step: &mut Step,
    ) -> SavedTemplate {
        let old = self.template(namespace, &new.spec.name);
        if let Some(same) = old.filter(|template| template.spec == new.spec) {
            return SavedTemplate { template: Arc::clone(same), changed: false, jobs: Vec::new() };
        }
        let revision = old.map_or(0, |template| template.revision) + 1;
        let template = template(namespace, revision, &new.spec, moment.now);
        self.adopt_template(Arc::clone(&template));
        step.batch.writes.push(Write::PutTemplate(Arc::clone(&template)));
        let mut jobs = Vec::new();
        for Resolved { job, spec, .. } in &new.jobs {
            let overlay = self.jobs[job].job.overlay.clone();
            let saved = self.save_job(namespace, spec, overlay, moment, step);
            jobs.extend(saved.changed.then(|| spec.name.clone()));
        }
        jobs.sort_unstable();
        SavedTemplate { template, changed: true, jobs }
    }
}

fn template(
    namespace: &Namespace,
    revision: u64,
    spec: &Arc<JobTemplateSpec>,
    updated_at: Timestamp,
) -> Arc<JobTemplate> {
    Arc::new(JobTemplate { namespace: namespace.clone(), revision, spec: Arc::clone(spec), updated_at })
}
