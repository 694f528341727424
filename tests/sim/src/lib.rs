//! Whole lives of a daemon, simulated.
//!
//! The production reducer and the production store run in a world of which one seed decides everything: a clock that jumps,
//! a disk that drops, tears and fails what was not synced, guests that fail, hang, flood and vanish, users, and crashes at
//! any step. Checkers hold the promises against everything that becomes durable. In reading order:
//!
//! - [`life`]: the world, and what happens in it;
//! - `daemon`: the event loop and the committer without threads;
//! - [`plan`], `user`, `host`: jobs, commands and guests, by chance;
//! - [`model`], [`check`]: what is durable, and what must hold of it;
//! - [`seeds`]: many lives.

pub mod check;
mod daemon;
mod host;
pub mod life;
pub mod model;
pub mod plan;
pub mod seeds;
pub mod trace;
mod user;
