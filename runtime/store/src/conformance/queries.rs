//! The search for runs, against a plain search through a list.

use sandglass_core::batch::Batch;
use sandglass_core::id::{JobId, RunId};
use sandglass_core::run::{Ending, Origin, Run, RunState, StateName};

use super::Subject;
use super::sample::{ENDINGS, NOW, at, commit, ended, insert, job, moved, run, update};
use crate::contract::Store;
use crate::query::{Order, RunQuery};
use crate::upstream::last_ended;

/// How many pages a search may take here before it counts as endless.
const PAGES: usize = 10_000;

pub(super) fn agree_with_plain_search(subject: &mut dyn Subject) {
    let mut rng = fastrand::Rng::with_seed(3);
    let store = subject.open();
    store.load().unwrap();
    let jobs = [job(1, "default", "a"), job(2, "default", "b"), job(3, "other", "a"), job(u128::MAX, "other", "z")];
    let mut all: Vec<Run> = Vec::new();
    for number in 0..600 {
        // Many runs share a millisecond.
        let origin = if number % 5 == 0 { Origin::Notification } else { Origin::Schedule };
        let fresh = Run { origin, ..run(number, &jobs[rng.usize(0..jobs.len())], rng.i64(0..60)) };
        commit(&*store, vec![insert(&fresh)]).unwrap();
        let running = moved(&fresh, RunState::Running);
        let path = match rng.u8(0..10) {
            0 => vec![],
            1 => vec![running],
            2 => vec![running.clone(), moved(&running, RunState::RetryWait { until: at(99) })],
            _ => vec![running.clone(), moved(&running, ended(ENDINGS[rng.usize(0..ENDINGS.len())]))],
        };
        for step in &path {
            commit(&*store, vec![update(step)]).unwrap();
        }
        all.push(path.last().unwrap_or(&fresh).clone());
    }
    drop(store);
    subject.restart();
    let store = subject.open();
    for _ in 0..300 {
        let query = random_query(&mut rng, &jobs);
        assert_eq!(everything(&*store, &query), plain_search(&all, &query), "{query:?}");
        let query = RunQuery { namespace: None, notifications: true, ..query };
        let over = plain_search(&all, &query).into_iter().filter(|run| run.state.name().is_terminal());
        assert_eq!(all_ids(&*store, &query), over.map(|run| run.id).collect::<Vec<_>>(), "{query:?}");
    }
    for job in &jobs {
        let counts = |run: &&Run| run.job_id == job.id && run.state.name() != StateName::Skipped;
        let over = all.iter().filter(counts).filter_map(|run| Some((run.finished_at()?, run.id)));
        let last = last_ended(&*store, job.id).unwrap().map(|last| (last.finished_at, last.run));
        assert_eq!(last, over.max(), "{}", job.spec.name);
    }
    let with_history = |after, limit| {
        let page = store.jobs_with_history(after, limit).unwrap();
        (page.items, page.next)
    };
    let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
    assert_eq!(with_history(None, 100), (ids.clone(), None));
    assert_eq!(with_history(None, 2), (ids[..2].to_vec(), Some(ids[1])));
    assert_eq!(with_history(Some(ids[1]), 2), (ids[2..].to_vec(), None));
    assert_eq!(with_history(Some(ids[3]), 2), (vec![], None));
    let stats = store.stats().unwrap();
    for state in StateName::ALL {
        let (told, others): (Vec<_>, Vec<_>) =
            all.iter().filter(|run| run.state.name() == state).partition(|run| run.origin == Origin::Notification);
        let counts = (stats.notifications.of(state), stats.runs.of(state));
        assert_eq!(counts, (told.len() as u64, others.len() as u64), "{state:?}");
    }
}

fn random_query(rng: &mut fastrand::Rng, jobs: &[sandglass_core::job::Job]) -> RunQuery {
    let states = (0..rng.usize(0..4)).map(|_| StateName::ALL[rng.usize(0..StateName::ALL.len())]);
    let mut query = RunQuery { states: states.collect(), ..RunQuery::default() };
    query.job = rng.bool().then(|| jobs[rng.usize(0..jobs.len())].id);
    query.namespace = (rng.u8(0..3) == 0).then(|| jobs[rng.usize(0..jobs.len())].namespace.clone());
    query.from = rng.bool().then(|| at(rng.i64(-5..65)));
    query.until = rng.bool().then(|| at(rng.i64(-5..65)));
    query.limit = rng.usize(1..40);
    query.notifications = rng.bool();
    if rng.bool() {
        query.order = Order::OldestFirst;
    }
    query
}

/// All pages of a query, one after the other.
fn everything(store: &dyn Store, query: &RunQuery) -> Vec<Run> {
    let mut query = query.clone();
    let mut found = Vec::new();
    for _ in 0..PAGES {
        let page = store.query(&query).unwrap();
        assert!(page.items.len() <= query.limit);
        found.extend(page.items.iter().map(|run| Run::clone(run)));
        match page.next {
            None => return found,
            next => query.after = next,
        }
    }
    panic!("the search does not end: {query:?}");
}

/// All pages of ids.
fn all_ids(store: &dyn Store, query: &RunQuery) -> Vec<RunId> {
    let mut query = query.clone();
    let mut found = Vec::new();
    for _ in 0..PAGES {
        let page = store.ended_ids(&query).unwrap();
        assert!(page.items.len() <= query.limit);
        found.extend(page.items);
        match page.next {
            None => return found,
            next => query.after = next,
        }
    }
    panic!("the search does not end: {query:?}");
}

fn plain_search(all: &[Run], query: &RunQuery) -> Vec<Run> {
    let millis = |id: RunId| i64::try_from(id.to_bits() >> 80).unwrap();
    let wanted = |run: &&Run| {
        query.wants(run.state.name())
            && query.wants_origin(run.origin)
            && query.job.is_none_or(|job| job == run.job_id)
            && query.namespace.as_ref().is_none_or(|namespace| *namespace == run.namespace)
            && query.from.is_none_or(|from| millis(run.id) >= from.as_millis())
            && query.until.is_none_or(|until| millis(run.id) < until.as_millis())
    };
    let mut found: Vec<Run> = all.iter().filter(wanted).cloned().collect();
    found.sort_by_key(|run| run.id);
    if query.order == Order::NewestFirst {
        found.reverse();
    }
    found
}

pub(super) fn rare_combination(subject: &mut dyn Subject) {
    let store = subject.open();
    store.load().unwrap();
    let [common, rare] = [job(1, "common", "a"), job(2, "rare", "a")];
    let over = |number: u128, job| {
        let ending = if number.is_multiple_of(7) { Ending::Failed } else { Ending::Succeeded };
        Run { state: ended(ending), ..run(number, job, i64::try_from(number).unwrap() / 100) }
    };
    let runs: Vec<Run> = (0..25_000).map(|n| over(n, if n % 12_000 == 7000 { &rare } else { &common })).collect();
    let waiting: Vec<Run> = (30_000..42_000).map(|n| run(n, &common, 400)).collect();
    for part in runs.chunks(2000).chain(waiting.chunks(2000)) {
        let batch = Batch { writes: part.iter().map(insert).collect() };
        assert_eq!(store.commit(&[batch], NOW).unwrap(), [Ok(())]);
    }
    let namespace = Some(rare.namespace.clone());
    for order in [Order::NewestFirst, Order::OldestFirst] {
        let base = RunQuery { namespace: namespace.clone(), order, ..RunQuery::default() };
        for states in [vec![], vec![StateName::Succeeded], vec![StateName::Failed, StateName::Queued]] {
            let query = RunQuery { states: states.into_iter().collect(), ..base.clone() };
            assert_eq!(everything(&*store, &query), plain_search(&runs, &query), "{query:?}");
        }
    }
    let newest = store.query(&RunQuery { limit: 5000, ..RunQuery::default() }).unwrap();
    assert_eq!(newest.items.len(), crate::query::MAX_PAGE);
    assert_eq!(newest.items[0].id, waiting[11_999].id);
}
