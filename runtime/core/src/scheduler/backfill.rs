//! Runs for fires of the past that somebody asks for.

use std::collections::BTreeSet;

use super::start::{Passage, Start};
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
    /// Makes a run for each of the fires. Unless `again` is set, a run's identity follows from its fire, so that one which
    /// is still going is not made twice; whoever asks has left out those that are over.
    pub(super) fn backfill(
        &mut self,
        namespace: &Namespace,
        name: &JobName,
        asked: &Backfill,
        moment: &mut Moment<'_>,
        step: &mut Step,
    ) -> Result<Reply, Refusal> {
        let job = self.job_named(namespace, name)?;
        let fires: BTreeSet<Timestamp> = asked.fires.iter().copied().collect();
        if fires.len() > MAX_BACKFILL {
            return Err(Refusal::BackfillTooLarge { fires: fires.len() });
        }
        let passage = match asked.overlap {
            BackfillOverlap::OneByOne => Passage::Turn,
            BackfillOverlap::AllowAll => Passage::Free,
        };
        let mut made = Vec::with_capacity(fires.len());
        for at in fires {
            let id = if asked.again { RunId::random(at, moment.rng) } else { RunId::of_backfill(job, at) };
            if self.active.contains_key(&id) {
                continue;
            }
            let trigger = self.jobs[&job].trigger_at(at);
            let start = Start { id, origin: Origin::Backfill, trigger, scheduled_at: at, passage };
            self.start(job, start, moment.now, step);
            made.push(id);
        }
        Ok(Reply::Backfilled(made))
    }
}
