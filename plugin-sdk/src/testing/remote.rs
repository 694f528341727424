//! Other machines in tests.

use crate::remote::{Answer, CommandRecord, CopyOptions, Target};
use crate::testing::{Host, with};
use crate::{Error, ErrorCode, FileRef};

/// What an action asked of a machine.
#[derive(Debug, Clone)]
pub struct RemoteCall {
    /// The target.
    pub target: String,
    /// The account that was switched to.
    pub run_as: Option<String>,
    /// What was asked.
    pub ask: RemoteAsk,
}

/// See [`RemoteCall`].
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "as the methods of a session")]
pub enum RemoteAsk {
    Run(CommandRecord),
    Upload { source: FileRef, dest: String, options: CopyOptions },
    WriteFile { path: String, contents: Vec<u8>, options: CopyOptions },
    ReadFile { path: String, limit: u32 },
    Stat { path: String, digest: bool },
    MakeDir { path: String, mode: Option<u32> },
    Rename { source: String, dest: String },
    Copy { source: String, dest: String },
    Remove { path: String, recursive: bool },
}

type Machines = Box<dyn FnMut(&RemoteCall) -> Result<Answer, Error>>;

#[derive(Default)]
pub(crate) struct Script {
    targets: Vec<Target>,
    machines: Option<Machines>,
    calls: Vec<RemoteCall>,
}

impl Host {
    /// Says which targets there are, all Linux. Selectors are their names, or `*` for all.
    #[must_use]
    pub fn targets<'a>(self, names: impl IntoIterator<Item = &'a str>) -> Self {
        let target = |name: &str| Target { name: name.to_owned(), platform: "linux".to_owned(), labels: Vec::new() };
        self.script.borrow_mut().remote.targets = names.into_iter().map(target).collect();
        self
    }

    /// Answers what actions ask of machines.
    #[must_use]
    pub fn on_remote(self, machines: impl FnMut(&RemoteCall) -> Result<Answer, Error> + 'static) -> Self {
        self.script.borrow_mut().remote.machines = Some(Box::new(machines));
        self
    }

    /// What actions asked of machines.
    #[must_use]
    pub fn remote_calls(&self) -> Vec<RemoteCall> {
        self.script.borrow().remote.calls.clone()
    }
}

#[derive(Debug)]
pub(crate) struct Session {
    target: String,
    run_as: Option<String>,
}

#[derive(Debug)]
pub(crate) struct Operation {
    answer: Option<Result<Answer, Error>>,
}

impl Operation {
    pub(crate) fn finish(&mut self) -> Result<Answer, Error> {
        self.answer.take().unwrap_or_else(|| Err(not_found("the answer was taken before")))
    }
}

fn not_found(message: impl Into<String>) -> Error {
    Error { code: ErrorCode::NotFound, message: message.into(), detail: None }
}

pub(crate) fn select(selectors: &[String]) -> Result<Vec<Target>, Error> {
    let targets = with(|script| script.remote.targets.clone());
    if let Some(missing) =
        selectors.iter().find(|name| *name != "*" && !targets.iter().any(|target| target.name == **name))
    {
        return Err(not_found(format!("there is no target '{missing}'")));
    }
    let is_selected = |target: &Target| selectors.iter().any(|name| name == "*" || *name == target.name);
    Ok(targets.into_iter().filter(is_selected).collect())
}

#[allow(clippy::unnecessary_wraps, reason = "as the host's")]
pub(crate) fn connect(target: &str, run_as: Option<&str>) -> Result<Session, Error> {
    Ok(Session { target: target.to_owned(), run_as: run_as.map(str::to_owned) })
}

#[allow(clippy::unnecessary_wraps, reason = "as the host's")]
impl Session {
    fn ask(&self, ask: RemoteAsk) -> Result<Operation, Error> {
        let call = RemoteCall { target: self.target.clone(), run_as: self.run_as.clone(), ask };
        let machines = with(|script| {
            script.remote.calls.push(call.clone());
            script.remote.machines.take()
        });
        let Some(mut machines) = machines else {
            return Ok(Operation { answer: Some(Err(not_found("there are no machines on this host"))) });
        };
        let answer = machines(&call);
        with(|script| script.remote.machines = Some(machines));
        Ok(Operation { answer: Some(answer) })
    }

    pub(crate) fn run(&self, command: &CommandRecord) -> Result<Operation, Error> {
        self.ask(RemoteAsk::Run(command.clone()))
    }

    pub(crate) fn upload(&self, source: &FileRef, dest: &str, options: &CopyOptions) -> Result<Operation, Error> {
        self.ask(RemoteAsk::Upload { source: source.clone(), dest: dest.to_owned(), options: options.clone() })
    }

    pub(crate) fn write_file(&self, path: &str, contents: &[u8], options: &CopyOptions) -> Result<Operation, Error> {
        let (path, contents) = (path.to_owned(), contents.to_vec());
        self.ask(RemoteAsk::WriteFile { path, contents, options: options.clone() })
    }

    pub(crate) fn read_file(&self, path: &str, limit: u32) -> Result<Operation, Error> {
        self.ask(RemoteAsk::ReadFile { path: path.to_owned(), limit })
    }

    pub(crate) fn stat(&self, path: &str, digest: bool) -> Result<Operation, Error> {
        self.ask(RemoteAsk::Stat { path: path.to_owned(), digest })
    }

    pub(crate) fn make_dir(&self, path: &str, mode: Option<u32>) -> Result<Operation, Error> {
        self.ask(RemoteAsk::MakeDir { path: path.to_owned(), mode })
    }

    pub(crate) fn rename(&self, source: &str, dest: &str) -> Result<Operation, Error> {
        self.ask(RemoteAsk::Rename { source: source.to_owned(), dest: dest.to_owned() })
    }

    pub(crate) fn copy(&self, source: &str, dest: &str) -> Result<Operation, Error> {
        self.ask(RemoteAsk::Copy { source: source.to_owned(), dest: dest.to_owned() })
    }

    pub(crate) fn remove(&self, path: &str, recursive: bool) -> Result<Operation, Error> {
        self.ask(RemoteAsk::Remove { path: path.to_owned(), recursive })
    }
}
