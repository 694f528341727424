//! What processes, containers and programs on other machines have in common: the streams they are given, the wait for
//! their end, and how they are stopped.

#[allow(dead_code, reason = "the first to use it is on its way")]
mod elsewhere;
mod fate;
mod pump;
mod stdio;
mod streams;
mod task;
mod tasks;
mod watch;

#[allow(unused_imports, reason = "the first to use it is on its way")]
pub(crate) use elsewhere::{Elsewhere, Orders, start};
pub(crate) use fate::{Exit, Fate, How, Running};
pub(crate) use stdio::{Pipes, Stdio, not_put_in};
#[allow(unreachable_pub, reason = "the generated bindings export it again, as far as they reach themselves")]
pub use task::Task;
pub(crate) use tasks::Tasks;
pub(crate) use watch::Watch;
