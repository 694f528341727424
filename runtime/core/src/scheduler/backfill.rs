//! Runs for fires of the past that somebody asks for.

use std::collections::BTreeSet;

use super::overlap::Passage;
use super::start::Start;
use super::{Moment, Scheduler};
use crate::event::{BackfillOverlap, MAX_BACKFILL, Refusal, Reply, Step};
use crate::id::{JobName, Namespace, RunId};
use crate::run::Origin;
use crate::time::Timestamp;

/// What a backfill is asked for.
pub(super) struct Backfill {
    pub(super) fires: Vec<Timestamp>,
    pub(super) again: bool,
    pub(super) overlap: BackfillOverlap,
}

impl Scheduler {
    /// Makes a run for each of the fires, but for those that are due and not dealt with yet, which come to a run of their
    /// own. Unless `again` is set, a run's identity follows from its fire, so that one which is still going is not made
    /// twice; whoever asks has left out those that are over.
    pub(super) fn backfill(
        &mut self,
        namespace: &Namespace,
        name: &JobName,
        asked: &Backfill,
        moment: &mut Moment<'_>,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        let job = self.job_named(namespace, name)?;
        self.check_enabled(job)?;
        let fires: BTreeSet<Timestamp> = asked.fires.iter().copied().collect();
        if fires.len() > MAX_BACKFILL {
            return Err(Refusal::BackfillTooLarge { fires: fires.len() });
        }
        let passage = match asked.overlap {
            BackfillOverlap::OneByOne => Passage::Turn,
            BackfillOverlap::AllowAll => Passage::Free,
        };
        let entry = &self.jobs[&job];
        let (pending, past): (Vec<_>, Vec<_>) = fires.into_iter().partition(|at| entry.cursor.is_pending(*at));
        let mut id_of = |at| if asked.again { RunId::random(at, moment.rng) } else { RunId::of_backfill(job, at) };
        let wanted: Vec<(Timestamp, RunId)> = past.into_iter().map(|at| (at, id_of(at))).collect();
        let wanted: Vec<_> = wanted.into_iter().filter(|(_, id)| !self.active.contains_key(id)).collect();
        let active = entry.runs.len();
        if active.saturating_add(wanted.len()) > MAX_BACKFILL {
            return Err(Refusal::BackfillTooLong { name: name.clone(), active, fires: wanted.len() });
        }
        let mut runs = Vec::with_capacity(wanted.len());
        for (at, id) in wanted {
            let trigger = self.jobs[&job].trigger_at(at);
            let start = Start { trigger, passage, ..Start::of(id, Origin::Backfill, at) };
            self.start(job, start, moment.now, step);
            runs.push(id);
        }
        Ok(Reply::Backfilled { runs, pending: pending.len() })
    }
}
