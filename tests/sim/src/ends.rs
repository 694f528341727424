//! How the last run of each job ended, for the jobs that require it.

use std::collections::BTreeMap;

use sandglass_core::batch::Write;
use sandglass_core::id::JobId;
use sandglass_core::run::{Ending, RunState};
use sandglass_core::time::Timestamp;

/// The ends of all runs, those of fires that were skipped aside, in the order in which they came.
#[derive(Clone, Default)]
pub(crate) struct Ends(BTreeMap<JobId, Vec<End>>);

#[derive(Clone, Copy)]
struct End {
    ending: Ending,
    at: Timestamp,
    decided_at: Timestamp,
}

impl Ends {
    /// Takes note of a write that was decided at `decided_at`.
    pub(crate) fn note(&mut self, write: &Write, decided_at: Timestamp) {
        let (Write::InsertRun(run) | Write::UpdateRun(run)) = write else { return };
        if let RunState::Ended { ending, at } = run.state
            && !matches!(ending, Ending::Skipped(_))
        {
            self.0.entry(run.job_id).or_default().push(End { ending, at, decided_at });
        }
    }

    /// The ends that may count as the job's last one at `now`: the last one, as those who wait for it are told of it at the
    /// end of its step also the one before; and, if the daemon has looked it up, those of the latest instant, which are
    /// others if the clock was set back.
    pub(crate) fn last(&self, job: JobId, now: Timestamp) -> Vec<Option<(Ending, Timestamp)>> {
        let ends = self.0.get(&job).map(Vec::as_slice).unwrap_or_default();
        let before = ends.iter().rposition(|end| end.decided_at != now);
        let first = before.unwrap_or_default();
        let mut last: Vec<_> = ends[first..].iter().map(|end| Some((end.ending, end.at))).collect();
        if before.is_none() {
            last.push(None);
        }
        let latest = ends.iter().map(|end| end.at).max();
        last.extend(ends.iter().filter(|end| Some(end.at) == latest).map(|end| Some((end.ending, end.at))));
        last
    }
}
