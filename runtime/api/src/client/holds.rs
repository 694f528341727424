//! Pausing, resuming, disabling and enabling.

use http::Method;

use sandglass_core::id::JobName;

use super::transport::Request;
use super::{APPLY_PATIENCE, Client, ClientError, PATIENCE};
use crate::wire::{HoldRequest, HoldResult, Job};

/// What is done to jobs, as routes and commands call it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HoldVerb {
    /// Their fires start nothing from now on.
    Pause,
    /// Their fires start runs again.
    Resume,
    /// They do nothing from now on.
    Disable,
    /// They fire again, counted from now.
    Enable,
}

impl HoldVerb {
    /// The word in routes and commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Disable => "disable",
            Self::Enable => "enable",
        }
    }
}

impl Client {
    /// Pauses, resumes, disables or enables a job, and returns it as it is then.
    ///
    /// # Errors
    ///
    /// If the job is not there, or the daemon cannot be reached or refuses.
    pub async fn hold_job(&self, name: &JobName, verb: HoldVerb, reason: Option<&str>) -> Result<Job, ClientError> {
        let body = HoldRequest { reason: reason.map(str::to_owned), ..HoldRequest::default() };
        let path = self.scoped(&format!("jobs/{name}/{}", verb.as_str()));
        self.transport.json(Request::new(Method::POST, path).with_json(&body), PATIENCE).await
    }

    /// Pauses, resumes, disables or enables many jobs of the namespace, or the namespace itself.
    ///
    /// # Errors
    ///
    /// If no job has the tag, or the daemon cannot be reached or refuses.
    pub async fn hold_many(&self, verb: HoldVerb, request: &HoldRequest) -> Result<HoldResult, ClientError> {
        let request = Request::new(Method::POST, self.scoped(verb.as_str())).with_json(request);
        self.transport.json(request, APPLY_PATIENCE).await
    }
}
