//! Small values that a job keeps across its runs. The plugin's manifest asks for the capability `state`.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(target_arch = "wasm32")]
use crate::bindings::state::sandglass::plugin::state as host;
#[cfg(target_arch = "wasm32")]
use crate::dispatch::nanoseconds;
#[cfg(not(target_arch = "wasm32"))]
use crate::testing::state as host;
use crate::{Error, Failure};

pub use crate::bindings::state::sandglass::plugin::state::{Entry, Expectation, Page};

/// The value of a key and its revision; `None` if there is none or it has expired.
///
/// # Errors
/// What the host says: `denied` without the grant.
pub fn get(key: &str) -> Result<Option<Entry>, Error> {
    host::get(key)
}

/// Sets a key, if the expectation of what is there holds, and answers the new revision. With a time to live, the value
/// is gone after it.
///
/// # Errors
/// `conflict` when the expectation does not hold; `limit-exceeded` when the value is too large.
pub fn set(key: &str, value: &[u8], expect: Expectation, ttl: Option<Duration>) -> Result<u64, Error> {
    #[cfg(target_arch = "wasm32")]
    let ttl = ttl.map(nanoseconds);
    host::set(key, value, expect, ttl)
}

/// Removes a key, if the expectation of what is there holds.
///
/// # Errors
/// `conflict` when the expectation does not hold.
pub fn delete(key: &str, expect: Expectation) -> Result<(), Error> {
    host::delete(key, expect)
}

/// The keys with a prefix, in order, a page at a time.
///
/// # Errors
/// `invalid-argument` when the cursor is none that a page gave.
pub fn keys(prefix: &str, cursor: Option<&str>, limit: u32) -> Result<Page, Error> {
    host::keys(prefix, cursor, limit)
}

/// The value of a key, read as JSON.
///
/// # Errors
/// What the host says, or that the value is not what was expected.
pub fn read<T: DeserializeOwned>(key: &str) -> Result<Option<T>, Failure> {
    let Some(entry) = get(key)? else { return Ok(None) };
    serde_json::from_slice(&entry.value)
        .map(Some)
        .map_err(|error| Failure::new("state", format!("the state under {key:?} cannot be read: {error}")))
}

/// Sets a key to a value as JSON, whatever was there, and answers the new revision.
///
/// # Errors
/// What the host says, or that the value cannot be written as JSON.
pub fn write<T: Serialize>(key: &str, value: &T) -> Result<u64, Failure> {
    let bytes = serde_json::to_vec(value)
        .map_err(|error| Failure::new("state", format!("the state for {key:?} cannot be written: {error}")))?;
    Ok(set(key, &bytes, Expectation::Anything, None)?)
}
