//! `apply`: the jobs of files, all or none.

use std::path::PathBuf;

use sandglass_api::client::{ClientError, Precondition};
use sandglass_api::wire::{ApplyResult, Page};
use serde::Serialize;

use super::files::{self, Refusals, SourcedJob};
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

pub(crate) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let jobs = files::read(&args.files)?;
    if args.dry_run {
        return show_plan(plan(&jobs, context).await?, context);
    }
    // The daemon is asked about every job before the first is saved, so that a refusal leaves nothing half done.
    check(&jobs, context).await?;
    let page = Page { items: put(&jobs, context, false).await?, next: None };
    context.show(&page, |context| render::job::applied(&page.items, false, context.now, context.paint))
}

/// What saving the jobs would come to.
pub(crate) async fn check(jobs: &[SourcedJob], context: &Context) -> Result<Vec<ApplyResult>, Failure> {
    put(jobs, context, true).await
}

/// What saving the jobs would change, field by field.
pub(crate) async fn plan(jobs: &[SourcedJob], context: &Context) -> Result<Vec<Planned>, Failure> {
    let mut planned = Vec::new();
    for result in check(jobs, context).await? {
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

fn show_plan(planned: Vec<Planned>, context: &Context) -> Result<(), Failure> {
    let page = Page { items: planned, next: None };
    context.show(&page, |context| {
        let results: Vec<ApplyResult> = page.items.iter().map(|planned| planned.result.clone()).collect();
        let mut text = render::job::applied(&results, true, context.now, context.paint);
        for Planned { result, fields } in page.items.iter().filter(|planned| !planned.fields.is_empty()) {
            let name = context.paint.bold(result.job.name.as_str());
            text.push_str(&format!("\n{name}:\n{}", render::changes::show(fields, context.paint)));
        }
        text
    })
}

async fn put(jobs: &[SourcedJob], context: &Context, dry_run: bool) -> Result<Vec<ApplyResult>, Failure> {
    let mut results = Vec::new();
    let mut refusals = Refusals::default();
    for sourced in jobs {
        match context.client.put_job(&sourced.job.spec, Precondition::Anything, dry_run).await {
            Ok(result) => results.push(result),
            Err(ClientError::Refused(problem)) => refusals.push(sourced, *problem),
            Err(error) => return Err(error.into()),
        }
    }
    let saved = if dry_run { 0 } else { results.len() };
    refusals.into_failure(saved, context)?;
    Ok(results)
}
