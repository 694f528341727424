//! `apply`: the jobs of files, all or none.

use std::path::PathBuf;

use sandglass_api::client::{ClientError, Precondition};
use sandglass_api::wire::{ApplyResult, Page};

use super::files::{self, Refusals, SourcedJob};
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
    /// Say what would change, and change nothing
    #[arg(long)]
    dry_run: bool,
}

pub(crate) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let jobs = files::read(&args.files)?;
    // The daemon is asked about every job before the first is saved, so that a refusal leaves nothing half done.
    let planned = check(&jobs, context).await?;
    let items = if args.dry_run { planned } else { save(&jobs, context).await? };
    let page = Page { items, next: None };
    context.show(&page, |context| render::job::applied(&page.items, args.dry_run, context.now, context.paint))
}

/// What saving the jobs would come to.
pub(crate) async fn check(jobs: &[SourcedJob], context: &Context) -> Result<Vec<ApplyResult>, Failure> {
    put(jobs, context, true).await
}

async fn save(jobs: &[SourcedJob], context: &Context) -> Result<Vec<ApplyResult>, Failure> {
    put(jobs, context, false).await
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
    refusals.into_failure(saved, context.is_json(), context.error_paint)?;
    Ok(results)
}
