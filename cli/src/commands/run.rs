//! `run`: history, output, waiting and cancelling.

use std::io::IsTerminal as _;

use sandglass_api::client::LogItem;
use sandglass_api::wire::{LogsQuery, MAX_LIMIT, OutputEvent, Page, Run, RunListQuery};
use sandglass_core::id::RunId;
use sandglass_core::output::OutputStream;
use sandglass_core::quantity::Period;
use sandglass_core::run::StateName;
use sandglass_core::time::Timestamp;

use super::follow;
use crate::args::Form;
use crate::context::{Context, print, print_bytes};
use crate::failure::Failure;
use crate::render;
use crate::render::output::OutputRenderer;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// List runs, newest first
    #[command(visible_alias = "ls")]
    List {
        /// Only runs of this job
        #[arg(long, short)]
        job: Option<String>,
        #[command(flatten)]
        filter: Filter,
    },
    /// Show one run in full
    Show {
        /// The run's id
        id: RunId,
    },
    /// Print what a run printed
    Logs {
        /// The run's id
        id: RunId,
        /// Go on until the run is over
        #[arg(long, short)]
        follow: bool,
        /// Only what came from this stream
        #[arg(long, value_parser = parse_stream, value_name = "stdout|stderr|log|system")]
        stream: Option<OutputStream>,
    },
    /// Wait until a run is over; the exit code is 1 unless it succeeded
    Wait {
        /// The run's id
        id: RunId,
    },
    /// Ask a run to stop
    Cancel {
        /// The run's id
        id: RunId,
        /// Wait until it has stopped
        #[arg(long, short)]
        wait: bool,
    },
}

/// Which runs to list.
#[derive(clap::Args, Debug)]
pub(crate) struct Filter {
    /// Only runs in one of these states, such as failed,timed_out
    #[arg(long, short, value_delimiter = ',', value_parser = parse_state, value_name = "STATE")]
    state: Vec<StateName>,
    /// Only runs due since then: an instant, or a period back from now such as 2h
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    /// Only runs due before then: an instant, or a period back from now
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
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

fn parse_stream(text: &str) -> Result<OutputStream, String> {
    serde_json::from_value(text.into()).map_err(|_| "streams are stdout, stderr, log and system".to_owned())
}

/// An instant, or a period back from now.
fn instant(text: &str, now: Timestamp) -> Result<Timestamp, Failure> {
    match (text.parse::<Timestamp>(), text.parse::<Period>()) {
        (Ok(at), _) => Ok(at),
        (_, Ok(back)) => Ok(now.before(back.get())),
        (Err(error), _) => Err(Failure::usage(format!("{error}, or a period back from now such as 2h"))),
    }
}

impl Filter {
    /// The query for the first page.
    pub(crate) fn query(&self, context: &Context) -> Result<RunListQuery, Failure> {
        let at = |text: &Option<String>| -> Result<Option<String>, Failure> {
            text.as_deref().map(|text| instant(text, context.now).map(|at| at.to_string())).transpose()
        };
        let states: Vec<&str> = self.state.iter().map(|state| state.as_str()).collect();
        Ok(RunListQuery {
            job: None,
            state: (!states.is_empty()).then(|| states.join(",")),
            from: at(&self.from)?,
            to: at(&self.to)?,
            limit: None,
            cursor: self.cursor.clone(),
            order: self.oldest_first.then(|| "asc".to_owned()),
        })
    }
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::List { job, filter } => {
            let query = RunListQuery { job, ..filter.query(context)? };
            show_page(&collect(query, filter.limit, context).await?, context)
        }
        Command::Show { id } => show(&context.client.run(id, None).await?, context),
        Command::Logs { id, follow, stream } => logs(id, follow, stream, context).await,
        Command::Wait { id } => {
            let run = follow::wait(id, context).await?;
            show(&run, context)?;
            if run.state == StateName::Succeeded { Ok(()) } else { Err(Failure::NotSo) }
        }
        Command::Cancel { id, wait } => {
            let run = context.client.cancel(id).await?;
            let run = if wait { follow::wait(id, context).await? } else { run };
            show(&run, context)
        }
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

/// Prints a listing of runs.
pub(crate) fn show_page(page: &Page<Run>, context: &Context) -> Result<(), Failure> {
    context.show(page, |context| {
        if page.items.is_empty() {
            return context.paint.dim("no runs") + "\n";
        }
        let mut text = render::run::list(&page.items, context.form == Form::Wide, context.now, context.paint);
        if let Some(next) = &page.next {
            text += &context.paint.dim(&format!("more with --cursor {next}, or with a larger --limit"));
            text.push('\n');
        }
        text
    })
}

fn show(run: &Run, context: &Context) -> Result<(), Failure> {
    context.show(run, |context| {
        let now = run.finished_at.unwrap_or(context.now).max(context.now);
        render::run::show(run, now, context.paint)
    })
}

async fn logs(id: RunId, follow: bool, stream: Option<OutputStream>, context: &Context) -> Result<(), Failure> {
    let query = LogsQuery { follow: follow.then_some(true), stream, from: None };
    let mut items = context.client.logs(id, query).await?;
    let mut renderer = OutputRenderer::new(std::io::stdout().is_terminal(), context.paint);
    while let Some(item) = items.next().await? {
        let LogItem::Output(event) = item else { continue };
        match context.form {
            Form::Json => print(&json_line(&event))?,
            _ => print_bytes(&renderer.render(&event))?,
        }
    }
    Ok(())
}

/// As the API has it: a line an event.
fn json_line(event: &OutputEvent) -> String {
    serde_json::to_string(event).expect("an output event has text keys and plain values") + "\n"
}
