//! One container from its making to its removal.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bollard::container::AttachContainerResults;
use bollard::errors::Error as ApiError;
use bollard::models::ContainerStateStatusEnum as Status;
use bollard::query_parameters::{
    AttachContainerOptions, CreateContainerOptions, KillContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt;

use crate::engine::Engine;
use crate::error::Error;
use crate::running::{Demand, How, Keeper, Running, Signal, Target, pair};
use crate::spec::ContainerSpec;
use crate::stdio::{Sinks, Source};

/// How long output is still read after the container has ended: as long as a slow reader may take for what is on its way.
pub(crate) const DRAIN: Duration = Duration::from_secs(5);
/// How often an engine that went away while a container ran is asked for it again, and the pause before each time.
const LOOKS: u32 = 30;
const PAUSE: Duration = Duration::from_secs(1);

impl Engine {
    /// Starts a container whose standard input, output and error are these files: pipes, regular files, or `/dev/null`.
    /// The image must be there. Nothing is left of it if this fails, or its future is dropped.
    ///
    /// # Errors
    ///
    /// If the specification cannot be, or the engine does not start it.
    pub async fn start(&self, spec: ContainerSpec, stdio: [OwnedFd; 3]) -> Result<Running, Error> {
        let (starting, keeper) = pair();
        tokio::spawn(see_through(self.clone(), spec, stdio, keeper));
        starting.done().await
    }

    async fn create(&self, spec: ContainerSpec, has_stdin: bool) -> Result<String, Error> {
        let doing = format!("making a container of {}", spec.image);
        let name = spec.name.clone();
        let body = spec.into_body(has_stdin)?;
        let options = CreateContainerOptions { name: Some(name), ..CreateContainerOptions::default() };
        let created = self.docker().create_container(Some(options), body).await;
        created.map(|created| created.id).map_err(|error| self.failed(&doing, error))
    }

    /// Attached first, so that nothing that it prints is missed.
    async fn attach_and_start(&self, id: &str, has_stdin: bool) -> Result<AttachContainerResults, ApiError> {
        let options = AttachContainerOptions {
            stream: true,
            stdin: has_stdin,
            stdout: true,
            stderr: true,
            ..AttachContainerOptions::default()
        };
        let attached = self.docker().attach_container(id, Some(options)).await?;
        self.docker().start_container(id, None).await?;
        Ok(attached)
    }

    /// Waits until the container does not run any more. `gaps` is told if the engine was lost sight of meanwhile.
    async fn wait(&self, id: &str, gaps: &AtomicBool) -> How {
        let mut looks = 0;
        loop {
            let options = WaitContainerOptions { condition: "not-running".to_owned() };
            // Whatever the answer is, the container's state says it better; only that there is none may be all that tells of a
            // break, where the container has ended meanwhile.
            let answer = self.docker().wait_container(id, Some(options)).next().await;
            if !answer.is_some_and(|answer| answer.map_or_else(|error| is_answer(&error), |_| true)) {
                gaps.store(true, Ordering::Relaxed);
            }
            let state = self.docker().inspect_container(id, None).await;
            let why = match state.map(|container| container.state.unwrap_or_default()) {
                Ok(state) => match state.status {
                    Some(Status::EXITED | Status::DEAD) => return exited(state.exit_code),
                    // The wait was cut off, or the engine started again.
                    _ => {
                        gaps.store(true, Ordering::Relaxed);
                        looks = 0;
                        "it runs, and the engine does not wait for it".to_owned()
                    }
                },
                Err(ApiError::DockerResponseServerError { status_code: 404, .. }) => {
                    return How::Lost("somebody else removed the container".to_owned());
                }
                Err(error) => self.failed("waiting for a container", error).to_string(),
            };
            looks += 1;
            if looks == LOOKS {
                return How::Lost(why);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The signal that asks the container to end.
    async fn stop_signal(&self, id: &str) -> String {
        let container = self.docker().inspect_container(id, None).await.ok();
        let named = container.and_then(|container| container.config?.stop_signal);
        named.filter(|signal| !signal.is_empty()).unwrap_or_else(|| Signal::Terminate.name().to_owned())
    }

    async fn signal(&self, id: &str, signal: &str) -> Result<(), Error> {
        let options = KillContainerOptions { signal: signal.to_owned() };
        match self.docker().kill_container(id, Some(options)).await {
            // It has ended.
            Ok(()) | Err(ApiError::DockerResponseServerError { status_code: 404 | 409, .. }) => Ok(()),
            Err(error) => Err(self.failed("signalling a container", error)),
        }
    }
}

/// Whether the engine said so itself.
fn is_answer(error: &ApiError) -> bool {
    matches!(error, ApiError::DockerContainerWaitError { .. } | ApiError::DockerResponseServerError { .. })
}

fn exited(code: Option<i64>) -> How {
    code.and_then(|code| i32::try_from(code).ok())
        .map_or_else(|| How::Lost("the engine does not know the exit code".to_owned()), How::Exited)
}

impl Target {
    pub(crate) async fn signal(&self, signal: Signal) -> Result<(), Error> {
        match self {
            Self::Container { engine, id } => engine.signal(id, signal.name()).await,
            Self::Exec { engine, id, container } => engine.signal_exec(id, container, signal).await,
        }
    }
}

/// Makes, starts and watches a container, and removes it whatever happens.
async fn see_through(engine: Engine, spec: ContainerSpec, stdio: [OwnedFd; 3], mut keeper: Keeper) {
    let [stdin, stdout, stderr] = stdio;
    let opened = Source::new(stdin).and_then(|source| Ok((source, Sinks::new(stdout, stderr)?)));
    let (source, mut sinks) = match opened {
        Ok(opened) => opened,
        Err(error) => return keeper.started(Err(Error::Invalid(format!("input and output cannot be used: {error}")))),
    };
    let (image, name) = (spec.image.clone(), spec.name.clone());
    let id = match engine.create(spec, source.is_some()).await {
        Ok(id) => id,
        Err(error) => {
            // Without an answer it may have been made all the same.
            let may_be_there = !error.is_answer();
            keeper.started(Err(error));
            if may_be_there {
                remove(&engine, &name).await;
            }
            return;
        }
    };
    let attached = match engine.attach_and_start(&id, source.is_some()).await {
        Ok(attached) => attached,
        Err(error) => {
            remove(&engine, &id).await;
            return keeper.started(Err(engine.failed(&format!("starting a container of {image}"), error)));
        }
    };
    keeper.started(Ok(Target::Container { engine: engine.clone(), id: id.clone() }));
    let gaps = Arc::clone(&keeper.gaps);
    let feeding = source.feed(attached.input);
    let how = {
        let copying = sinks.copy(attached.output, &gaps);
        let living = live(&engine, &id, &mut keeper);
        tokio::pin!(copying, feeding, living);
        let (mut copied, mut fed) = (false, false);
        let how = loop {
            tokio::select! {
                () = &mut copying, if !copied => copied = true,
                () = &mut feeding, if !fed => fed = true,
                how = &mut living => break how,
            }
        };
        if !copied {
            let _ = tokio::time::timeout(DRAIN, copying).await;
        }
        how
    };
    remove(&engine, &id).await;
    // The readers of the output see its end before its writer's.
    drop(sinks);
    keeper.ended(how);
}

/// Until the container has ended, by itself or because it must.
async fn live(engine: &Engine, id: &str, keeper: &mut Keeper) -> How {
    let gaps = Arc::clone(&keeper.gaps);
    let waiting = engine.wait(id, &gaps);
    tokio::pin!(waiting);
    let by_itself = tokio::select! {
        biased;
        how = &mut waiting => Some(how),
        () = keeper.demanded(Demand::Stop) => None,
    };
    match by_itself {
        Some(how) => how,
        None => {
            if !keeper.must_die() {
                let signal = engine.stop_signal(id).await;
                let _ = engine.signal(id, &signal).await;
            }
            tokio::select! {
                biased;
                how = &mut waiting => how,
                () = keeper.demanded(Demand::Die) => {
                    let _ = engine.signal(id, Signal::Kill.name()).await;
                    let ended = tokio::time::timeout(DRAIN, waiting).await;
                    // Removal kills as well, and waits for it.
                    ended.unwrap_or_else(|_| How::Lost("the container was killed and does not die".to_owned()))
                }
            }
        }
    }
}

async fn remove(engine: &Engine, id: &str) {
    if let Err(error) = engine.remove(id).await {
        tracing::warn!(
            container = id,
            "{error}; it is tried again when the daemon starts, or next uses the engine of that target"
        );
    }
}
