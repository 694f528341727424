//! One file per command or noun.

pub(crate) mod apply;
mod artifacts;
pub(crate) mod calendar;
pub(crate) mod completions;
mod confirm;
mod deletion;
pub(crate) mod demo;
pub(crate) mod diff;
mod edit;
mod explain;
pub(crate) mod export;
mod files;
mod fires;
mod follow;
pub(crate) mod group;
mod hold;
pub(crate) mod import;
pub(crate) mod job;
pub(crate) mod namespace;
mod params;
pub(crate) mod plugin;
mod refused;
pub(crate) mod run;
pub(crate) mod schedule;
pub(crate) mod schema;
pub(crate) mod secret;
pub(crate) mod serve;
mod simulate;
mod status;
pub(crate) mod store;
pub(crate) mod target;
pub(crate) mod template;
pub(crate) mod validate;
mod version;
mod which_run;

use crate::args::Command;
use crate::context::Context;
use crate::failure::Failure;

/// Does what was typed.
pub(crate) async fn dispatch(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => demo::run(args, context).await,
        Command::Serve(args) => serve::run(args, context).await,
        Command::Apply(args) => apply::run(args, context).await,
        Command::Diff(args) => diff::run(args, context).await,
        Command::Validate(args) => validate::run(args, context).await,
        Command::Schema(command) => schema::run(&command),
        Command::Job(command) => job::run(command, context).await,
        Command::Run(command) => run::run(command, context).await,
        Command::Calendar(command) => calendar::run(command, context).await,
        Command::Secret(command) => secret::run(command, context).await,
        Command::Namespace(command) => namespace::run(command, context).await,
        Command::Template(command) => template::run(command, context).await,
        Command::Target(command) => target::run(command, context).await,
        Command::Group(command) => group::run(command, context).await,
        Command::Import(command) => import::run(command, context),
        Command::Export(command) => export::run(command, context).await,
        Command::Plugin(command) => plugin::run(command, context).await,
        Command::Schedule(command) => schedule::run(&command, context),
        Command::Store(command) => store::run(command, context).await,
        Command::Status => status::run(context).await,
        Command::Version => version::run(context).await,
        Command::Completions(args) => completions::run(&args),
    }
}
