//! `apply`: the jobs and calendars of files, and the notifiers of the namespace, all or none.

use std::path::PathBuf;
use std::sync::Arc;

use sandglass_api::client::{ClientError, Precondition};
use sandglass_api::wire::{ApplyRequest, ApplyResult};
use sandglass_core::id::CalendarName;
use sandglass_core::spec::{CalendarRules, JobSpec};
use serde::Serialize;

use super::calendar;
use super::calendar::Change as CalendarChange;
use super::files::{self, Refusals, SourcedJob, Sources};
use super::namespace;
use crate::changes::{self, Change};
use crate::context::Context;
use crate::failure::Failure;
use crate::render;

#[derive(clap::Args, Debug)]
#[command(
    after_help = "Examples:\n  sandglass apply jobs/\n  sandglass apply backup.yaml --dry-run\n  generate-jobs | sandglass apply -"
)]
pub(crate) struct Args {
    /// Job files in YAML, TOML or JSON, folders of them, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Say what would change, field by field, and change nothing
    #[arg(long)]
    dry_run: bool,
}

/// What saving a job would come to.
#[derive(Serialize)]
pub(crate) struct Planned {
    #[serde(flatten)]
    pub(crate) result: ApplyResult,
    /// What would change, of a job that is there already.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<Change>,
}

/// What was done, or would be.
#[derive(Serialize)]
struct Applied<T> {
    items: Vec<T>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    calendars: Vec<calendar::Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify: Option<namespace::Outcome>,
}

pub(crate) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let sources = files::read(&args.files)?;
    if args.dry_run {
        let calendars = calendar::plan(&sources.calendars, context).await?;
        let items = plan(&sources, context).await?;
        warn(&sources.jobs, items.iter().map(|planned| &planned.result), context);
        let notify = namespace::plan(sources.notify.as_ref(), context).await?;
        return show_plan(&Applied { items, calendars, notify }, context);
    }
    // The daemon is asked about every job first, so that the faults of all are told with their places.
    check(&sources, context).await?;
    namespace::plan(sources.notify.as_ref(), context).await?;
    let calendars = sources.calendars.clone();
    let jobs = sources.jobs.iter().map(|sourced| sourced.job.spec.clone()).collect();
    let notify = sources.notify.as_ref().map(|sourced| sourced.notify.notify.clone());
    let saved = context.client.apply(&ApplyRequest { calendars, jobs, notify }).await?;
    let calendars = saved.calendars.iter().map(calendar::Outcome::from).collect();
    let notify = saved.notify.as_ref().map(namespace::Outcome::from);
    let applied = Applied { items: saved.jobs, calendars, notify };
    warn(&sources.jobs, &applied.items, context);
    context.show(&applied, |context| {
        let jobs = render::job::applied(&applied.items, false, context.now, context.paint);
        tables(&applied, jobs, false, context)
    })?;
    calendar::warn(&applied.calendars, context).await
}

/// Tells of likely slips in the jobs, each with its place in its file. `results` are the daemon's answers, job by job.
fn warn<'a>(jobs: &[SourcedJob], results: impl IntoIterator<Item = &'a ApplyResult>, context: &Context) {
    for (sourced, result) in jobs.iter().zip(results) {
        sourced.warn(&result.warnings, context);
    }
}

/// The table of calendars, if there are any, what became of the notifiers, if there are any, and the table of `jobs`, if
/// there are any or nothing else is.
fn tables<T>(applied: &Applied<T>, jobs: String, dry_run: bool, context: &Context) -> String {
    let Applied { items, calendars, notify } = applied;
    let mut parts = Vec::new();
    if !calendars.is_empty() {
        parts.push(render::calendar::applied(calendars, dry_run, context.paint));
    }
    if notify.is_some() {
        parts.push(render::notify::applied(notify.as_ref(), dry_run, context.paint));
    }
    if !items.is_empty() || parts.is_empty() {
        parts.push(jobs);
    }
    parts.join("\n")
}

/// What saving the jobs would come to, once the calendars that come with them are there.
pub(crate) async fn check(sources: &Sources, context: &Context) -> Result<Vec<ApplyResult>, Failure> {
    let outcomes = calendar::plan(&sources.calendars, context).await?;
    let absent: Vec<&CalendarName> = outcomes
        .iter()
        .filter(|outcome| outcome.change == CalendarChange::Created)
        .map(|outcome| &outcome.spec.name)
        .collect();
    let mut results = Vec::new();
    let mut refusals = Refusals::default();
    for sourced in &sources.jobs {
        let spec = &sourced.job.spec;
        let checked = without(spec, &absent);
        match context.client.put_job(checked.as_ref().unwrap_or(spec), Precondition::Anything, true).await {
            Ok(mut result) => {
                if checked.is_some() {
                    result.job.spec = Arc::new(spec.clone());
                    // It cannot have named them before.
                    result.changed = true;
                }
                results.push(result);
            }
            Err(ClientError::Refused(problem)) => refusals.push(sourced, *problem),
            Err(error) => return Err(error.into()),
        }
    }
    refusals.into_failure(context)?;
    Ok(results)
}

/// The job without its naming of calendars that are not there yet; none if it names none of them.
fn without(spec: &JobSpec, absent: &[&CalendarName]) -> Option<JobSpec> {
    let is_absent = |name: &CalendarName| absent.contains(&name);
    let names_one = |rules: &CalendarRules| rules.exclude.iter().chain(rules.include.iter()).any(is_absent);
    spec.triggers.iter().any(|trigger| names_one(&trigger.calendars)).then(|| {
        let mut spec = spec.clone();
        for trigger in spec.triggers.iter_mut().filter(|trigger| names_one(&trigger.calendars)) {
            trigger.calendars = CalendarRules::default();
        }
        spec
    })
}

/// What saving the jobs would change, field by field.
pub(crate) async fn plan(sources: &Sources, context: &Context) -> Result<Vec<Planned>, Failure> {
    let mut planned = Vec::new();
    for result in check(sources, context).await? {
        let fields = if result.changed && !result.created {
            let saved = context.client.job(&result.job.name).await?;
            changes::between(&saved.spec, &result.job.spec)
        } else {
            Vec::new()
        };
        planned.push(Planned { result, fields });
    }
    Ok(planned)
}

fn show_plan(applied: &Applied<Planned>, context: &Context) -> Result<(), Failure> {
    context.show(applied, |context| {
        let results: Vec<ApplyResult> = applied.items.iter().map(|planned| planned.result.clone()).collect();
        let mut jobs = render::job::applied(&results, true, context.now, context.paint);
        for Planned { result, fields } in applied.items.iter().filter(|planned| !planned.fields.is_empty()) {
            let name = context.paint.bold(result.job.name.as_str());
            jobs.push_str(&format!("\n{name}:\n{}", render::changes::show(fields, context.paint)));
        }
        tables(applied, jobs, true, context)
    })
}
