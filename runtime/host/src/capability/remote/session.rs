//! A machine that is entered as one account.

use std::os::fd::OwnedFd;
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt as _;
use futures_util::future::Shared;
use rustix::fs::OFlags;
use sandglass_core::capability::{Access, Deed};
use sandglass_core::id::{Namespace, SecretName};
use sandglass_core::target::{self, Fleet, Target};
use sandglass_ssh::files::{self, Files};
use sandglass_ssh::{Auth, Connection, Hop, Remote, SshError};
use tokio::sync::OnceCell;
use wasmtime::component::Resource;
use zeroize::Zeroizing;

use super::folder::FolderUpload;
use super::operation::Operation;
use super::program::{MARK_VARIABLE, Program, TARGET_VARIABLE};
use super::upload::Upload;
use super::{Place, failed, invalid};
use crate::attempt::Attempt;
use crate::bindings::exec;
use crate::bindings::remote::{self, Answer, HostSession};
use crate::bindings::types::{ErrorCode, FileRef};
use crate::capability::exec::{Orders, ends, environment, start, without_secret};
use crate::capability::files::place;
use crate::capability::{CallError, CallResult};
use crate::guest::Guest;
use crate::services::{BoxFuture, Services};

/// The most of a file that is read into the guest, in bytes.
const READ: u32 = 4 << 20;
/// The most that is written from the guest, in bytes.
const WRITE: usize = 4 << 20;

/// A connection that is made when it is first needed, once.
type Connecting = Shared<BoxFuture<'static, Result<Arc<Connection>, SshError>>>;

/// A machine that is entered as one account.
#[allow(unreachable_pub, reason = "the generated bindings export it again, as far as they reach themselves")]
#[derive(Clone)]
pub struct Session {
    attempt: Arc<Attempt>,
    place: Place,
    way: Arc<[Hop]>,
    connecting: Connecting,
}

/// The way to a target of a namespace: it, and those before it. What they are entered with no guest sees.
pub(crate) fn way(
    services: &dyn Services,
    namespace: &Namespace,
    fleet: &Fleet,
    target: &Arc<Target>,
) -> CallResult<Vec<Hop>> {
    let hops = fleet.way_to(&target.spec.name).into_iter().chain([target]);
    hops.map(|target| hop(services, namespace, target)).collect()
}

fn hop(services: &dyn Services, namespace: &Namespace, target: &Target) -> CallResult<Hop> {
    let spec = &target.spec;
    if spec.platform == target::Platform::Windows {
        let message = format!("{} runs Windows, which cannot be worked on yet", spec.name);
        return Err(CallError::new(ErrorCode::Unsupported, message));
    }
    let auth = match &spec.auth {
        target::Auth::Agent(socket) => Auth::Agent(socket.as_str().into()),
        target::Auth::Key { secret, passphrase } => {
            let names = [Some(secret), passphrase.as_ref()].into_iter().flatten().cloned().collect();
            let values = services.secrets(namespace, &names);
            let mut values = values.map_err(|why| CallError::new(ErrorCode::NotFound, why))?;
            let mut text = |name: &SecretName| {
                let at = values.iter().position(|value| value.name == *name);
                let value = at.map(|at| values.swap_remove(at).value).unwrap_or_default();
                match std::str::from_utf8(&value) {
                    Ok(text) => Ok(Zeroizing::new(text.to_owned())),
                    Err(_) => {
                        Err(invalid(format!("the secret {name}, with which {} is entered, is no text", spec.name)))
                    }
                }
            };
            let passphrase = passphrase.as_ref().map(&mut text).transpose()?;
            Auth::Key { key: text(secret)?, passphrase }
        }
    };
    let keys: Result<_, _> = spec.host_keys.iter().map(|key| key.to_string().parse()).collect();
    Ok(Hop {
        machine: spec.name.to_string(),
        host: spec.address.as_str().to_owned(),
        port: spec.port.get(),
        account: spec.account.as_str().to_owned(),
        host_keys: keys.map_err(|error: sandglass_ssh::InvalidHostKey| invalid(error.to_string()))?,
        auth,
    })
}

impl Session {
    pub(super) fn new(attempt: &Arc<Attempt>, place: Place, way: Vec<Hop>) -> Self {
        let way: Arc<[Hop]> = way.into();
        let first = Arc::clone(&way);
        let connecting: BoxFuture<'static, _> = Box::pin(async move { Connection::open(&first).await.map(Arc::new) });
        Self { attempt: Arc::clone(attempt), place, way, connecting: connecting.shared() }
    }

    fn account(&self) -> Option<&str> {
        self.place.account()
    }

    /// Does something with the machine's files, once it is connected. Goes on when the run is asked to stop, so that a guest
    /// can put in order what it has begun; the guest's end is its end too.
    fn with_files<F>(&self, work: F) -> Operation
    where
        F: for<'a> FnOnce(Files<'a>) -> BoxFuture<'a, Result<Answer, SshError>> + Send + 'static,
    {
        let (connecting, account) = (self.connecting.clone(), self.account().map(str::to_owned));
        let attempt = Arc::clone(&self.attempt);
        Operation::start(async move {
            let done = async {
                let connection = connecting.await?;
                work(Files { connection: &connection, run_as: account.as_deref() }).await
            };
            done.await.map_err(|error| failed(&attempt, &error))
        })
    }

    /// Writes a folder, once it is connected; under the same conditions as [`Self::with_files`].
    fn send_folder(&self, source: OwnedFd, dest: String, options: remote::CopyOptions) -> Operation {
        let (connecting, account) = (self.connecting.clone(), self.account().map(str::to_owned));
        let (attempt, place) = (Arc::clone(&self.attempt), self.place.clone());
        Operation::start(async move {
            let connection = connecting.await.map_err(|error| failed(&attempt, &error))?;
            let files = Files { connection: &connection, run_as: account.as_deref() };
            FolderUpload { attempt, place, source, dest, options }.send(files).await.map(Answer::Copied)
        })
    }

    fn may(&self, deed: Deed<'_>) -> CallResult<()> {
        self.place.may(&self.attempt, deed)
    }

    fn run(&self, given: remote::RemoteCommand) -> CallResult<Operation> {
        self.may(Deed::Run)?;
        given.argv.iter().try_for_each(|arg| without_secret(&self.attempt, arg))?;
        let is_pipe = matches!(given.input, exec::Input::Pipe)
            || [&given.stdout, &given.stderr].iter().any(|output| matches!(output, exec::Output::Pipe));
        if is_pipe {
            return Err(CallError::new(
                ErrorCode::Unsupported,
                "a program on another machine has no pipes to the plugin",
            ));
        }
        let mut env = environment(&self.attempt, &given.env)?;
        let mark = self.attempt.mark();
        for (name, value) in [(TARGET_VARIABLE, self.place.target.as_str()), (MARK_VARIABLE, &mark)] {
            env.insert(name.to_owned(), Zeroizing::new(value.into()));
        }
        let program = sandglass_ssh::Program {
            env: env.into_iter().collect(),
            argv: given.argv,
            cwd: given.cwd,
            run_as: self.account().map(str::to_owned),
        };
        let streams = (given.input, given.stdout, given.stderr);
        let orders = Orders {
            label: Some(self.place.target.to_string()),
            despite_stop: given.despite_stop,
            ..Orders::new(&self.attempt, streams, given.timeout, given.grace)
        };
        Ok(Operation::start(self.clone().conduct(program, mark, orders)))
    }

    /// Connects, and sees a program through. It fails if the program was not started.
    async fn conduct(self, program: sandglass_ssh::Program, mark: String, orders: Orders) -> CallResult<Answer> {
        let connecting = self.connecting.clone();
        let connected = match orders.despite_stop {
            true => connecting.await,
            false => self.attempt.unless_stopped(connecting).await.ok_or_else(CallError::cancelled)?,
        };
        let connection = connected.map_err(|error| failed(&self.attempt, &error))?;
        let refused = Arc::new(OnceLock::new());
        let told = Arc::clone(&refused);
        let (way, run_as, grace) = (Arc::clone(&self.way), program.run_as.clone(), orders.grace);
        let launch = async move |[stdin, stdout, stderr]: [OwnedFd; 3]| {
            let unusable = |error: std::io::Error| CallError::new(ErrorCode::Unavailable, error.to_string());
            let stdin = ends::source(stdin).map_err(unusable)?;
            let (stdout, stderr) = (ends::sink(stdout).map_err(unusable)?, ends::sink(stderr).map_err(unusable)?);
            let remote = Remote::start(connection, program, stdin, stdout, stderr);
            Ok(Program { remote, refused: told, way, run_as, mark, grace, left: OnceCell::new() })
        };
        let report = start(&self.attempt, orders, launch).await?.report().await;
        match refused.get() {
            Some(error) => Err(failed(&self.attempt, error)),
            None => Ok(Answer::Ended(report)),
        }
    }
}

/// What writing a file is, when it is only asked what it would be.
pub(super) fn writing<'a>(path: &'a str, options: &remote::CopyOptions) -> Deed<'a> {
    if options.dry_run { Deed::Read(path) } else { Deed::Write(path) }
}

fn copied(report: remote::CopyReport) -> Answer {
    Answer::Copied(report)
}

fn found(stat: files::Stat) -> remote::Stat {
    remote::Stat {
        kind: match stat.kind {
            files::Kind::File => remote::FileKind::File,
            files::Kind::Directory => remote::FileKind::Directory,
            files::Kind::Symlink => remote::FileKind::Symlink,
            files::Kind::Other => remote::FileKind::Other,
        },
        size: stat.size,
        mode: stat.mode,
        owner: stat.owner,
        sha256: stat.sha256,
    }
}

impl Guest {
    /// The session, if this may be done over it.
    fn session(&self, session: &Resource<Session>, deeds: &[Deed<'_>]) -> CallResult<&Session> {
        let session = self.table.get(session)?;
        deeds.iter().try_for_each(|deed| session.may(*deed))?;
        Ok(session)
    }

    fn push_operation(&mut self, operation: Operation) -> CallResult<Resource<Operation>> {
        Ok(self.table.push(operation)?)
    }
}

impl HostSession for Guest {
    async fn run(
        &mut self,
        session: Resource<Session>,
        command: remote::RemoteCommand,
    ) -> CallResult<Resource<Operation>> {
        let operation = self.table.get(&session)?.run(command)?;
        self.push_operation(operation)
    }

    async fn upload(
        &mut self,
        session: Resource<Session>,
        source: FileRef,
        dest: String,
        options: remote::CopyOptions,
    ) -> CallResult<Resource<Operation>> {
        if source.path.ends_with('/') {
            let session = self.session(&session, &[])?;
            let folder = place::open_folder(&session.attempt, &source)?;
            let operation = session.send_folder(folder, dest, options);
            return self.push_operation(operation);
        }
        let session = self.session(&session, &[writing(&dest, &options)])?;
        let file = place::file(&session.attempt, &source, OFlags::RDONLY, Access::ReadOnly)?;
        let attempt = Arc::clone(&session.attempt);
        let operation = session.with_files(move |files| {
            Box::pin(async move { Upload { dest, options }.file(files, &attempt, file.into()).await.map(copied) })
        });
        self.push_operation(operation)
    }

    async fn write_file(
        &mut self,
        session: Resource<Session>,
        path: String,
        contents: Vec<u8>,
        options: remote::CopyOptions,
    ) -> CallResult<Resource<Operation>> {
        let session = self.session(&session, &[writing(&path, &options)])?;
        if contents.len() > WRITE {
            let message =
                format!("{path}: a plugin writes at most {WRITE} bytes by itself; upload a file of the run instead");
            return Err(CallError::new(ErrorCode::LimitExceeded, message));
        }
        let contents = Zeroizing::new(session.attempt.for_process(&contents)?.unwrap_or(contents));
        let operation = session.with_files(move |files| {
            Box::pin(async move { Upload { dest: path, options }.bytes(files, &contents).await.map(copied) })
        });
        self.push_operation(operation)
    }

    async fn read_file(
        &mut self,
        session: Resource<Session>,
        path: String,
        limit: u32,
    ) -> CallResult<Resource<Operation>> {
        let session = self.session(&session, &[Deed::Read(&path)])?;
        let limit = usize::try_from(limit.min(READ)).unwrap_or(usize::MAX);
        let operation = session
            .with_files(move |files| Box::pin(async move { files.read(&path, limit).await.map(Answer::Contents) }));
        self.push_operation(operation)
    }

    async fn stat(
        &mut self,
        session: Resource<Session>,
        path: String,
        digest: bool,
    ) -> CallResult<Resource<Operation>> {
        let session = self.session(&session, &[Deed::Read(&path)])?;
        let operation = session.with_files(move |files| {
            Box::pin(async move { Ok(Answer::Found(files.stat(&path, digest).await?.map(found))) })
        });
        self.push_operation(operation)
    }

    async fn make_dir(
        &mut self,
        session: Resource<Session>,
        path: String,
        mode: Option<u32>,
    ) -> CallResult<Resource<Operation>> {
        let session = self.session(&session, &[Deed::Write(&path)])?;
        let operation = session
            .with_files(move |files| Box::pin(async move { files.make_dir(&path, mode).await.map(|()| Answer::Done) }));
        self.push_operation(operation)
    }

    async fn rename(
        &mut self,
        session: Resource<Session>,
        source: String,
        dest: String,
    ) -> CallResult<Resource<Operation>> {
        let session = self.session(&session, &[Deed::Write(&source), Deed::Write(&dest)])?;
        let operation = session.with_files(move |files| {
            Box::pin(async move { files.rename(&source, &dest).await.map(|()| Answer::Done) })
        });
        self.push_operation(operation)
    }

    async fn copy(
        &mut self,
        session: Resource<Session>,
        source: String,
        dest: String,
    ) -> CallResult<Resource<Operation>> {
        let session = self.session(&session, &[Deed::Read(&source), Deed::Write(&dest)])?;
        let operation = session
            .with_files(move |files| Box::pin(async move { files.copy(&source, &dest).await.map(|()| Answer::Done) }));
        self.push_operation(operation)
    }

    async fn remove(
        &mut self,
        session: Resource<Session>,
        path: String,
        recursive: bool,
    ) -> CallResult<Resource<Operation>> {
        let session = self.session(&session, &[Deed::Write(&path)])?;
        let operation = session.with_files(move |files| {
            Box::pin(async move { files.remove(&path, recursive).await.map(|()| Answer::Done) })
        });
        self.push_operation(operation)
    }

    async fn drop(&mut self, session: Resource<Session>) -> wasmtime::Result<()> {
        drop(self.table.delete(session)?);
        Ok(())
    }
}
