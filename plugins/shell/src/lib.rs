//! The plugin `shell`: runs a command line through an interpreter, or a program with its arguments.
//!
//! Its output goes to the run's log without passing through this plugin. The host adds the job's environment and working
//! directory.

mod interpreter;
mod run;
#[cfg(test)]
mod tests;

sandglass_plugin::export! {
    name: "shell",
    actions: [run::Run],
    capabilities: { process: any, secrets: any },
}
