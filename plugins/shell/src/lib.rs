//! The plugin `shell`: runs a command line, a script, several commands, or a program with its arguments.
//!
//! Their output goes to the run's log without passing through this plugin. The host adds the job's environment and working
//! directory. It asks for `files` to put scripts into the run's own folder and to read there what programs hand over, and
//! for any folder only so that a job may grant those that its scripts are in; and for `artifacts` to leave files to other runs.

mod artifacts;
mod capture;
mod ending;
mod interpreter;
mod params;
mod plan;
mod run;
mod script;
mod steps;
#[cfg(test)]
mod tests;

sandglass_plugin::export! {
    name: "shell",
    actions: [run::Run],
    plans: [run::Run],
    capabilities: { process: any, files: any, secrets: any, artifacts: true },
}
