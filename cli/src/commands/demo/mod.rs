//! `demo`: a throw-away daemon with example jobs, live, that ends by itself.

mod jobs;
mod show;
mod webhook;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sandglass_api::client::{Client, Endpoint, LogItem, Precondition};
use sandglass_api::wire::{LogsQuery, Run, RunListQuery};
use sandglass_core::id::{Namespace, RunId};
use sandglass_core::spec::WrittenJob;
use sandglass_core::time::Clock as _;
use sandglass_daemon::clock::SystemClock;
use sandglass_daemon::{Daemon, ServeOptions};
use tokio::sync::mpsc;

use super::serve::{Stop, begin_log, failure};
use crate::context::{Context, print};
use crate::failure::Failure;

/// What `demo` takes.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Nothing is prepared or left behind: the daemon, its store and its jobs live in a temporary folder."
)]
pub(crate) struct Args {
    /// Leave the daemon up at the end, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

/// How long the demonstration may take before it ends without what it waits for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often new runs are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

pub(crate) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    begin_log("warn");
    let stop = Stop::new().map_err(|error| Failure::io("cannot listen for signals", error))?;
    let folder = tempfile::Builder::new()
        .prefix("sandglass-demo-")
        .tempdir()
        .map_err(|error| Failure::io("cannot make a temporary folder", error))?;
    let webhook =
        webhook::Webhook::start().await.map_err(|error| Failure::io("cannot start the webhook's server", error))?;
    let daemon = start(folder.path()).await?;
    let client = Client::new(Endpoint::Unix(daemon.socket().to_owned()), None, Namespace::default());
    let address = daemon.address();

    let (ended, has_ended) = tokio::sync::oneshot::channel();
    let ended_by_itself = async move {
        // A sender that is gone means the same.
        _ = has_ended.await;
    };
    let serving = daemon.run_until(ended_by_itself, stop.asked(2));
    let shown = async {
        let result = tokio::select! {
            result = show_all(&client, folder.path(), &webhook, context) => result,
            () = stop.asked(1) => Err(Failure::Told(sandglass_api::problem::ExitCode::NotSo)),
        };
        if result.is_ok() {
            print(&show::how_to_go_on(folder.path(), address, args.keep, context.paint))?;
            if args.keep {
                stop.asked(1).await;
            }
        }
        _ = ended.send(());
        result
    };
    let (served, shown) = tokio::join!(serving, shown);
    shown.and(served.map_err(failure))
}

async fn start(folder: &Path) -> Result<Daemon, Failure> {
    let options = ServeOptions {
        data_dir: folder.join("data"),
        listen: Some("127.0.0.1:0".to_owned()),
        ..ServeOptions::default()
    };
    #[expect(clippy::disallowed_methods, reason = "how long the start took is shown; nothing is decided by it")]
    let began = std::time::Instant::now();
    let daemon = Daemon::start(options).await.map_err(failure)?;
    print(&format!(
        "Sandglass {}: a throw-away daemon, its store and its plugins, ready in {}\n",
        env!("CARGO_PKG_VERSION"),
        crate::render::amount::duration(began.elapsed())
    ))?;
    Ok(daemon)
}

/// Registers the jobs, shows what they print until each has run, and sums up.
async fn show_all(
    client: &Client,
    folder: &Path,
    webhook: &webhook::Webhook,
    context: &Context,
) -> Result<(), Failure> {
    // Not the instant at which the program began: the daemon's start may have taken longer than its first fires are ahead.
    let examples = jobs::prepare(folder, webhook.url(), SystemClock.now())
        .map_err(|error| Failure::io("cannot prepare the demonstration's files", error))?;
    for (spec, words) in &examples {
        let job = WrittenJob::Whole(Arc::new(spec.clone()));
        client.put_job(&job, Precondition::Anything, false).await?;
        print(&show::registered(spec, words, context.paint))?;
    }
    print("\n")?;
    let names: Vec<&str> = examples.iter().map(|(spec, _)| spec.name.as_str()).collect();
    let runs = tokio::time::timeout(PATIENCE, follow(client, &names, context)).await;
    let complete = matches!(runs, Ok(Ok(())));
    if let Ok(Err(failure)) = runs {
        return Err(failure);
    }
    let list = client.runs(&RunListQuery { order: Some("asc".to_owned()), ..RunListQuery::default() }).await?.items;
    let ended: Vec<Run> = list.into_iter().filter(|run| run.state.is_terminal()).collect();
    print(&show::summary(&ended, &webhook.received(), folder, context))?;
    let succeeded = complete && ended.iter().all(|run| run.state.as_str() == "succeeded");
    if succeeded { Ok(()) } else { Err(Failure::NotSo) }
}

/// Prints what the runs print, as it comes, until every job has had as many as are wanted.
async fn follow(client: &Client, names: &[&str], context: &Context) -> Result<(), Failure> {
    let (lines, mut incoming) = mpsc::channel::<show::Line>(1024);
    let mut known: HashSet<RunId> = HashSet::new();
    let mut over: Vec<Run> = Vec::new();
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            _ = look.tick() => {
                for run in client.runs(&RunListQuery::default()).await?.items {
                    if known.insert(run.id) {
                        tokio::spawn(follow_run(client.clone(), run, lines.clone()));
                    }
                }
            }
            line = incoming.recv() => {
                let Some(line) = line else { return Ok(()) };
                print(&show::line(&line, names, context.paint))?;
                if let show::Line::Over(run) = line {
                    over.push(*run);
                    let of = |name: &str| over.iter().filter(|run| run.job.as_str() == name).count();
                    if names.iter().all(|name| of(name) >= jobs::runs_wanted(name)) {
                        return Ok(());
                    }
                }
            }
        }
    }
}

/// Sends on what a run prints, and its end.
async fn follow_run(client: Client, run: Run, lines: mpsc::Sender<show::Line>) {
    let query = LogsQuery { follow: Some(true), ..LogsQuery::default() };
    let Ok(mut stream) = client.logs(run.id, query).await else { return };
    // When nobody listens any more, the demonstration is over.
    while let Ok(Some(item)) = stream.next().await {
        let line = match item {
            LogItem::Output(printed) => show::Line::Output(run.job.clone(), printed.chunk.bytes),
            LogItem::End(run) => show::Line::Over(run),
            LogItem::Progress(_) => continue,
        };
        if lines.send(line).await.is_err() {
            return;
        }
    }
}
