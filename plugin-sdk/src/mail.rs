//! Mail through the operator's server. The plugin's manifest asks for the capability `mail`.

use crate::Error;
#[cfg(target_arch = "wasm32")]
use crate::bindings::mail::sandglass::plugin::mail as host;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::mail as host;

pub use crate::bindings::mail::sandglass::plugin::mail::Message;

/// Sends a mail, from the operator's address. When this returns the operator's server has taken it.
///
/// # Errors
/// `invalid-argument` for a message that would be refused again, `denied` without the grant or for a recipient whom the operator
/// does not allow, `unsupported` if no server is configured, `unavailable` if it may help to try again.
pub fn send(message: &Message) -> Result<(), Error> {
    host::send(message)
}
