//! What was decided, in the order in which it was.
//!
//! A run that is made and started in one step is one write: it stands where the run was made, although other runs may have
//! been started between the two. Here it is two again.

use std::sync::Arc;

use sandglass_core::batch::{Batch, Write};
use sandglass_core::id::RunId;
use sandglass_core::run::{Ending, Origin, Run, RunState};

use crate::check::{is_running, started};

/// A write, or the second half of one.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// A write. That of a run which is made and started in one step says that the run is queued.
    Write(Write),
    /// The start of a run whose write says that it is queued.
    Begin(Arc<Run>),
    /// A run is started that cannot be started after all: it ends in the same step, and when in it is not known.
    InVain(Arc<Run>),
}

/// The deeds of `batch`, of which a step ends before each of the writes `steps`, and in which runs were started in the
/// order `starts`.
pub(crate) fn in_order(batch: &Batch, steps: &[usize], starts: &[RunId]) -> Vec<Deed> {
    let mut order = Order {
        deeds: Vec::with_capacity(batch.writes.len()),
        begun: Vec::new(),
        starts,
        settles: false,
        expired: false,
    };
    let mut from = 0;
    for until in steps {
        order.add_step(&batch.writes[from..*until]);
        from = *until;
    }
    order.deeds
}

struct Order<'a> {
    deeds: Vec<Deed>,
    /// Runs of this step that were started as they were made, with their places among all starts.
    begun: Vec<(usize, Arc<Run>)>,
    starts: &'a [RunId],
    /// Whether the step changes jobs or calendars. Then the fires of each job that are due are dealt with before that, and
    /// free places are filled after those of each; else once, when all is done.
    settles: bool,
    /// Whether a run expired in this step. One may as it is given its place; what follows from that is made after other free
    /// places have been filled.
    expired: bool,
}

impl Order<'_> {
    fn add_step(&mut self, writes: &[Write]) {
        self.settles = writes.iter().any(changes_jobs);
        self.expired = false;
        writes.iter().for_each(|write| self.add(write));
        self.begin_until(usize::MAX);
    }

    fn add(&mut self, write: &Write) {
        match write {
            Write::InsertRun(run) if run.origin == Origin::Dependency && self.expired => self.begin_until(usize::MAX),
            Write::UpdateRun(run) => {
                self.expired |= matches!(run.state, RunState::Ended { ending: Ending::Expired(_), .. });
            }
            _ => {}
        }
        match write {
            Write::InsertRun(run) if is_running(run) => {
                self.begun.push((self.rank(run.id), Arc::clone(run)));
                let queued = Run { state: RunState::Queued, attempts: Vec::new(), ..(**run).clone() };
                self.deeds.push(Deed::Write(Write::InsertRun(Arc::new(queued))));
                return;
            }
            Write::UpdateRun(run) if started(write).is_some() && self.rank(run.id) == usize::MAX => {
                self.deeds.push(Deed::InVain(Arc::clone(run)));
                return;
            }
            Write::UpdateRun(run) if started(write).is_some() => self.begin_until(self.rank(run.id)),
            Write::UpdateRun(run) if self.begun.iter().any(|(_, begun)| begun.id == run.id) => {
                self.begin_until(self.rank(run.id).saturating_add(1));
            }
            Write::PutCursor { .. } if self.settles => self.begin_until(usize::MAX),
            write if changes_jobs(write) => self.begin_until(usize::MAX),
            _ => {}
        }
        self.deeds.push(Deed::Write(write.clone()));
    }

    fn rank(&self, run: RunId) -> usize {
        self.starts.iter().position(|start| *start == run).unwrap_or(usize::MAX)
    }

    /// Tells of the starts before that of this rank.
    fn begin_until(&mut self, rank: usize) {
        self.begun.sort_by_key(|(of, _)| *of);
        let later = self.begun.partition_point(|(of, _)| *of < rank || rank == usize::MAX);
        self.deeds.extend(self.begun.drain(..later).map(|(_, run)| Deed::Begin(run)));
    }
}

fn changes_jobs(write: &Write) -> bool {
    use Write::{DeleteCalendar, DeleteJob, DeleteTemplate, PutCalendar, PutHolds, PutJob, PutTemplate};
    matches!(
        write,
        PutJob(_)
            | DeleteJob { .. }
            | PutHolds { .. }
            | PutCalendar(_)
            | DeleteCalendar { .. }
            | PutTemplate(_)
            | DeleteTemplate { .. }
    )
}

#[cfg(test)]
mod tests {
    use sandglass_core::id::JobId;
    use sandglass_core::job::Cursor;
    use sandglass_core::run::Attempt;
    use sandglass_core::time::Timestamp;

    use super::*;

    const AT: Timestamp = Timestamp::from_secs(1_800_000_000);

    fn running(number: u128) -> Arc<Run> {
        let (id, job) = (RunId::from_bits(number), JobId::from_bits(1));
        let queued = Run::queued(id, "default".parse().expect("a name"), job, "a".parse().expect("a name"), AT);
        let attempt = Attempt { number: 1, started_at: AT, end: None };
        Arc::new(Run { state: RunState::Running, attempts: vec![attempt], ..queued })
    }

    fn told(writes: Vec<Write>, steps: &[usize], starts: [u128; 3]) -> Vec<String> {
        let starts = starts.map(RunId::from_bits);
        let deeds = in_order(&Batch { writes }, steps, &starts).into_iter();
        let told = deeds.map(|deed| match deed {
            Deed::Write(Write::InsertRun(run)) => format!("make {}", run.id.to_bits()),
            Deed::Write(Write::UpdateRun(run)) => format!("start {}", run.id.to_bits()),
            Deed::Write(_) => "cursor".to_owned(),
            Deed::Begin(run) | Deed::InVain(run) => format!("begin {}", run.id.to_bits()),
        });
        told.collect()
    }

    #[test]
    fn runs_begin_in_the_order_of_their_starts() {
        let writes = vec![Write::InsertRun(running(1)), Write::InsertRun(running(2)), Write::UpdateRun(running(3))];
        assert_eq!(told(writes, &[3], [2, 3, 1]), ["make 1", "make 2", "begin 2", "start 3", "begin 1"]);
    }

    #[test]
    fn runs_begin_in_the_step_in_which_they_are_made() {
        let cursor = Write::PutCursor { job: JobId::from_bits(1), cursor: Cursor::default() };
        let writes = vec![Write::InsertRun(running(1)), cursor, Write::InsertRun(running(2))];
        assert_eq!(told(writes, &[2, 3], [1, 2, 3]), ["make 1", "cursor", "begin 1", "make 2", "begin 2"]);
    }
}
