//! Secrets.

use http::Method;

use sandglass_core::id::SecretName;

use super::transport::Request;
use super::{Client, ClientError, PATIENCE};
use crate::wire::{Page, RollbackRequest, RotatedKeys, Secret, SecretRequest};

impl Client {
    /// The namespace's secrets, by name.
    ///
    /// # Errors
    ///
    /// If the daemon cannot be reached or refuses. So for all methods here.
    pub async fn secrets(&self) -> Result<Page<Secret>, ClientError> {
        self.get(self.scoped("secrets")).await
    }

    /// A secret, without its value.
    pub async fn secret(&self, name: &SecretName) -> Result<Secret, ClientError> {
        self.get(self.scoped(&format!("secrets/{name}"))).await
    }

    /// Sets a secret, or where it may go.
    pub async fn set_secret(&self, name: &SecretName, request: &SecretRequest) -> Result<Secret, ClientError> {
        let path = self.scoped(&format!("secrets/{name}"));
        self.transport.json(Request::new(Method::PUT, path).with_json(request), PATIENCE).await
    }

    /// Makes the value of an earlier version the newest again.
    pub async fn roll_back_secret(&self, name: &SecretName, version: u64) -> Result<Secret, ClientError> {
        let path = self.scoped(&format!("secrets/{name}/rollback"));
        let request = Request::new(Method::POST, path).with_json(&RollbackRequest { version });
        self.transport.json(request, PATIENCE).await
    }

    /// Forgets a secret; with `force` also if something uses it.
    pub async fn delete_secret(&self, name: &SecretName, force: bool) -> Result<(), ClientError> {
        self.delete(self.scoped(&format!("secrets/{name}?force={force}"))).await
    }

    /// Seals all secrets of all namespaces with a new key.
    pub async fn rotate_secret_keys(&self) -> Result<RotatedKeys, ClientError> {
        let request = Request::new(Method::POST, "/api/v1/secrets/rotate-keys".to_owned());
        self.transport.json(request, PATIENCE).await
    }
}
