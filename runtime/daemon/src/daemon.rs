//! The daemon from its start to its end.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use sandglass_core::batch::{Batch, Write};
use sandglass_core::plugin::Plugin;
use sandglass_core::time::Clock;
use sandglass_host::{Host, HostConfig, HostError};
use sandglass_store::{Committer, RedbOptions, RedbStore, Store, StoreError};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;

use crate::admission;
use crate::clock::SystemClock;
use crate::config::{Config, ConfigError, ServeOptions};
use crate::containers;
use crate::data_dir::{DataDir, DataDirError};
use crate::dispatch::effects::{Payload, Performer, Shared};
use crate::dispatch::{Beginning, Dispatcher, INBOX_CAPACITY, Inbox};
use crate::http::{self, App, JobLocks};
use crate::output::Outputs;
use crate::prompt::promptly;
use crate::secrets::Secrets;
use crate::services::HostServices;
use crate::upkeep::Upkeep;

/// How long the daemon waits for its runs when it stops. The host kills each when its own grace is over, so this bounds
/// only what no job should ask for.
const LONGEST_STOP: Duration = Duration::from_secs(900);
/// How long the loop has to take in the reports of runs that were killed after that.
const LAST_REPORTS: Duration = Duration::from_secs(2);
/// How long open connections have to end then.
const CONNECTIONS_STOP: Duration = Duration::from_secs(2);

/// The daemon could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Its configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its data directory cannot be used.
    #[error(transparent)]
    DataDir(#[from] DataDirError),
    /// Its store cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// WebAssembly cannot be run.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A built-in plugin is refused.
    #[error("the built-in plugin '{name}' cannot be used: {detail}; this is a fault of Sandglass")]
    BuiltIn {
        /// Which.
        name: String,
        /// Why.
        detail: String,
    },
    /// The container engine cannot be used as it is configured.
    #[error(transparent)]
    Containers(#[from] sandglass_containers::Error),
    /// The keys of secrets cannot be used.
    #[error("{0}")]
    Keys(String),
    /// It cannot listen.
    #[error("cannot listen on {at}: {source}; choose another address with --listen")]
    Listen {
        /// Where.
        at: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The operating system refuses.
    #[error("the daemon cannot start: {0}")]
    System(#[from] std::io::Error),
    /// The jobs to begin with are wrong.
    #[error("{0}")]
    Jobs(String),
}

/// A daemon that serves.
pub struct Daemon {
    app: Arc<App>,
    host: Arc<Host>,
    store: Arc<dyn Store>,
    outputs: Arc<Outputs>,
    committer: Arc<Committer<Payload>>,
    output_thread: JoinHandle<()>,
    loop_ended: oneshot::Receiver<()>,
    stopping: watch::Sender<bool>,
    runs_over: watch::Sender<bool>,
    servers: JoinSet<()>,
    socket: PathBuf,
    address: Option<std::net::SocketAddr>,
}

impl Daemon {
    /// Opens the store, recovers what was going, and begins to serve.
    ///
    /// # Errors
    ///
    /// If something it needs cannot be had. No run has started then.
    pub async fn start(options: ServeOptions) -> Result<Self, StartError> {
        raise_open_files();
        let data_dir = DataDir::open(&options.data_dir)?;
        let config = Config::read(&ServeOptions { data_dir: data_dir.path().to_owned(), ..options })?;
        let tcp = listen_tcp(config.listen).await?;
        let store: Arc<dyn Store> = Arc::new(RedbStore::open(data_dir.path(), RedbOptions::default())?);
        let active = store.load()?.active;
        let (outputs, output_thread) = Outputs::start(Arc::clone(&store))?;
        let secrets = Secrets::open(Arc::clone(&store), data_dir.secrets_key()?);
        let secrets = Arc::new(secrets.map_err(|error| StartError::Keys(error.to_string()))?);
        let containers = containers::connect(&config.docker, &data_dir)?;
        let target_engines = Arc::new(containers::TargetEngines::open(&data_dir.engines_file()));
        let services = HostServices::new(
            Arc::clone(&store),
            Arc::clone(&outputs),
            Arc::clone(&secrets),
            config.mail.clone(),
            Some((containers.clone(), Arc::clone(&target_engines))),
            config.artifacts,
        );
        let host = Host::new(host_config(&data_dir, &config)?, Arc::clone(&services) as _)?;
        ready_plugins(store.as_ref(), &host)?;
        // None of them is ours: a daemon that was killed left them behind.
        host.end_left_behind(&active.iter().map(|run| run.id).collect());
        let owner = containers.owner.clone();
        tokio::spawn(containers::sweep(containers));
        tokio::spawn(containers::sweep_targets(target_engines, Arc::clone(&host), owner));

        let (sender, inbox) = crossbeam_channel::bounded(INBOX_CAPACITY);
        let shared = Arc::new(Shared::default());
        let performer = Performer {
            host: Arc::clone(&host),
            outputs: Arc::clone(&outputs),
            shared: Arc::clone(&shared),
            inbox: sender.clone(),
            store: Arc::clone(&store),
        };
        let done = move |group| performer.done(group);
        let committer = promptly(|| Committer::spawn(Arc::clone(&store), Arc::new(SystemClock), done))?;
        let committer = Arc::new(committer);
        services.connect(Arc::clone(&committer));
        secrets.connect(Arc::clone(&committer));
        let (stopping, is_stopping) = watch::channel(false);
        let (runs_over, are_runs_over) = watch::channel(false);
        let address = tcp.as_ref().and_then(|tcp| tcp.local_addr().ok());
        let app = Arc::new(App {
            store: Arc::clone(&store),
            host: Arc::clone(&host),
            inbox: Inbox(sender),
            shared: Arc::clone(&shared),
            outputs: Arc::clone(&outputs),
            secrets,
            options: config.scheduler.clone(),
            started_at: SystemClock.now(),
            token: data_dir.admin_token()?,
            listen: address.map(|address| address.to_string()),
            data_dir,
            backfilling: JobLocks::default(),
            extending: tokio::sync::RwLock::default(),
            stopping: is_stopping,
            runs_over: are_runs_over,
        });
        let jobs = match &config.jobs {
            Some(path) => crate::jobs_dir::read(&app, path).await.map_err(StartError::Jobs)?,
            None => crate::jobs_dir::Files::default(),
        };
        let socket = app.data_dir.socket();
        let listener = listen_unix(&socket)?;

        // All that can be refused has been: from here on runs start.
        let seed = crate::data_dir::random()?;
        let beginning = Beginning {
            options: config.scheduler,
            committer: Arc::clone(&committer),
            store: Arc::clone(&store),
            host: Arc::clone(&host),
            shared,
            seed: u64::from_le_bytes(seed[..8].try_into().expect("eight of thirty-two bytes")),
        };
        let loop_ended = run_loop(Dispatcher::begin(beginning, inbox)?)?;
        crate::jobs_dir::save_all(&app, jobs).await.map_err(StartError::Jobs)?;
        app.inbox.started(app.started_at);
        let mut servers = serve(&app, listener, tcp);
        let upkeep = Upkeep {
            store: Arc::clone(&store),
            shared: Arc::clone(&app.shared),
            retention: config.retention,
            every: config.upkeep_every,
            stopping: app.stopping.clone(),
        };
        servers.spawn(upkeep.run());
        Ok(Self {
            app,
            host,
            store,
            outputs,
            committer,
            output_thread,
            loop_ended,
            stopping,
            runs_over,
            servers,
            socket,
            address,
        })
    }

    /// The owner-only socket.
    #[must_use]
    pub fn socket(&self) -> &std::path::Path {
        &self.socket
    }

    /// The address of the API, unless it is on the socket alone.
    #[must_use]
    pub fn address(&self) -> Option<std::net::SocketAddr> {
        self.address
    }

    /// Where commands go, without the API between.
    #[must_use]
    pub fn inbox(&self) -> Inbox {
        self.app.inbox.clone()
    }

    /// The store, for reading.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// Resolves once the run is over. Ask the store after calling this, or the end may be missed.
    pub fn when_ended(&self, run: sandglass_core::id::RunId) -> oneshot::Receiver<()> {
        self.app.shared.when_ended(run)
    }

    /// How many jobs there are.
    #[must_use]
    pub fn jobs(&self) -> u64 {
        self.store.stats().map_or(0, |stats| stats.jobs)
    }

    /// Serves until `stop` resolves, then stops in order: no new starts, what is going has its grace, all is durable. Once
    /// `hurry` resolves after that, what is still going is killed instead, and recorded so. Resolves early if the event
    /// loop ends, which only a fault of Sandglass causes.
    ///
    /// # Errors
    ///
    /// If the event loop ended by itself, or the store could not be closed.
    pub async fn run_until(
        mut self,
        stop: impl Future<Output = ()>,
        hurry: impl Future<Output = ()>,
    ) -> Result<(), StartError> {
        let crashed = tokio::select! {
            () = stop => false,
            _ = &mut self.loop_ended => true,
        };
        tracing::info!("stopping: no new starts, runs have their grace");
        self.stopping.send_replace(true);
        if !crashed {
            self.app.inbox.shut_down();
            tokio::select! {
                _ = &mut self.loop_ended => {}
                () = hurry => tracing::warn!("asked again: what is still going is killed now"),
                () = tokio::time::sleep(LONGEST_STOP) => tracing::warn!("some runs did not end in time: they are killed"),
            }
        }
        self.host.shutdown(Duration::ZERO).await;
        if !crashed && !self.loop_ended.is_terminated() {
            // If it does not take them in, they are recorded as interrupted at the next start.
            _ = tokio::time::timeout(LAST_REPORTS, &mut self.loop_ended).await;
        }
        self.flush().await;
        self.runs_over.send_replace(true);
        let servers = &mut self.servers;
        let ended = async { while servers.join_next().await.is_some() {} };
        if tokio::time::timeout(CONNECTIONS_STOP, ended).await.is_err() {
            self.servers.shutdown().await;
        }
        let finished = self.finish().await;
        if crashed {
            if let Err(error) = finished {
                tracing::error!("the store cannot be closed in order either: {error}");
            }
            return Err(StartError::System(std::io::Error::other("the event loop ended by a fault of Sandglass")));
        }
        finished
    }

    /// Waits until all that was decided is durable.
    async fn flush(&self) {
        let (sender, receiver) = oneshot::channel();
        if self.committer.submit(Batch::default(), Payload::Asked(sender)).is_ok() {
            // A failure was reported when it happened.
            _ = receiver.await;
        }
    }

    /// Waits until all that was decided is durable, and closes the store.
    async fn finish(self) -> Result<(), StartError> {
        self.flush().await;
        self.outputs.stop();
        let output_thread = self.output_thread;
        // A panic of the thread was reported when it happened.
        _ = tokio::task::spawn_blocking(move || output_thread.join()).await;
        // Failing to remove the socket harms nobody: the next start replaces it.
        _ = std::fs::remove_file(&self.socket);
        Ok(self.store.close()?)
    }
}

/// A shell run needs about five open files; the usual soft limit of 1024 would do for two hundred at once.
fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::warn!(%error, "the limit of open files could not be raised; many runs at once may fail");
    }
}

fn host_config(data_dir: &DataDir, config: &Config) -> Result<HostConfig, StartError> {
    Ok(HostConfig {
        cache_dir: data_dir.path().join("cache"),
        key: data_dir.cache_key()?,
        max_concurrent: config.scheduler.max_running,
        runs_dir: data_dir.path().join("runs"),
        threads: config.guest_threads,
    })
}

/// Makes the built-in plugins current and all plugins ready to run.
fn ready_plugins(store: &dyn Store, host: &Host) -> Result<(), StartError> {
    for built_in in sandglass_plugins::BUILT_IN {
        let digest = sandglass_core::id::Digest::of(built_in.wasm);
        let name = built_in
            .name
            .parse()
            .map_err(|error| StartError::BuiltIn { name: built_in.name.to_owned(), detail: format!("{error}") })?;
        if store.plugin(&name)?.is_some_and(|plugin| plugin.digest == digest) {
            continue;
        }
        let refused = |detail: String| StartError::BuiltIn { name: built_in.name.to_owned(), detail };
        let inspection = host.inspect(built_in.wasm).map_err(|error| refused(error.to_string()))?;
        let plugin = admission::plugin(inspection, None, None, true, SystemClock.now())
            .map_err(|problem| refused(problem.to_string()))?;
        let write = Write::PutPlugin { plugin: Arc::new(plugin), wasm: built_in.wasm.into() };
        for answer in store.commit(&[Batch::of(write)], SystemClock.now())? {
            answer.map_err(|conflict| refused(conflict.to_string()))?;
        }
    }
    for plugin in store.plugins()? {
        ready(&plugin, store, host);
    }
    Ok(())
}

/// A user's plugin that cannot be made ready stops nobody else: runs of it fail and say why.
fn ready(plugin: &Plugin, store: &dyn Store, host: &Host) {
    if host.is_ready(&plugin.digest) {
        return;
    }
    if let Err(error) = admission::make_ready(plugin, store, host) {
        tracing::error!(plugin = %plugin.manifest.name, %error, "the plugin cannot be run");
    }
}

/// Runs the event loop on a thread of its own; what is returned resolves when it ends, however it does.
fn run_loop(dispatcher: Dispatcher) -> std::io::Result<oneshot::Receiver<()>> {
    let (ended, has_ended) = oneshot::channel();
    let run = move || {
        // Dropped, and so told, when the loop returns or panics.
        let _ended = ended;
        dispatcher.run();
    };
    promptly(|| std::thread::Builder::new().name("sandglass-loop".to_owned()).spawn(run))?;
    Ok(has_ended)
}

async fn listen_tcp(address: Option<std::net::SocketAddr>) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = address else { return Ok(None) };
    let listener = TcpListener::bind(address).await;
    listener.map(Some).map_err(|source| StartError::Listen { at: address.to_string(), source })
}

/// Listens on the owner-only socket, which the store's lock makes ours alone.
fn listen_unix(path: &std::path::Path) -> Result<UnixListener, StartError> {
    let unusable = |source| StartError::Listen { at: path.display().to_string(), source };
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(unusable(error)),
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(unusable)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(unusable)?;
    Ok(listener)
}

fn serve(app: &Arc<App>, socket: UnixListener, tcp: Option<TcpListener>) -> JoinSet<()> {
    let stopped = |mut stopping: watch::Receiver<bool>| async move {
        // A sender that is gone means the same.
        _ = stopping.wait_for(|stopping| *stopping).await;
    };
    let mut servers = JoinSet::new();
    let (local, stop) = (http::local(Arc::clone(app)), stopped(app.stopping.clone()));
    servers.spawn(http::serve(socket, local, http::Caller::of_socket, stop));
    if let Some(tcp) = tcp {
        let (public, stop) = (http::public(Arc::clone(app)), stopped(app.stopping.clone()));
        // The token tells.
        servers.spawn(http::serve(tcp, public, |_| None, stop));
    }
    servers
}

impl StartError {
    /// What kind of failure it is, for the exit code.
    #[must_use]
    pub fn class(&self) -> sandglass_api::problem::Class {
        use sandglass_api::problem::Class;
        match self {
            Self::Config(_) | Self::Containers(_) | Self::Jobs(_) => Class::Invalid,
            Self::DataDir(DataDirError::Unusable { .. }) | Self::Listen { .. } | Self::System(_) => Class::Unavailable,
            Self::DataDir(_) | Self::Keys(_) => Class::Denied,
            Self::Store(StoreError::Newer { .. } | StoreError::Older { .. }) => Class::Conflict,
            Self::Store(StoreError::Locked { .. } | StoreError::Full(_) | StoreError::Io { .. }) => Class::Unavailable,
            Self::Store(_) | Self::Host(_) | Self::BuiltIn { .. } => Class::Internal,
        }
    }
}
