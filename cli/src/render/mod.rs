//! Values as people read them.

pub(crate) mod amount;
pub(crate) mod ansi;
pub(crate) mod calendar;
pub(crate) mod changes;
pub(crate) mod crontab;
pub(crate) mod fire;
pub(crate) mod group;
pub(crate) mod hold;
pub(crate) mod job;
pub(crate) mod notify;
pub(crate) mod output;
pub(crate) mod paint;
pub(crate) mod plan;
pub(crate) mod plugin;
pub(crate) mod run;
pub(crate) mod secret;
pub(crate) mod simulation;
pub(crate) mod table;
pub(crate) mod target;
pub(crate) mod template;
#[cfg(test)]
mod tests;
pub(crate) mod yaml;
