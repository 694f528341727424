//! `completions`: a script that completes commands in a shell.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::args::Cli;
use crate::context::print_bytes;
use crate::failure::Failure;

#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  sandglass completions bash > ~/.local/share/bash-completion/completions/sandglass")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "sandglass", &mut script);
    print_bytes(&script)
}
