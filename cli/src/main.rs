//! `sandglass`: the command line.
//!
//! - [`args`]: what can be typed;
//! - [`context`]: the daemon to ask, the form to answer in, and the instant it is;
//! - [`commands`]: one file per command or noun;
//! - [`render`]: values as people read them;
//! - [`failure`]: what went wrong, why, and what to do next;
//! - [`changes`]: what differs between two jobs;
//! - [`progress`]: a line that shows that something is going;
//! - [`component`]: what a component's file says of itself;
//! - [`when`]: instants as people type them.

mod args;
mod changes;
mod commands;
mod component;
mod context;
mod failure;
mod progress;
mod render;
mod when;

use std::process::ExitCode;

use clap::Parser as _;

use args::Cli;
use context::Context;
use failure::Telling;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return failure::misread(&error, std::env::args_os().skip(1)),
    };
    #[expect(clippy::disallowed_methods, reason = "the command line's only clock; everything below takes the instant")]
    let now = std::time::SystemTime::now();
    let telling = Telling::new(&cli.global);
    let context = match Context::new(cli.global, now) {
        Ok(context) => context,
        Err(failure) => return failure.report(&telling),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failure::Failure::io("cannot start", error).report(&telling),
    };
    match runtime.block_on(commands::dispatch(cli.command, &context)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(&telling),
    }
}
