//! Containers in tests.

use crate::docker::{Container, ContainerCommand, Credentials, Image, Place, PullPolicy};
use crate::exec::ExitReport;
use crate::testing::{Host, with};
use crate::{Error, ErrorCode};

type Runner = Box<dyn FnMut(&Container) -> Result<ExitReport, Error>>;
type Commander = Box<dyn FnMut(&ContainerCommand) -> Result<ExitReport, Error>>;

/// An image that an action wanted to be there.
#[derive(Debug, Clone)]
pub struct Pull {
    /// The image.
    pub reference: String,
    /// When it is fetched.
    pub policy: PullPolicy,
    /// Who the registry is told that we are.
    pub credentials: Option<Credentials>,
    /// Where; none on the operator's engine.
    pub at: Option<Place>,
}

#[derive(Default)]
pub(crate) struct Script {
    runner: Option<Runner>,
    commander: Option<Commander>,
    refusal: Option<Error>,
    lacks_images: bool,
    pulls: Vec<Pull>,
    containers: Vec<Container>,
    commands: Vec<ContainerCommand>,
}

impl Host {
    /// Answers every container that an action starts.
    #[must_use]
    pub fn on_container(self, runner: impl FnMut(&Container) -> Result<ExitReport, Error> + 'static) -> Self {
        self.script.borrow_mut().docker.runner = Some(Box::new(runner));
        self
    }

    /// Answers every command that an action runs in a container.
    #[must_use]
    pub fn on_container_command(
        self,
        commander: impl FnMut(&ContainerCommand) -> Result<ExitReport, Error> + 'static,
    ) -> Self {
        self.script.borrow_mut().docker.commander = Some(Box::new(commander));
        self
    }

    /// Refuses every image.
    #[must_use]
    pub fn refuse_images(self, refusal: Error) -> Self {
        self.script.borrow_mut().docker.refusal = Some(refusal);
        self
    }

    /// Has no image before it is pulled.
    #[must_use]
    pub fn without_images(self) -> Self {
        self.script.borrow_mut().docker.lacks_images = true;
        self
    }

    /// The images that actions wanted to be there.
    #[must_use]
    pub fn pulls(&self) -> Vec<Pull> {
        self.script.borrow().docker.pulls.clone()
    }

    /// The containers that actions started.
    #[must_use]
    pub fn containers(&self) -> Vec<Container> {
        self.script.borrow().docker.containers.clone()
    }

    /// The commands that actions ran in containers.
    #[must_use]
    pub fn container_commands(&self) -> Vec<ContainerCommand> {
        self.script.borrow().docker.commands.clone()
    }
}

pub(crate) fn find(_: &str, _: Option<&Place>) -> Result<Option<Image>, Error> {
    with(|script| match &script.docker.refusal {
        Some(refusal) => Err(refusal.clone()),
        None => Ok((!script.docker.lacks_images).then(image)),
    })
}

pub(crate) fn pull(
    reference: &str,
    policy: PullPolicy,
    credentials: Option<&Credentials>,
    at: Option<&Place>,
) -> Result<Image, Error> {
    let pull = Pull { reference: reference.to_owned(), policy, credentials: credentials.cloned(), at: at.cloned() };
    with(|script| {
        script.docker.pulls.push(pull);
        script.docker.refusal.clone().map_or_else(|| Ok(image()), Err)
    })
}

fn image() -> Image {
    Image { id: format!("sha256:{}", "0".repeat(64)), digest: None, size: 1 }
}

pub(crate) fn start(container: &Container) -> Result<ExitReport, Error> {
    let runner = with(|script| {
        script.docker.containers.push(container.clone());
        script.docker.runner.take()
    });
    let Some(mut runner) = runner else { return Err(none("engine")) };
    let report = runner(container);
    with(|script| script.docker.runner = Some(runner));
    report
}

pub(crate) fn exec(command: &ContainerCommand) -> Result<ExitReport, Error> {
    let commander = with(|script| {
        script.docker.commands.push(command.clone());
        script.docker.commander.take()
    });
    let Some(mut commander) = commander else { return Err(none("container")) };
    let report = commander(command);
    with(|script| script.docker.commander = Some(commander));
    report
}

fn none(what: &str) -> Error {
    Error { code: ErrorCode::NotFound, message: format!("there is no {what} on this host"), detail: None }
}
