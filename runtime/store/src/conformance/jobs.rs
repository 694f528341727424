//! Jobs: revisions, names, listing, deletion.

use sandglass_core::batch::{Expectation, Write};
use sandglass_core::dependency::{Arrival, Arrivals};
use sandglass_core::job::{Backlog, Cursor, Job};
use sandglass_core::notice::Health;
use sandglass_core::run::StateName;

use super::Subject;
use super::sample::{self, NOW, at, commit, conflict, job, job_id, put_job};
use crate::error::ConflictKind;

pub(super) fn revisions(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let first = job(1, "default", "a");
    let later = Job { revision: 2, ..job(1, "default", "b") };
    let missing = ConflictKind::JobRevision { job: first.id, expected: 1, found: None };
    assert_eq!(conflict(&*store, vec![put_job(&later)]), missing);
    let cursor = Cursor { done_until: at(5), next_fire_at: Some(at(6)), ..Cursor::default() };
    let put_cursor = |cursor: &Cursor| Write::PutCursor { job: first.id, cursor: cursor.clone() };
    assert_eq!(conflict(&*store, vec![put_cursor(&cursor)]), ConflictKind::NoJob(first.id));
    commit(&*store, vec![put_job(&first), put_cursor(&cursor)]).unwrap();
    let there = ConflictKind::JobRevision { job: first.id, expected: 0, found: Some(1) };
    assert_eq!(conflict(&*store, vec![put_job(&first)]), there);
    let (namespace, name) = (first.namespace.clone(), first.spec.name.clone());
    let taken = ConflictKind::JobName { namespace: namespace.clone(), name: name.clone(), owner: first.id };
    assert_eq!(conflict(&*store, vec![put_job(&job(2, "default", "a"))]), taken);
    commit(&*store, vec![put_job(&job(3, "other", "a"))]).unwrap();
    commit(&*store, vec![put_job(&later)]).unwrap();
    assert_eq!(store.job_named(&namespace, &name).unwrap(), None);
    commit(&*store, vec![put_job(&job(2, "default", "a"))]).unwrap();
    let held = Backlog::Held(vec![at(6), at(7)]);
    for backlog in [Backlog::StoodForUntil(at(9)), held] {
        let cursor = Cursor { backlog: Some(Box::new(backlog)), ..cursor.clone() };
        commit(&*store, vec![put_cursor(&cursor)]).unwrap();
        assert_eq!(store.job(first.id).unwrap().unwrap().cursor, cursor);
    }
    let arrival = |(state, trigger)| Arrival { trigger, upstream: sample::upstream(state) };
    let ends = StateName::ALL.into_iter().filter(|state| state.is_terminal());
    let seen = Arrivals::new(ends.zip(0..).map(arrival).collect());
    let health = Health { failing: true, since: at(8), told_until: at(9) };
    let last = Cursor {
        done_until: at(7),
        fired: u64::MAX,
        health: Some(Box::new(health)),
        arrivals: Some(Box::new(seen)),
        ..Cursor::default()
    };
    commit(&*store, vec![put_cursor(&last)]).unwrap();
    drop(store);
    subject.restart();
    let store = subject.open();
    let stored = store.job(first.id).unwrap().unwrap();
    assert_eq!((&*stored.job, &stored.cursor), (&later, &last));
    assert_eq!(store.job_named(&namespace, &name).unwrap().unwrap().job.id, job_id(2));
    let mut loaded = store.load().unwrap().jobs;
    loaded.sort_by_key(|stored| stored.job.id);
    assert_eq!(loaded.len(), 3);
    assert_eq!(loaded[0], stored);
    assert_eq!(store.stats().unwrap().jobs, 3);
}

pub(super) fn listing(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let mut expected = Vec::new();
    // Names in which one is the beginning of another, and characters sort around the separator.
    for (number, name) in (0..).zip(["a", "a-b", "a.b", "ab", "a0", "B", "b"]) {
        for (space, namespace) in ["n", "n-1", "n0", "N"].into_iter().enumerate() {
            let job = job(number * 4 + space as u128, namespace, name);
            commit(&*store, vec![put_job(&job)]).unwrap();
            expected.push((job.namespace.clone(), job.spec.name.clone()));
        }
    }
    expected.sort();
    let namespace = "n".parse().unwrap();
    for filter in [None, Some(&namespace)] {
        let wanted: Vec<_> = expected.iter().filter(|(space, _)| filter.is_none_or(|only| only == space)).collect();
        for limit in [1, 3, 28, 2000] {
            let mut found = Vec::new();
            let mut after = None;
            loop {
                let page = store.jobs(filter, after.as_ref(), limit).unwrap();
                assert!(page.items.len() <= limit);
                found.extend(page.items.iter().map(|item| (item.job.namespace.clone(), item.job.spec.name.clone())));
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            assert!(found.iter().eq(wanted.iter().copied()), "{limit}: {found:?}");
        }
    }
}

pub(super) fn deletion(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let [a, b] = [job(1, "default", "a"), job(2, "default", "b")];
    let put = |job: &Job, key: &str| Write::PutState {
        job: job.id,
        key: key.to_owned(),
        value: b"value".to_vec(),
        expect: Expectation::Anything,
        expires_at: Some(at(1000)),
    };
    let cursor = Cursor { done_until: at(5), next_fire_at: Some(at(6)), ..Cursor::default() };
    let put_cursor = |job: &Job| Write::PutCursor { job: job.id, cursor: cursor.clone() };
    for job in [&a, &b] {
        commit(&*store, vec![put_job(job), put_cursor(job), put(job, "x"), put(job, "y")]).unwrap();
    }
    let delete = |revision| Write::DeleteJob { id: a.id, revision };
    let other = ConflictKind::JobRevision { job: a.id, expected: 2, found: Some(1) };
    assert_eq!(conflict(&*store, vec![delete(2)]), other);
    commit(&*store, vec![delete(1)]).unwrap();
    let gone = ConflictKind::JobRevision { job: a.id, expected: 1, found: None };
    assert_eq!(conflict(&*store, vec![delete(1)]), gone);
    assert_eq!(store.job(a.id).unwrap(), None);
    assert_eq!(store.job_named(&a.namespace, &a.spec.name).unwrap(), None);
    // Nothing of it is left for one that is made anew.
    commit(&*store, vec![put_job(&a)]).unwrap();
    assert_eq!(store.job(a.id).unwrap().unwrap().cursor, Cursor::default());
    assert_eq!(store.state_entry(a.id, "x", NOW).unwrap(), None);
    commit(&*store, vec![put(&a, "x")]).unwrap();
    assert_eq!(store.state_entry(a.id, "x", NOW).unwrap().unwrap().revision, 1);
    assert_eq!(store.job(b.id).unwrap().unwrap().cursor, cursor);
    assert!(store.state_entry(b.id, "y", NOW).unwrap().is_some());
}
