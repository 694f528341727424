//! The notifiers of a namespace.

use http::Method;

use sandglass_core::spec::Notifiers;

use super::transport::Request;
use super::{Client, ClientError, PATIENCE};
use crate::wire::{NamespaceNotify, NotifyRequest, NotifyResult};

impl Client {
    /// The namespace's notifiers.
    ///
    /// # Errors
    ///
    /// If there are none, or the daemon cannot be reached or refuses.
    pub async fn notify(&self) -> Result<NamespaceNotify, ClientError> {
        self.get(self.scoped("notify")).await
    }

    /// Saves the namespace's notifiers in the place of those there are, or says what that would come to.
    ///
    /// # Errors
    ///
    /// If they are refused, or the daemon cannot be reached.
    pub async fn put_notify(&self, notify: &Notifiers, dry_run: bool) -> Result<NotifyResult, ClientError> {
        let path = self.scoped(&format!("notify?dry_run={dry_run}"));
        let request = Request::new(Method::PUT, path).with_json(&NotifyRequest { notify: notify.clone() });
        self.transport.json(request, PATIENCE).await
    }

    /// Deletes the namespace's notifiers.
    ///
    /// # Errors
    ///
    /// If there are none, or the daemon cannot be reached or refuses.
    pub async fn delete_notify(&self) -> Result<(), ClientError> {
        self.delete(self.scoped("notify")).await
    }
}
