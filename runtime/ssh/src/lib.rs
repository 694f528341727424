//! Programs and files on other machines, over SSH.
//!
//! Nothing is needed on a machine but its SSH server and, on Linux and macOS, the tools that every system has: files are
//! written and looked at by small scripts for `sh`, so that they work under another account too. Host keys are pinned: a
//! machine that shows another is not talked to.
//!
//! In reading order: [`Hop`] and [`Connection`]; [`Program`] and [`Remote`]; [`Stream`]; then [`files`].

mod connect;
mod error;
pub mod files;
mod host_key;
mod leftovers;
mod line;
mod program;
mod remote;
mod stream;

pub use connect::{Auth, Connection, Hop};
pub use error::SshError;
pub use host_key::{HostKey, InvalidHostKey};
pub use leftovers::Leftovers;
pub use program::{Ended, Finished, Program, Sig};
pub use remote::Remote;
pub use stream::Stream;
