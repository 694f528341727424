//! A job's state.

use std::collections::BTreeMap;

use sandglass_core::batch::{Expectation, Write};
use sandglass_core::time::Timestamp;

use super::Subject;
use super::sample::{NOW, at, commit, conflict, job, job_id, put_job};
use crate::contract::{STATE_BYTES, STATE_KEYS, Store};
use crate::error::ConflictKind;
use crate::records::{Prune, StateEntry};

fn put(key: &str, value: &str, expect: Expectation, expires_at: Option<Timestamp>) -> Write {
    Write::PutState { job: job_id(1), key: key.to_owned(), value: value.into(), expect, expires_at }
}

fn delete(key: &str, expect: Expectation) -> Write {
    Write::DeleteState { job: job_id(1), key: key.to_owned(), expect }
}

fn seen(store: &dyn Store, key: &str) -> Option<(u64, String)> {
    let entry = store.state_entry(job_id(1), key, NOW).unwrap()?;
    Some((entry.revision, String::from_utf8(entry.value).unwrap()))
}

fn with_job(subject: &mut dyn Subject) -> Box<dyn Store> {
    let store = subject.open();
    store.load().unwrap();
    commit(&*store, vec![put_job(&job(1, "default", "a"))]).unwrap();
    store
}

pub(super) fn expectations(subject: &mut dyn Subject) {
    use Expectation::{Absent, Anything, At};
    let store = with_job(subject);
    let other = |found| ConflictKind::State { job: job_id(1), key: "k".to_owned(), found };
    assert_eq!(conflict(&*store, vec![put("k", "a", At(1), None)]), other(None));
    assert_eq!(conflict(&*store, vec![delete("k", At(1))]), other(None));
    commit(&*store, vec![delete("k", Anything), delete("k", Absent)]).unwrap();
    commit(&*store, vec![put("k", "a", Absent, None)]).unwrap();
    assert_eq!(seen(&*store, "k"), Some((1, "a".to_owned())));
    assert_eq!(conflict(&*store, vec![put("k", "b", Absent, None)]), other(Some(1)));
    assert_eq!(conflict(&*store, vec![put("k", "b", At(2), None)]), other(Some(1)));
    commit(&*store, vec![put("k", "b", At(1), None), put("k", "", Anything, None)]).unwrap();
    assert_eq!(seen(&*store, "k"), Some((3, String::new())));
    assert_eq!(conflict(&*store, vec![delete("k", At(2))]), other(Some(3)));
    commit(&*store, vec![delete("k", At(3))]).unwrap();
    assert_eq!(seen(&*store, "k"), None);
    // The revision does not come again.
    commit(&*store, vec![put("k", "c", Absent, None)]).unwrap();
    assert_eq!(seen(&*store, "k"), Some((4, "c".to_owned())));
    // A batch that is left out leaves entries as they were.
    let writes = vec![put("k", "d", At(4), Some(at(9))), put("new", "x", Absent, None), delete("k", At(4))];
    assert_eq!(conflict(&*store, writes), other(Some(5)));
    assert_eq!((seen(&*store, "k"), seen(&*store, "new")), (Some((4, "c".to_owned())), None));
    let nobody =
        Write::PutState { job: job_id(9), key: String::new(), value: Vec::new(), expect: Anything, expires_at: None };
    assert_eq!(conflict(&*store, vec![nobody]), ConflictKind::NoJob(job_id(9)));
}

pub(super) fn expiry(subject: &mut dyn Subject) {
    use Expectation::{Absent, Anything, At};
    let store = with_job(subject);
    commit(&*store, vec![put("k", "a", Anything, Some(at(10)))]).unwrap();
    let revision = |now| store.state_entry(job_id(1), "k", now).unwrap().map(|entry| entry.revision);
    assert_eq!((revision(at(9)), revision(at(10))), (Some(1), None));
    let commit_at = |write, now| store.commit(&[sandglass_core::batch::Batch::of(write)], now).unwrap().remove(0);
    assert!(commit_at(put("k", "b", Absent, None), at(9)).is_err());
    assert!(commit_at(put("k", "b", At(1), None), at(10)).is_err());
    commit_at(put("k", "b", Absent, Some(at(20))), at(10)).unwrap();
    assert_eq!((revision(at(19)), revision(at(20))), (Some(2), None));
    let keys = |now| store.state_keys(job_id(1), "", None, 9, now).unwrap().items.len();
    assert_eq!((keys(at(19)), keys(at(20))), (1, 0));
    // Pruning forgets what has expired, and only that.
    commit(&*store, vec![put("later", "x", Anything, Some(at(30))), put("never", "x", Anything, None)]).unwrap();
    store.prune(&Prune::Runs(Vec::new()), at(25), 10).unwrap();
    assert_eq!(revision(at(0)), None);
    assert_eq!(keys(at(0)), 2);
    commit_at(put("k", "c", Absent, None), at(25)).unwrap();
    assert_eq!(revision(at(99)), Some(3));
}

pub(super) fn keys(subject: &mut dyn Subject) {
    let store = with_job(subject);
    commit(&*store, vec![put_job(&job(2, "default", "b"))]).unwrap();
    let mut keys = vec!["", "a", "a/", "a/1", "a/2", "a/ü", "b", "ä", "ab"];
    commit(&*store, keys.iter().map(|key| put(key, "v", Expectation::Anything, None)).collect()).unwrap();
    commit(&*store, vec![put("a/gone", "v", Expectation::Anything, None)]).unwrap();
    commit(&*store, vec![delete("a/gone", Expectation::Anything)]).unwrap();
    keys.sort_unstable();
    for prefix in ["", "a", "a/", "b", "zz"] {
        let expected: Vec<_> = keys.iter().filter(|key| key.starts_with(prefix)).collect();
        for limit in [1, 2, 9, 100] {
            let mut found = Vec::new();
            let mut after = None;
            loop {
                let page = store.state_keys(job_id(1), prefix, after.as_deref(), limit, NOW).unwrap();
                assert!(page.items.len() <= limit);
                found.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert!(found.iter().eq(expected.iter().copied()), "{prefix} {limit}: {found:?}");
        }
    }
    assert!(store.state_keys(job_id(2), "", None, 9, NOW).unwrap().items.is_empty());
}

/// Random writes against a plain map, with batches of several writes and a clock that moves.
pub(super) fn random(subject: &mut dyn Subject) {
    let mut store = with_job(subject);
    let mut rng = fastrand::Rng::with_seed(11);
    let mut model = Model::default();
    for round in 0..400_i64 {
        let now = at(round);
        let mut trial = model.clone();
        let mut fits = true;
        let mut writes = Vec::new();
        for _ in 0..rng.usize(1..4) {
            let key = rng.u8(0..5).to_string();
            let entry = trial.live(&key, now);
            let revision = entry.as_ref().map_or(1, |entry| entry.revision);
            let expect = match rng.u8(0..4) {
                0 => Expectation::Absent,
                1 => Expectation::At(revision),
                _ => Expectation::Anything,
            };
            fits &= match expect {
                Expectation::Anything => true,
                Expectation::Absent => entry.is_none(),
                Expectation::At(_) => entry.is_some(),
            };
            if rng.u8(0..3) == 0 {
                writes.push(delete(&key, expect));
                trial.remove(&key);
            } else {
                let expires_at = rng.bool().then(|| at(round + rng.i64(-2..20)));
                let value = format!("value {round}");
                writes.push(put(&key, &value, expect, expires_at));
                trial.put(&key, value.into_bytes(), expires_at);
            }
        }
        let answer = store.commit(&[sandglass_core::batch::Batch { writes }], now).unwrap().remove(0);
        assert_eq!(answer.is_ok(), fits, "round {round}: {answer:?}");
        if fits {
            model = trial;
        }
        if round % 50 == 17 {
            store.prune(&Prune::Runs(Vec::new()), now, 1).unwrap();
            model.forget_expired(now);
        }
        if round % 100 == 66 {
            drop(store);
            subject.restart();
            store = subject.open();
            store.load().unwrap();
        }
        for key in (0..5).map(|key| key.to_string()) {
            assert_eq!(store.state_entry(job_id(1), &key, now).unwrap(), model.live(&key, now), "round {round}");
        }
    }
}

/// What a store should hold.
#[derive(Clone, Default)]
struct Model {
    entries: BTreeMap<String, StateEntry>,
    /// The highest revision of an entry that is gone.
    gone: u64,
}

impl Model {
    fn live(&self, key: &str, now: Timestamp) -> Option<StateEntry> {
        self.entries.get(key).filter(|entry| entry.expires_at.is_none_or(|at| at > now)).cloned()
    }

    fn put(&mut self, key: &str, value: Vec<u8>, expires_at: Option<Timestamp>) {
        let revision = self.entries.get(key).map_or(self.gone, |entry| entry.revision) + 1;
        self.entries.insert(key.to_owned(), StateEntry { revision, value, expires_at });
    }

    fn remove(&mut self, key: &str) {
        if let Some(entry) = self.entries.remove(key) {
            self.gone = self.gone.max(entry.revision);
        }
    }

    fn forget_expired(&mut self, now: Timestamp) {
        let expired = self.entries.iter().filter(|(_, entry)| entry.expires_at.is_some_and(|at| at <= now));
        let expired: Vec<String> = expired.map(|(key, _)| key.clone()).collect();
        expired.iter().for_each(|key| self.remove(key));
    }
}

/// What a job keeps is bounded; what is removed makes room, and other jobs are not concerned.
pub(super) fn quota(subject: &mut dyn Subject) {
    use Expectation::Anything;
    let store = with_job(subject);
    commit(&*store, vec![put_job(&job(2, "default", "b"))]).unwrap();
    let full = |writes| matches!(conflict(&*store, writes), ConflictKind::StateFull { .. });
    let value = vec![0; usize::try_from(STATE_BYTES).unwrap() - 2];
    let put_bytes = |key: &str, value: Vec<u8>| Write::PutState {
        job: job_id(1),
        key: key.to_owned(),
        value,
        expect: Anything,
        expires_at: None,
    };
    assert!(full(vec![put_bytes("abc", value.clone())]));
    assert!(full(vec![put("a", "b", Anything, None), put_bytes("c", value)]));
    let key = |number: u64| format!("{number}");
    commit(&*store, (1..STATE_KEYS).map(|number| put(&key(number), "", Anything, None)).collect()).unwrap();
    commit(&*store, vec![put("last", "", Anything, Some(at(9)))]).unwrap();
    assert!(full(vec![put("more", "", Anything, None)]));
    let other =
        Write::PutState { job: job_id(2), key: "more".into(), value: vec![], expect: Anything, expires_at: None };
    commit(&*store, vec![put("last", "changed", Anything, Some(at(9))), other]).unwrap();
    // One that has expired counts until it is forgotten.
    let commit_later = |write| store.commit(&[sandglass_core::batch::Batch::of(write)], at(10)).unwrap().remove(0);
    assert!(commit_later(put("more", "", Anything, None)).is_err());
    store.prune(&Prune::Runs(Vec::new()), at(10), 1).unwrap();
    commit_later(put("more", "", Anything, None)).unwrap();
    assert!(commit_later(put("even more", "", Anything, None)).is_err());
    commit_later(delete("more", Anything)).unwrap();
    commit_later(put("even more", "", Anything, None)).unwrap();
}
