//! The plugin `deploy`: runs commands, puts files and installs software on many targets.
//!
//! What is done on one target is a [`deployment`], which writes down each [`change`], so that it can be undone; a [`strategy`] says on which
//! targets at once, and when to stop; the [`rollout`] does it, and tells what each target is left with in a [`report`].

mod change;
mod command;
mod deployment;
mod fault;
mod files;
mod report;
mod rollout;
mod software;
mod strategy;
#[cfg(test)]
mod tests;
mod words;

sandglass_plugin::export! {
    name: "deploy",
    actions: [command::Command, files::Files, software::Software],
    plans: [command::Command, files::Files, software::Software],
    capabilities: { remote: any, files: any, secrets: any },
}
