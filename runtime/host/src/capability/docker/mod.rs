//! Containers on the operator's engine, or on that of a target.
//!
//! What an image, its command and its mounts may be is asked of the grants here; the engine itself is asked by
//! `sandglass_containers`, which sees every container through to its removal.

mod target;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use sandglass_containers::{self as containers, ContainerSpec, Error, ExecSpec, MountSource, ObstacleKind};
use sandglass_core::capability::{Access, Capability, Deed, Denial};
use sandglass_core::output::OutputStream;
use wasmtime::component::Resource;

pub(crate) use self::target::{Engines, sweep_left};

use super::exec::{self, Elsewhere, How, Orders, Task, without_secret};
use super::files::place;
use super::{CallError, CallResult, progress};
use crate::attempt::Attempt;
use crate::bindings::docker;
use crate::bindings::exec::{Output, Signal};
use crate::bindings::types::ErrorCode;
use crate::guest::Guest;
use crate::services::{BoxFuture, Containers, Progress};

/// The remark in the output of a run whose container was lost sight of for a while.
const GAPS: &[u8] =
    b"the connection to the container engine broke while the container ran; some of its output may be missing\n";

impl docker::Host for Guest {
    async fn find(&mut self, reference: String, at: Option<docker::Place>) -> CallResult<Option<docker::Image>> {
        let attempt = &self.attempt;
        let allowed = attempt.work.grants.find_image(&reference);
        let engine = engine(attempt, allowed, at.as_ref(), Deed::LookAtEngine)?.engine;
        let found = attempt.unless_stopped(engine.find(&reference)).await.ok_or_else(CallError::cancelled)?;
        Ok(found.map_err(|error| failed(attempt, &error))?.map(image))
    }

    async fn pull(
        &mut self,
        reference: String,
        policy: docker::PullPolicy,
        credentials: Option<docker::Credentials>,
        at: Option<docker::Place>,
    ) -> CallResult<docker::Image> {
        let attempt = &self.attempt;
        let allowed = attempt.work.grants.image(&reference);
        let engine = engine(attempt, allowed, at.as_ref(), Deed::UseEngine)?.engine;
        let credentials = credentials.map(|given| for_registry(attempt, &reference, given)).transpose()?;
        let policy = match policy {
            docker::PullPolicy::Missing => containers::PullPolicy::Missing,
            docker::PullPolicy::Always => containers::PullPolicy::Always,
            docker::PullPolicy::Never => containers::PullPolicy::Never,
        };
        let news = |step: containers::PullProgress| {
            let total = (step.total > 0).then_some(step.total);
            let (unit, message) = (Some("bytes".to_owned()), Some(format!("{reference}: {}", step.status)));
            progress::tell(attempt, Progress { completed: step.completed, total, unit, message });
        };
        let pulling = engine.pull(&reference, policy, credentials, news);
        let pulled = attempt.unless_stopped(pulling).await.ok_or_else(CallError::cancelled)?;
        Ok(image(pulled.map_err(|error| failed(attempt, &error))?))
    }

    async fn start(&mut self, spec: docker::Container) -> CallResult<Resource<Task>> {
        let task = start(&self.attempt, spec).await?;
        Ok(self.table.push(task)?)
    }

    async fn exec(&mut self, command: docker::ContainerCommand) -> CallResult<Resource<Task>> {
        let task = run_in(&self.attempt, command).await?;
        Ok(self.table.push(task)?)
    }
}

async fn start(attempt: &Arc<Attempt>, given: docker::Container) -> CallResult<Task> {
    let allowed = attempt.work.grants.image(&given.image);
    let Containers { engine, owner } = engine(attempt, allowed, given.at.as_ref(), Deed::UseEngine)?;
    without_pipes(given.at.as_ref(), [&given.stdout, &given.stderr])?;
    let texts = given.args.iter().chain(given.entrypoint.iter().flatten());
    let texts = texts.chain(given.labels.iter().map(|(_, value)| value));
    texts.into_iter().try_for_each(|text| without_secret(attempt, text))?;
    let mounts = given.mounts.iter().map(|mount| self::mount(attempt, &engine, mount));
    let spec = ContainerSpec {
        name: name(attempt),
        run: attempt.run.to_string(),
        owner,
        mounts: mounts.collect::<CallResult<_>>()?,
        env: environment(attempt, &given.env)?,
        image: given.image,
        entrypoint: given.entrypoint,
        args: given.args,
        workdir: given.workdir,
        user: given.user,
        network: given.network,
        cpu_millis: given.cpu_millis,
        memory: given.memory,
        pids: given.processes,
        labels: given.labels,
    };
    let streams = (given.input, given.stdout, given.stderr);
    let orders = Orders::new(attempt, streams, given.timeout, given.grace);
    exec::start(attempt, orders, async |stdio| started(attempt, engine.start(spec, stdio).await)).await
}

async fn run_in(attempt: &Arc<Attempt>, given: docker::ContainerCommand) -> CallResult<Task> {
    let allowed = attempt.work.grants.container(&given.container);
    let engine = engine(attempt, allowed, given.at.as_ref(), Deed::UseEngine)?.engine;
    without_pipes(given.at.as_ref(), [&given.stdout, &given.stderr])?;
    given.argv.iter().try_for_each(|arg| without_secret(attempt, arg))?;
    let spec = ExecSpec {
        env: environment(attempt, &given.env)?,
        container: given.container,
        argv: given.argv,
        workdir: given.workdir,
        user: given.user,
    };
    let streams = (given.input, given.stdout, given.stderr);
    let orders = Orders::new(attempt, streams, given.timeout, given.grace);
    exec::start(attempt, orders, async |stdio| started(attempt, engine.exec(spec, stdio).await)).await
}

/// What a plugin reads slowly would hold up all else that goes over the same connection to a target.
fn without_pipes(at: Option<&docker::Place>, outputs: [&Output; 2]) -> CallResult<()> {
    if at.is_some() && outputs.into_iter().any(|output| matches!(output, Output::Pipe)) {
        let message = "a container on a target has no pipes to the plugin; capture its output instead";
        return Err(CallError::new(ErrorCode::Unsupported, message));
    }
    Ok(())
}

fn started(attempt: &Arc<Attempt>, started: Result<containers::Running, Error>) -> CallResult<Container> {
    let running = started.map_err(|error| failed(attempt, &error))?;
    Ok(Container { running, attempt: Arc::clone(attempt), has_told: AtomicBool::new(false) })
}

/// A container, or a command in one. It is stopped and removed when this is dropped.
struct Container {
    running: containers::Running,
    attempt: Arc<Attempt>,
    /// Whether the run's output says that some of it may be missing.
    has_told: AtomicBool,
}

impl Elsewhere for Container {
    fn ended(&self) -> BoxFuture<'_, How> {
        Box::pin(async {
            let ended = self.running.ended().await;
            if self.running.has_gaps() && !self.has_told.swap(true, Ordering::Relaxed) {
                self.attempt.output(OutputStream::System, GAPS.to_vec());
            }
            match ended {
                containers::How::Exited(code) => How::Exited(code),
                containers::How::Lost(why) => How::Lost(why),
            }
        })
    }

    fn signal(&self, signal: Signal) -> BoxFuture<'_, Result<(), String>> {
        let other = match signal {
            // With the signal that the image names for it.
            Signal::Terminate => {
                self.running.stop();
                return Box::pin(std::future::ready(Ok(())));
            }
            Signal::Kill => {
                self.running.kill();
                return Box::pin(std::future::ready(Ok(())));
            }
            Signal::Interrupt => containers::Signal::Interrupt,
            Signal::Hangup => containers::Signal::Hangup,
            Signal::User1 => containers::Signal::User1,
            Signal::User2 => containers::Signal::User2,
        };
        Box::pin(async move { self.running.signal(other).await.map_err(|error| error.to_string()) })
    }
}

/// The engine that is meant, if what is asked of it is `allowed`, and so is this on its target. Counts a use.
fn engine(
    attempt: &Attempt,
    allowed: Result<(), Denial>,
    at: Option<&docker::Place>,
    deed: Deed<'static>,
) -> CallResult<Containers> {
    allowed.map_err(|denial| attempt.refused(Capability::Docker, &denial))?;
    let message = "there is no container engine here";
    let own = attempt.services.containers().ok_or_else(|| CallError::new(ErrorCode::Unsupported, message))?;
    let engine = match at {
        None => own,
        Some(place) => target::engine(attempt, own.owner, place, deed)?,
    };
    attempt.used(Capability::Docker);
    Ok(engine)
}

fn image(found: containers::Image) -> docker::Image {
    docker::Image { id: found.id, digest: found.digest, size: found.size }
}

fn failed(attempt: &Attempt, error: &Error) -> CallError {
    let code = match error {
        Error::NotFound(_) => ErrorCode::NotFound,
        Error::Invalid(_) => ErrorCode::InvalidArgument,
        Error::Unreachable { .. } | Error::Slow { .. } | Error::Tls(_) => ErrorCode::Unavailable,
        Error::Way(obstacle) => match obstacle.kind {
            ObstacleKind::Passing => ErrorCode::Unavailable,
            ObstacleKind::Refused => ErrorCode::Denied,
            ObstacleKind::Wrong => ErrorCode::InvalidArgument,
        },
        Error::Refused { .. } => ErrorCode::Other,
    };
    CallError::new(code, attempt.masked(error.to_string()))
}

/// A name that says what it is, for people who look at the engine.
fn name(attempt: &Attempt) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("sandglass-{}-{}-{number}", attempt.run, attempt.number)
}

/// The environment, which the engine takes as text.
fn environment(attempt: &Attempt, given: &[(String, String)]) -> CallResult<Vec<(String, String)>> {
    let env = exec::environment(attempt, given)?;
    env.into_iter().map(|(name, value)| Ok((name.clone(), text(&name, value.to_vec())?))).collect()
}

fn text(name: &str, value: Vec<u8>) -> CallResult<String> {
    String::from_utf8(value).map_err(|_| {
        let message = format!("the value of {name} is no text, as the environment of a container must be");
        CallError::new(ErrorCode::InvalidArgument, message)
    })
}

/// Who the registry of an image is told that we are. A secret that is meant for certain hosts goes to no other registry.
fn for_registry(attempt: &Attempt, reference: &str, given: docker::Credentials) -> CallResult<containers::Credentials> {
    let registry = containers::registry_of(reference);
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let fill = |given: String| {
        let Some(secrets) = attempt.secrets() else { return Ok(given) };
        match secrets.for_host(given.as_bytes(), host).map_err(|error| attempt.not_put_in(&error))? {
            Some(filled) => text("the registry's user or password", filled),
            None => Ok(given),
        }
    };
    Ok(containers::Credentials { username: fill(given.username)?, password: fill(given.password)? })
}

fn mount(attempt: &Attempt, engine: &containers::Engine, given: &docker::Mount) -> CallResult<containers::Mount> {
    let source = match &given.source {
        docker::MountSource::Tmpfs(bytes) => MountSource::Tmpfs(*bytes),
        docker::MountSource::Volume(name) => {
            let allowed = attempt.work.grants.volume(name);
            allowed.map_err(|denial| attempt.refused(Capability::Docker, &denial))?;
            MountSource::Volume(name.clone())
        }
        docker::MountSource::Folder(folder) => {
            if !engine.is_local() {
                let message = format!(
                    "the folder '{}' cannot be mounted: the engine at {} may be on another machine",
                    folder.mount,
                    engine.place()
                );
                return Err(CallError::new(ErrorCode::Unsupported, message));
            }
            let access = if given.read_only { Access::ReadOnly } else { Access::ReadWrite };
            MountSource::Folder(place::whole(attempt, folder, access)?)
        }
    };
    Ok(containers::Mount { source, target: given.target.clone(), read_only: given.read_only })
}
