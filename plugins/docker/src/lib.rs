//! The plugin `docker`: runs an image in a container that is removed at its end, or a command in a container that is there.
//!
//! Output goes to the run's log without passing through this plugin. It asks for any image, any folder and any target so that a
//! job may narrow them with its grants, which is where the folders come from that can be mounted.

mod ending;
mod exec;
mod mount;
mod plan;
mod run;
mod size;
#[cfg(test)]
mod tests;

sandglass_plugin::export! {
    name: "docker",
    actions: [run::Run, exec::Exec],
    plans: [run::Run, exec::Exec],
    capabilities: { docker: any, files: any, remote: any, secrets: any },
}
