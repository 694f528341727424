//! What processes, containers and programs on other machines have in common: the streams they are given, the wait for
//! their end, and how they are stopped.

mod elsewhere;
pub(crate) mod ends;
mod environment;
mod fate;
mod pump;
mod stdio;
mod streams;
mod task;
mod tasks;
mod watch;

pub(crate) use elsewhere::{Elsewhere, Orders, start};
pub(crate) use environment::{about_run, environment, secret_variables, without_secret};
pub(crate) use fate::{Exit, Fate, How, Running};
pub(crate) use stdio::{Pipes, Stdio};
#[allow(unreachable_pub, reason = "the generated bindings export it again, as far as they reach themselves")]
pub use task::Task;
pub(crate) use tasks::Tasks;
pub(crate) use watch::Watch;
