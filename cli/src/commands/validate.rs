//! `validate`: whether job files could be applied.

use std::path::PathBuf;

use sandglass_api::problem::Code;
use serde::Serialize;

use super::{apply, files};
use crate::context::Context;
use crate::failure::Failure;

#[derive(clap::Args, Debug)]
#[command(after_help = "Plugins, parameters and grants are checked by the daemon, if one answers.")]
pub(crate) struct Args {
    /// Job files in YAML, TOML or JSON, folders of them, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Do not ask the daemon
    #[arg(long)]
    offline: bool,
}

#[derive(Serialize)]
struct Report {
    valid: bool,
    jobs: Vec<String>,
    /// Whether a daemon checked plugins, parameters and grants.
    checked_by_daemon: bool,
}

pub(crate) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let jobs = files::read(&args.files)?;
    let checked_by_daemon = !args.offline && ask(&jobs, context).await?;
    let names = jobs.iter().map(|sourced| sourced.job.spec.name.to_string()).collect();
    let report = Report { valid: true, jobs: names, checked_by_daemon };
    context.show(&report, |context| {
        let jobs =
            if report.jobs.len() == 1 { "1 job is".to_owned() } else { format!("{} jobs are", report.jobs.len()) };
        let valid = context.paint.green(&format!("{jobs} valid"));
        let note = "plugins, parameters and grants were not checked: no daemon was asked";
        if report.checked_by_daemon { format!("{valid}\n") } else { format!("{valid}\n{}\n", context.paint.dim(note)) }
    })
}

/// Whether a daemon was there to check the jobs.
async fn ask(jobs: &[files::SourcedJob], context: &Context) -> Result<bool, Failure> {
    match apply::check(jobs, context).await {
        Ok(_) => Ok(true),
        Err(Failure::Problem(problem)) if problem.is(Code::NoDaemon) => Ok(false),
        Err(failure) => Err(failure),
    }
}
