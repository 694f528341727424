//! `export crontab`.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use sandglass_api::crontab::MOST_BYTES;
use sandglass_api::native::crontab::{
    CronJobLines, UnclearBlock, block, lines_of, with_block, without_block, zone_before,
};
use sandglass_api::problem::{Code, Problem};
use sandglass_core::id::JobName;
use serde::Serialize;

use super::super::schedule::zone_of_machine;
use super::which::Which;
use super::{Exported, tell_left_out, tell_notes, tell_of_daemon};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::amount::counted;

pub(super) const HELP: &str = "Our lines stand between `# BEGIN sandglass` and `# END sandglass`, a block for each namespace; \
     no other line is touched. --install puts exactly the jobs that are named into the block.\n\nExamples:\n  \
     sandglass export crontab\n  sandglass export crontab nightly-backup --install\n  \
     sandglass export crontab --tag backup --install\n  sandglass export crontab -f jobs/\n  \
     sandglass export crontab --remove";

#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    which: Which,
    /// Put the lines into your crontab, in the place of those of the namespace that are there
    #[arg(long)]
    install: bool,
    /// Take the lines of the namespace out of your crontab
    #[arg(long, conflicts_with_all = ["install", "names", "tag", "files", "program"])]
    remove: bool,
}

/// The lines of jobs.
#[derive(Serialize)]
struct Rendered {
    items: Vec<CronJobLines>,
    /// All of them with what is to be said of them, as it stands in a crontab.
    text: String,
}

/// What became of the crontab.
#[derive(Serialize)]
struct Changed {
    changed: bool,
    /// The jobs that it starts.
    jobs: Vec<JobName>,
}

pub(super) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let namespace = context.client.namespace();
    if args.remove {
        let before = current()?;
        let after = without_block(&before, namespace).map_err(unclear)?;
        let changed = before != after;
        if changed {
            replace(&before, &after)?;
        }
        return context.show(&Changed { changed, jobs: Vec::new() }, |_| match changed {
            true => format!("your crontab starts no job of the namespace {namespace} any more\n"),
            false => format!("your crontab has no lines of the namespace {namespace}; nothing was changed\n"),
        });
    }
    let before = if args.install { current()? } else { Vec::new() };
    let around = zone_before(&before, namespace).map_err(unclear)?.unwrap_or_else(zone_of_machine);
    let caller = args.which.caller(context)?;
    let selected = args.which.select(context).await?;
    let jobs = selected.sources(context).map(|source| lines_of(&source, &caller, around));
    // A job that runs only by hand has nothing to be said in a crontab.
    let items: Vec<_> = jobs.filter(|job| !job.entries.is_empty() || !job.left_out.is_empty()).collect();
    items.iter().for_each(|job| tell_left_out(&job.job, &job.left_out, context));
    let text = block(namespace, &items, around);
    if !args.install {
        let rendered = Rendered { items, text };
        return context.show(&rendered, |_| rendered.text.clone());
    }
    let started: Vec<JobName> = items.iter().filter(|job| !job.entries.is_empty()).map(|job| job.job.clone()).collect();
    let after = match started.as_slice() {
        [] => without_block(&before, namespace),
        _ => with_block(&before, namespace, &text),
    };
    let after = after.map_err(unclear)?;
    let changed = before != after;
    if changed {
        replace(&before, &after)?;
    }
    for job in &items {
        tell_notes(&job.job, job.notes.iter().chain(job.entries.iter().flat_map(|entry| &entry.notes)), context);
    }
    let with_lines = items.iter().filter(|job| !job.entries.is_empty());
    let exported = with_lines.map(|job| Exported { job: &job.job, partly: !job.left_out.is_empty() });
    tell_of_daemon(exported, &selected, context);
    let count = counted(started.len(), "job");
    context.show(&Changed { changed, jobs: started }, |_| match changed {
        true => format!("your crontab starts {count} of the namespace {namespace}\n"),
        false => format!("your crontab starts {count} of the namespace {namespace} already; nothing was changed\n"),
    })
}

fn unclear(error: UnclearBlock) -> Failure {
    let hint = "mend it with `crontab -e`: a block begins with `# BEGIN sandglass (namespace …)`, ends with `# END sandglass \
                (namespace …)`, and is there once for each namespace";
    Problem::new(Code::InvalidFile, format!("{error}, so that it is unclear which lines are ours"))
        .with_hint(hint)
        .into()
}

/// The user's crontab; nothing, if there is none.
fn current() -> Result<Vec<u8>, Failure> {
    let mut command = Command::new("crontab");
    // What it says of no crontab is looked for in English.
    command.arg("-l").env("LC_ALL", "C").stdin(Stdio::null());
    let output = command.output().map_err(not_started)?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        // As cron's own says it, and BusyBox's. Any other file that is missing is another fault.
        let none = said.contains("no crontab for")
            || (said.contains("crontab: can't open") && said.contains("No such file or directory"));
        return if none { Ok(Vec::new()) } else { Err(failed("-l", &output)) };
    }
    if output.stdout.len() > MOST_BYTES {
        let detail = format!("your crontab has more than {} KiB; nothing was changed", MOST_BYTES >> 10);
        return Err(Problem::new(Code::InvalidFile, detail).into());
    }
    Ok(output.stdout)
}

/// Gives cron the whole crontab, which it takes or refuses as one, unless somebody else has changed it since it was read.
fn replace(before: &[u8], crontab: &[u8]) -> Result<(), Failure> {
    if current()? != before {
        let detail = "your crontab was changed by somebody else meanwhile, and is left as it is";
        return Err(Problem::new(Code::RevisionConflict, detail).with_hint("do it again").into());
    }
    let mut command = Command::new("crontab");
    command.arg("-").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(not_started)?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    // One that does not read says why when it ends.
    let written = stdin.write_all(crontab);
    drop(stdin);
    let output = child.wait_with_output().map_err(not_started)?;
    if !output.status.success() {
        return Err(failed("-", &output));
    }
    written.map_err(|error| Failure::io("cannot give `crontab -` all lines", error))
}

fn not_started(error: std::io::Error) -> Failure {
    let problem = Problem::new(Code::Unavailable, format!("`crontab` cannot be run: {error}"));
    problem.with_hint("install cron, or print the lines without --install").into()
}

fn failed(arg: &str, output: &Output) -> Failure {
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().lines().next().unwrap_or("it said nothing").to_owned();
    Problem::new(Code::Unavailable, format!("`crontab {arg}` failed, and nothing was changed: {said}")).into()
}
