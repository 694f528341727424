//! The benchmarks.

mod fleet;
mod follow;
mod idle;
mod invoke;
mod lateness;
mod queries;
mod queue;
mod retention;
mod runs;
mod schedule;
mod spawn;

use crate::report::Report;

/// A benchmark.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub(crate) enum Bench {
    /// Attempts of the plugin that does nothing, in the host alone.
    Invoke,
    /// Durable runs of it through the whole daemon.
    Runs,
    /// How long after its instant a fire starts.
    Lateness,
    /// Shell runs beside bare processes.
    Spawn,
    /// What a daemon with nothing to do uses, and how fast it starts.
    Idle,
    /// The first page of a long history.
    Queries,
    /// Places given to queued runs, however many wait.
    Queue,
    /// The next fire of each kind of trigger, and a million jobs in the scheduler.
    Schedule,
    /// How fast a run prints, alone and followed.
    Follow,
    /// A long history that goes down to what is kept, while jobs fire.
    Retention,
    /// A file for a hundred machines, beside `scp` and `ssh` in a loop.
    Fleet,
}

impl Bench {
    pub(crate) const ALL: [Self; 11] = [
        Self::Invoke,
        Self::Runs,
        Self::Lateness,
        Self::Spawn,
        Self::Idle,
        Self::Queries,
        Self::Queue,
        Self::Schedule,
        Self::Follow,
        Self::Retention,
        Self::Fleet,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Runs => "runs",
            Self::Lateness => "lateness",
            Self::Spawn => "spawn",
            Self::Idle => "idle",
            Self::Queries => "queries",
            Self::Queue => "queue",
            Self::Schedule => "schedule",
            Self::Follow => "follow",
            Self::Retention => "retention",
            Self::Fleet => "fleet",
        }
    }

    /// Measures, a tenth as long if `quick`.
    pub(crate) fn run(self, quick: bool, report: &mut Report) -> anyhow::Result<()> {
        let scale = Scale { quick };
        match self {
            Self::Invoke => invoke::run(scale, report),
            Self::Runs => runs::run(scale, report),
            Self::Lateness => lateness::run(scale, report),
            Self::Spawn => spawn::run(scale, report),
            Self::Idle => idle::run(scale, report),
            Self::Queries => queries::run(scale, report),
            Self::Queue => queue::run(scale, report),
            Self::Schedule => schedule::run(scale, report),
            Self::Follow => follow::run(scale, report),
            Self::Retention => retention::run(scale, report),
            Self::Fleet => fleet::run(scale, report),
        }
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug)]
struct Scale {
    quick: bool,
}

impl Scale {
    fn of(self, full: usize) -> usize {
        if self.quick { (full / 10).max(1) } else { full }
    }
}
