//! The daemon: the pure scheduler with a real clock, a store, a WebAssembly host and an API around it.
//!
//! In reading order:
//!
//! - [`config`], [`data_dir`]: what it is told and where it keeps things;
//! - [`daemon`]: its start and its end;
//! - [`dispatch`]: the event loop, what follows a commit, and the recovery from one that failed; [`prompt`]: how the threads of
//!   both wake;
//! - [`services`], [`output`]: what the host needs while an attempt goes; [`upkeep`]: what is cleared away behind it;
//! - [`admission`]: what is checked before a job or a plugin is saved;
//! - [`http`]: the API;
//! - [`clock`]: the only real clock.

mod admission;
mod artifacts;
pub mod clock;
pub mod config;
mod containers;
pub mod daemon;
pub mod data_dir;
mod dispatch;
mod http;
mod jobs_dir;
mod mail;
mod output;
mod prompt;
mod secrets;
mod services;
mod upkeep;

pub use config::{ConfigError, ServeOptions};
pub use daemon::{Daemon, StartError};
pub use data_dir::DataDir;
pub use dispatch::{Inbox, Unavailable};
