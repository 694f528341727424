//! `apply`: the jobs, templates, calendars, targets and groups of files, and the notifiers of the namespace, all or none.

use std::path::PathBuf;

use sandglass_api::client::ClientError;
use sandglass_api::wire::{self, ApplyResult};
use serde::Serialize;

use super::files::{self, SourcedJob, Sources};
use super::{calendar, group, namespace, target, template};
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    templates: Vec<template::Outcome>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    targets: Vec<target::Outcome>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<group::Outcome>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notify: Option<namespace::Outcome>,
}

impl Applied<ApplyResult> {
    fn new(saved: wire::Applied) -> Self {
        Self {
            items: saved.jobs,
            calendars: saved.calendars.iter().map(calendar::Outcome::from).collect(),
            targets: saved.targets.iter().map(target::Outcome::from).collect(),
            groups: saved.groups.iter().map(group::Outcome::from).collect(),
            templates: saved.templates.into_iter().map(template::Outcome::from).collect(),
            notify: saved.notify.as_ref().map(namespace::Outcome::from),
        }
    }
}

pub(crate) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let sources = files::read(&args.files)?;
    if args.dry_run {
        let Plan { jobs, calendars, templates, targets, groups, notify } = plan(&sources, context).await?;
        warn_of_targets(&sources, &targets, context);
        warn(&sources.jobs, jobs.iter().map(|planned| &planned.result), context);
        return show_plan(&Applied { items: jobs, calendars, templates, targets, groups, notify }, context);
    }
    // The daemon is asked about all of it first, so that every fault is told with its place.
    check(&sources, context).await?;
    let applied = Applied::new(context.client.apply(&sources.request(), false).await?);
    warn(&sources.jobs, &applied.items, context);
    warn_of_targets(&sources, &applied.targets, context);
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

/// Tells of likely slips in the targets, each with its place in its file.
pub(super) fn warn_of_targets(sources: &Sources, outcomes: &[target::Outcome], context: &Context) {
    for (sourced, outcome) in sources.targets.iter().zip(outcomes) {
        for warning in &outcome.warnings {
            let line = sourced.part.locate(&warning.pointer).line;
            let what = format!("{}:{line}: target '{}'", sourced.source, outcome.target);
            target::warn(std::slice::from_ref(warning), &what, context);
        }
    }
}

/// The tables of templates, calendars, targets and groups, if there are any, what became of the notifiers, if there are any, and the table
/// of `jobs`, if there are any or nothing else is.
fn tables<T>(applied: &Applied<T>, jobs: String, dry_run: bool, context: &Context) -> String {
    let mut tables = Vec::new();
    if !applied.templates.is_empty() {
        tables.push(render::template::applied(&applied.templates, dry_run, context.paint));
    }
    if !applied.calendars.is_empty() {
        tables.push(render::calendar::applied(&applied.calendars, dry_run, context.paint));
    }
    if !applied.targets.is_empty() {
        tables.push(render::target::applied(&applied.targets, dry_run, context.paint));
    }
    if !applied.groups.is_empty() {
        tables.push(render::group::applied(&applied.groups, dry_run, context.paint));
    }
    let targets = applied.targets.iter().map(|outcome| (outcome.target.as_str(), &outcome.fields));
    let groups = applied.groups.iter().map(|outcome| (outcome.group.as_str(), &outcome.fields));
    for (name, fields) in targets.chain(groups).filter(|(_, fields)| !fields.is_empty()) {
        tables.push(format!("{}:\n{}", context.paint.bold(name), render::changes::show(fields, context.paint)));
    }
    if applied.notify.is_some() {
        tables.push(render::notify::applied(applied.notify.as_ref(), dry_run, context.paint));
    }
    if !applied.items.is_empty() || tables.is_empty() {
        tables.push(jobs);
    }
    tables.join("\n")
}

/// What saving all of it would come to. What the daemon has against it is told with its places.
pub(crate) async fn check(sources: &Sources, context: &Context) -> Result<wire::Applied, Failure> {
    namespace::plan(sources.notify.as_ref(), context).await?;
    match context.client.apply(&sources.request(), true).await {
        Ok(applied) => Ok(applied),
        Err(ClientError::Refused(problem)) => Err(sources.refused(*problem, context)),
        Err(error) => Err(error.into()),
    }
}

/// What saving files would change.
pub(crate) struct Plan {
    /// The jobs, field by field.
    pub(crate) jobs: Vec<Planned>,
    pub(crate) calendars: Vec<calendar::Outcome>,
    pub(crate) templates: Vec<template::Outcome>,
    pub(crate) targets: Vec<target::Outcome>,
    pub(crate) groups: Vec<group::Outcome>,
    pub(crate) notify: Option<namespace::Outcome>,
}

/// What saving the files would change.
pub(crate) async fn plan(sources: &Sources, context: &Context) -> Result<Plan, Failure> {
    let answers = check(sources, context).await?;
    let targets = target::plan(&answers.targets, context).await?;
    let groups = group::plan(&answers.groups, context).await?;
    let Applied { items, calendars, templates, notify, .. } = Applied::new(answers);
    let mut jobs = Vec::new();
    for result in items {
        let fields = if result.changed && !result.created {
            let saved = context.client.job(&result.job.name).await?;
            changes::between_forms(&saved.spec, &result.job.spec)
        } else {
            Vec::new()
        };
        jobs.push(Planned { result, fields });
    }
    Ok(Plan { jobs, calendars, templates, targets, groups, notify })
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
