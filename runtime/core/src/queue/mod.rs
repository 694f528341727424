//! Queued runs that may start, and which of them starts next.
//!
//! Runs that need the same places (of their namespace, their plugin, their concurrency groups) stand in one *lane*, in
//! order. Only the first of each lane is ever looked at, and a lane that waits for a place of a full limit is set aside
//! until one of that limit is free. So a start costs the same whether a thousand runs wait or a hundred thousand, and
//! however many limits are full.
//!
//! Order: higher priority first; between namespaces, whoever has fewest attempts going, and of those whoever was served
//! longest ago; within a namespace, by [`Place`]. A run that cannot start because a limit is full never holds up one that
//! can.
//!
//! What keeps this right: as long as a limit has a free place, every namespace with lanes that wait for it has a lane
//! among the ready ones that is at least as good as the best that waits ([`Queue::wake`] after all that could end it).

mod limit;
mod share;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use limit::Limits;
pub use limit::{LimitKey, LimitOf};
use share::Shares;

use crate::id::{Namespace, RunId};
use crate::time::Timestamp;

/// A place in the order of a namespace: higher priority first; then what somebody makes up for behind everything else, or
/// the past of one job would hold up the present of all others; then the earlier scheduled instant.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Place {
    /// The job's priority.
    pub priority: Reverse<u8>,
    /// Whether somebody asked to make up for a fire of the past.
    pub made_up: bool,
    /// When the run was due.
    pub scheduled_at: Timestamp,
    /// The run.
    pub run: RunId,
}

/// What a run takes a place of while an attempt of it is going.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Needs {
    /// Whose it is.
    pub namespace: Namespace,
    /// Limits besides the namespace's, each once and in order.
    pub limits: Vec<LimitKey>,
}

/// Finds a lane.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LaneId(u32);

/// Runs that need the same places.
#[derive(Debug)]
struct Lane {
    needs: Needs,
    /// The limits that bound it.
    limits: Vec<limit::LimitId>,
    waiting: BTreeSet<Place>,
    /// Runs of it that have their places.
    going: u32,
    stage: Stage,
}

/// Where a lane is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Nothing waits in it.
    Empty,
    /// Its first run, which stands at this place, starts when its turn comes.
    Ready(Place),
    /// Its first run, which stands at this place, waits for a free place of a limit.
    Waits(limit::LimitId, Place),
}

/// Queued runs that may start.
#[derive(Debug, Default)]
pub struct Queue {
    lanes: Vec<Option<Lane>>,
    free: Vec<LaneId>,
    by_needs: HashMap<Needs, LaneId>,
    limits: Limits,
    shares: Shares,
}

impl Queue {
    /// An empty one. `per_namespace` is how many attempts of a namespace go at once that has no limit of its own.
    #[must_use]
    pub fn new(per_namespace: Option<u32>) -> Self {
        Self { limits: Limits::new(per_namespace), ..Self::default() }
    }

    /// The lane of runs with these needs. It is kept as long as a run waits or goes in it; one that has none goes with the
    /// next run that leaves it.
    pub fn lane(&mut self, needs: &Needs) -> LaneId {
        if let Some(id) = self.by_needs.get(needs) {
            return *id;
        }
        let own = LimitKey::of(LimitOf::Namespace(needs.namespace.clone()));
        let limits = std::iter::once(&own).chain(&needs.limits).map(|key| self.limits.enter(key)).collect();
        let lane = Lane { needs: needs.clone(), limits, waiting: BTreeSet::new(), going: 0, stage: Stage::Empty };
        let id = self.free.pop().unwrap_or_else(|| {
            self.lanes.push(None);
            LaneId(u32::try_from(self.lanes.len() - 1).expect("there is memory for fewer lanes"))
        });
        self.lanes[id.0 as usize] = Some(lane);
        self.by_needs.insert(needs.clone(), id);
        id
    }

    /// Puts a run in line.
    pub fn push(&mut self, lane: LaneId, place: Place) {
        let new = self.at(lane).waiting.insert(place);
        debug_assert!(new, "a run stands in line once");
        if self.at(lane).waiting.first() == Some(&place) {
            self.lift(lane);
            self.settle(lane);
        }
    }

    /// Takes a run that waits out of line.
    pub fn remove(&mut self, lane: LaneId, place: &Place) {
        let first = self.at(lane).waiting.first() == Some(place);
        if !self.at(lane).waiting.remove(place) {
            return;
        }
        if first {
            self.lift(lane);
            self.settle(lane);
            self.pass_on(lane);
        }
        self.drop_unused(lane);
    }

    /// Takes the run whose turn it is out of line and gives it the places that it needs, until [`Queue::release`]. None if
    /// every run that waits needs a place of a full limit.
    pub fn take(&mut self) -> Option<(RunId, LaneId)> {
        loop {
            let (place, id) = self.shares.first()?;
            self.lift(id);
            let lane = self.lanes[id.0 as usize].as_mut().expect("ready lanes are there");
            if self.limits.first_full(&lane.limits).is_none() {
                lane.waiting.remove(&place);
                lane.going += 1;
                self.limits.take(&lane.limits);
                self.shares.serve(&lane.needs.namespace);
                self.settle(id);
                self.pass_on(id);
                return Some((place.run, id));
            }
            self.settle(id);
            self.pass_on(id);
        }
    }

    /// Gives back the places of a run that [`Queue::take`] gave, or that [`Queue::occupy`] took.
    pub fn release(&mut self, id: LaneId) {
        let lane = self.lanes[id.0 as usize].as_mut().expect("lanes with runs are there");
        lane.going -= 1;
        self.shares.end(&lane.needs.namespace);
        self.limits.release(&lane.limits);
        for place in 0..lane.limits.len() {
            self.wake_all(self.limit_of(id, place));
        }
        self.drop_unused(id);
    }

    /// Gives a run that is going already its places, even if a limit is full.
    pub fn occupy(&mut self, id: LaneId) {
        let lane = self.lanes[id.0 as usize].as_mut().expect("the lane was just asked for");
        lane.going += 1;
        self.limits.take(&lane.limits);
        self.shares.serve(&lane.needs.namespace);
    }

    /// How many places there are; none: no bound. What goes already goes on, even above it.
    pub fn set_limit(&mut self, of: &LimitOf, most: Option<u32>) {
        for limit in self.limits.set(of, most) {
            self.wake_all(limit);
        }
    }

    /// The first of the limits of a lane that has no free place, and how many places it has.
    #[must_use]
    pub fn full(&self, id: LaneId) -> Option<(&LimitKey, u32)> {
        let lane = self.lanes[id.0 as usize].as_ref().expect("ids of lanes are kept while they are used");
        self.limits.first_full(&lane.limits).map(|limit| self.limits.described(limit))
    }

    /// Runs that wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lanes.iter().flatten().map(|lane| lane.waiting.len()).sum()
    }

    fn at(&mut self, id: LaneId) -> &mut Lane {
        self.lanes[id.0 as usize].as_mut().expect("ids of lanes are kept while they are used")
    }

    /// Takes a lane from where it is.
    fn lift(&mut self, id: LaneId) {
        let lane = self.lanes[id.0 as usize].as_mut().expect("ids of lanes are kept while they are used");
        match std::mem::replace(&mut lane.stage, Stage::Empty) {
            Stage::Empty => {}
            Stage::Ready(place) => self.shares.remove(&lane.needs.namespace, place, id),
            Stage::Waits(limit, place) => self.limits.stop_waiting(limit, &lane.needs.namespace, place, id),
        }
    }

    /// Puts a lane that was lifted where it belongs now.
    fn settle(&mut self, id: LaneId) {
        let lane = self.lanes[id.0 as usize].as_mut().expect("ids of lanes are kept while they are used");
        let Some(first) = lane.waiting.first().copied() else { return };
        lane.stage = match self.limits.first_full(&lane.limits) {
            Some(limit) => {
                self.limits.wait(limit, &lane.needs.namespace, first, id);
                Stage::Waits(limit, first)
            }
            None => {
                self.shares.insert(&lane.needs.namespace, first, id);
                Stage::Ready(first)
            }
        };
    }

    /// A lane is no longer what it was among the ready ones: others that wait for the same limits may be as good now.
    fn pass_on(&mut self, id: LaneId) {
        let namespace = self.at(id).needs.namespace.clone();
        for place in 0..self.at(id).limits.len() {
            self.wake(self.limit_of(id, place), &namespace);
        }
    }

    fn limit_of(&self, id: LaneId, place: usize) -> limit::LimitId {
        self.lanes[id.0 as usize].as_ref().expect("ids of lanes are kept while they are used").limits[place]
    }

    /// The limit may have a free place now: the best lane of each namespace that waits for it is ready.
    fn wake_all(&mut self, limit: limit::LimitId) {
        for namespace in self.limits.namespaces_waiting(limit) {
            self.wake(limit, &namespace);
        }
    }

    /// Lets the best of a namespace's lanes that wait for the limit be ready, if it has a free place. One that waits for
    /// another full limit besides goes there, and the next is looked at.
    fn wake(&mut self, limit: limit::LimitId, namespace: &Namespace) {
        while let Some(lane) = self.limits.best_waiting(limit, namespace) {
            self.lift(lane);
            self.settle(lane);
            if matches!(self.at(lane).stage, Stage::Ready(_)) {
                return;
            }
        }
    }

    fn drop_unused(&mut self, id: LaneId) {
        let lane = self.at(id);
        if lane.going > 0 || !lane.waiting.is_empty() {
            return;
        }
        let lane = self.lanes[id.0 as usize].take().expect("looked at above");
        for limit in &lane.limits {
            self.limits.leave(*limit);
        }
        self.by_needs.remove(&lane.needs);
        self.free.push(id);
    }
}
