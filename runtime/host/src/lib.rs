//! Runs plugins: one attempt of a run is one fresh WebAssembly instance with limits, grants and a report at its end.
//!
//! In reading order:
//!
//! - [`config`], [`services`]: what the host is given; [`host`]: what it offers; [`inspect`]: what it tells of components;
//! - `engine`, `ticker`: the WebAssembly engine and the thread that makes guests give way;
//! - `component`: from bytes to something that runs;
//! - `inner`, `registry`: what attempts share, and those that are going;
//! - `attempt`, `stop`, `limiter`, `guest`: what belongs to one attempt; `ahead`: its instance before it starts; `in_flight`: its
//!   way to its report; `invoke`: its course; `classify`: its end;
//! - `probe`: guests that are only asked about themselves;
//! - `bindings`, `capability`: what a guest may ask of the host.
//!
//! What is not here: no store, no clock but [`services::Services::now`], no decision about retries, and no way out to
//! the network but `capability/http`.

mod ahead;
mod attempt;
mod bindings;
mod capability;
mod classify;
mod component;
pub mod config;
mod engine;
mod guest;
pub mod host;
mod in_flight;
mod inner;
pub mod inspect;
mod invoke;
mod limiter;
mod planning;
mod probe;
mod registry;
mod secrets;
pub mod services;
mod stop;
mod ticker;

pub use config::{HostConfig, HostError};
pub use host::Host;
pub use inspect::{Inspection, Issue, RefusedComponent};
pub use planning::NoPlan;
pub use services::Services;
