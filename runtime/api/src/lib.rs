//! What a daemon and its clients agree on: the words on the wire, the one table of problems, job files, and a client.
//!
//! In reading order:
//!
//! - [`wire`]: the types of the HTTP API and the list of its routes;
//! - [`problem`]: the one table from failure to HTTP status, stable code and exit code;
//! - [`jobfile`]: job files in YAML, TOML and JSON, with errors that point at line and column;
//! - [`ics`]: named calendars from iCalendar files;
//! - [`crontab`]: jobs from crontabs;
//! - [`native`]: jobs as entries of crontabs, systemd and Windows' Task Scheduler;
//! - [`schema`]: the JSON Schema of a job;
//! - [`client`]: the typed client, over the daemon's socket or TCP.

pub mod client;
pub mod crontab;
pub mod ics;
pub mod jobfile;
pub mod native;
pub mod problem;
pub mod schema;
pub mod wire;
