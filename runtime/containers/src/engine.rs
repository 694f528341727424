//! An engine, and what is asked of it as a whole.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error as ApiError;
use bollard::models::ContainerSummary;
use bollard::query_parameters::{ListContainersOptions, RemoveContainerOptions};
use bollard::{API_DEFAULT_VERSION, BollardRequest, Docker};

use crate::config::EngineConfig;
use crate::connect::{Connector, Way};
use crate::error::Error;
use crate::spec::Owner;

/// Says which daemon a container is of.
pub(crate) const DAEMON_LABEL: &str = "sandglass.daemon";
/// Says after which start of the daemon it was made.
pub(crate) const START_LABEL: &str = "sandglass.start";
/// Says which run a container is of.
pub(crate) const RUN_LABEL: &str = "sandglass.run";

/// How long an engine may take until it begins to answer. Making a container of a large image takes long.
const ANSWER: Duration = Duration::from_secs(120);
/// How long it may take to say that it is there.
const PING: Duration = Duration::from_secs(5);
/// How often removal is tried, and how long it waits in between.
const REMOVALS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(300);

/// An engine. Clones are the same one.
#[derive(Clone)]
pub struct Engine {
    docker: Docker,
    place: Arc<str>,
    kind: Kind,
}

/// Where an engine is, as far as it matters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// On this machine for certain.
    Local,
    /// Where the configuration says, which may be anywhere.
    Configured,
    /// At the end of a way that our caller knows.
    Elsewhere,
}

impl Engine {
    /// An engine, which is not connected to before it is asked for something.
    ///
    /// # Errors
    ///
    /// If the files for TLS cannot be used.
    pub fn connect(config: &EngineConfig) -> Result<Self, Error> {
        let kind = if config.host.is_local() { Kind::Local } else { Kind::Configured };
        Self::with(Connector::new(config)?, &config.host.to_string(), kind)
    }

    /// An engine at the end of a way, which is not gone before it is asked for something. `place` is where it is, for people.
    ///
    /// # Errors
    ///
    /// If no requests can be made.
    pub fn through(way: Arc<dyn Way>, place: &str) -> Result<Self, Error> {
        Self::with(Connector::Through(way), place, Kind::Elsewhere)
    }

    fn with(connector: Connector, place: &str, kind: Kind) -> Result<Self, Error> {
        let connector = Arc::new(connector);
        let transport = move |request: BollardRequest| Arc::clone(&connector).send(request);
        // The host is never looked up: requests say only what they are about.
        let address = Some("http://engine");
        let docker = Docker::connect_with_custom_transport(transport, address, ANSWER.as_secs(), API_DEFAULT_VERSION)
            .map_err(|error| Error::Invalid(error.to_string()))?;
        Ok(Self { docker, place: place.into(), kind })
    }

    /// Where it is, for people.
    #[must_use]
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Whether it is this machine's for certain, so that it sees the same folders and processes.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self.kind, Kind::Local)
    }

    /// Asks whether it is there.
    ///
    /// # Errors
    ///
    /// If it is not, with what to do.
    pub async fn ping(&self) -> Result<(), Error> {
        let docker = self.docker.clone().with_timeout(PING);
        docker.ping().await.map(drop).map_err(|error| self.failed("asking whether it is there", error))
    }

    /// Removes what earlier starts of `owner` left: containers of the same daemon but not of this start. Gives how many
    /// there were.
    ///
    /// # Errors
    ///
    /// If the engine cannot be asked, or one could not be removed.
    pub async fn sweep(&self, owner: &Owner) -> Result<usize, Error> {
        let label = format!("{DAEMON_LABEL}={}", owner.daemon);
        let options = ListContainersOptions {
            all: true,
            filters: Some(HashMap::from([("label".to_owned(), vec![label])])),
            ..ListContainersOptions::default()
        };
        let listed = self.docker.list_containers(Some(options)).await;
        let listed = listed.map_err(|error| self.failed("looking for containers that were left", error))?;
        let is_ours = |one: &ContainerSummary| {
            one.labels.as_ref().and_then(|labels| labels.get(START_LABEL)).is_some_and(|start| *start == owner.start)
        };
        let left = listed.into_iter().filter(|one| !is_ours(one));
        let (mut removed, mut failure) = (0, None);
        for id in left.filter_map(|container| container.id) {
            match self.remove(&id).await {
                Ok(()) => removed += 1,
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(removed), Err)
    }

    /// Removes a container, running or not, and waits until it is gone.
    pub(crate) async fn remove(&self, container: &str) -> Result<(), Error> {
        let doing = format!("removing the container {container}");
        let mut tries = 0;
        loop {
            let options = RemoveContainerOptions { v: true, force: true, link: false };
            let error = match self.docker.remove_container(container, Some(options)).await {
                Ok(()) | Err(ApiError::DockerResponseServerError { status_code: 404, .. }) => return Ok(()),
                Err(error) => error,
            };
            tries += 1;
            if tries == REMOVALS {
                return Err(self.failed(&doing, error));
            }
            // Somebody else may be removing it, or the engine starts again: the next try tells.
            tokio::time::sleep(PAUSE * tries).await;
        }
    }

    pub(crate) const fn docker(&self) -> &Docker {
        &self.docker
    }

    pub(crate) fn failed(&self, doing: &str, error: ApiError) -> Error {
        let error = Error::from_api(&self.place, doing, error);
        if self.kind == Kind::Elsewhere { error.elsewhere() } else { error }
    }
}
