//! What a guest may ask of the host: one file for each interface.
//!
//! Each links its functions once, keeps what belongs to an attempt in [`Attempt`](crate::attempt::Attempt), and lets
//! [`sandglass_core::capability`] decide. A guest that imports `sandglass:plugin/process`, `docker` or `state` is started only if it
//! was granted them, and every use is checked again; `secrets` has only what the job names; `mail` and `artifacts` may always be
//! imported, as a plugin that has a use for them is used without as well, and are refused when they are used; so are `tls`, which
//! belongs to `http`, and `wasi:*`, which language runtimes import whatever their program does.

pub(crate) mod artifacts;
pub(crate) mod docker;
pub(crate) mod exec;
pub(crate) mod files;
pub(crate) mod http;
pub(crate) mod logging;
pub(crate) mod mail;
pub(crate) mod process;
pub(crate) mod progress;
pub(crate) mod remote;
pub(crate) mod run_context;
pub(crate) mod secrets;
pub(crate) mod state;
pub(crate) mod stdio;
mod stream_errors;
pub(crate) mod tls;

use sandglass_core::capability::{Capability, Denial, EffectiveGrants, Layer};
use wasmtime::component::{HasSelf, Linker, ResourceTableError};

use crate::bindings;
use crate::guest::Guest;

/// The interfaces that need a grant: a guest that imports one it was not granted is not started.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Gated {
    pub(crate) process: bool,
    pub(crate) docker: bool,
    pub(crate) state: bool,
}

impl Gated {
    /// Refuses a guest that imports these unless `grants` allow them all.
    pub(crate) fn check(self, grants: &EffectiveGrants) -> Result<(), (Capability, Denial)> {
        if self.process && !grants.any_process() {
            return Err((Capability::Process, missing(grants, "starting processes", "process: any")));
        }
        if self.docker && !grants.any_docker() {
            return Err((Capability::Docker, missing(grants, "running containers", "docker: any")));
        }
        if self.state && !grants.state() {
            return Err((Capability::State, missing(grants, "keeping state", "state: true")));
        }
        Ok(())
    }
}

/// Why a guest may not do `what` at all.
fn missing(grants: &EffectiveGrants, what: &str, grant: &str) -> Denial {
    let told = grants.missing().into_iter().find(|denial| denial.what == what);
    told.unwrap_or_else(|| Denial { what: what.to_owned(), layer: Layer::Request, grant: grant.to_owned() })
}

/// Links everything that guests may import.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)?;
    files::link(linker)?;
    stream_errors::link(linker)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    bindings::types::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    bindings::exec::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    bindings::logging::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    bindings::progress::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    bindings::run_context::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    bindings::process::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    bindings::docker::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    bindings::remote::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    bindings::secrets::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    bindings::secrets_reveal::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    bindings::state::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    bindings::mail::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    bindings::tls::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    bindings::artifacts::add_to_linker::<_, HasSelf<_>>(linker, |guest: &mut Guest| guest)?;
    Ok(())
}

/// Why a call of a guest to the host fails.
#[derive(Debug)]
pub(crate) enum CallError {
    /// The guest is told.
    Failed(bindings::types::Error),
    /// The guest is ended: it broke the rules of the interface.
    Trap(wasmtime::Error),
}

/// What calls of a guest to the host give.
pub(crate) type CallResult<T> = Result<T, CallError>;

impl CallError {
    pub(crate) fn new(code: bindings::types::ErrorCode, message: impl Into<String>) -> Self {
        Self::Failed(bindings::types::Error { code, message: message.into(), detail: None })
    }

    /// What the guest, or whoever reads the log, is told.
    pub(crate) fn message(self) -> String {
        match self {
            Self::Failed(error) => error.message,
            Self::Trap(error) => error.to_string(),
        }
    }

    /// The run was asked to stop, or would be before the call could end.
    pub(crate) fn cancelled() -> Self {
        Self::new(bindings::types::ErrorCode::Cancelled, "the run was asked to stop")
    }

    /// The run may not do this; the detail carries the grant that would allow it.
    pub(crate) fn denied(denial: &Denial) -> Self {
        Self::Failed(bindings::types::Error {
            code: bindings::types::ErrorCode::Denied,
            message: denial.to_string(),
            detail: Some(serde_json::json!({ "grant": denial.grant }).to_string()),
        })
    }
}

impl From<ResourceTableError> for CallError {
    fn from(error: ResourceTableError) -> Self {
        match error {
            ResourceTableError::Full => Self::new(
                bindings::types::ErrorCode::LimitExceeded,
                "the plugin holds too many streams, processes and requests at once; drop some",
            ),
            other => Self::Trap(other.into()),
        }
    }
}

impl bindings::types::Host for Guest {
    fn convert_error(&mut self, error: CallError) -> wasmtime::Result<bindings::types::Error> {
        match error {
            CallError::Failed(error) => Ok(error),
            CallError::Trap(error) => Err(error),
        }
    }
}

/// The first `limit` bytes of `text`, or a few fewer, so that no character is cut.
pub(crate) fn clip(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let end = text.floor_char_boundary(limit);
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_nobody_asked_for_is_the_authors_to_ask_for() {
        let (capability, denial) =
            Gated { state: true, ..Gated::default() }.check(&EffectiveGrants::default()).unwrap_err();
        assert_eq!(capability, Capability::State);
        assert_eq!(denial.layer, Layer::Request);
        assert_eq!(denial.grant, "state: true");
    }
}
