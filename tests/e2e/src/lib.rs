//! What the end-to-end tests are made of: the real binary, started and talked to as its users do.
//!
//! - [`program`]: the binary, built once;
//! - [`daemon`]: a daemon on a data directory of its own, its start, kill and end;
//! - [`cli`]: one call of the command line;
//! - [`http`]: plain HTTP, so that what is sent and answered is known to the byte;
//! - [`receiver`]: a server that webhooks post to;
//! - [`wait`]: waiting for facts, with a deadline.
//!
//! Nothing here is shared with the code under test: it sees what a user sees.

pub mod cli;
pub mod daemon;
pub mod http;
pub mod mail_server;
pub mod program;
pub mod receiver;
pub mod wait;

pub use cli::{Ended, run, run_with};
pub use daemon::{Daemon, Home};
pub use http::{Answer, Http};
pub use mail_server::{Mail, MailServer};
pub use receiver::Receiver;
pub use wait::{Deadline, until};

/// Says that a test, or a part of one, is skipped, and why.
pub fn skipped(test: &str, why: &str) {
    use std::io::Write as _;
    // Past the capture of test output: a test that was skipped must not look like one that ran.
    let _ = writeln!(std::io::stderr().lock(), "skipped {test}: {why}");
}
