//! What a plugin author depends on.
//!
//! A plugin is a page of code: a params type, a type that implements [`Action`], and one [`export!`].
//!
//! ```
//! use sandglass_plugin::{Action, Context, Failure, Outcome, params};
//!
//! /// What the job file gives under `with:`.
//! #[params]
//! struct GreetParams {
//!     /// Who is greeted.
//!     name: String,
//! }
//!
//! struct Greet;
//!
//! impl Action for Greet {
//!     const NAME: &'static str = "greet";
//!     const TITLE: &'static str = "Greet someone";
//!     const DESCRIPTION: &'static str = "Writes a greeting into the run's log.";
//!     type Params = GreetParams;
//!     type Output = ();
//!
//!     fn run(params: GreetParams, _context: &Context) -> Result<Outcome<()>, Failure> {
//!         if params.name.is_empty() {
//!             return Err(Failure::new("no-name", "there is nobody to greet").never_retry());
//!         }
//!         Ok(Outcome::summary(format!("hello, {}", params.name)))
//!     }
//! }
//!
//! sandglass_plugin::export! {
//!     name: "greeter",
//!     description: "Greets people",
//!     actions: [Greet],
//! }
//! ```
//!
//! Build it with crate type `cdylib` for `wasm32-wasip2`. The same crate compiles natively, where [`testing::Host`] plays
//! the runtime's part, so that plain `cargo test` tests an action.
//!
//! In reading order: [`Action`] and [`Outcome`], [`Failure`], [`Context`]; then the capabilities: [`files`], and each
//! behind the feature of its name `process`, `docker`, `remote`, `secrets`, `state`, `http`, `mail` and `artifacts`; [`wait`] for several
//! things at once.

mod action;
mod context;
mod failure;
pub mod files;
mod logging;
mod period;

#[cfg(feature = "artifacts")]
pub mod artifacts;
#[cfg(feature = "docker")]
pub mod docker;
#[cfg(any(feature = "process", feature = "docker", feature = "remote"))]
pub mod exec;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "mail")]
pub mod mail;
#[cfg(feature = "plan")]
pub mod plan;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "remote")]
pub mod remote;
#[cfg(feature = "secrets")]
pub mod secrets;
#[cfg(feature = "state")]
pub mod state;
mod variables;
pub mod wait;
mod words;

mod dispatch;
mod host;
#[cfg(not(target_arch = "wasm32"))]
pub mod testing;

#[doc(hidden)]
pub mod bindings;

/// What placeholders of secrets begin with: a text that holds this may hold a secret once it has left the sandbox.
pub const PLACEHOLDER: &str = "sgl-secret-";

pub use action::{Action, Issue, Outcome, Schemas, examples};
pub use bindings::sandglass::plugin::types::{Error, ErrorCode, FileRef};
pub use context::{CancelReason, Context, Progress, RunInfo};
pub use failure::{Failure, Retry};
pub use period::Period;
pub use sandglass_plugin_macros::{export, include_json, include_schema, include_script, output, params};
pub use variables::Variables;
pub use words::Words;

#[cfg(feature = "log")]
pub use log;
pub use schemars;
pub use serde;
pub use serde_json;
#[cfg(feature = "tracing")]
pub use tracing;

/// What the export macro's expansion refers to. Not for use by hand.
#[doc(hidden)]
pub mod private {
    pub use crate::bindings::exports::sandglass::plugin::action::{
        ActionInfo, Failure, Guest, Issue, Outcome, RunRequest,
    };
    #[cfg(feature = "plan")]
    pub use crate::bindings::planner::exports::sandglass::plugin::planner::{Guest as PlanningGuest, PlanReport};
    pub use crate::bindings::sandglass::plugin::types::Error;
    pub use crate::dispatch::{Entry, describe, run, validate};
    #[cfg(feature = "plan")]
    pub use crate::plan::{Planner, plan};
}
