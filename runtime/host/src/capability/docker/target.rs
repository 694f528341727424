//! Engines of targets: which may be used, and the way to one over SSH.
//!
//! A stream goes to the engine's socket if the target's SSH server forwards sockets and nobody else's account is needed, or else
//! through a program there that moves bytes, as the engines' own command lines do it. What is in the way is told in words.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sandglass_containers::{Duplex, Engine, Error, Obstacle, ObstacleKind, Opening, Owner, Way};
use sandglass_core::capability::Deed;
use sandglass_core::id::TargetName;
use sandglass_core::target::TargetSpec;
use sandglass_ssh::{Connection, Ended, Finished, Hop, Program, SshError};

use crate::attempt::{Attempt, lock};
use crate::bindings::docker;
use crate::bindings::types::ErrorCode;
use crate::capability::remote::{self, Entry};
use crate::capability::{CallError, CallResult};
use crate::services::{Containers, Services, TargetEngine};

/// Where an engine listens unless its target says otherwise.
const SOCKET: &str = "/var/run/docker.sock";
/// The most connections to one target: each has room for eight programs, and a container keeps two of them.
const CONNECTIONS: usize = 16;
/// Moves bytes between its input and output and the socket `$1`, by what there is for it. The exit codes are told apart from
/// those of the programs by being none of theirs.
const RELAY: &str = "[ -S \"$1\" ] || exit 93; [ -r \"$1\" ] && [ -w \"$1\" ] || exit 94; \
    if command -v docker > /dev/null; then exec docker -H \"unix://$1\" system dial-stdio; \
    elif command -v podman > /dev/null; then exec podman --remote --url \"unix://$1\" system dial-stdio; \
    elif command -v socat > /dev/null; then exec socat -t 31536000 - \"UNIX-CONNECT:$1\"; \
    elif command -v nc > /dev/null; then exec nc -N -U \"$1\"; \
    else exit 95; fi";
const NO_SOCKET: Ended = Ended::Exited(93);
const NO_RIGHT: Ended = Ended::Exited(94);
const NO_PROGRAM: Ended = Ended::Exited(95);
/// How long a stream to an engine may take to open, the connection to its target and a word of the engine's included.
const OPENING: Duration = Duration::from_secs(60);
/// What an engine is asked to see whether it answers, and how much of its answer is read, in bytes.
const PING: &[u8] = b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n";
const ANSWER: usize = 64 << 10;

/// The engines of targets that an attempt uses. A connection ends when neither it nor a container of it needs it.
#[derive(Default)]
pub(crate) struct Engines(Mutex<HashMap<(TargetName, Option<String>), Known>>);

#[derive(Clone)]
struct Known {
    engine: Engine,
    is_swept: bool,
}

/// The engine of a target, if the attempt may do this with it. Nothing is connected yet. What an earlier daemon left there is
/// removed beside its first use.
pub(super) fn engine(
    attempt: &Attempt,
    owner: Owner,
    given: &docker::Place,
    deed: Deed<'static>,
) -> CallResult<Containers> {
    let Entry { place, way, target } = remote::enter(attempt, &given.target, given.run_as.clone(), deed)?;
    let name = target.spec.name.clone();
    let run_as = place.account().map(str::to_owned);
    let is_swept = deed.is_act();
    if is_swept {
        let used =
            TargetEngine { namespace: attempt.work.namespace.clone(), target: name.clone(), account: run_as.clone() };
        attempt.services.uses_engine(&used).map_err(|why| CallError::new(ErrorCode::Unavailable, why))?;
    }
    let mut engines = lock(&attempt.engines.0);
    let known = engines.get(&(name.clone(), run_as.clone())).cloned();
    let engine = match &known {
        Some(known) => known.engine.clone(),
        None => over_ssh(&target.spec, way, run_as.clone())
            .map_err(|error| CallError::new(ErrorCode::Unsupported, error.to_string()))?,
    };
    if is_swept && !known.as_ref().is_some_and(|known| known.is_swept) {
        tokio::spawn(sweep(engine.clone(), owner.clone()));
    }
    let is_swept = is_swept || known.is_some_and(|known| known.is_swept);
    engines.insert((name, run_as), Known { engine: engine.clone(), is_swept });
    Ok(Containers { engine, owner })
}

/// Removes what earlier daemons left on the engine of a target, before anything uses it; how many containers that were.
///
/// # Errors
///
/// If the target is not there any more ([`Error::NotFound`]), or its engine cannot be asked.
pub(crate) async fn sweep_left(services: &dyn Services, left: &TargetEngine, owner: &Owner) -> Result<usize, Error> {
    let fleet = services.fleet(&left.namespace).map_err(|why| in_the_way(ObstacleKind::Passing, why))?;
    let gone = || Error::NotFound(format!("there is no target '{}' in the namespace {}", left.target, left.namespace));
    let target = fleet.target(&left.target).ok_or_else(gone)?;
    let way = remote::way(services, &left.namespace, &fleet, target);
    let way = way.map_err(|error| in_the_way(ObstacleKind::Refused, error.message()))?;
    over_ssh(&target.spec, way, left.account.clone())?.sweep(owner).await
}

fn in_the_way(kind: ObstacleKind, message: String) -> Error {
    Error::Way(Obstacle { kind, message })
}

/// The engine of a target. Nothing is connected yet.
fn over_ssh(target: &TargetSpec, hops: Vec<Hop>, run_as: Option<String>) -> Result<Engine, Error> {
    let socket = target.engine.as_ref().map_or(SOCKET, |socket| socket.as_str()).to_owned();
    let shown = format!("{socket} on {}", target.name);
    Engine::through(Arc::new(OverSsh { hops, run_as, socket, open: tokio::sync::Mutex::default() }), &shown)
}

async fn sweep(engine: Engine, owner: Owner) {
    match engine.sweep(&owner).await {
        Ok(0) => {}
        Ok(removed) => {
            tracing::info!(containers = removed, "removed what interrupted runs left behind at {}", engine.place());
        }
        // Whoever uses the engine is told why it cannot be used.
        Err(error) => tracing::debug!("containers of earlier runs were not looked for: {error}"),
    }
}

/// The way to the engine of a target.
struct OverSsh {
    hops: Vec<Hop>,
    run_as: Option<String>,
    socket: String,
    open: tokio::sync::Mutex<Open>,
}

/// What is open of a way.
#[derive(Default)]
struct Open {
    connections: Vec<Arc<Connection>>,
    /// How streams get to the socket, once that was tried.
    by: Option<By>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Socket,
    Program,
}

impl Way for OverSsh {
    fn open(self: Arc<Self>) -> Opening {
        // By a task of its own: others wait for what it opens, even where whoever asked first does not look at it just now.
        let opening = tokio::spawn(async move {
            tokio::time::timeout(OPENING, self.stream()).await.unwrap_or_else(|_| {
                let machine = self.hops.last().map_or("the target", |hop| hop.machine.as_str());
                let message = format!(
                    "the container engine at {} on {machine} does not answer; look whether it hangs",
                    self.socket
                );
                Err(Obstacle { kind: ObstacleKind::Passing, message })
            })
        });
        Box::pin(async move {
            opening.await.unwrap_or_else(|_| {
                Err(Obstacle { kind: ObstacleKind::Passing, message: "the daemon is stopping".to_owned() })
            })
        })
    }
}

impl OverSsh {
    /// A stream. A connection that breaks only now is replaced, once.
    async fn stream(&self) -> Result<Box<dyn Duplex>, Obstacle> {
        let (connection, by) = self.enter().await?;
        match self.stream_over(&connection, by).await {
            Err(_) if connection.is_closed() => {
                let (connection, by) = self.enter().await?;
                self.stream_over(&connection, by).await
            }
            opened => opened,
        }
    }

    /// A connection, and how streams get from it to the socket.
    async fn enter(&self) -> Result<(Arc<Connection>, By), Obstacle> {
        let mut open = self.open.lock().await;
        let connection = self.connection(&mut open).await?;
        let by = match open.by {
            Some(by) => by,
            None => *open.by.insert(self.choose(&connection).await?),
        };
        Ok((connection, by))
    }

    async fn stream_over(&self, connection: &Arc<Connection>, by: By) -> Result<Box<dyn Duplex>, Obstacle> {
        if by == By::Socket {
            if let Some(stream) = connection.socket(&self.socket).await.map_err(|error| obstacle(&error))? {
                return Ok(Box::new(stream));
            }
            // It was to be had before: what is wrong now, the program tells.
            self.try_program(connection).await?;
        }
        Ok(Box::new(connection.stream(self.program())))
    }

    /// A connection with room for one more stream.
    async fn connection(&self, open: &mut Open) -> Result<Arc<Connection>, Obstacle> {
        open.connections.retain(|connection| !connection.is_closed());
        // Servers count programs, and no streams to sockets.
        let has_room = |connection: &&Arc<Connection>| open.by == Some(By::Socket) || connection.has_room();
        if let Some(connection) = open.connections.iter().find(has_room) {
            return Ok(Arc::clone(connection));
        }
        if let Some(connection) = open.connections.first().filter(|_| open.connections.len() >= CONNECTIONS) {
            return Ok(Arc::clone(connection));
        }
        let connection = Connection::open(&self.hops).await.map_err(|error| obstacle(&error))?;
        let connection = Arc::new(connection);
        open.connections.push(Arc::clone(&connection));
        Ok(connection)
    }

    /// How streams get to the socket.
    async fn choose(&self, connection: &Arc<Connection>) -> Result<By, Obstacle> {
        let forwards = self.run_as.is_none() && {
            let tried = connection.socket(&self.socket).await;
            tried.map_err(|error| obstacle(&error))?.is_some()
        };
        if forwards {
            return Ok(By::Socket);
        }
        self.try_program(connection).await?;
        Ok(By::Program)
    }

    fn program(&self) -> Program {
        let argv = ["sh", "-c", RELAY, "sh", &self.socket].map(str::to_owned).to_vec();
        Program { argv, run_as: self.run_as.clone(), ..Program::default() }
    }

    /// Whether an engine answers through the program, and else why not.
    async fn try_program(&self, connection: &Connection) -> Result<(), Obstacle> {
        let Finished { ended, stdout, stderr } =
            connection.run(&self.program(), PING, ANSWER).await.map_err(|error| obstacle(&error))?;
        if stdout.starts_with(b"HTTP/1.") {
            return Ok(());
        }
        let (machine, socket) = (connection.machine(), &self.socket);
        let account = self.run_as.as_ref().or(self.hops.last().map(|hop| &hop.account));
        let account = account.map_or("the account", String::as_str);
        let (kind, message) = match ended {
            NO_SOCKET => (
                ObstacleKind::Passing,
                format!(
                    "{machine} has no container engine at {socket} that {account} sees; start it there, or say where it is in \
                     the target's `engine`"
                ),
            ),
            NO_RIGHT => (
                ObstacleKind::Refused,
                format!(
                    "on {machine} {account} may not use the container engine at {socket}; let {account} into the group that owns \
                     the socket, or use an account that may"
                ),
            ),
            NO_PROGRAM => (
                ObstacleKind::Wrong,
                format!(
                    "the SSH server of {machine} opens no stream to {socket} for {account}, and there is none of docker, podman, \
                     socat and nc to do it; allow AllowStreamLocalForwarding there, or install one of them"
                ),
            ),
            _ => {
                let said = String::from_utf8_lossy(&stderr).split_whitespace().collect::<Vec<_>>().join(" ");
                let said = if said.is_empty() { "it says nothing".to_owned() } else { said };
                let message = format!(
                    "the container engine at {socket} on {machine} does not answer: {said}; look whether it runs there"
                );
                (ObstacleKind::Passing, message)
            }
        };
        Err(Obstacle { kind, message })
    }
}

fn obstacle(error: &SshError) -> Obstacle {
    let kind = match error {
        SshError::Unreachable { .. } => ObstacleKind::Passing,
        SshError::HostKey { .. } | SshError::Refused { .. } | SshError::Failed { .. } => ObstacleKind::Refused,
        SshError::Invalid(_) => ObstacleKind::Wrong,
    };
    Obstacle { kind, message: error.to_string() }
}
