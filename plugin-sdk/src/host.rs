//! The seam between the library and the runtime: the real host inside a component, the test host natively.

#[cfg(target_arch = "wasm32")]
mod guest;
#[cfg(target_arch = "wasm32")]
pub(crate) use guest::*;

#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(not(target_arch = "wasm32"))]
pub(crate) use native::*;

#[cfg(all(target_arch = "wasm32", feature = "http"))]
pub(crate) mod guest_http;
