//! `job`: the jobs there are, and starting them.

use sandglass_api::client::HoldVerb;
use sandglass_api::wire::{Job, MAX_LIMIT, Page, Run, RunListQuery};
use sandglass_core::id::JobName;
use sandglass_core::run::StateName;
use sandglass_core::spec::ParamValues;

use super::deletion::Deletion;
use super::params::{self, Param, parse_param};
use super::{edit, fires, follow, hold, run as run_command, which_run};
use crate::context::Context;
use crate::failure::Failure;
use crate::render;
use crate::when::{self, When};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// List jobs
    #[command(visible_alias = "ls")]
    List {
        /// Only jobs with this tag
        #[arg(long)]
        tag: Option<String>,
    },
    /// Show one job in full, as it was written
    Show {
        /// The job's name
        name: JobName,
        /// Show what it comes to over the template that it extends
        #[arg(long)]
        resolved: bool,
    },
    /// Start a run now
    #[command(
        after_help = "A value is read by the kind that the job declares for the parameter; NAME:=JSON gives any value as JSON.\n\n\
                      With --wait the output goes to standard error, the finished run to standard output, and the \
                            exit code is 1 unless the run succeeded."
    )]
    Run {
        /// The job's name
        name: JobName,
        /// Show the output, and wait until the run is over
        #[arg(long, short)]
        wait: bool,
        /// Start even while another run of the job is going
        #[arg(long)]
        force: bool,
        /// A value of one of the job's parameters; may be given several times
        #[arg(long = "param", short = 'p', value_name = "NAME=VALUE", value_parser = parse_param)]
        params: Vec<Param>,
    },
    /// Show what a run would do if it started now, and do nothing
    #[command(
        after_help = "The plugin says so itself; the host denies it everything that would change anything meanwhile. \
                            Plugins that cannot say are shown with the parameters that they would be given."
    )]
    Plan {
        /// The job's name
        name: JobName,
        /// A value of one of the job's parameters; may be given several times
        #[arg(long = "param", short = 'p', value_name = "NAME=VALUE", value_parser = parse_param)]
        params: Vec<Param>,
    },
    /// Let the fires of jobs start nothing until they are resumed
    #[command(after_help = hold::PAUSE_HELP)]
    Pause {
        #[command(flatten)]
        which: hold::Which,
        /// Why, in a few words; shown with the job
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let the fires of paused jobs start runs again
    #[command(after_help = hold::RESUME_HELP)]
    Resume {
        #[command(flatten)]
        which: hold::Which,
    },
    /// Let jobs do nothing at all until they are enabled
    #[command(after_help = hold::DISABLE_HELP)]
    Disable {
        #[command(flatten)]
        which: hold::Which,
        /// Why, in a few words; shown with the job
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Let disabled jobs fire again, counted from now
    #[command(after_help = hold::ENABLE_HELP)]
    Enable {
        #[command(flatten)]
        which: hold::Which,
    },
    /// Change a job in an editor
    #[command(after_help = edit::HELP)]
    Edit {
        /// The job's name
        name: JobName,
    },
    /// Delete a job; its history stays
    #[command(visible_alias = "rm")]
    Delete {
        /// The jobs' names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<JobName>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// List the runs of a job
    #[command(after_help = when::FORMS)]
    History {
        /// The job's name
        name: JobName,
        #[command(flatten)]
        filter: run_command::Filter,
    },
    /// Print what the job's latest run printed
    #[command(after_help = run_command::LOGS_HELP)]
    Logs {
        /// The job's name
        name: JobName,
        #[command(flatten)]
        logs: run_command::LogOptions,
    },
    /// Show when a job fires next, what calendars leave out included
    #[command(after_help = when::FORMS)]
    Next {
        /// The job's name
        name: JobName,
        /// How many fires to show
        #[arg(long, short, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
        count: u32,
        /// Fires after this instant [default: now]
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        from: Option<When>,
    },
    /// Say why a job ran or did not run at a time
    #[command(after_help = when::FORMS)]
    Why {
        /// The job's name
        name: JobName,
        /// The time, such as '2027-01-15 02:30', in the job's zone
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        at: When,
    },
    /// Start runs for fires of the past that have none
    #[command(after_help = when::FORMS)]
    Backfill(fires::BackfillArgs),
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::List { tag } => list(tag.as_deref(), context).await,
        Command::Show { name, resolved } => {
            let job = context.client.job(&name).await?;
            let job = if resolved { Job { spec: job.spec.resolved(), ..job } } else { job };
            context.show(&job, |context| render::job::show(&job, context.now, context.paint))
        }
        Command::Plan { name, params } => {
            let params = params::values(&name, &params, context).await?;
            let plan = context.client.plan_job(&name, params).await?;
            context.show(&plan, |context| render::plan::show(&name, &plan, context.paint))
        }
        Command::Pause { which, reason } => hold::hold(HoldVerb::Pause, which, reason, context).await,
        Command::Resume { which } => hold::hold(HoldVerb::Resume, which, None, context).await,
        Command::Disable { which, reason } => hold::hold(HoldVerb::Disable, which, reason, context).await,
        Command::Enable { which } => hold::hold(HoldVerb::Enable, which, None, context).await,
        Command::Edit { name } => edit::edit(&name, context).await,
        Command::Run { name, wait, force, params } => {
            let params = params::values(&name, &params, context).await?;
            start(&name, wait, force, params, context).await
        }
        Command::Delete { names, yes } => {
            let deletion = Deletion {
                what: "job",
                before: "? Queued runs are cancelled, running ones stopped.",
                after: "; its history stays",
            };
            deletion.run(&names, yes, context, async |name| context.client.delete_job(name).await).await
        }
        Command::History { name, filter } => {
            let shown = run_command::Shown::find(Some(&name), context).await;
            let query = RunListQuery { job: Some(name.to_string()), ..filter.query(shown.zone, context) };
            // A job that is not there is a slip rather than an empty history, unless it has one.
            let page = run_command::collect(query, filter.limit, context).await?;
            if page.items.is_empty() {
                context.client.job(&name).await?;
            }
            run_command::show_page(&page, &shown, context).await
        }
        Command::Logs { name, logs } => {
            let run = which_run::latest(Some(&name), context).await?;
            run_command::print_logs(run.id, &logs, context).await
        }
        Command::Next { name, count, from } => fires::next(&name, count as usize, from, context).await,
        Command::Why { name, at } => fires::why(&name, at, context).await,
        Command::Backfill(args) => fires::backfill(args, context).await,
    }
}

/// All jobs of the namespace, or those with a tag.
pub(super) async fn all(tag: Option<&str>, context: &Context) -> Result<Page<Job>, Failure> {
    let mut page: Page<Job> = context.client.jobs(tag, Some(MAX_LIMIT), None).await?;
    while let Some(cursor) = page.next.take() {
        let more = context.client.jobs(tag, Some(MAX_LIMIT), Some(&cursor)).await?;
        page.items.extend(more.items);
        page.next = more.next.filter(|next| *next != cursor);
    }
    Ok(page)
}

async fn list(tag: Option<&str>, context: &Context) -> Result<(), Failure> {
    let page = all(tag, context).await?;
    context.show(&page, |context| {
        if page.items.is_empty() {
            let empty = match tag {
                Some(tag) => format!("no jobs with the tag '{tag}'"),
                None => format!("no jobs; save one with {}", context.command("apply FILE")),
            };
            return context.paint.dim(&empty) + "\n";
        }
        render::job::list(&page.items, context.form == crate::args::Form::Wide, context.now, context.paint)
    })
}

async fn start(name: &JobName, wait: bool, force: bool, params: ParamValues, context: &Context) -> Result<(), Failure> {
    follow_start(context.client.run_job(name, force, params).await?, wait, context).await
}

/// Shows a run that was just asked for: with `wait` its output, and then how it ended.
pub(super) async fn follow_start(started: Run, wait: bool, context: &Context) -> Result<(), Failure> {
    let run = if wait && !started.state.is_terminal() { follow::until_over(&started, context).await? } else { started };
    run_command::show(&run, context).await?;
    if run.state == StateName::Skipped {
        say_why_skipped(&run, context).await;
    }
    // Without --wait a run that is still going is what was asked for; one that was skipped is not.
    let fine = if wait { run.state == StateName::Succeeded } else { run.state != StateName::Skipped };
    if fine { Ok(()) } else { Err(Failure::NotSo) }
}

/// A start that another run of the job stood in the way of: which one, and what to do.
async fn say_why_skipped(run: &Run, context: &Context) {
    if run.reason.as_deref() != Some("overlap") {
        return;
    }
    let (job, force) = (&run.job, format!("`sandglass job run {} --force`", run.job));
    let query = RunListQuery {
        job: Some(job.to_string()),
        state: Some("queued,running,retry_wait".to_owned()),
        limit: Some(1),
        ..RunListQuery::default()
    };
    // It may be over by now; then there is nothing to wait for.
    let other = context.client.runs(&query).await.ok().and_then(|mut page| page.items.pop());
    context.hint(&match other {
        Some(other) => format!(
            "run {} of '{job}' is going: wait for it with `sandglass run wait {}`, or start beside it with {force}",
            other.id, other.id
        ),
        None => format!("another run of '{job}' was going: start again, or beside others with {force}"),
    });
}
