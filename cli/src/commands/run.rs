//! `run`: history, output, waiting and cancelling.

use std::collections::{BTreeSet, HashMap};
use std::io::IsTerminal as _;

use chrono_tz::Tz;
use sandglass_api::client::{LogItem, Printed};
use sandglass_api::wire::{LogLevel, LogsQuery, MAX_LIMIT, MAX_TAIL, Page, Run, RunListQuery};
use sandglass_core::id::{JobName, RunId};
use sandglass_core::output::OutputStream;
use sandglass_core::run::StateName;
use sandglass_core::schedule::Window;
use sandglass_core::spec::TimeZone;

use super::fires::zone_of_job;
use super::schedule::machine_zone;
use super::which_run::Which;
use super::{artifacts, follow, job};
use crate::args::Form;
use crate::context::{Context, print, print_bytes};
use crate::failure::Failure;
use crate::render;
use crate::render::amount::is_far;
use crate::render::output::{Colour, OutputRenderer};
use crate::render::run::Listing;
use crate::when::{self, When};

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// List runs, newest first
    #[command(visible_alias = "ls", after_help = when::FORMS)]
    List {
        /// Only runs of this job
        #[arg(long, short)]
        job: Option<String>,
        /// Also notifications, which are runs of their own
        #[arg(long, conflicts_with = "job")]
        notifications: bool,
        #[command(flatten)]
        filter: Filter,
    },
    /// Show one run in full
    Show {
        #[command(flatten)]
        run: Which,
    },
    /// Print what a run printed
    #[command(after_help = LOGS_HELP)]
    Logs {
        #[command(flatten)]
        run: Which,
        #[command(flatten)]
        logs: LogOptions,
    },
    /// List the files that a run left to others, or get one of them
    #[command(after_help = artifacts::HELP)]
    Artifacts(artifacts::Options),
    /// Wait until a run is over; the exit code is 1 unless it succeeded
    Wait {
        #[command(flatten)]
        run: Which,
    },
    /// Ask a run to stop
    Cancel {
        #[command(flatten)]
        run: Which,
        /// Wait until it has stopped
        #[arg(long, short)]
        wait: bool,
    },
    /// Start a run again that is over: another run of its job as the job is now
    #[command(
        after_help = "The new run names the old one as 'rerun_of'. With --wait the output goes to standard error, the \
                            finished run to standard output, and the exit code is 1 unless it succeeded."
    )]
    Retry {
        #[command(flatten)]
        run: Which,
        /// Show the output, and wait until the run is over
        #[arg(long, short)]
        wait: bool,
        /// Start even while another run of the job is going
        #[arg(long)]
        force: bool,
        /// Only what failed: what the run did well is not done again. For plugins that tell of each part how it went, such as
        /// deploy of each target
        #[arg(long)]
        failed: bool,
    },
}

/// What to print of a run's output.
#[derive(clap::Args, Debug)]
pub(crate) struct LogOptions {
    /// Go on until the run is over, and say how it ended
    #[arg(long, short)]
    follow: bool,
    /// Only what came from this stream
    #[arg(long, value_parser = parse_stream, value_name = "stdout|stderr|log|system")]
    stream: Option<OutputStream>,
    /// Only lines that this regular expression matches; (?i) at its beginning ignores case
    #[arg(long, short, value_name = "REGEX")]
    grep: Option<String>,
    /// Only what was printed since then, such as 10m (ago), 14:30 or 2027-01-15T08:00Z
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    since: Option<When>,
    /// Only what was printed before then
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    until: Option<When>,
    /// Only what this attempt printed, from 1
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    attempt: Option<u32>,
    /// Only lines that the plugin logged, of at least this level
    #[arg(long, value_parser = parse_level, value_name = "trace|debug|info|warn|error")]
    level: Option<LogLevel>,
    /// Only the last lines, so many of what there is
    #[arg(long, value_name = "COUNT", value_parser = parse_tail)]
    tail: Option<usize>,
    /// Begin each line with the instant at which it came, in UTC
    #[arg(long, short)]
    timestamps: bool,
    /// Whether colours and other escape sequences of the output stay
    #[arg(long, value_enum, default_value_t, value_name = "WHEN")]
    color: Colour,
    /// The bytes of stdout and stderr exactly as they were printed, and nothing else
    #[arg(long, conflicts_with_all = ["color", "timestamps", "level"])]
    raw: bool,
}

impl LogOptions {
    /// What to ask for. Local times are in the zone of the run's job.
    async fn query(&self, id: RunId, context: &Context) -> Result<LogsQuery, Failure> {
        let mut query = LogsQuery {
            follow: self.follow.then_some(true),
            stream: self.stream,
            attempt: self.attempt,
            grep: self.grep.clone(),
            level: self.level,
            tail: self.tail,
            ..LogsQuery::default()
        };
        if self.since.is_some() || self.until.is_some() {
            let run = context.client.run(id, None).await?;
            let zone = Shown::find(Some(&run.job), context).await.zone;
            let at = |when: Option<When>| when.map(|when| when.instant(context.now, zone).to_string());
            (query.since, query.until) = (at(self.since), at(self.until));
        }
        Ok(query)
    }
}

/// What is told of `logs` at its end.
pub(crate) const LOGS_HELP: &str =
    "On a terminal colours pass and every other escape sequence is taken out; into a pipe or file goes \
                                   every byte as it was printed, unless --color says otherwise. With --raw both get \
                                   the bytes of stdout and stderr and nothing else: no logged lines, no remarks.

Examples:
  sandglass job logs nightly-backup -f --tail 20
  sandglass run logs --last nightly-backup --grep '(?i)error|failed' --stream stderr
  sandglass run logs 01K9ZV3QJ8 --attempt 2 --since 10m --timestamps";

/// Which runs to list.
#[derive(clap::Args, Debug)]
pub(crate) struct Filter {
    /// Only runs in one of these states, such as failed,timed_out
    #[arg(long, short, value_delimiter = ',', value_parser = parse_state, value_name = "STATE")]
    state: Vec<StateName>,
    /// Only runs due since then, such as 2027-01-15, 2027-01-15T08:00Z or -2h; local times are in the job's zone if one
    /// job is asked about, else in this machine's
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    from: Option<When>,
    /// Only runs due before then
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    to: Option<When>,
    /// The oldest first
    #[arg(long)]
    oldest_first: bool,
    /// How many runs to list
    #[arg(long, short, default_value_t = 20, value_parser = parse_limit, value_name = "COUNT")]
    pub(crate) limit: usize,
    /// Go on after the `next` of an earlier listing
    #[arg(long, value_name = "NEXT")]
    cursor: Option<String>,
}

fn parse_limit(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|limit| (1..=100_000).contains(limit)).ok_or("write a number from 1 to 100000".to_owned())
}

fn parse_state(text: &str) -> Result<StateName, String> {
    StateName::parse(text).ok_or_else(|| {
        let names: Vec<&str> = StateName::ALL.into_iter().map(StateName::as_str).collect();
        format!("states are {}", names.join(", "))
    })
}

fn parse_level(text: &str) -> Result<LogLevel, String> {
    serde_json::from_value(text.into()).map_err(|_| "levels are trace, debug, info, warn and error".to_owned())
}

fn parse_tail(text: &str) -> Result<usize, String> {
    let most = format!("write a number from 1 to {MAX_TAIL}");
    text.parse().ok().filter(|lines| (1..=MAX_TAIL).contains(lines)).ok_or(most)
}

fn parse_stream(text: &str) -> Result<OutputStream, String> {
    serde_json::from_value(text.into()).map_err(|_| "streams are stdout, stderr, log and system".to_owned())
}

impl Filter {
    /// The query for the first page.
    /// Its local times are in `zone`.
    pub(crate) fn query(&self, zone: Tz, context: &Context) -> RunListQuery {
        let at = |when: Option<When>| when.map(|when| when.instant(context.now, zone).to_string());
        let states: Vec<&str> = self.state.iter().map(|state| state.as_str()).collect();
        RunListQuery {
            job: None,
            state: (!states.is_empty()).then(|| states.join(",")),
            notifications: None,
            from: at(self.from),
            to: at(self.to),
            limit: None,
            cursor: self.cursor.clone(),
            order: self.oldest_first.then(|| "asc".to_owned()),
        }
    }
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::List { job, notifications, filter } => {
            let of_job = job.as_ref().and_then(|name| name.parse().ok());
            let shown = Shown::find(of_job.as_ref(), context).await;
            let notifications = notifications.then_some(true);
            let query = RunListQuery { job, notifications, ..filter.query(shown.zone, context) };
            show_page(&collect(query, filter.limit, context).await?, &shown, context).await
        }
        Command::Show { run } => show(&context.client.run(run.find(context).await?, None).await?, context).await,
        Command::Logs { run, logs } => print_logs(run.find(context).await?, &logs, context).await,
        Command::Artifacts(options) => artifacts::run(options, context).await,
        Command::Wait { run } => {
            let run = follow::wait(run.find(context).await?, context).await?;
            show(&run, context).await?;
            if run.state == StateName::Succeeded { Ok(()) } else { Err(Failure::NotSo) }
        }
        Command::Retry { run, wait, force, failed } => {
            let started = context.client.retry(run.find(context).await?, force, failed).await?;
            job::follow_start(started, wait, context).await
        }
        Command::Cancel { run, wait } => cancel(run.find(context).await?, wait, context).await,
    }
}

/// Up to `limit` runs, from as many pages as it takes.
pub(crate) async fn collect(query: RunListQuery, limit: usize, context: &Context) -> Result<Page<Run>, Failure> {
    let mut page = Page { items: Vec::new(), next: query.cursor.clone() };
    loop {
        let rest = (limit - page.items.len()).min(MAX_LIMIT);
        let query = RunListQuery { limit: Some(rest), cursor: page.next.clone(), ..query.clone() };
        let more = context.client.runs(&query).await?;
        page.items.extend(more.items);
        let stuck = more.next == page.next;
        page.next = more.next;
        if page.next.is_none() || stuck || page.items.len() >= limit {
            return Ok(page);
        }
    }
}

/// The zones in which the times of the runs' jobs are shown, as far as the listing has dates; the daemon's for jobs that
/// name none, or are gone.
async fn zones(runs: &[Run], context: &Context) -> Result<impl Fn(&JobName) -> Tz + use<>, Failure> {
    let is_shown = matches!(context.form, Form::Table | Form::Wide);
    let dated = runs.iter().filter(|run| is_shown && is_far(run.scheduled_at, context.now));
    let mut wanted: BTreeSet<&JobName> = dated.map(|run| &run.job).collect();
    let (mut zones, mut default, mut cursor) = (HashMap::new(), Tz::UTC, None);
    if !wanted.is_empty() {
        default = context.client.status().await?.timezone.map_or_else(machine_zone, |zone| zone.0);
    }
    while !wanted.is_empty() {
        let page = context.client.jobs(None, Some(MAX_LIMIT), cursor.as_deref()).await?;
        for job in page.items.into_iter().filter(|job| wanted.remove(&job.name)) {
            zones.extend(job.spec.timezone.map(|zone| (job.name.clone(), zone.0)));
        }
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    Ok(move |name: &JobName| zones.get(name).copied().unwrap_or(default))
}

/// How the runs of a job, or of several, are asked for and shown.
pub(crate) struct Shown {
    /// The zone of local times that are typed.
    pub(crate) zone: Tz,
    window: Option<Window>,
}

impl Shown {
    /// By what the job says; for what is not there any more, and for several jobs, this machine's clock counts.
    pub(crate) async fn find(job: Option<&JobName>, context: &Context) -> Self {
        let found = match job {
            Some(name) => context.client.job(name).await.ok(),
            None => None,
        };
        let Some(job) = found else { return Self { zone: machine_zone(), window: None } };
        let zone = zone_of_job(&job, context).await.unwrap_or_else(|_| machine_zone());
        Self { zone, window: job.spec.open_window(TimeZone(zone)) }
    }
}

/// Prints a listing of runs.
pub(crate) async fn show_page(page: &Page<Run>, shown: &Shown, context: &Context) -> Result<(), Failure> {
    let zone_of = zones(&page.items, context).await?;
    context.show(page, |context| {
        if page.items.is_empty() {
            return context.paint.dim("no runs") + "\n";
        }
        let wide = context.form == Form::Wide;
        let listing = Listing { wide, zone_of: &zone_of, window: shown.window.as_ref() };
        let mut text = render::run::list(&page.items, listing, context.now, context.paint);
        if let Some(next) = &page.next {
            text += &context.paint.dim(&format!("more with --cursor {next}, or with a larger --limit"));
            text.push('\n');
        }
        text
    })
}

/// Prints a run in full, its instants in its job's zone.
pub(crate) async fn show(run: &Run, context: &Context) -> Result<(), Failure> {
    let zone = match context.form {
        // A job that is gone has no zone any more.
        Form::Table | Form::Wide => {
            context.client.job(&run.job).await.map_or(Tz::UTC, |job| render::job::zone(&job.spec))
        }
        Form::Json | Form::Yaml => Tz::UTC,
    };
    let artifacts = match context.form {
        Form::Table | Form::Wide => {
            context.client.artifacts(run.id).await.map_or_else(|_| Vec::new(), |page| page.items)
        }
        Form::Json | Form::Yaml => Vec::new(),
    };
    context.show(run, |context| {
        // What was known at the start is older than what the daemon knows now.
        let now = run.finished_at.unwrap_or(context.now).max(context.now);
        render::run::show(run, zone, now, context.paint) + &render::run::artifacts(&artifacts, context.paint)
    })
}

async fn cancel(id: RunId, wait: bool, context: &Context) -> Result<(), Failure> {
    let run = context.client.cancel(id).await?;
    if wait {
        return show(&follow::wait(id, context).await?, context).await;
    }
    if matches!(context.form, Form::Json | Form::Yaml) || run.state.is_terminal() {
        show(&run, context).await?;
    }
    if !run.state.is_terminal() {
        let grace = context.client.job(&run.job).await.map(|job| job.spec.grace);
        let grace = grace.map_or_else(|_| "when its grace is over".to_owned(), |grace| format!("after {grace}"));
        let wait = context.command(&format!("run wait {id}"));
        context.note(&format!(
            "accepted: run {id} of '{}' is asked to end now, and is killed {grace} if it has not; {wait} shows its end",
            run.job
        ));
    }
    Ok(())
}

/// Prints what a run printed.
pub(crate) async fn print_logs(id: RunId, logs: &LogOptions, context: &Context) -> Result<(), Failure> {
    let mut items = context.client.logs(id, logs.query(id, context).await?).await?;
    let mut renderer = OutputRenderer::new(std::io::stdout().is_terminal(), context.paint).with_colour(logs.color);
    if logs.timestamps {
        renderer = renderer.with_timestamps();
    }
    let mut end = None;
    while let Some(item) = items.next().await? {
        match (item, context.form) {
            (LogItem::Output(printed), _) if logs.raw => match printed.chunk.stream {
                OutputStream::Stdout | OutputStream::Stderr => print_bytes(&printed.chunk.bytes)?,
                OutputStream::Log | OutputStream::System => {}
            },
            (LogItem::Output(printed), Form::Json) => print(&json_line(&printed))?,
            (LogItem::Output(printed), _) => print_bytes(&renderer.render(printed.chunk))?,
            (LogItem::End(run), _) => end = Some(run),
            (LogItem::Progress(_), _) => {}
        }
    }
    print_bytes(renderer.finish())?;
    if logs.follow {
        context.note(&match end {
            Some(run) => render::run::ending(&run, context.error_paint),
            None => {
                let show = context.command(&format!("run show {id}"));
                format!("the daemon is gone, and how the run ends is not known; {show} tells once it is back")
            }
        });
    }
    Ok(())
}

/// As the API has it: a line an event.
fn json_line(printed: &Printed) -> String {
    serde_json::to_string(&printed.to_event()).expect("an output event has text keys and plain values") + "\n"
}
