//! The pure domain of Sandglass: what a job is, when it fires, what a run may do, and how a run moves from state to state.
//!
//! Nothing here does IO, waits, or reads a clock or a random source: the instant and the generator are arguments. In
//! reading order:
//!
//! - [`time`], [`quantity`], [`id`]: instants, durations, sizes, names and identities; [`spelling`]: slips in words;
//! - [`spec`]: the job specification, one type for files, API and store;
//! - [`schedule`]: when a trigger fires; [`calendar`]: a named calendar as it is kept;
//! - [`job_template`]: parts of jobs that other jobs extend, as they are kept;
//! - [`target`]: machines that jobs use, and groups of them;
//! - [`hold`]: jobs and namespaces that are paused or disabled;
//! - [`capability`]: what a plugin may ask of the host, and the rule that grants or refuses it;
//! - [`plugin`]: what is known of an added plugin;
//! - [`run`]: runs, attempts and the state machine;
//! - [`dependency`]: what a run that ended means to jobs that wait for it;
//! - [`notice`]: what notifications tell of;
//! - [`template`]: texts of a job into which each attempt puts values of its own;
//! - [`output`]: what a run prints; [`artifact`]: files that it leaves to others;
//! - [`invocation`]: one attempt as it is handed to the host, and what comes back;
//! - [`batch`]: what is committed; [`event`]: what arrives and what may follow a commit;
//! - [`queue`]: which of the runs that wait starts next;
//! - [`scheduler`]: the reducer that decides.

pub mod artifact;
pub mod batch;
pub mod calendar;
pub mod capability;
pub mod dependency;
pub mod event;
pub mod hold;
pub mod id;
pub mod invocation;
pub mod job;
pub mod job_template;
pub mod notice;
pub mod output;
pub mod plan;
pub mod plugin;
pub mod quantity;
pub mod queue;
pub mod run;
pub mod schedule;
pub mod scheduler;
pub mod secret;
pub mod spec;
pub mod spelling;
pub mod target;
pub mod template;
pub mod time;
