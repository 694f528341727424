//! The runs of one job that are not over.

use std::collections::BTreeSet;

use crate::id::RunId;
use crate::time::Timestamp;

/// The runs of one job that are not over. Takes no room beyond a pointer while there are none, as for most jobs at most
/// times.
#[derive(Debug, Default)]
pub(super) struct RunsOfJob(Option<Box<Runs>>);

#[derive(Debug, Default)]
struct Runs {
    /// Those not in the line, by id.
    active: BTreeSet<RunId>,
    /// Queued ones that wait for others to end, the one whose turn comes next first.
    line: BTreeSet<(Timestamp, RunId)>,
}

impl RunsOfJob {
    /// Those that are not in the line, by id.
    pub(super) fn active(&self) -> impl Iterator<Item = RunId> {
        self.0.iter().flat_map(|runs| runs.active.iter().copied())
    }

    /// How many are not in the line.
    pub(super) fn active_len(&self) -> usize {
        self.0.as_ref().map_or(0, |runs| runs.active.len())
    }

    /// Those in the line, the one whose turn comes next first.
    pub(super) fn line(&self) -> impl Iterator<Item = RunId> {
        self.0.iter().flat_map(|runs| runs.line.iter().map(|(_, run)| *run))
    }

    /// How many are in the line.
    pub(super) fn line_len(&self) -> usize {
        self.0.as_ref().map_or(0, |runs| runs.line.len())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.active_len() + self.line_len()
    }

    /// Adds one that is not in the line.
    pub(super) fn insert(&mut self, run: RunId) {
        self.0.get_or_insert_default().active.insert(run);
    }

    /// Adds one to the line.
    pub(super) fn line_up(&mut self, scheduled_at: Timestamp, run: RunId) {
        self.0.get_or_insert_default().line.insert((scheduled_at, run));
    }

    /// Takes away one that is not in the line.
    pub(super) fn remove(&mut self, run: RunId) {
        self.change(|runs| _ = runs.active.remove(&run));
    }

    /// Takes one out of the line.
    pub(super) fn step_out(&mut self, scheduled_at: Timestamp, run: RunId) {
        self.change(|runs| _ = runs.line.remove(&(scheduled_at, run)));
    }

    /// Takes the first out of the line.
    pub(super) fn next_in_line(&mut self) -> Option<RunId> {
        let mut next = None;
        self.change(|runs| next = runs.line.pop_first());
        next.map(|(_, run)| run)
    }

    fn change(&mut self, change: impl FnOnce(&mut Runs)) {
        let Some(runs) = &mut self.0 else { return };
        change(runs);
        if runs.active.is_empty() && runs.line.is_empty() {
            self.0 = None;
        }
    }
}
