//! The secrets that the run's job names. The plugin's manifest asks for the capability `secrets`, and for `reveal` to read
//! values rather than pass them on.

use crate::Error;
#[cfg(target_arch = "wasm32")]
use crate::bindings::secrets::sandglass::plugin::{secrets as host, secrets_reveal};
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::secrets as host;

/// The names of the secrets that there are for this run, in order.
#[must_use]
pub fn names() -> Vec<String> {
    host::names()
}

/// What stands for the value of a secret. Put it in an HTTP header, address or body, in the environment of a process or in
/// its input: the host puts in the value where it may go. It is different in every attempt, and worth nothing elsewhere.
///
/// # Errors
/// `not-found` unless the job names the secret; `denied` without the grant.
pub fn placeholder(name: &str) -> Result<String, Error> {
    Ok(host::get(name)?.placeholder())
}

/// The value of a secret. For what cannot be done with a placeholder, such as signing.
///
/// # Errors
/// As [`placeholder`]; `denied` without the grant `reveal`, or if the secret is limited to hosts.
pub fn reveal(name: &str) -> Result<Vec<u8>, Error> {
    let secret = host::get(name)?;
    #[cfg(target_arch = "wasm32")]
    return secrets_reveal::reveal(&secret);
    #[cfg(not(target_arch = "wasm32"))]
    Ok(secret.reveal())
}
