//! `export`: jobs as entries of the schedulers that machines bring along.

mod crontab;
mod systemd;
mod taskscheduler;
mod which;

use sandglass_api::native::LeftOut;
use sandglass_core::id::JobName;
use serde::Serialize;

use crate::context::Context;
use crate::failure::Failure;
use crate::render::amount::counted;
use which::{Selected, Standing};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Print jobs as lines of a crontab, or keep them in yours
    #[command(after_help = crontab::HELP)]
    Crontab(crontab::Args),
    /// Print jobs as services and timers of systemd, or keep them installed
    #[command(after_help = systemd::HELP)]
    Systemd(systemd::Args),
    /// Print jobs as tasks of Windows' Task Scheduler, or keep them installed
    #[command(after_help = taskscheduler::HELP)]
    Taskscheduler(taskscheduler::Args),
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::Crontab(args) => crontab::run(args, context).await,
        Command::Systemd(args) => systemd::run(args, context).await,
        Command::Taskscheduler(args) => taskscheduler::run(args, context).await,
    }
}

/// What installing or removing came to.
#[derive(Serialize, Debug, Default, PartialEq, Eq)]
struct Outcome {
    /// Whether anything is another than before.
    changed: bool,
    /// What is there now, and was not or was otherwise.
    written: Vec<String>,
    /// What is there as it was.
    unchanged: Vec<String>,
    /// What is there no longer.
    removed: Vec<String>,
}

impl Outcome {
    fn text(&self) -> String {
        let part =
            |verb: &str, names: &[String]| names.iter().map(|name| format!("{verb} {name}\n")).collect::<String>();
        let text = part("wrote", &self.written) + &part("removed", &self.removed);
        match (text.is_empty(), self.unchanged.len()) {
            (false, _) => text,
            (true, 0) => "nothing of ours is there; nothing was changed\n".to_owned(),
            (true, count) => format!("all of {} as it should be; nothing was changed\n", counted(count, "file")),
        }
    }
}

/// Tells of triggers that have no entry.
fn tell_left_out(job: &JobName, left_out: &[LeftOut], context: &Context) {
    for LeftOut { fires, why, instead, .. } in left_out {
        context.note(&format!("{} job '{job}', {fires}, has no entry: {why}", context.error_paint.yellow("warning:")));
        context.note(&format!("  what to do: {instead}"));
    }
}

/// Tells of what entries do otherwise than the daemon.
fn tell_notes<'a>(job: &JobName, notes: impl IntoIterator<Item = &'a String>, context: &Context) {
    for note in notes {
        context.note(&format!("note: job '{job}': {note}"));
    }
}

/// A job with entries.
struct Exported<'a> {
    job: &'a JobName,
    /// Whether some of its triggers have none.
    partly: bool,
}

/// Says that two clocks start the same jobs, if they do, and that a job does nothing.
fn tell_of_daemon<'a>(exported: impl Iterator<Item = Exported<'a>>, selected: &Selected, context: &Context) {
    let (mut whole, mut partly) = (Vec::new(), Vec::new());
    let warning = context.error_paint.yellow("warning:");
    for exported in exported {
        let name = exported.job.as_str();
        match selected.standing(exported.job) {
            Standing::Fires if exported.partly => partly.push(name),
            Standing::Fires => whole.push(name),
            Standing::Disabled => context.note(&format!(
                "{warning} job '{name}' is disabled: its entries start nothing until somebody enables it"
            )),
            Standing::Paused | Standing::Unknown => {}
        }
    }
    if whole.is_empty() && partly.is_empty() {
        return;
    }
    let all = [whole.as_slice(), partly.as_slice()].concat().join(" ");
    context.note(&format!("{warning} the daemon fires these too, so that they start twice: {all}"));
    if !whole.is_empty() {
        context.hint(&format!(
            "pause them there with `sandglass job pause {}`: their fires then start nothing, and `job run` works",
            whole.join(" ")
        ));
    }
    if !partly.is_empty() {
        context.hint(&format!(
            "some triggers have no entry, and pausing would stop those too: give them a job of their own, and pause the other \
             one: {}",
            partly.join(" ")
        ));
    }
}
