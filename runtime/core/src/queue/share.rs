//! What each namespace has going and ready, and whose turn it is.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use super::{LaneId, Place};
use crate::id::Namespace;

/// Whose turn it is: the higher priority of its first run, then who has fewer attempts going, then who was served longest
/// ago.
type Turn = (Reverse<u8>, u32, u64, Namespace);

#[derive(Debug, Default)]
struct Share {
    ready: BTreeSet<(Place, LaneId)>,
    going: u32,
    /// The number of its last start, counted over all namespaces.
    served: u64,
}

impl Share {
    fn turn(&self, namespace: &Namespace) -> Option<Turn> {
        let (place, _) = self.ready.first()?;
        Some((place.priority, self.going, self.served, namespace.clone()))
    }
}

/// All namespaces that have a run waiting or going.
#[derive(Debug, Default)]
pub(super) struct Shares {
    by_namespace: HashMap<Namespace, Share>,
    turns: BTreeSet<Turn>,
    starts: u64,
}

impl Shares {
    /// The ready lane whose turn it is.
    pub(super) fn first(&self) -> Option<(Place, LaneId)> {
        let (.., namespace) = self.turns.first()?;
        self.by_namespace[namespace].ready.first().copied()
    }

    pub(super) fn insert(&mut self, namespace: &Namespace, place: Place, lane: LaneId) {
        self.edit(namespace, |share| _ = share.ready.insert((place, lane)));
    }

    pub(super) fn remove(&mut self, namespace: &Namespace, place: Place, lane: LaneId) {
        self.edit(namespace, |share| _ = share.ready.remove(&(place, lane)));
    }

    /// An attempt of the namespace starts.
    pub(super) fn serve(&mut self, namespace: &Namespace) {
        self.starts += 1;
        let served = self.starts;
        self.edit(namespace, |share| (share.going, share.served) = (share.going + 1, served));
    }

    /// An attempt of the namespace is over.
    pub(super) fn end(&mut self, namespace: &Namespace) {
        self.edit(namespace, |share| share.going -= 1);
    }

    fn edit(&mut self, namespace: &Namespace, edit: impl FnOnce(&mut Share)) {
        if !self.by_namespace.contains_key(namespace) {
            self.by_namespace.insert(namespace.clone(), Share::default());
        }
        let share = self.by_namespace.get_mut(namespace).expect("inserted if it was absent");
        let before = share.turn(namespace);
        edit(share);
        let after = share.turn(namespace);
        if before != after {
            if let Some(turn) = before {
                self.turns.remove(&turn);
            }
            self.turns.extend(after);
        }
    }
}
