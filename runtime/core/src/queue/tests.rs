//! The queue against one that looks at every run each time.

use std::cmp::Reverse;
use std::collections::HashMap;

use super::*;
use crate::id::{GroupName, JobId, PluginName};

/// The order and the limits, told plainly.
#[derive(Default)]
struct Naive {
    waiting: Vec<(Place, Needs)>,
    going: Vec<(RunId, Needs)>,
    most: HashMap<LimitOf, u32>,
    served: HashMap<Namespace, u64>,
    starts: u64,
}

impl Naive {
    fn has_room(&self, needs: &Needs) -> bool {
        keys(needs).iter().all(|key| {
            let used = self.going.iter().filter(|(_, other)| keys(other).contains(key)).count();
            self.most.get(&key.of).is_none_or(|most| used < *most as usize)
        })
    }

    fn take(&mut self) -> Option<RunId> {
        let startable = self.waiting.iter().filter(|(_, needs)| self.has_room(needs));
        let (place, needs) = startable.min_by_key(|(place, needs)| {
            let going = self.going.iter().filter(|(_, other)| other.namespace == needs.namespace).count();
            let served = self.served.get(&needs.namespace).copied().unwrap_or(0);
            (place.priority, going, served, needs.namespace.clone(), *place)
        })?;
        let (run, needs) = (place.run, needs.clone());
        self.waiting.retain(|(place, _)| place.run != run);
        self.starts += 1;
        self.served.insert(needs.namespace.clone(), self.starts);
        self.going.push((run, needs));
        Some(run)
    }
}

fn keys(needs: &Needs) -> Vec<LimitKey> {
    let own = LimitKey::of(LimitOf::Namespace(needs.namespace.clone()));
    std::iter::once(own).chain(needs.limits.iter().cloned()).collect()
}

fn namespace(number: usize) -> Namespace {
    format!("n{number}").parse().unwrap()
}

fn group(namespace: &Namespace, number: usize) -> LimitOf {
    let name: GroupName = format!("g{number}").parse().unwrap();
    LimitOf::Group(namespace.clone(), name)
}

fn plugin(number: usize) -> LimitOf {
    let name: PluginName = format!("p{number}").parse().unwrap();
    LimitOf::Plugin(name)
}

fn needs(rng: &mut fastrand::Rng) -> Needs {
    let namespace = namespace(rng.usize(..3));
    let mut limits = Vec::new();
    if rng.bool() {
        limits.push(LimitKey::of(plugin(rng.usize(..2))));
    }
    for number in 0..3 {
        if rng.u8(..3) == 0 {
            let key = rng.bool().then(|| rng.usize(..3).to_string().into_boxed_str());
            limits.push(LimitKey { of: group(&namespace, number), key });
        }
    }
    Needs { namespace, limits }
}

fn place(rng: &mut fastrand::Rng, number: u32) -> Place {
    let scheduled_at = Timestamp::from_secs(rng.i64(..20));
    let run = RunId::of_fire(JobId::from_bits(u128::from(number)), scheduled_at);
    Place { priority: Reverse(rng.u8(4..7)), made_up: rng.u8(..4) == 0, scheduled_at, run }
}

/// A life of pushes, removals, starts, ends and changed limits: each start is the one that the plain rule gives.
fn live(seed: u64) {
    let mut rng = fastrand::Rng::with_seed(seed);
    let (mut queue, mut naive) = (Queue::default(), Naive::default());
    let mut lanes: HashMap<RunId, (LaneId, Place)> = HashMap::new();
    for number in 0..300 {
        match rng.u8(..10) {
            0..4 => {
                let (needs, place) = (needs(&mut rng), place(&mut rng, number));
                let lane = queue.lane(&needs);
                queue.push(lane, place);
                lanes.insert(place.run, (lane, place));
                naive.waiting.push((place, needs));
            }
            4..7 => {
                let (ours, theirs) = (queue.take(), naive.take());
                assert_eq!(ours.map(|(run, _)| run), theirs, "seed {seed}, step {number}");
                if let Some((run, lane)) = ours {
                    assert_eq!(lanes[&run].0, lane);
                }
            }
            7 if !naive.going.is_empty() => {
                let (run, _) = naive.going.swap_remove(rng.usize(..naive.going.len()));
                queue.release(lanes[&run].0);
            }
            8 if !naive.waiting.is_empty() => {
                let (place, _) = naive.waiting.swap_remove(rng.usize(..naive.waiting.len()));
                let (lane, place) = lanes[&place.run];
                queue.remove(lane, &place);
            }
            9 => {
                let space = namespace(rng.usize(..3));
                let of = match rng.u8(..4) {
                    0 => LimitOf::Namespace(space),
                    1 => plugin(rng.usize(..2)),
                    _ => group(&space, rng.usize(..3)),
                };
                let most = (rng.u8(..5) > 0).then(|| rng.u32(1..4));
                queue.set_limit(&of, most);
                match most {
                    Some(most) => _ = naive.most.insert(of, most),
                    None => _ = naive.most.remove(&of),
                }
            }
            _ => {}
        }
        assert_eq!(queue.len(), naive.waiting.len());
    }
    // Whatever waits comes to its turn once the others end.
    loop {
        let (ours, theirs) = (queue.take(), naive.take());
        assert_eq!(ours.map(|(run, _)| run), theirs, "seed {seed}, at the end");
        if ours.is_none() {
            let Some((run, _)) = naive.going.pop() else { break };
            queue.release(lanes[&run].0);
        }
    }
    assert!(queue.len() == 0 && naive.waiting.is_empty());
    assert!(queue.by_needs.is_empty() && queue.lanes.iter().all(Option::is_none), "nothing is kept");
}

#[test]
fn every_start_is_the_one_that_the_plain_rule_gives() {
    for seed in 0..300 {
        live(seed);
    }
}
