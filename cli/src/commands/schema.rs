//! `schema`: the shape of what is written by hand.

use crate::context::{print, to_json};
use crate::failure::Failure;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Print the JSON Schema (draft 2020-12) of job files
    Job,
}

pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    match command {
        Command::Job => print(&(to_json(&sandglass_api::schema::file()) + "\n")),
    }
}
