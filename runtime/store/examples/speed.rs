//! How fast the store is: pairs of "a run started" and "it ended" a second, and the first pages of a long history.
//!
//! `cargo run --release -p sandglass-store --example speed [RUNS] [JOBS] [WRITES PER COMMIT]`

#![allow(clippy::unwrap_used, reason = "a measurement that goes wrong may end the program")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use sandglass_core::batch::{Batch, Write};
use sandglass_core::id::{JobId, RunId};
use sandglass_core::output::{OutputChunk, OutputStream};
use sandglass_core::run::{Attempt, AttemptEnd, AttemptOutcome, Ending, Gate, Run, RunState, StateName, Usage};
use sandglass_core::time::Timestamp;
use sandglass_store::{OutputPosition, OutputStore, Reader, RedbOptions, RedbStore, RunQuery, Store};

const START: i64 = 1_800_000_000_000;

#[allow(clippy::disallowed_methods, reason = "a measurement needs the time that passes")]
fn clock() -> Instant {
    Instant::now()
}

fn started(number: u64, jobs: u64, rng: &mut fastrand::Rng) -> Run {
    let at = Timestamp::from_millis(START + i64::try_from(number / 20).unwrap());
    let job = number % jobs;
    Run {
        trigger: Some(0),
        gate: Gate::Window,
        state: RunState::Running,
        attempts: vec![Attempt { number: 1, started_at: at, end: None }],
        ..Run::queued(
            RunId::random(at, rng),
            "default".parse().unwrap(),
            JobId::from_bits(u128::from(job) << 64),
            format!("job-{job}").parse().unwrap(),
            at,
        )
    }
}

fn ended(run: &Run, number: u64) -> Run {
    let mut run = run.clone();
    let at = run.queued_at.after(Duration::from_millis(3));
    let (ending, outcome) = match number % 100 {
        0 => (Ending::Failed, AttemptOutcome::Failed),
        _ => (Ending::Succeeded, AttemptOutcome::Succeeded),
    };
    run.attempts[0].end = Some(AttemptEnd {
        finished_at: at,
        outcome,
        error: None,
        exit_code: Some(0),
        usage: Usage {
            fuel: 12_345,
            peak_memory_bytes: 1 << 20,
            wall_us: 900,
            guest_cpu_us: 300,
            output_bytes: 42,
            ..Usage::default()
        },
    });
    run.result = Some("{\"answer\":42}".to_owned());
    run.transition(RunState::Ended { ending, at }).unwrap();
    run
}

fn fill(store: &RedbStore, runs: u64, jobs: u64, writes: usize) -> Duration {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut going: Vec<(u64, Arc<Run>)> = Vec::new();
    let mut spent = Duration::ZERO;
    let mut number = 0;
    while number < runs || !going.is_empty() {
        // As it is in the daemon: the group holds the ends of earlier runs and the starts of new ones.
        let mut batches: Vec<Batch> =
            going.drain(..).map(|(number, run)| Batch::of(Write::UpdateRun(Arc::new(ended(&run, number))))).collect();
        while batches.len() < writes && number < runs {
            let run = Arc::new(started(number, jobs, &mut rng));
            batches.push(Batch::of(Write::InsertRun(Arc::clone(&run))));
            going.push((number, run));
            number += 1;
            if going.len() == writes / 2 {
                break;
            }
        }
        let begin = clock();
        let answers = store.commit(&batches, Timestamp::EPOCH).unwrap();
        spent += begin.elapsed();
        assert!(answers.iter().all(Result::is_ok));
    }
    spent
}

fn page(store: &RedbStore, name: &str, query: &RunQuery) {
    let mut times: Vec<Duration> = (0..21)
        .map(|_| {
            let begin = clock();
            let page = store.query(query).unwrap();
            assert!(!page.items.is_empty(), "{name}");
            begin.elapsed()
        })
        .collect();
    let first = times[0];
    times.sort();
    println!("page of 100, {name:<12} first {first:>9.1?}  median {:>9.1?}  worst {:>9.1?}", times[10], times[20]);
}

fn output(store: &RedbStore, runs: u64) {
    let mut rng = fastrand::Rng::with_seed(2);
    let ids: Vec<RunId> = (0..runs).map(|n| started(n, 1, &mut rng).id).collect();
    let chunk = |bytes: Vec<u8>| OutputChunk { attempt: 1, at: Timestamp::EPOCH, stream: OutputStream::Stdout, bytes };
    let begin = clock();
    for id in &ids {
        store.open_output(*id, 8 << 20).unwrap();
        store.append_output(*id, &[chunk(b"hello\n".to_vec())]).unwrap();
        store.close_output(*id).unwrap();
    }
    println!("short output: {:.1?} per run", begin.elapsed() / u32::try_from(runs).unwrap());
    let big = RunId::random(Timestamp::EPOCH, &mut rng);
    store.open_output(big, 8 << 20).unwrap();
    let block = chunk(vec![b'x'; 64 << 10]);
    let begin = clock();
    let blocks = 2 * 16_384;
    for _ in 0..blocks {
        store.append_output(big, std::slice::from_ref(&block)).unwrap();
    }
    let took = begin.elapsed();
    println!("long output: {:.0} MB/s", f64::from(blocks) * 65_536.0 / took.as_secs_f64() / 1e6);
    let begin = clock();
    store.read_output(big, OutputPosition::START, 1 << 20).unwrap();
    println!("first MiB of it: {:.1?}", begin.elapsed());
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<u64>().expect("a number"));
    let runs = numbers.next().unwrap_or(100_000);
    let jobs = numbers.next().unwrap_or(10);
    let writes = usize::try_from(numbers.next().unwrap_or(200)).unwrap();
    let dir = tempfile::tempdir_in(".").unwrap();
    let store = RedbStore::open(dir.path(), RedbOptions::default()).unwrap();
    store.load().unwrap();
    let spent = fill(&store, runs, jobs, writes);
    println!(
        "{runs} runs of {jobs} jobs, {writes} writes a commit: {:.0} pairs/s, {:.1} µs a pair, {} MB",
        runs as f64 / spent.as_secs_f64(),
        spent.as_secs_f64() * 1e6 / runs as f64,
        store.stats().unwrap().size_bytes / 1_000_000
    );
    let job = JobId::from_bits(0);
    let failed = || [StateName::Failed].into();
    page(&store, "all", &RunQuery::default());
    page(&store, "job", &RunQuery::of_job(job));
    page(&store, "state", &RunQuery { states: failed(), ..RunQuery::default() });
    page(&store, "job+state", &RunQuery { states: failed(), ..RunQuery::of_job(job) });
    page(&store, "oldest", &RunQuery { order: sandglass_store::Order::OldestFirst, ..RunQuery::of_job(job) });
    store.query(&RunQuery { namespace: Some("other".parse().unwrap()), ..RunQuery::default() }).unwrap();
    let begin = clock();
    store.query(&RunQuery { namespace: Some("other".parse().unwrap()), ..RunQuery::default() }).unwrap();
    println!("page that finds nothing within its bound: {:.1?}", begin.elapsed());
    output(&store, 20_000);
    drop(store);
    let begin = clock();
    let store = RedbStore::open(dir.path(), RedbOptions::default()).unwrap();
    let snapshot = store.load().unwrap();
    println!("open and load after a clean end: {:.1?} ({} active)", begin.elapsed(), snapshot.active.len());
}
