//! A whole daemon: its loop, its committer, its store on a disk, its host, and the plugin that does nothing.

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::future::join_all;
use sandglass_api::client::{Client, Endpoint};
use sandglass_core::batch::Expectation;
use sandglass_core::capability::Grants;
use sandglass_core::event::{Command, Reply};
use sandglass_core::id::{JobName, Namespace, RunId};
use sandglass_core::run::{Run, StateName};
use sandglass_core::spec::JobSpec;
use sandglass_core::time::{Clock as _, Timestamp};
use sandglass_daemon::clock::SystemClock;
use sandglass_daemon::{Daemon, Inbox, ServeOptions};
use sandglass_store::query::MAX_PAGE;
use sandglass_store::{Order, RunQuery, Store};
use serde_json::{Value, json};

/// Commands under way at once: fewer than the daemon's inbox holds.
const COMMANDS_AT_ONCE: usize = 4096;
/// How often the rig looks whether all runs are over.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// How long runs may take that take seconds.
const PATIENCE: Duration = Duration::from_secs(120);

/// A daemon that serves a data directory.
pub(crate) struct Rig {
    daemon: Daemon,
    inbox: Inbox,
    store: Arc<dyn Store>,
    client: Client,
}

impl Rig {
    /// Starts a daemon on `dir`, reachable over its socket alone.
    pub(crate) async fn start(dir: &Path) -> anyhow::Result<Self> {
        let options =
            ServeOptions { data_dir: dir.to_owned(), listen: Some("none".to_owned()), ..ServeOptions::default() };
        let daemon = Daemon::start(options).await.context("the daemon does not start")?;
        let endpoint = Endpoint::Unix(daemon.socket().to_owned());
        let client = Client::new(endpoint, None, Namespace::default());
        let (inbox, store) = (daemon.inbox(), daemon.store());
        Ok(Self { daemon, inbox, store, client })
    }

    /// The same, with the plugin `noop`.
    pub(crate) async fn with_noop(dir: &Path) -> anyhow::Result<Self> {
        let rig = Self::start(dir).await?;
        let component = std::fs::read(sandglass_test_guests::noop()?)?;
        rig.client.add_plugin(component, None, Some(&Grants::default())).await.context("the plugin is refused")?;
        Ok(rig)
    }

    /// Stops the daemon in order.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let Self { daemon, inbox, store, client } = self;
        drop((inbox, store, client));
        daemon.run_until(std::future::ready(()), std::future::pending()).await.context("the daemon does not stop")
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Saves jobs.
    pub(crate) async fn save(&self, specs: Vec<JobSpec>) -> anyhow::Result<()> {
        let command = |spec: JobSpec| Command::PutJob {
            namespace: Namespace::default(),
            job: Arc::new(spec).into(),
            expect: Expectation::Anything,
        };
        self.ask_all(specs.into_iter().map(command)).await.map(drop)
    }

    /// Starts `count` runs now, the jobs taking turns; returns once all of them are durable.
    pub(crate) async fn start_runs(&self, jobs: &[JobName], count: usize) -> anyhow::Result<()> {
        self.ask_all(jobs.iter().cycle().take(count).map(start_run)).await.map(drop)
    }

    async fn ask_all(&self, commands: impl Iterator<Item = Command>) -> anyhow::Result<()> {
        let mut commands = commands.peekable();
        while commands.peek().is_some() {
            let asked = commands.by_ref().take(COMMANDS_AT_ONCE).map(|command| self.inbox.ask(command));
            for reply in join_all(asked).await {
                if let Reply::Refused(refusal) = reply? {
                    return Err(refusal.into());
                }
            }
        }
        Ok(())
    }

    /// Starts a run and waits until its end is durable.
    pub(crate) async fn run(&self, job: &JobName) -> anyhow::Result<RunId> {
        let Reply::Run(run) = self.inbox.ask(start_run(job)).await? else { bail!("the run was refused") };
        let ended = self.daemon.when_ended(run.id);
        let now = self.store.run(run.id)?.context("the run is gone")?;
        if !now.state.name().is_terminal() {
            tokio::time::timeout(PATIENCE, ended).await.context("the run does not end")??;
        }
        Ok(run.id)
    }

    /// How many runs are not over.
    pub(crate) fn active(&self) -> anyhow::Result<usize> {
        let counts = self.store.stats()?.runs;
        let active = StateName::ALL.into_iter().filter(|state| !state.is_terminal());
        Ok(usize::try_from(active.map(|state| counts.of(state)).sum::<u64>())?)
    }

    /// Waits until no more than `most` runs are not over.
    pub(crate) async fn until_active(&self, most: usize) -> anyhow::Result<usize> {
        let waited = tokio::time::timeout(PATIENCE, async {
            loop {
                let active = self.active()?;
                if active <= most {
                    return Ok(active);
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        waited.await.context("the runs do not end")?
    }

    /// The runs that were due in a span of time. Every one must have succeeded: a figure made of failures means nothing.
    pub(crate) fn history(&self, from: Timestamp, until: Timestamp) -> anyhow::Result<Vec<Arc<Run>>> {
        let order = Order::OldestFirst;
        let mut query =
            RunQuery { from: Some(from), until: Some(until), order, limit: MAX_PAGE, ..RunQuery::default() };
        let mut runs = Vec::new();
        loop {
            let page = self.store.query(&query)?;
            runs.extend(page.items);
            query.after = page.next;
            if query.after.is_none() {
                break;
            }
        }
        if let Some(run) = runs.iter().find(|run| run.state.name() != StateName::Succeeded) {
            bail!("run {} is {:?}: {:?}", run.id, run.state, run.attempts);
        }
        Ok(runs)
    }
}

fn start_run(job: &JobName) -> Command {
    Command::StartRun { namespace: Namespace::default(), name: job.clone(), force: true, params: None }
}

/// The wall clock, as the daemon reads it.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

/// A job; `rest` holds everything but its name and action.
pub(crate) fn job(name: &str, action: Value, rest: Value) -> anyhow::Result<JobSpec> {
    let mut spec = json!({ "name": name, "action": action });
    if let (Some(spec), Value::Object(rest)) = (spec.as_object_mut(), rest) {
        spec.extend(rest);
    }
    Ok(serde_json::from_value(spec)?)
}

/// Jobs of the plugin that does nothing, without triggers, and their names.
pub(crate) fn manual_jobs(count: usize) -> anyhow::Result<(Vec<JobSpec>, Vec<JobName>)> {
    named_jobs("job", count, &json!({ "use": "noop" }), &Value::Null)
}

/// Jobs with one action, and their names: `name` with a number.
pub(crate) fn named_jobs(
    name: &str,
    count: usize,
    action: &Value,
    rest: &Value,
) -> anyhow::Result<(Vec<JobSpec>, Vec<JobName>)> {
    let specs = (0..count).map(|n| job(&format!("{name}-{n}"), action.clone(), rest.clone()));
    let specs: Vec<JobSpec> = specs.collect::<Result<_, _>>()?;
    let names = specs.iter().map(|spec| spec.name.clone()).collect();
    Ok((specs, names))
}

/// A runtime like the one that the program has.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Serves `dir` until standard input ends, and says when it is ready.
pub(crate) fn serve(dir: &Path) -> anyhow::Result<()> {
    runtime()?.block_on(async {
        let options =
            ServeOptions { data_dir: dir.to_owned(), listen: Some("none".to_owned()), ..ServeOptions::default() };
        let daemon = Daemon::start(options).await?;
        println!("ready");
        let (ended, stop) = tokio::sync::oneshot::channel::<()>();
        // A thread of its own, because reading blocks. It is gone with the process.
        std::thread::spawn(move || {
            let _ended = ended;
            std::io::stdin().read_to_end(&mut Vec::new())
        });
        daemon.run_until(async move { drop(stop.await) }, std::future::pending()).await?;
        Ok(())
    })
}
