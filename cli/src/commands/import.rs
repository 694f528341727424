//! `import`: what other schedulers start, as job files.

use std::path::{Path, PathBuf};
use std::process;

use sandglass_api::crontab::{self, CronJob, Kind};
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::Page;
use uzers::os::unix::UserExt as _;

use super::files;
use crate::context::Context;
use crate::failure::Failure;
use crate::render;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Print the jobs of a crontab as a job file, which `apply` takes
    Crontab(CrontabArgs),
}

#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  sandglass import crontab > jobs.yaml\n  \
                        sandglass import crontab /etc/cron.d/backup > jobs.yaml")]
pub(crate) struct CrontabArgs {
    /// The crontab, or - for standard input; without it, what `crontab -l` prints
    file: Option<PathBuf>,
    /// The name of a user stands before each command, as in /etc/crontab and the files of /etc/cron.d
    #[arg(long)]
    system: bool,
}

pub(crate) fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::Crontab(args) => import(&args, context),
    }
}

fn import(args: &CrontabArgs, context: &Context) -> Result<(), Failure> {
    let (text, source) = match &args.file {
        Some(file) => files::text(file, crontab::MOST_BYTES)?,
        None => (own_crontab()?, "your crontab".to_owned()),
    };
    let is_systems = |file: &PathBuf| file == Path::new("/etc/crontab") || file.starts_with("/etc/cron.d");
    let system = args.system || args.file.as_ref().is_some_and(is_systems);
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (user, home) = (variable("LOGNAME").or_else(|| variable("USER")), variable("HOME"));
    let kind = if system { Kind::System } else { Kind::User { user: user.as_deref(), home: home.as_deref() } };
    let jobs = crontab::read(&text, kind, home_of).map_err(|faults| {
        let faults: Vec<_> = faults.iter().map(|fault| format!("{source}:{}: {}", fault.line, fault.message)).collect();
        let problem = Problem::new(Code::InvalidFile, faults.join("\n"));
        let users = "if the names of users stand before the commands, as in /etc/crontab, say `--system`";
        if system { problem } else { problem.with_hint(users) }
    })?;
    let page: Page<CronJob> = Page { items: jobs, next: None };
    context.show(&page, |_| render::crontab::file(&page.items, &source))?;
    if page.items.is_empty() {
        context.note(&format!("{source} starts nothing"));
    } else {
        let (diff, apply) = (context.command("diff FILE"), context.command("apply FILE"));
        context.hint(&format!(
            "see with {diff} whether jobs of these names are there, save them with {apply}, and take their lines out of the \
             crontab, or cron starts them too"
        ));
    }
    Ok(())
}

/// What `crontab -l` prints.
fn own_crontab() -> Result<String, Failure> {
    let hint = "name a file, or - for standard input";
    let output = process::Command::new("crontab").arg("-l").stdin(process::Stdio::null()).output();
    let output = output.map_err(|error| {
        Problem::new(Code::InvalidFile, format!("`crontab -l` cannot be run: {error}")).with_hint(hint)
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim().lines().next().unwrap_or("it said nothing").to_owned();
        return Err(Problem::new(Code::InvalidFile, format!("`crontab -l` failed: {said}")).with_hint(hint).into());
    }
    String::from_utf8(output.stdout)
        .map_err(|_| Problem::new(Code::InvalidFile, "your crontab is no UTF-8 text").with_hint(hint).into())
}

/// The home directory of a user of this machine.
fn home_of(user: &str) -> Option<String> {
    let user = uzers::get_user_by_name(user)?;
    Some(user.home_dir().to_string_lossy().into_owned())
}
