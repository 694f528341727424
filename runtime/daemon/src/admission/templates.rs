//! Jobs that extend templates: what they come to, and whether that may be.
//!
//! What is checked here is what the store has. The scheduler may be ahead of it, so what goes there names the revisions that
//! were looked at; if they are others by then, it refuses with [`Refusal::TemplateMoved`], and all is checked again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use sandglass_api::jobfile::{self, Format};
use sandglass_api::problem::{Class, Code, Problem};
use sandglass_core::batch::Expectation;
use sandglass_core::event::Refusal;
use sandglass_core::id::{JobName, Namespace, TemplateName};
use sandglass_core::job_template::{Basis, Extension, JobTemplate, NewJob, NewTemplate, Resolved};
use sandglass_core::spec::{JobSpec, JobTemplateSpec, Overlay, WrittenJob};
use sandglass_store::query::MAX_PAGE;
use sandglass_store::{Store, StoredJob};

use super::{MAX_FAULTS, check_job, from_store};
use crate::http::App;

/// How often something is checked again because it was changed between the check and the command.
pub(crate) const TRIES: usize = 8;
/// The most refusals that are told of one request.
const MAX_REFUSED: usize = 200;

/// Templates and jobs that were checked together.
#[derive(Default)]
pub(crate) struct Checked {
    pub(crate) templates: Vec<NewTemplate>,
    /// Of each template, what it replaces and which jobs are others by it.
    pub(crate) changes: Vec<TemplateChange>,
    pub(crate) jobs: Vec<NewJob>,
}

/// What saving a template would come to.
pub(crate) struct TemplateChange {
    /// What there is under its name.
    pub(crate) old: Option<Arc<JobTemplate>>,
    pub(crate) changed: bool,
    /// The jobs that would have a new revision.
    pub(crate) jobs: Vec<JobName>,
}

/// Something in a request that may not be, and why.
pub(crate) struct Refused {
    pub(crate) what: Part,
    /// Its faults point into the job or template.
    pub(crate) problem: Problem,
}

/// A part of a request, by its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    Template(usize),
    Job(usize),
}

/// Checks templates that are to be saved, every job that is there and extends one of them, and `jobs` that are to be saved
/// with them. `expect` is what must be there of each template.
pub(crate) async fn check_together(
    app: &App,
    namespace: &Namespace,
    templates: &[Arc<JobTemplateSpec>],
    expect: Expectation,
    jobs: &[WrittenJob],
) -> Result<Checked, Vec<Refused>> {
    let (mut checked, mut refused) = (Checked::default(), Vec::new());
    let mut known = Templates::new(app, namespace, templates);
    for (place, job) in jobs.iter().enumerate() {
        match known.check(job).await {
            Ok(new) => checked.jobs.push(new),
            Err(problem) => refused.push(Refused { what: Part::Job(place), problem }),
        }
        if is_enough(&refused) {
            return Err(refused);
        }
    }
    let come_too: HashSet<&JobName> = jobs.iter().map(WrittenJob::name).collect();
    let mut users = match users(app, namespace, templates, &come_too) {
        Ok(users) => users,
        Err(problem) => return Err(vec![Refused { what: Part::Template(0), problem }]),
    };
    for (place, spec) in templates.iter().enumerate() {
        let users = users.remove(&spec.name).unwrap_or_default();
        match check_template(&known, spec, expect, &users).await {
            Ok((new, change)) => {
                checked.templates.push(new);
                checked.changes.push(change);
            }
            Err(problem) => refused.push(Refused { what: Part::Template(place), problem }),
        }
        if is_enough(&refused) {
            return Err(refused);
        }
    }
    if refused.is_empty() { Ok(checked) } else { Err(refused) }
}

/// Whether more need not be looked at: there is much already, or the fault is not in what was sent.
fn is_enough(refused: &[Refused]) -> bool {
    let is_ours = |refused: &Refused| matches!(refused.problem.class, Class::Unavailable | Class::Internal);
    refused.len() >= MAX_REFUSED || refused.last().is_some_and(is_ours)
}

/// The jobs that are there and extend one of the templates, but for those that `come_too`.
fn users(
    app: &App,
    namespace: &Namespace,
    templates: &[Arc<JobTemplateSpec>],
    come_too: &HashSet<&JobName>,
) -> Result<HashMap<TemplateName, Vec<StoredJob>>, Problem> {
    let mut users: HashMap<TemplateName, Vec<StoredJob>> = HashMap::new();
    if templates.is_empty() {
        return Ok(users);
    }
    let names: HashSet<&TemplateName> = templates.iter().map(|spec| &spec.name).collect();
    each_job(app.store.as_ref(), namespace, |stored| {
        let template = stored.job.overlay.as_ref().map(|overlay| overlay.template());
        if let Some(name) = template.filter(|name| names.contains(name))
            && !come_too.contains(&stored.job.spec.name)
        {
            users.entry(name.clone()).or_default().push(stored);
        }
    })?;
    Ok(users)
}

/// Looks at every job of a namespace.
pub(crate) fn each_job(
    store: &dyn Store,
    namespace: &Namespace,
    mut look: impl FnMut(StoredJob),
) -> Result<(), Problem> {
    let mut after = None;
    loop {
        let page = store.jobs(Some(namespace), after.as_ref(), MAX_PAGE).map_err(|error| from_store(&error))?;
        page.items.into_iter().for_each(&mut look);
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

/// Checks a template, and the jobs that extend it as it makes them.
async fn check_template(
    known: &Templates<'_>,
    spec: &Arc<JobTemplateSpec>,
    expect: Expectation,
    users: &[StoredJob],
) -> Result<(NewTemplate, TemplateChange), Problem> {
    if known.coming.iter().filter(|other| other.name == spec.name).count() > 1 {
        let detail = format!("template '{}' is given twice", spec.name);
        return Err(Problem::new(Code::InvalidTemplate, detail.clone()).with_fault("/name", detail));
    }
    let text = serde_json::to_string(spec).expect("a template has only text keys");
    let read = jobfile::parse_template(&text, Format::Json, "the template").map_err(|errors| {
        let faults = errors.iter().map(|error| (error.pointer.clone(), error.message.clone()));
        problem_of(Code::InvalidTemplate, faults)
    })?;
    if read != **spec {
        let detail = format!("template '{}' is not in canonical form: PUT takes short forms", spec.name);
        return Err(Problem::new(Code::InvalidTemplate, detail.clone()).with_fault("/job", detail));
    }
    let old = known.app.store.template(known.namespace, &spec.name).map_err(|error| from_store(&error))?;
    let changed = old.as_ref().is_none_or(|old| old.spec != *spec);
    let (mut jobs, mut names) = (Vec::new(), Vec::new());
    // What stays as it is changes no job, and all have been checked with it.
    for stored in users.iter().filter(|_| changed) {
        let Some(overlay) = &stored.job.overlay else { continue };
        let resolved = match jobfile::resolve(overlay, spec) {
            Ok(resolved) => known.check_resolved(&resolved, overlay, spec).await.map(|()| Arc::new(resolved)),
            Err(faults) => Err(problem_of(Code::InvalidTemplate, faults)),
        };
        let resolved = resolved.map_err(|problem| breaks(problem, spec, &stored.job.spec.name))?;
        if *resolved != *stored.job.spec {
            names.push(stored.job.spec.name.clone());
        }
        jobs.push(Resolved { job: stored.job.id, revision: stored.job.revision, spec: resolved });
    }
    let change = TemplateChange { old, changed, jobs: names };
    Ok((NewTemplate { spec: Arc::clone(spec), expect, jobs }, change))
}

/// What is wrong with a job that is there, as a fault of the template that would make it so.
fn breaks(mut problem: Problem, template: &JobTemplateSpec, job: &JobName) -> Problem {
    let name = &template.name;
    let why = format!("template '{name}' cannot be changed so, because of job '{job}', which extends it");
    problem.detail = format!("{why}: {}", problem.detail);
    for fault in &mut problem.errors {
        fault.pointer = format!("/job{}", fault.pointer);
        fault.message = format!("job '{job}', which extends template '{name}', could not be so: {}", fault.message);
    }
    problem
}

/// The templates that the jobs of a request may extend.
pub(crate) struct Templates<'a> {
    app: &'a App,
    namespace: &'a Namespace,
    /// Those that come with the jobs.
    coming: &'a [Arc<JobTemplateSpec>],
    /// Those of the store that were asked for.
    read: HashMap<TemplateName, Arc<JobTemplate>>,
}

impl<'a> Templates<'a> {
    pub(crate) fn new(app: &'a App, namespace: &'a Namespace, coming: &'a [Arc<JobTemplateSpec>]) -> Self {
        Self { app, namespace, coming, read: HashMap::new() }
    }

    /// Checks a job, laid over its template if it extends one.
    pub(crate) async fn check(&mut self, job: &WrittenJob) -> Result<NewJob, Problem> {
        let overlay = match job {
            WrittenJob::Whole(spec) => {
                self.check_spec(spec).await?;
                return Ok(NewJob::from(Arc::clone(spec)));
            }
            WrittenJob::Extending(overlay) => overlay,
        };
        let (template, basis) = self.find(overlay.template())?;
        let spec = jobfile::resolve(overlay, &template).map_err(|faults| problem_of(Code::InvalidJob, faults))?;
        self.check_resolved(&spec, overlay, &template).await?;
        let extends = Extension { overlay: Arc::clone(overlay), basis };
        Ok(NewJob { spec: Arc::new(spec), extends: Some(Box::new(extends)) })
    }

    fn find(&mut self, name: &TemplateName) -> Result<(Arc<JobTemplateSpec>, Basis), Problem> {
        if let Some(coming) = self.coming.iter().find(|spec| spec.name == *name) {
            return Ok((Arc::clone(coming), Basis::Together));
        }
        let store = self.app.store.as_ref();
        let template = match self.read.get(name) {
            Some(template) => Arc::clone(template),
            None => {
                let found = store.template(self.namespace, name).map_err(|error| from_store(&error))?;
                let Some(found) = found else { return Err(self.no_template(name)) };
                self.read.insert(name.clone(), Arc::clone(&found));
                found
            }
        };
        Ok((Arc::clone(&template.spec), Basis::Saved(template.revision)))
    }

    /// That a job extends a template that is not there: a fault of the job, not of the address.
    fn no_template(&self, name: &TemplateName) -> Problem {
        let kept = match self.app.store.templates(self.namespace) {
            Ok(kept) => kept,
            Err(error) => return from_store(&error),
        };
        let names = kept.iter().map(|template| &template.spec.name).chain(self.coming.iter().map(|spec| &spec.name));
        let detail = Refusal::no_template(self.namespace, name, names).to_string();
        Problem::new(Code::InvalidJob, detail.clone())
            .with_fault("/extends", detail)
            .with_hint("save the template first, or with the job, under `templates:`")
    }

    async fn check_spec(&self, spec: &JobSpec) -> Result<(), Problem> {
        check_job(spec, self.app.store.as_ref(), &self.app.host, &self.app.options.ceiling).await
    }

    /// Checks what a job comes to over its template.
    async fn check_resolved(
        &self,
        spec: &JobSpec,
        overlay: &Overlay,
        template: &JobTemplateSpec,
    ) -> Result<(), Problem> {
        let mut problem = match self.check_spec(spec).await {
            Ok(()) => return Ok(()),
            Err(problem) => problem,
        };
        for (place, fault) in problem.errors.iter_mut().enumerate() {
            let told = jobfile::blamed(overlay, template, &fault.pointer, fault.message.clone());
            if let (0, Some(more)) = (place, told.strip_prefix(fault.message.as_str())) {
                problem.detail.push_str(more);
            }
            fault.message = told;
        }
        Err(problem)
    }
}

/// All faults as one problem.
fn problem_of(code: Code, faults: impl IntoIterator<Item = (String, String)>) -> Problem {
    let mut faults = faults.into_iter().take(MAX_FAULTS);
    let Some((pointer, message)) = faults.next() else { return Problem::new(code, "") };
    let place = if pointer.is_empty() { String::new() } else { format!("{pointer}: ") };
    let problem = Problem::new(code, format!("{place}{message}")).with_fault(pointer, message);
    faults.fold(problem, |problem, (pointer, message)| problem.with_fault(pointer, message))
}
