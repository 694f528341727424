//! The typed client of the HTTP API, over the daemon's socket or TCP.
//!
//! Every call opens a connection of its own, which costs microseconds over a socket and keeps nothing to go stale.

mod artifacts;
mod endpoint;
mod error;
mod holds;
mod logs;
mod notify;
mod schedule;
mod secrets;
mod sse;
mod targets;
mod templates;
#[cfg(test)]
mod tests;
mod transport;

use std::time::Duration;

use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use sandglass_core::capability::Grants;
use sandglass_core::id::{JobName, Namespace, PluginName, RunId};
use sandglass_core::spec::{ParamValues, WrittenJob};

pub use artifacts::ArtifactContent;
pub use endpoint::{Endpoint, InvalidEndpoint};
pub use error::ClientError;
pub use holds::HoldVerb;
pub use logs::{LogItem, LogStream, Printed};

use crate::wire::{
    Applied, ApplyRequest, ApplyResult, Job, LogsQuery, Page, Plan, Plugin, Run, RunListQuery, StartRequest, Status,
    StoreSize, Version,
};
use transport::{Request, Transport};

/// How long an answer may take that waits for nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long the daemon may take to check and save many jobs.
const APPLY_PATIENCE: Duration = Duration::from_secs(300);
/// How long the daemon may take to go through its whole store.
const STORE_PATIENCE: Duration = Duration::from_secs(3600);
/// How long a plugin may take to say what it would do, and the daemon to get there.
const PLAN_PATIENCE: Duration = Duration::from_secs(120);
/// How long the daemon may take to check and compile a component.
const COMPILE_PATIENCE: Duration = Duration::from_secs(600);

/// What must be there for a job to be saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Precondition {
    /// Nothing, or any revision.
    #[default]
    Anything,
    /// No job of this name.
    Absent,
    /// This revision.
    Revision(u64),
}

/// Asks one daemon, for one namespace.
#[derive(Clone, Debug)]
pub struct Client {
    transport: Transport,
    namespace: Namespace,
}

impl Client {
    /// A client of the daemon at `endpoint`. The owner's socket wants no token.
    #[must_use]
    pub fn new(endpoint: Endpoint, token: Option<String>, namespace: Namespace) -> Self {
        Self { transport: Transport { endpoint, token }, namespace }
    }

    /// Where the daemon is expected.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.transport.endpoint
    }

    /// The namespace asked about.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn scoped(&self, rest: &str) -> String {
        format!("/api/v1/namespaces/{}/{rest}", self.namespace)
    }

    async fn get<T: DeserializeOwned>(&self, path: String) -> Result<T, ClientError> {
        self.transport.json(Request::new(Method::GET, path), PATIENCE).await
    }

    async fn delete(&self, path: String) -> Result<(), ClientError> {
        self.transport.bytes(Request::new(Method::DELETE, path), PATIENCE).await.map(drop)
    }

    /// Whether the daemon is ready to work.
    ///
    /// # Errors
    ///
    /// If it is not, or cannot be reached.
    pub async fn ready(&self) -> Result<(), ClientError> {
        self.transport.bytes(Request::new(Method::GET, "/readyz".to_owned()), PATIENCE).await.map(drop)
    }

    /// What the daemon says of itself.
    ///
    /// # Errors
    ///
    /// If it cannot be reached or refuses.
    pub async fn status(&self) -> Result<Status, ClientError> {
        self.get("/api/v1/status".to_owned()).await
    }

    /// The daemon's versions.
    ///
    /// # Errors
    ///
    /// If it cannot be reached or refuses.
    pub async fn version(&self) -> Result<Version, ClientError> {
        self.get("/api/v1/version".to_owned()).await
    }

    /// A part of the jobs, by name; only those with `tag`, if one is given.
    ///
    /// # Errors
    ///
    /// If the daemon cannot be reached or refuses.
    pub async fn jobs(
        &self,
        tag: Option<&str>,
        limit: Option<usize>,
        cursor: Option<&str>,
    ) -> Result<Page<Job>, ClientError> {
        #[derive(Serialize)]
        struct Query<'a> {
            tag: Option<&'a str>,
            limit: Option<usize>,
            cursor: Option<&'a str>,
        }
        self.get(self.scoped("jobs") + &transport::query(&Query { tag, limit, cursor })).await
    }

    /// One job.
    ///
    /// # Errors
    ///
    /// If it is not there, or the daemon cannot be reached or refuses.
    pub async fn job(&self, name: &JobName) -> Result<Job, ClientError> {
        self.get(self.scoped(&format!("jobs/{name}"))).await
    }

    /// Saves a job, or says what saving would come to.
    ///
    /// # Errors
    ///
    /// If the job is refused, what is there is not what was expected, or the daemon cannot be reached.
    pub async fn put_job(
        &self,
        job: &WrittenJob,
        expect: Precondition,
        dry_run: bool,
    ) -> Result<ApplyResult, ClientError> {
        let query = if dry_run { "?dry_run=true" } else { "" };
        let path = self.scoped(&format!("jobs/{}{query}", job.name()));
        let request = Request::new(Method::PUT, path).with_json(job).expecting(expect);
        self.transport.json(request, PATIENCE).await
    }

    /// Saves templates, calendars and jobs together, all of them or none; or says what saving would come to.
    ///
    /// # Errors
    ///
    /// If the daemon cannot be reached or refuses any of them; nothing is saved then.
    pub async fn apply(&self, request: &ApplyRequest, dry_run: bool) -> Result<Applied, ClientError> {
        let query = if dry_run { "?dry_run=true" } else { "" };
        let request = Request::new(Method::POST, self.scoped(&format!("apply{query}"))).with_json(request);
        self.transport.json(request, APPLY_PATIENCE).await
    }

    /// Deletes a job; its history stays.
    ///
    /// # Errors
    ///
    /// If it is not there, or the daemon cannot be reached or refuses.
    pub async fn delete_job(&self, name: &JobName) -> Result<(), ClientError> {
        self.delete(self.scoped(&format!("jobs/{name}"))).await
    }

    /// Starts a run now; with `force` also while another run of the job is going. `params` are values of its parameters;
    /// those that are left out have their defaults.
    ///
    /// # Errors
    ///
    /// If the job is not there, or the daemon cannot be reached or refuses.
    pub async fn run_job(&self, name: &JobName, force: bool, params: ParamValues) -> Result<Run, ClientError> {
        let path = self.scoped(&format!("jobs/{name}/run?force={force}"));
        let request = Request::new(Method::POST, path).with_json(&StartRequest { params });
        self.transport.json(request, PATIENCE).await
    }

    /// What a run of a job would do if it started now, as its plugin says; nothing is done.
    ///
    /// # Errors
    ///
    /// If the job is not there, no plan can be made, or the daemon cannot be reached or refuses.
    pub async fn plan_job(&self, name: &JobName, params: ParamValues) -> Result<Plan, ClientError> {
        let path = self.scoped(&format!("jobs/{name}/plan"));
        let request = Request::new(Method::POST, path).with_json(&StartRequest { params });
        self.transport.json(request, PLAN_PATIENCE).await
    }

    /// A part of the history.
    ///
    /// # Errors
    ///
    /// If the daemon cannot be reached or refuses.
    pub async fn runs(&self, query: &RunListQuery) -> Result<Page<Run>, ClientError> {
        self.get(self.scoped("runs") + &transport::query(query)).await
    }

    /// One run. With `wait_seconds`, the answer comes once the run is over or the time is up (at most
    /// [`crate::wire::MAX_WAIT_SECONDS`]).
    ///
    /// # Errors
    ///
    /// If it is not there, or the daemon cannot be reached or refuses.
    pub async fn run(&self, id: RunId, wait_seconds: Option<u64>) -> Result<Run, ClientError> {
        let wait = wait_seconds.map(|seconds| format!("?wait={seconds}")).unwrap_or_default();
        let patience = PATIENCE + Duration::from_secs(wait_seconds.unwrap_or_default());
        let path = self.scoped(&format!("runs/{id}{wait}"));
        self.transport.json(Request::new(Method::GET, path), patience).await
    }

    /// Waits until a run is over, also across a restart of the daemon that does not take long.
    ///
    /// # Errors
    ///
    /// If it is not there, or the daemon cannot be reached or refuses.
    pub async fn wait(&self, id: RunId) -> Result<Run, ClientError> {
        let mut failures = 0;
        loop {
            match self.run(id, Some(crate::wire::MAX_WAIT_SECONDS)).await {
                Ok(run) if run.state.is_terminal() => return Ok(run),
                Ok(_) => failures = 0,
                Err(error) if error.is_passing() && failures < logs::RESUMPTIONS => {
                    failures += 1;
                    tokio::time::sleep(logs::RESUMPTION_PAUSE * failures).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Asks a run to stop.
    ///
    /// # Errors
    ///
    /// If it is over or not there, or the daemon cannot be reached or refuses.
    pub async fn cancel(&self, id: RunId) -> Result<Run, ClientError> {
        let path = self.scoped(&format!("runs/{id}/cancel"));
        self.transport.json(Request::new(Method::POST, path), PATIENCE).await
    }

    /// Starts a run of the same job because another one, which is over, shall be made again: all of it, or what of it
    /// `failed`.
    ///
    /// # Errors
    ///
    /// If the run is not there or not over, its job is gone, or the daemon cannot be reached or refuses.
    pub async fn retry(&self, id: RunId, force: bool, failed: bool) -> Result<Run, ClientError> {
        let path = self.scoped(&format!("runs/{id}/retry?force={force}&failed={failed}"));
        self.transport.json(Request::new(Method::POST, path), PATIENCE).await
    }

    /// A run's output. With `follow` the stream goes on until the run is over, and takes up again after a lost
    /// connection where it was.
    ///
    /// # Errors
    ///
    /// If the run is not there, or the daemon cannot be reached or refuses.
    pub async fn logs(&self, id: RunId, query: LogsQuery) -> Result<LogStream, ClientError> {
        LogStream::open(self.transport.clone(), self.scoped(&format!("runs/{id}/logs")), query).await
    }

    /// Gives space that the store no longer uses back to the file system. The daemon does nothing else meanwhile.
    ///
    /// # Errors
    ///
    /// If the store cannot be written, or the daemon cannot be reached or refuses.
    pub async fn compact_store(&self) -> Result<StoreSize, ClientError> {
        let request = Request::new(Method::POST, "/api/v1/store/compact".to_owned());
        self.transport.json(request, STORE_PATIENCE).await
    }

    /// Compares all that the store keeps with its checksums. The daemon does nothing else meanwhile.
    ///
    /// # Errors
    ///
    /// If the store is damaged, or the daemon cannot be reached or refuses.
    pub async fn check_store(&self) -> Result<(), ClientError> {
        let request = Request::new(Method::POST, "/api/v1/store/check".to_owned());
        self.transport.bytes(request, STORE_PATIENCE).await.map(drop)
    }

    /// The plugins there are.
    ///
    /// # Errors
    ///
    /// If the daemon cannot be reached or refuses.
    pub async fn plugins(&self) -> Result<Page<Plugin>, ClientError> {
        self.get("/api/v1/plugins".to_owned()).await
    }

    /// One plugin.
    ///
    /// # Errors
    ///
    /// If it is not there, or the daemon cannot be reached or refuses.
    pub async fn plugin(&self, name: &PluginName) -> Result<Plugin, ClientError> {
        self.get(format!("/api/v1/plugins/{name}")).await
    }

    /// Adds a plugin: a component, the name to use it by unless it brings its own, and what it may do; without that, one that is
    /// there keeps what it was granted, and a new one is granted nothing.
    ///
    /// # Errors
    ///
    /// If the component is refused, or the daemon cannot be reached.
    pub async fn add_plugin(
        &self,
        component: Vec<u8>,
        name: Option<&PluginName>,
        grants: Option<&Grants>,
    ) -> Result<Plugin, ClientError> {
        self.send_component(component, name, grants, false).await
    }

    /// What a component would be as a plugin, its actions included, without adding it. It is asked with every capability
    /// denied.
    ///
    /// # Errors
    ///
    /// If the component is refused, or the daemon cannot be reached.
    pub async fn inspect_component(
        &self,
        component: Vec<u8>,
        name: Option<&PluginName>,
    ) -> Result<Plugin, ClientError> {
        self.send_component(component, name, Some(&Grants::default()), true).await
    }

    async fn send_component(
        &self,
        component: Vec<u8>,
        name: Option<&PluginName>,
        grants: Option<&Grants>,
        dry_run: bool,
    ) -> Result<Plugin, ClientError> {
        #[derive(Serialize)]
        struct Query<'a> {
            name: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            grants: Option<String>,
            dry_run: bool,
        }
        let text = |grants| serde_json::to_string(grants).expect("grants are plain maps, lists and texts");
        let grants = grants.map(text);
        let query = transport::query(&Query { name: name.map(PluginName::as_str), grants, dry_run });
        let request = Request::new(Method::POST, format!("/api/v1/plugins{query}"))
            .with_body(component.into(), "application/wasm");
        self.transport.json(request, COMPILE_PATIENCE).await
    }

    /// Forgets a plugin that no job uses.
    ///
    /// # Errors
    ///
    /// If it is not there or in use, or the daemon cannot be reached or refuses.
    pub async fn remove_plugin(&self, name: &PluginName) -> Result<(), ClientError> {
        self.delete(format!("/api/v1/plugins/{name}")).await
    }
}
