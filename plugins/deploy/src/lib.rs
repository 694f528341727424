//! The plugin `deploy`: runs commands and puts files on many machines.
//!
//! What is done on one machine is a [`deployment`], which knows how to do it and how to undo it; a [`strategy`] says on which
//! machines at once, and when to stop; the [`rollout`] does it, and tells what each machine is left with in a [`report`].

mod command;
mod deployment;
mod files;
mod report;
mod rollout;
mod strategy;
#[cfg(test)]
mod tests;
mod words;

sandglass_plugin::export! {
    name: "deploy",
    actions: [command::Command, files::Files],
    capabilities: { remote: any, files: any, secrets: any },
}
