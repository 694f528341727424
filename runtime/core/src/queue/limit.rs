//! Limits on how many attempts go at once, and the lanes that wait for a free place of one.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::{LaneId, Place};
use crate::id::{GroupName, Namespace, PluginName};

/// What has a bound on how many attempts of it go at once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum LimitOf {
    /// Attempts of a namespace.
    Namespace(Namespace),
    /// Attempts with a plugin.
    Plugin(PluginName),
    /// Attempts of a concurrency group of a namespace.
    Group(Namespace, GroupName),
}

/// Attempts that count together against a bound.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LimitKey {
    /// What has the bound.
    pub of: LimitOf,
    /// Which part of it: every key of a group has the bound for itself.
    pub key: Option<Box<str>>,
}

impl LimitKey {
    /// The whole of it.
    #[must_use]
    pub const fn of(of: LimitOf) -> Self {
        Self { of, key: None }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct LimitId(u32);

#[derive(Debug)]
struct Limit {
    key: LimitKey,
    /// Attempts that go.
    used: u32,
    /// Attempts that may.
    most: u32,
    /// Lanes that it bounds.
    lanes: u32,
    /// Those that wait for a place of it.
    waiting: BTreeMap<Namespace, BTreeSet<(Place, LaneId)>>,
}

/// All limits that bound a lane.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// How many places there are, where there is a bound.
    most: HashMap<LimitOf, u32>,
    /// The bound of namespaces that have none of their own.
    per_namespace: Option<u32>,
    limits: Vec<Option<Limit>>,
    free: Vec<LimitId>,
    by_key: HashMap<LimitKey, LimitId>,
}

impl Limits {
    pub(super) fn new(per_namespace: Option<u32>) -> Self {
        Self { per_namespace, ..Self::default() }
    }

    /// The limit of this key, for one more lane.
    pub(super) fn enter(&mut self, key: &LimitKey) -> LimitId {
        let id = match self.by_key.get(key) {
            Some(id) => *id,
            None => self.begin(key),
        };
        self.at_mut(id).lanes += 1;
        id
    }

    fn begin(&mut self, key: &LimitKey) -> LimitId {
        let most = self.most_of(&key.of);
        let limit = Limit { key: key.clone(), used: 0, most, lanes: 0, waiting: BTreeMap::new() };
        let id = self.free.pop().unwrap_or_else(|| {
            self.limits.push(None);
            LimitId(u32::try_from(self.limits.len() - 1).expect("there is memory for fewer limits"))
        });
        self.limits[id.0 as usize] = Some(limit);
        self.by_key.insert(key.clone(), id);
        id
    }

    fn most_of(&self, of: &LimitOf) -> u32 {
        let default = self.per_namespace.filter(|_| matches!(of, LimitOf::Namespace(_)));
        self.most.get(of).copied().or(default).unwrap_or(u32::MAX)
    }

    /// A lane that it bounded is gone.
    pub(super) fn leave(&mut self, id: LimitId) {
        let limit = self.at_mut(id);
        limit.lanes -= 1;
        if limit.lanes == 0 {
            let limit = self.limits[id.0 as usize].take().expect("looked at above");
            self.by_key.remove(&limit.key);
            self.free.push(id);
        }
    }

    /// Sets how many places there are, and gives the limits that this concerns.
    pub(super) fn set(&mut self, of: &LimitOf, most: Option<u32>) -> Vec<LimitId> {
        match most {
            Some(most) => _ = self.most.insert(of.clone(), most),
            None => _ = self.most.remove(of),
        }
        let concerned = self.by_key.iter().filter(|(key, _)| key.of == *of).map(|(_, id)| *id).collect::<Vec<_>>();
        let most = self.most_of(of);
        for id in &concerned {
            self.at_mut(*id).most = most;
        }
        concerned
    }

    pub(super) fn first_full(&self, limits: &[LimitId]) -> Option<LimitId> {
        limits.iter().copied().find(|id| self.at(*id).is_full())
    }

    /// Its key, and how many places there are.
    pub(super) fn described(&self, id: LimitId) -> (&LimitKey, u32) {
        let limit = self.at(id);
        (&limit.key, limit.most)
    }

    pub(super) fn take(&mut self, limits: &[LimitId]) {
        limits.iter().for_each(|id| self.at_mut(*id).used += 1);
    }

    pub(super) fn release(&mut self, limits: &[LimitId]) {
        limits.iter().for_each(|id| self.at_mut(*id).used -= 1);
    }

    pub(super) fn wait(&mut self, id: LimitId, namespace: &Namespace, place: Place, lane: LaneId) {
        let waiting = &mut self.at_mut(id).waiting;
        match waiting.get_mut(namespace) {
            Some(lanes) => _ = lanes.insert((place, lane)),
            None => _ = waiting.insert(namespace.clone(), BTreeSet::from([(place, lane)])),
        }
    }

    pub(super) fn stop_waiting(&mut self, id: LimitId, namespace: &Namespace, place: Place, lane: LaneId) {
        let waiting = &mut self.at_mut(id).waiting;
        let Some(lanes) = waiting.get_mut(namespace) else { return };
        lanes.remove(&(place, lane));
        if lanes.is_empty() {
            waiting.remove(namespace);
        }
    }

    /// The best lane of a namespace that waits for the limit, if it has a free place.
    pub(super) fn best_waiting(&self, id: LimitId, namespace: &Namespace) -> Option<LaneId> {
        let limit = self.at(id);
        let lanes = limit.waiting.get(namespace).filter(|_| !limit.is_full())?;
        lanes.first().map(|(_, lane)| *lane)
    }

    /// The namespaces with lanes that wait for the limit, if it has a free place.
    pub(super) fn namespaces_waiting(&self, id: LimitId) -> Vec<Namespace> {
        let limit = self.at(id);
        if limit.is_full() || limit.waiting.is_empty() { Vec::new() } else { limit.waiting.keys().cloned().collect() }
    }

    fn at(&self, id: LimitId) -> &Limit {
        self.limits[id.0 as usize].as_ref().expect("limits are kept while a lane has them")
    }

    fn at_mut(&mut self, id: LimitId) -> &mut Limit {
        self.limits[id.0 as usize].as_mut().expect("limits are kept while a lane has them")
    }
}

impl Limit {
    fn is_full(&self) -> bool {
        self.used >= self.most
    }
}
