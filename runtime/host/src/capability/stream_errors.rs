//! What a guest is told of a stream that failed: what went wrong, and nothing of the host.

use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::bindings::io::error::Error;

use crate::guest::Guest;

/// Links the one function that differs from the engine's own crate. That one tells guests also where in the host an error
/// arose, where the host's environment asks for backtraces.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.allow_shadowing(true);
    let mut instance = linker.instance("wasi:io/error@0.2.12")?;
    instance.func_wrap("[method]error.to-debug-string", |mut store, (error,): (Resource<Error>,)| {
        let error: &Error = store.data_mut().table.get(&error)?;
        Ok((format!("{error:#}"),))
    })?;
    linker.allow_shadowing(false);
    Ok(())
}
