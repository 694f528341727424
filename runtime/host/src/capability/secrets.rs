//! The secrets that the run's job names, and their values for plugins that may read them.

use sandglass_core::capability::Capability;
use wasmtime::component::Resource;

use super::{CallError, CallResult};
use crate::bindings::types::ErrorCode;
use crate::bindings::{secrets, secrets_reveal};
use crate::guest::Guest;
use crate::secrets::Held;

/// A guest's handle to a secret: its place among those of the attempt.
#[derive(Debug)]
#[allow(unreachable_pub, reason = "the generated bindings export it again, as far as they reach themselves")]
pub struct Secret(usize);

impl Guest {
    fn held(&self) -> &[Held] {
        self.attempt.secrets().map_or(&[], |secrets| secrets.all())
    }

    fn secret(&self, secret: &Resource<Secret>) -> CallResult<&Held> {
        let Secret(place) = self.table.get(secret)?;
        self.held().get(*place).ok_or_else(|| CallError::new(ErrorCode::NotFound, "the secret is gone"))
    }
}

impl secrets::Host for Guest {
    async fn names(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(self.held().iter().map(|held| held.secret.name.to_string()).collect())
    }

    async fn get(&mut self, name: String) -> CallResult<Resource<Secret>> {
        let Some(place) = self.held().iter().position(|held| held.secret.name.as_str() == name) else {
            let name = super::clip(name, 100);
            let message = format!("the job names no secret '{name}'; write `secrets: [{name}]` in the job");
            return Err(CallError::new(ErrorCode::NotFound, message));
        };
        self.attempt.granted();
        Ok(self.table.push(Secret(place))?)
    }
}

impl secrets::HostSecret for Guest {
    async fn placeholder(&mut self, secret: Resource<Secret>) -> wasmtime::Result<String> {
        match self.secret(&secret) {
            Ok(held) => Ok(held.placeholder.clone()),
            Err(CallError::Trap(error)) => Err(error),
            Err(CallError::Failed(error)) => Err(wasmtime::Error::msg(error.message)),
        }
    }

    async fn drop(&mut self, secret: Resource<Secret>) -> wasmtime::Result<()> {
        self.table.delete(secret)?;
        Ok(())
    }
}

impl secrets_reveal::Host for Guest {
    async fn reveal(&mut self, secret: Resource<Secret>) -> CallResult<Vec<u8>> {
        let held = self.secret(&secret)?;
        let name = &held.secret.name;
        let reveal = self.attempt.work.grants.reveal(name);
        reveal.map_err(|denial| self.attempt.refused(Capability::Reveal, &denial))?;
        if !held.secret.hosts.is_empty() {
            let message = format!("the secret {name} is limited to hosts, so it is shown to no plugin");
            return Err(CallError::new(ErrorCode::Denied, message));
        }
        self.attempt.used(Capability::Reveal);
        Ok(held.secret.value.to_vec())
    }
}
