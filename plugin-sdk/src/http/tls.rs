//! Certificates of a request: whom it trusts, and who it says that it is.

use super::{HttpError, Url};
use crate::ErrorCode;
#[cfg(target_arch = "wasm32")]
use crate::bindings::tls::sandglass::plugin::tls as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::tls as host;

pub use crate::bindings::tls::sandglass::plugin::tls::{Identity, Options as Tls};

impl Tls {
    /// Lets the host look at certificates and keys, as far as they do not stand for secrets. Needs no grant, so that
    /// [`Action::validate`](crate::Action::validate) can.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(&self) -> Result<(), String> {
        host::check(self).map_err(|error| error.message)
    }

    pub(super) fn choose(&self, url: &Url) -> Result<(), HttpError> {
        // A path may be part of an address that is a secret, but does not matter here.
        let scheme = if url.is_secure() { "https" } else { "http" };
        let chosen = host::configure(&format!("{scheme}://{}/", url.authority()), self);
        chosen.map_err(|error| match error.code {
            ErrorCode::Denied => HttpError::Denied(error.message),
            _ => HttpError::Invalid(error.message),
        })
    }
}
