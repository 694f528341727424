//! Power cuts at any instant and disks that fill up: what was acknowledged stays, what was not is there as a whole or not
//! at all, and the store goes on.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use sandglass_core::batch::{Batch, Write};
use sandglass_core::id::{JobId, RunId};
use sandglass_core::run::{Ending, Gate, Run, RunState};
use sandglass_core::time::Timestamp;
use sandglass_store::faults::FaultyDisk;
use sandglass_store::{Reader, RedbOptions, RedbStore, RunQuery, Store, StoreError};

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
/// Commits in one life of a store.
const COMMITS: usize = 12;

/// Runs by id, with their versions: all that these tests look at.
type Content = BTreeMap<RunId, u32>;

fn open(disk: &FaultyDisk) -> RedbStore {
    try_open(disk).expect("the store should open")
}

fn try_open(disk: &FaultyDisk) -> Result<RedbStore, StoreError> {
    let store = RedbStore::open_with_backend(disk.clone(), Path::new("/nonexistent"), RedbOptions::default())?;
    store.load()?;
    Ok(store)
}

fn content(store: &RedbStore) -> Content {
    let page = store.query(&RunQuery { limit: 1000, ..RunQuery::default() }).expect("the store should be readable");
    assert_eq!(page.next, None);
    let counts = store.stats().expect("the store should be readable").runs;
    assert_eq!(counts.total(), page.items.len() as u64);
    page.items.iter().map(|run| (run.id, run.version)).collect()
}

fn run(rng: &mut fastrand::Rng) -> Run {
    Run {
        gate: Gate::Window,
        state: RunState::Running,
        result: Some("x".repeat(rng.usize(0..3000))),
        ..Run::queued(
            RunId::random(NOW, rng),
            "default".parse().expect("a name"),
            JobId::from_bits(u128::from(rng.u8(0..4))),
            "job".parse().expect("a name"),
            NOW,
        )
    }
}

/// A group of batches, and the content after it.
fn group(rng: &mut fastrand::Rng, going: &mut Vec<Run>, before: &Content) -> (Vec<Batch>, Content) {
    let mut after = before.clone();
    let mut batches = Vec::new();
    for _ in 0..rng.usize(1..6) {
        let mut batch = Batch::default();
        for _ in 0..rng.usize(1..4) {
            if rng.bool() && !going.is_empty() {
                let mut over = going.swap_remove(rng.usize(0..going.len()));
                over.transition(RunState::Ended { ending: Ending::Succeeded, at: NOW }).expect("it was running");
                after.insert(over.id, over.version);
                batch.writes.push(Write::UpdateRun(Arc::new(over)));
            } else {
                let fresh = run(rng);
                after.insert(fresh.id, fresh.version);
                batch.writes.push(Write::InsertRun(Arc::new(fresh.clone())));
                going.push(fresh);
            }
        }
        batches.push(batch);
    }
    (batches, after)
}

/// One life of a store up to a power cut, before a call chosen at random. Gives the disk, and what it may hold then.
fn life(disk: FaultyDisk, rng: &mut fastrand::Rng) -> (FaultyDisk, Vec<Content>) {
    let store = open(&disk);
    let mut going = Vec::new();
    let mut now = Content::new();
    disk.cut_at(disk.calls() + rng.u64(0..150));
    for _ in 0..COMMITS {
        let (batches, after) = group(rng, &mut going, &now);
        let answers = store.commit(&batches, NOW).expect("nothing fails yet");
        assert!(answers.iter().all(Result::is_ok));
        if disk.image_after_cut(&mut fastrand::Rng::with_seed(0)).is_some() {
            return (disk, vec![now, after]);
        }
        now = after;
    }
    // The power goes after the last commit was acknowledged: before anything that closing the store writes.
    disk.cut_at(disk.calls());
    drop(store);
    (disk, vec![now])
}

#[test]
fn a_power_cut_loses_nothing_acknowledged_and_tears_nothing() {
    let mut cut_within_commit = 0;
    for seed in 0..250 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (disk, mut possible) = life(FaultyDisk::default(), &mut rng);
        let mut image = disk.image_after_cut(&mut rng).expect("the power went");
        cut_within_commit += u32::from(possible.len() == 2);
        // Sometimes the power goes again while the store is being opened and repaired.
        for _ in 0..2 {
            let disk = FaultyDisk::of(image.clone());
            disk.cut_at(rng.u64(0..20));
            let store = open(&disk);
            let found = content(&store);
            assert!(possible.contains(&found), "seed {seed}");
            if disk.image_after_cut(&mut rng).is_none() {
                break;
            }
            image = disk.image_after_cut(&mut rng).expect("the power went");
            possible = vec![found];
        }
        let store = open(&FaultyDisk::of(image));
        assert!(possible.contains(&content(&store)), "seed {seed}");
        let (batches, _) = group(&mut rng, &mut Vec::new(), &Content::new());
        assert!(store.commit(&batches, NOW).expect("the store goes on").iter().all(Result::is_ok));
    }
    assert!(cut_within_commit > 50, "only {cut_within_commit} cuts hit a commit");
}

/// The tests above can fail: a disk that does not sync loses what was acknowledged.
#[test]
fn a_disk_that_lies_is_found_out() {
    let survives = |seed| {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (disk, possible) = life(FaultyDisk::lying(), &mut rng);
        let image = disk.image_after_cut(&mut rng).expect("the power went");
        // Reading what is left may well panic.
        let look = || try_open(&FaultyDisk::of(image)).is_ok_and(|store| possible.contains(&content(&store)));
        std::panic::catch_unwind(look).unwrap_or(false)
    };
    let survivors = (0..100).filter(|seed| survives(*seed)).count();
    assert!(survivors < 60, "{survivors} of 100");
}

#[test]
fn a_full_disk_refuses_writes_answers_reads_and_recovers() {
    for seed in 0..120 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let disk = FaultyDisk::default();
        let store = open(&disk);
        let mut going = Vec::new();
        let mut now = Content::new();
        for _ in 0..rng.usize(0..6) {
            let (batches, after) = group(&mut rng, &mut going, &now);
            store.commit(&batches, NOW).expect("there is space");
            now = after;
        }
        disk.full_after(rng.u64(0..12));
        let mut next = now.clone();
        let mut refused = false;
        for _ in 0..20 {
            let (batches, after) = group(&mut rng, &mut going.clone(), &now);
            next = after;
            match store.commit(&batches, NOW) {
                Ok(_) => now = next.clone(),
                Err(StoreError::Full(_)) => {
                    refused = true;
                    break;
                }
                Err(other) => panic!("seed {seed}: {other:?}"),
            }
            // What is going was not tracked through the clone, so only insertions follow.
            going.clear();
        }
        assert!(refused, "seed {seed}");
        let found = content(&store);
        assert!(found == now || found == next, "seed {seed}: reads go on");
        let (batches, _) = group(&mut rng, &mut Vec::new(), &found);
        assert!(matches!(store.commit(&batches, NOW), Err(StoreError::Full(_))), "seed {seed}");
        store.load().expect("loading only reads");
        assert_eq!(content(&store), found, "seed {seed}");
        disk.heal();
        let (batches, after) = group(&mut rng, &mut Vec::new(), &found);
        store.commit(&batches, NOW).expect("there is space again");
        assert_eq!(content(&store), after, "seed {seed}");
        store.close().expect("it can be closed");
        drop(store);
        assert_eq!(content(&open(&disk)), after, "seed {seed}");
    }
}
