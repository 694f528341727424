//! A command in a container that is there already.

use std::fs;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as ApiError;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::{ExecConfig, ExecInspectResponse};
use rustix::process::{Pid, PidfdFlags, kill_process_group, pidfd_open, pidfd_send_signal};

use crate::container::DRAIN;
use crate::engine::Engine;
use crate::error::Error;
use crate::running::{Demand, How, Keeper, Running, Signal, Target, pair};
use crate::spec::{ExecSpec, check_workdir, is_name, variables};
use crate::stdio::{Input, Output, Sinks, Source};

/// How often an engine is asked whether a command has ended whose output is still open: it tells nobody by itself.
const LOOK: Duration = Duration::from_millis(500);
/// How soon after its output ended, and how often, a command is asked for its exit code.
const SOON: Duration = Duration::from_millis(20);
/// How often it is asked before it is given up.
const LOOKS: u32 = 100;
/// How long a killed command may take to be gone.
const DEATH: Duration = Duration::from_secs(10);

impl Engine {
    /// Starts a command in a running container, with these files as its standard input, output and error.
    ///
    /// # Errors
    ///
    /// If there is no such container, or the engine does not start the command.
    pub async fn exec(&self, spec: ExecSpec, stdio: [OwnedFd; 3]) -> Result<Running, Error> {
        let (starting, keeper) = pair();
        tokio::spawn(see_through(self.clone(), spec, stdio, keeper));
        starting.done().await
    }

    /// The id of the container with this name. Engines take the beginning of an id for a name; we do not.
    async fn container_called(&self, name: &str) -> Result<String, Error> {
        let missing = || Error::NotFound(format!("the engine at {} has no container called '{name}'", self.place()));
        if !is_name(name) {
            return Err(Error::Invalid(format!("'{}' is no name of a container", name.escape_debug())));
        }
        let container = match self.docker().inspect_container(name, None).await {
            Ok(container) => container,
            Err(ApiError::DockerResponseServerError { status_code: 404, .. }) => return Err(missing()),
            Err(error) => return Err(self.failed(&format!("looking for the container {name}"), error)),
        };
        let is_it = container.name.as_deref().is_some_and(|full| full.trim_start_matches('/') == name);
        container.id.filter(|_| is_it).ok_or_else(missing)
    }

    async fn create_exec(&self, container: &str, spec: ExecSpec, has_stdin: bool) -> Result<String, Error> {
        check_workdir(spec.workdir.as_ref())?;
        if spec.argv.first().is_none_or(String::is_empty) {
            return Err(Error::Invalid("there is no command to run in the container".to_owned()));
        }
        let config = ExecConfig {
            attach_stdin: Some(has_stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(false),
            privileged: Some(false),
            cmd: Some(spec.argv),
            env: variables(spec.env)?,
            working_dir: spec.workdir,
            user: spec.user,
            ..ExecConfig::default()
        };
        let created = self.docker().create_exec(container, config).await;
        let doing = || format!("preparing a command in the container {}", spec.container);
        created.map(|created| created.id).map_err(|error| self.failed(&doing(), error))
    }

    async fn start_exec(&self, exec: &str, container: &str) -> Result<(Output, Input), Error> {
        let options = StartExecOptions { detach: false, tty: false, output_capacity: None };
        let doing = format!("starting a command in the container {container}");
        match self.docker().start_exec(exec, Some(options)).await {
            Ok(StartExecResults::Attached { output, input }) => Ok((output, input)),
            Ok(StartExecResults::Detached) => Err(Error::Refused { doing, message: "it gave no output".to_owned() }),
            Err(error) => Err(self.failed(&doing, error)),
        }
    }

    /// The exit code of a command, once it has ended.
    async fn exit_code(&self, exec: &str) -> Result<Option<How>, Error> {
        let state = self.exec_state(exec).await?;
        if state.running == Some(true) {
            return Ok(None);
        }
        Ok(state.exit_code.and_then(|code| i32::try_from(code).ok()).map(How::Exited))
    }

    async fn exec_state(&self, exec: &str) -> Result<ExecInspectResponse, Error> {
        self.docker().inspect_exec(exec).await.map_err(|error| self.failed("asking for a command", error))
    }

    /// Engines have no way to signal a command, so it is done from outside, where the engine is this machine's.
    pub(crate) async fn signal_exec(&self, exec: &str, container: &str, signal: Signal) -> Result<(), Error> {
        let mut state = self.exec_state(exec).await?;
        // A command may print before its engine knows which process it is.
        for _ in 0..LOOKS {
            if state.running != Some(true) || state.pid.is_some_and(|pid| pid > 0) {
                break;
            }
            tokio::time::sleep(SOON).await;
            state = self.exec_state(exec).await?;
        }
        if state.running != Some(true) {
            return Ok(());
        }
        let cannot = |why: &str| {
            let doing = "signalling a command in a container".to_owned();
            Err(Error::Refused { doing, message: format!("engines offer no way to do it, and {why}") })
        };
        if !self.is_local() {
            return cannot("the engine's machine may be another");
        }
        let Some(pid) = state.pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw) else {
            return cannot("it does not say which process it is");
        };
        let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { return cannot("its process cannot be reached") };
        // The number may be another machine's, or somebody else's by now: only a process of that container is signalled.
        let groups = fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
        if !groups.contains(container) {
            return cannot("its process is not to be seen from here");
        }
        let sent = pidfd_send_signal(pidfd, signal.on_host());
        // What it started and what did not leave its group; gone already is as good.
        let _ = kill_process_group(pid, signal.on_host());
        match sent {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => cannot(&format!("its process cannot be signalled: {error}")),
        }
    }
}

/// Starts a command and watches it until it has ended.
async fn see_through(engine: Engine, spec: ExecSpec, stdio: [OwnedFd; 3], mut keeper: Keeper) {
    let [stdin, stdout, stderr] = stdio;
    let opened = Source::new(stdin).and_then(|source| Ok((source, Sinks::new(stdout, stderr)?)));
    let (source, mut sinks) = match opened {
        Ok(opened) => opened,
        Err(error) => return keeper.started(Err(Error::Invalid(format!("input and output cannot be used: {error}")))),
    };
    let has_stdin = source.is_some();
    let started = async {
        let container = engine.container_called(&spec.container).await?;
        let name = spec.container.clone();
        let exec = engine.create_exec(&container, spec, has_stdin).await?;
        let streams = engine.start_exec(&exec, &name).await?;
        Ok((container, exec, streams))
    };
    let (container, exec, (output, input)) = match started.await {
        Ok(started) => started,
        Err(error) => return keeper.started(Err(error)),
    };
    keeper.started(Ok(Target::Exec { engine: engine.clone(), id: exec.clone(), container: container.clone() }));
    let gaps = Arc::clone(&keeper.gaps);
    let feeding = source.feed(input);
    let how = {
        let copying = sinks.copy(output, &gaps);
        tokio::pin!(copying, feeding);
        let (mut copied, mut fed, mut next) = (false, false, Demand::Stop);
        let how = loop {
            tokio::select! {
                () = &mut copying, if !copied => copied = true,
                () = &mut feeding, if !fed => fed = true,
                how = code(&engine, &exec, copied) => break how,
                () = keeper.demanded(next) => {
                    if next == Demand::Die || keeper.must_die() {
                        break kill(&engine, &exec, &container).await;
                    }
                    next = Demand::Die;
                    let _ = engine.signal_exec(&exec, &container, Signal::Terminate).await;
                }
            }
        };
        if !copied && !matches!(how, How::Lost(_)) {
            let _ = tokio::time::timeout(DRAIN, copying).await;
        }
        how
    };
    drop(sinks);
    keeper.ended(how);
}

async fn kill(engine: &Engine, exec: &str, container: &str) -> How {
    if let Err(error) = engine.signal_exec(exec, container, Signal::Kill).await {
        return How::Lost(format!("the command goes on in its container: {error}"));
    }
    let gone = tokio::time::timeout(DEATH, code(engine, exec, true)).await;
    gone.unwrap_or_else(|_| How::Lost("the command was killed and does not die".to_owned()))
}

/// Waits for the exit code. Once its output has ended, a command has too, or will at once.
async fn code(engine: &Engine, exec: &str, copied: bool) -> How {
    let mut failures = 0;
    loop {
        tokio::time::sleep(if copied { SOON } else { LOOK }).await;
        match engine.exit_code(exec).await {
            Ok(Some(how)) => return how,
            Ok(None) => failures = 0,
            Err(error) => {
                failures += 1;
                if failures == LOOKS || matches!(error, Error::NotFound(_)) {
                    return How::Lost(error.to_string());
                }
                tokio::time::sleep(LOOK).await;
            }
        }
    }
}
