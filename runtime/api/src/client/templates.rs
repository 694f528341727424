//! Job templates.

use http::Method;

use sandglass_core::id::TemplateName;
use sandglass_core::spec::JobTemplateSpec;

use super::transport::Request;
use super::{APPLY_PATIENCE, Client, ClientError, Precondition};
use crate::wire::{Page, Template, TemplateResult};

impl Client {
    /// The namespace's job templates, by name.
    ///
    /// # Errors
    ///
    /// If the daemon cannot be reached or refuses.
    pub async fn templates(&self) -> Result<Page<Template>, ClientError> {
        self.get(self.scoped("templates")).await
    }

    /// One job template.
    ///
    /// # Errors
    ///
    /// If it is not there, or the daemon cannot be reached or refuses.
    pub async fn template(&self, name: &TemplateName) -> Result<Template, ClientError> {
        self.get(self.scoped(&format!("templates/{name}"))).await
    }

    /// Saves a job template, and with it every job that extends it.
    ///
    /// # Errors
    ///
    /// If a job would not be valid with it, what is there is not what was expected, or the daemon cannot be reached.
    pub async fn put_template(
        &self,
        spec: &JobTemplateSpec,
        expect: Precondition,
    ) -> Result<TemplateResult, ClientError> {
        let path = self.scoped(&format!("templates/{}", spec.name));
        let request = Request::new(Method::PUT, path).with_json(spec).expecting(expect);
        self.transport.json(request, APPLY_PATIENCE).await
    }

    /// Deletes a job template that no job extends.
    ///
    /// # Errors
    ///
    /// If it is not there or in use, or the daemon cannot be reached or refuses.
    pub async fn delete_template(&self, name: &TemplateName) -> Result<(), ClientError> {
        self.delete(self.scoped(&format!("templates/{name}"))).await
    }
}
