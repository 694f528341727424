//! What can be typed.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands;

/// The whole command line.
#[derive(Parser, Debug)]
#[command(
    name = "sandglass",
    version,
    about = "A job runtime: fires jobs on time and runs each as a sandboxed WebAssembly component",
    after_help = "Exit codes: 0 done, 1 not so (such as: the run did not succeed), 2 usage, 3 invalid input, 4 not found, \
                  5 conflict, 6 denied, 7 unavailable, 70 internal.",
    propagate_version = true
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Debug, Clone, Default)]
pub(crate) struct Global {
    /// Where the daemon is: unix:///path/to/sandglass.sock or http://host:port [default: the socket in the data directory]
    #[arg(long, global = true, env = "SANDGLASS_URL", value_name = "URL", help_heading = "Global options")]
    pub(crate) url: Option<String>,
    /// The token for a daemon that is reached over TCP
    #[arg(
        long,
        global = true,
        env = "SANDGLASS_TOKEN",
        hide_env_values = true,
        value_name = "TOKEN",
        help_heading = "Global options"
    )]
    pub(crate) token: Option<String>,
    /// The namespace of jobs and runs [default: default]
    #[arg(
        long,
        short = 'n',
        global = true,
        env = "SANDGLASS_NAMESPACE",
        value_name = "NAME",
        help_heading = "Global options"
    )]
    pub(crate) namespace: Option<String>,
    /// The local daemon's data directory
    #[arg(long, global = true, env = "SANDGLASS_DATA_DIR", value_name = "DIR", help_heading = "Global options")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Print JSON; short for --output json
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) json: bool,
    /// The form of what is printed
    #[arg(
        long,
        short,
        global = true,
        value_enum,
        value_name = "FORM",
        conflicts_with = "json",
        help_heading = "Global options"
    )]
    pub(crate) output: Option<Form>,
    /// Print without colours, as with the environment variable NO_COLOR
    #[arg(long, global = true, help_heading = "Global options")]
    pub(crate) no_color: bool,
}

impl Global {
    /// The form of what is printed.
    pub(crate) fn form(&self) -> Form {
        if self.json { Form::Json } else { self.output.unwrap_or_default() }
    }
}

/// The form of what is printed.
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Form {
    /// Aligned columns
    #[default]
    Table,
    /// Aligned columns, more of them
    Wide,
    /// YAML
    Yaml,
    /// JSON
    Json,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub(crate) enum Command {
    /// Show example jobs on a throw-away daemon, live
    Demo(commands::demo::Args),
    /// Run the daemon in the foreground
    Serve(commands::serve::Args),
    /// Save the jobs of files and folders: all of them, or none if one is not valid
    Apply(commands::apply::Args),
    /// Show what applying files would change; the exit code is 1 if it would change something
    Diff(commands::diff::Args),
    /// Check job files without saving anything
    Validate(commands::validate::Args),
    /// Print the JSON Schema of job files
    #[command(subcommand)]
    Schema(commands::schema::Command),
    /// List, show, start, pause and delete jobs
    #[command(subcommand)]
    Job(commands::job::Command),
    /// List, show, follow and cancel runs
    #[command(subcommand)]
    Run(commands::run::Command),
    /// Save, import, list and delete named sets of dates, such as holidays
    #[command(subcommand)]
    Calendar(commands::calendar::Command),
    /// Set, list and delete values that jobs use and nobody sees
    #[command(subcommand)]
    Secret(commands::secret::Command),
    /// Show, save and delete what concerns all jobs of a namespace
    #[command(subcommand)]
    Namespace(commands::namespace::Command),
    /// List, show and delete parts of jobs that other jobs extend
    #[command(subcommand)]
    Template(commands::template::Command),
    /// Save, list, select and delete machines that jobs deploy to or run commands on
    #[command(subcommand)]
    Target(commands::target::Command),
    /// Save, list, show and delete groups of targets
    #[command(subcommand)]
    Group(commands::group::Command),
    /// Print what other schedulers start as a job file
    #[command(subcommand)]
    Import(commands::import::Command),
    /// Print jobs as entries of other schedulers, or keep them there
    #[command(subcommand)]
    Export(commands::export::Command),
    /// Add, list, inspect and remove plugins
    #[command(subcommand)]
    Plugin(commands::plugin::Command),
    /// Ask when a schedule fires
    #[command(subcommand)]
    Schedule(commands::schedule::Command),
    /// Compact or check all that the daemon keeps
    #[command(subcommand)]
    Store(commands::store::Command),
    /// Show how the daemon is doing
    Status,
    /// Print the versions of this program, its time zone database and the daemon
    Version,
    /// Print a script that completes commands in a shell
    Completions(commands::completions::Args),
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Cli::command().debug_assert();
    }
}
