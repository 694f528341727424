//! A plugin that does nothing, or fails once if it is asked to, as fast as a plugin can: no standard library, so no WASI, and an allocator that never frees,
//! which is enough for one run in a fresh instance. What the runtime itself costs is measured with it.
#![cfg_attr(target_arch = "wasm32", no_std)]

extern crate alloc;

#[cfg(target_arch = "wasm32")]
mod bare;

#[allow(
    missing_docs,
    unsafe_code,
    unused_qualifications,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::semicolon_if_nothing_returned,
    clippy::undocumented_unsafe_blocks,
    reason = "generated code, which is as its generator writes it"
)]
mod bindings {
    wit_bindgen::generate!({ path: "../../../wit", world: "base", generate_all });
}

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use bindings::exports::sandglass::plugin::action::{
    ActionInfo, Failure, Guest, Issue, Outcome, RetryAdvice, RunRequest,
};

struct Noop;

impl Guest for Noop {
    fn describe() -> Vec<ActionInfo> {
        vec![ActionInfo {
            name: "noop".to_owned(),
            title: "Do nothing".to_owned(),
            description: "Ends at once.".to_owned(),
            params_schema: "{\"type\":\"object\"}".to_owned(),
            output_schema: None,
            examples: vec!["{}".to_owned()],
            idempotent: true,
        }]
    }

    fn validate(_action: String, _params: String) -> Result<(), Vec<Issue>> {
        Ok(())
    }

    fn run(request: RunRequest) -> Result<Outcome, Failure> {
        // A job whose template puts the number of the attempt here fails once.
        if request.params == "{\"fails_at\":1}" {
            return Err(Failure {
                code: "as-asked".to_owned(),
                message: String::new(),
                retry: RetryAdvice::ByJobPolicy,
                detail: None,
            });
        }
        Ok(Outcome { summary: None, output: None, changed: Some(false), warnings: Vec::new() })
    }
}

#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "naming a link section is how a component gets a custom section")]
#[unsafe(link_section = "sandglass:manifest")]
#[used]
static MANIFEST: [u8; 85] =
    *br#"{"name":"noop","version":"0.1.0","description":"Does nothing.","capabilities":{  } } "#;

#[allow(unsafe_code, reason = "the exported functions are given the names that the component's encoding demands")]
mod export {
    use super::{Noop, bindings};
    bindings::export!(Noop with_types_in bindings);
}
