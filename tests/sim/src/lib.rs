//! Whole lives of a daemon, simulated.
//!
//! The production reducer and the production store run in a world of which one seed decides everything: a clock that jumps,
//! a disk that drops, tears and fails what was not synced, guests that fail, hang, flood and vanish, users, and crashes at
//! any step. Checkers hold the promises against everything that becomes durable. In reading order:
//!
//! - [`life`]: the world, and what happens in it;
//! - `daemon`: the event loop and the committer without threads;
//! - [`plan`], `user`, `host`: jobs, commands and guests, by chance;
//! - `order`: what was decided, in the order in which it was;
//! - [`model`], `places`, `ends`, [`check`]: what is durable, which limits that fills, how the last runs ended, and what must
//!   hold of it;
//! - [`seeds`]: many lives.
//!
//! To simulate something new: what a job may say is a field of [`plan::Plan`], with its chance in `Plan::random` and its
//! text in `Plan::spec`; what somebody may ask is a method of `user::User`; what may happen to the machine is an arm of
//! `Life::step`; what must hold is a module in [`check`]; and a defect that proves it is a variant of the reducer's
//! `Defect`.
//!
//! What the clock does while it is set back is promised less exactly than the rest: a run may wait for its window although
//! that is open again, and a schedule saved then counts from the latest instant at which the job was looked at before.

pub mod check;
mod daemon;
mod ends;
mod host;
pub mod life;
pub mod model;
mod order;
mod places;
pub mod plan;
pub mod seeds;
pub mod trace;
mod user;
