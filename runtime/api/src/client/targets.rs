//! Targets and groups of them.

use http::Method;
use serde::Serialize;

use sandglass_core::id::{TargetGroupName, TargetName};
use sandglass_core::target::{GroupSpec, Selector, TargetSpec};

use super::transport::{self, Request};
use super::{Client, ClientError, PATIENCE, Precondition};
use crate::wire::{Group, GroupResult, Page, Target, TargetResult};

impl Client {
    /// The namespace's targets, by name; only those that are selected, if something selects.
    ///
    /// # Errors
    ///
    /// If the daemon cannot be reached or refuses. So for all methods here.
    pub async fn targets(&self, select: Option<&Selector>) -> Result<Page<Target>, ClientError> {
        #[derive(Serialize)]
        struct Query<'a> {
            select: Option<&'a Selector>,
        }
        self.get(self.scoped("targets") + &transport::query(&Query { select })).await
    }

    /// One target.
    pub async fn target(&self, name: &TargetName) -> Result<Target, ClientError> {
        self.get(self.scoped(&format!("targets/{name}"))).await
    }

    /// Saves a target.
    pub async fn put_target(&self, spec: &TargetSpec, expect: Precondition) -> Result<TargetResult, ClientError> {
        let path = self.scoped(&format!("targets/{}", spec.name));
        self.transport.json(Request::new(Method::PUT, path).with_json(spec).expecting(expect), PATIENCE).await
    }

    /// Deletes a target that nothing names.
    pub async fn delete_target(&self, name: &TargetName) -> Result<(), ClientError> {
        self.delete(self.scoped(&format!("targets/{name}"))).await
    }

    /// The namespace's groups of targets, by name.
    pub async fn groups(&self) -> Result<Page<Group>, ClientError> {
        self.get(self.scoped("groups")).await
    }

    /// One group, and the targets that it selects now.
    pub async fn group(&self, name: &TargetGroupName) -> Result<Group, ClientError> {
        self.get(self.scoped(&format!("groups/{name}"))).await
    }

    /// Saves a group.
    pub async fn put_group(&self, spec: &GroupSpec, expect: Precondition) -> Result<GroupResult, ClientError> {
        let path = self.scoped(&format!("groups/{}", spec.name));
        self.transport.json(Request::new(Method::PUT, path).with_json(spec).expecting(expect), PATIENCE).await
    }

    /// Deletes a group that no other names.
    pub async fn delete_group(&self, name: &TargetGroupName) -> Result<(), ClientError> {
        self.delete(self.scoped(&format!("groups/{name}"))).await
    }
}
