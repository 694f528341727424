//! Runs: versions, atomicity, loading, fencing, pruning.

use std::sync::Arc;

use sandglass_core::batch::Batch;
use sandglass_core::id::RunId;
use sandglass_core::run::{CancelCause, Ending, RunState, StateName};

use super::Subject;
use super::sample::{ENDINGS, NOW, at, commit, conflict, ended, every_kind, insert, job, moved, put_job, run, update};
use crate::error::{Conflict, ConflictKind, StoreError};
use crate::output::OutputPosition;
use crate::query::RunQuery;
use crate::records::Prune;

pub(super) fn versions(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let first = run(1, &job(1, "default", "a"), 0);
    let running = moved(&first, RunState::Running);
    let done = moved(&running, ended(Ending::Succeeded));
    let missing = ConflictKind::RunVersion { run: first.id, expected: 1, found: None };
    assert_eq!(conflict(&*store, vec![update(&running)]), missing);
    commit(&*store, vec![insert(&first)]).unwrap();
    assert_eq!(conflict(&*store, vec![insert(&first)]), ConflictKind::RunExists(first.id));
    let late = ConflictKind::RunVersion { run: first.id, expected: 2, found: Some(1) };
    assert_eq!(conflict(&*store, vec![update(&done)]), late);
    commit(&*store, vec![update(&running)]).unwrap();
    let again = ConflictKind::RunVersion { run: first.id, expected: 1, found: Some(2) };
    assert_eq!(conflict(&*store, vec![update(&running)]), again);
    commit(&*store, vec![update(&done)]).unwrap();
    assert_eq!(conflict(&*store, vec![update(&moved(&done, RunState::Queued))]), ConflictKind::RunEnded(first.id));
    assert_eq!(conflict(&*store, vec![insert(&first)]), ConflictKind::RunExists(first.id));
    assert_eq!(*store.run(first.id).unwrap().unwrap(), done);
    assert_eq!(store.stats().unwrap().runs.of(StateName::Succeeded), 1);
    assert_eq!(store.stats().unwrap().runs.total(), 1);
}

pub(super) fn round_trip(subject: &mut dyn Subject) {
    let runs = every_kind(&job(7, "some.namespace", "a-job_1"));
    let store = subject.open();
    store.load().unwrap();
    commit(&*store, runs.iter().map(insert).collect()).unwrap();
    drop(store);
    subject.restart();
    let store = subject.open();
    for run in &runs {
        assert_eq!(*store.run(run.id).unwrap().unwrap(), *run);
    }
    assert_eq!(store.run(RunId::from_bits(12)).unwrap(), None);
    let stats = store.stats().unwrap();
    let counts = stats.runs;
    assert_eq!((counts.total(), counts.of(StateName::Skipped), counts.of(StateName::Queued)), (19, 6, 1));
    assert_eq!(stats.notifications.total(), 1);
}

pub(super) fn atomicity(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let job = job(1, "default", "a");
    let [a, b, c] = [1, 2, 3].map(|n| run(n, &job, 0));
    commit(&*store, vec![put_job(&job), insert(&a)]).unwrap();
    let before = store.stats().unwrap();
    // Everything a batch can touch, and at its end something that does not fit.
    let renamed = sandglass_core::job::Job { revision: 2, ..super::sample::job(1, "other", "b") };
    let cursor = sandglass_core::job::Cursor { done_until: at(5), next_fire_at: Some(at(6)), ..Default::default() };
    let failing = Batch {
        writes: vec![
            insert(&b),
            update(&moved(&a, ended(Ending::Cancelled(CancelCause::User)))),
            put_job(&renamed),
            sandglass_core::batch::Write::PutCursor { job: job.id, cursor },
            sandglass_core::batch::Write::DeleteJob { id: job.id, revision: 2 },
            insert(&a),
        ],
    };
    let good = Batch::of(insert(&c));
    let doubled = Batch { writes: vec![insert(&b), insert(&b)] };
    let answers = store.commit(&[failing, good, Batch::default(), doubled], NOW).unwrap();
    let left_out = |write, kind| Err(Conflict { write, kind });
    assert_eq!(answers[0], left_out(5, ConflictKind::RunExists(a.id)));
    assert_eq!(answers[1..3], [Ok(()), Ok(())]);
    assert_eq!(answers[3], left_out(1, ConflictKind::RunExists(b.id)));
    assert_eq!(*store.run(a.id).unwrap().unwrap(), a);
    assert_eq!(store.run(b.id).unwrap(), None);
    assert!(store.run(c.id).unwrap().is_some());
    let stored = store.job_named(&job.namespace, &job.spec.name).unwrap().unwrap();
    assert_eq!((&*stored.job, stored.cursor), (&job, Default::default()));
    assert_eq!(store.job_named(&renamed.namespace, &renamed.spec.name).unwrap(), None);
    let after = store.stats().unwrap();
    assert_eq!(after.runs.of(StateName::Queued), before.runs.of(StateName::Queued) + 1);
    assert_eq!(after.runs.of(StateName::Cancelled), 0);
    assert!(
        store
            .query(&RunQuery { states: [StateName::Cancelled].into(), ..RunQuery::default() })
            .unwrap()
            .items
            .is_empty()
    );
    // Later batches of a group see earlier ones.
    let steps = [Batch::of(insert(&b)), Batch::of(update(&moved(&b, RunState::Running)))];
    assert_eq!(store.commit(&steps, NOW).unwrap(), [Ok(()), Ok(())]);
}

pub(super) fn active(subject: &mut dyn Subject) {
    let store = subject.open();
    assert_eq!(store.load().unwrap(), crate::records::Snapshot::default());
    let job = job(1, "default", "a");
    let kinds = every_kind(&job);
    let mut expected: Vec<_> = kinds[..3].iter().cloned().map(Arc::new).collect();
    commit(&*store, kinds.iter().map(insert).collect()).unwrap();
    let over = moved(&kinds[1], ended(Ending::Interrupted));
    commit(&*store, vec![update(&over)]).unwrap();
    expected.remove(1);
    drop(store);
    subject.restart();
    let mut active = subject.open().load().unwrap().active;
    active.sort_by_key(|run| run.id);
    assert_eq!(active, expected);
}

pub(super) fn fencing(subject: &mut dyn Subject) {
    let first = subject.open();
    let job = job(1, "default", "a");
    let batch = |number| [Batch::of(insert(&run(number, &job, 0)))];
    let fenced = |result: Result<Vec<_>, StoreError>| assert!(matches!(result, Err(StoreError::Fenced { .. })));
    fenced(first.commit(&batch(1), NOW));
    first.load().unwrap();
    first.commit(&batch(1), NOW).unwrap();
    let second = subject.open();
    first.commit(&batch(2), NOW).unwrap();
    assert_eq!(second.load().unwrap().active.len(), 2);
    fenced(first.commit(&batch(3), NOW));
    assert!(matches!(first.load(), Err(StoreError::Fenced { .. })));
    assert!(matches!(first.prune(&Prune::Before(at(9)), NOW, 10), Err(StoreError::Fenced { .. })));
    second.commit(&batch(3), NOW).unwrap();
    assert_eq!(second.load().unwrap().active.len(), 3);
    second.commit(&batch(4), NOW).unwrap();
}

pub(super) fn prune(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let job = job(1, "default", "a");
    let over = |n: u128| {
        let ending = ENDINGS[usize::try_from(n).unwrap() % ENDINGS.len()];
        sandglass_core::run::Run { state: ended(ending), ..run(n, &job, i64::try_from(n).unwrap()) }
    };
    let runs: Vec<_> = (0..20).map(over).collect();
    let going = run(99, &job, 0);
    commit(&*store, runs.iter().chain([&going]).map(insert).collect()).unwrap();
    let chunk = super::outputs::chunk(b"printed");
    for run in &runs {
        store.append_output(run.id, std::slice::from_ref(&chunk)).unwrap();
    }
    let pruned = store.prune(&Prune::Before(at(10)), NOW, 6).unwrap();
    assert_eq!((pruned.runs, pruned.more), (6, true));
    let pruned = store.prune(&Prune::Before(at(10)), NOW, 6).unwrap();
    assert_eq!((pruned.runs, pruned.more), (4, false));
    let pruned = store.prune(&Prune::Runs(vec![runs[19].id, runs[3].id, going.id]), NOW, 6).unwrap();
    assert_eq!((pruned.runs, pruned.more), (1, false));
    let left: Vec<_> = store.query(&RunQuery::of_job(job.id)).unwrap().items.iter().map(|run| run.id).collect();
    let mut expected: Vec<_> = runs[10..19].iter().chain([&going]).map(|run| run.id).collect();
    expected.sort_by(|a, b| b.cmp(a));
    assert_eq!(left, expected);
    assert_eq!(store.stats().unwrap().runs.total(), 10);
    for run in &runs {
        let kept = expected.contains(&run.id);
        let page = store.read_output(run.id, OutputPosition::START, 100).unwrap();
        assert_eq!(!page.chunks.is_empty(), kept);
    }
}

pub(super) fn compact(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let job = job(1, "default", "a");
    let over = |n: u128| sandglass_core::run::Run { state: ended(Ending::Failed), ..run(n, &job, 0) };
    for part in 0..10 {
        let runs: Vec<_> = (part * 1000..(part + 1) * 1000).map(over).collect();
        commit(&*store, runs.iter().map(insert).collect()).unwrap();
    }
    let kept: Vec<_> = (0..10_000).step_by(100).map(|n| over(n).id).collect();
    let goes: Vec<_> = (0..10_000).map(|n| over(n).id).filter(|id| !kept.contains(id)).collect();
    for part in goes.chunks(1000) {
        store.prune(&Prune::Runs(part.to_vec()), NOW, 1000).unwrap();
    }
    store.check().unwrap();
    let compacted = store.compact().unwrap();
    assert!(compacted.after_bytes < compacted.before_bytes, "{compacted:?}");
    assert_eq!(store.stats().unwrap().size_bytes, compacted.after_bytes);
    commit(&*store, vec![insert(&over(20_000))]).unwrap();
    let late = subject.open();
    assert!(matches!(late.compact(), Err(StoreError::Fenced { .. })));
    drop((store, late));
    subject.restart();
    let store = subject.open();
    store.load().unwrap();
    store.check().unwrap();
    assert_eq!(store.query(&RunQuery { limit: 1000, ..RunQuery::of_job(job.id) }).unwrap().items.len(), 101);
}
