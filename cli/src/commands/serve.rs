//! `serve`: the daemon, in the foreground.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use sandglass_api::problem::{Class, Code, ExitCode, Problem};
use sandglass_daemon::{Daemon, ServeOptions, StartError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::context::{Context, print};
use crate::failure::Failure;

/// What `serve` takes.
#[derive(clap::Args, Debug)]
#[command(after_help = "Examples:\n  \
    sandglass serve\n  \
    sandglass serve --data-dir /var/lib/sandglass --jobs /etc/sandglass/jobs\n  \
    sandglass serve --listen none          the owner-only socket alone\n\n\
    Ctrl-C or SIGTERM stops it in order: runs have their grace. A second one kills what is still going.\n\
    The log goes to standard error, for people on a terminal and as JSON elsewhere; SANDGLASS_LOG=debug shows more.")]
pub(crate) struct Args {
    /// The address of the API, or `none` for the socket alone [default: 127.0.0.1:7070]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Listen on an address that others can reach, although there is no TLS
    #[arg(long)]
    allow_remote: bool,
    /// Apply the jobs of this file or folder at the start
    #[arg(long, value_name = "PATH")]
    jobs: Option<PathBuf>,
    /// The configuration file [default: sandglass.toml in the data directory, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(crate) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    begin_log("info");
    let options = ServeOptions {
        data_dir: context.data_dir.clone(),
        listen: args.listen,
        allow_remote: args.allow_remote,
        jobs: args.jobs,
        config: args.config,
    };
    // Before anything starts, so that a signal that comes early is not lost.
    let stop = Stop::new().map_err(|error| Failure::io("cannot listen for signals", error))?;
    let daemon = Daemon::start(options).await.map_err(failure)?;
    let http = daemon.address().map_or_else(String::new, |address| format!("http://{address} and "));
    let jobs = daemon.jobs();
    let ready = format!(
        "sandglass {} is ready on {http}{} with {jobs} job{}\n",
        env!("CARGO_PKG_VERSION"),
        daemon.socket().display(),
        if jobs == 1 { "" } else { "s" },
    );
    // A daemon serves whether or not somebody reads what it prints.
    _ = print(&ready);
    daemon.run_until(stop.asked(1), stop.asked(2)).await.map_err(failure)
}

/// Begins the log: for people on a terminal, as JSON elsewhere.
pub(super) fn begin_log(level: &str) {
    let filter = EnvFilter::try_from_env("SANDGLASS_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Whoever read the log may have gone, which is no reason to end: it would be said where nobody reads it either.
    let log = log.log_internal_errors(false);
    // The clients of container engines and of other machines log what they send, and with it the values of secrets.
    let quiet = filter_fn(|line| !["bollard", "russh"].iter().any(|client| line.target().starts_with(client)));
    // Begun once in a process; a second time has no effect.
    _ = if std::io::stderr().is_terminal() {
        log.with_target(false).compact().finish().with(quiet).try_init()
    } else {
        log.json().finish().with(quiet).try_init()
    };
}

/// How often somebody asked the program to stop, by Ctrl-C or SIGTERM.
pub(super) struct Stop {
    asked: watch::Receiver<u32>,
}

impl Stop {
    /// Begins to count. The third time ends the process at once: what was going is recorded as interrupted, and its
    /// processes are ended, at the next start.
    pub(super) fn new() -> std::io::Result<Self> {
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let (count, asked) = watch::channel(0);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
                count.send_modify(|count| *count += 1);
                if *count.borrow() > 2 {
                    eprintln!("ending at once: what was going is recorded as interrupted at the next start");
                    std::process::exit(i32::from(ExitCode::NotSo.number()));
                }
            }
        });
        Ok(Self { asked })
    }

    /// Resolves once somebody asked for the `nth` time, from 1.
    pub(super) fn asked(&self, nth: u32) -> impl Future<Output = ()> + use<> {
        let mut asked = self.asked.clone();
        async move {
            // The counter lives as long as the program.
            _ = asked.wait_for(|count| *count >= nth).await;
        }
    }
}

/// Why the daemon did not start or end well, by the one table.
pub(super) fn failure(error: StartError) -> Failure {
    let code = match error.class() {
        Class::Invalid => Code::InvalidFile,
        Class::NotFound => Code::NoRoute,
        Class::Conflict => Code::StoreFormat,
        Class::Denied => Code::Forbidden,
        Class::Unavailable => Code::Unavailable,
        Class::Internal => Code::Internal,
    };
    Failure::problem(Problem::new(code, error.to_string()))
}
