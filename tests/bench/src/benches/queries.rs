//! The first page of a history of a million runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sandglass_api::wire::RunListQuery;
use sandglass_core::batch::{Batch, Write};
use sandglass_core::id::{JobId, RunId};
use sandglass_core::run::{Attempt, AttemptEnd, AttemptOutcome, Ending, Gate, Run, RunState, StateName, Usage};
use sandglass_core::time::Timestamp;
use sandglass_store::{Reader as _, RedbOptions, RedbStore, RunQuery, Store as _};
use serde_json::json;

use super::Scale;
use crate::measure::{Sample, clock, millis, rate, timed};
use crate::place::Place;
use crate::report::{Reach, Report};
use crate::rig::{self, Rig};

const RUNS: usize = 1_000_000;
const JOBS: usize = 200;
/// One run in so many failed.
const FAILED: usize = 100;
const PER_COMMIT: usize = 5_000;
/// How often each page is read.
const READS: usize = 200;

pub(super) fn run(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let place = Place::new()?;
    let count = scale.of(RUNS);
    // The job is saved first, because the API finds it by name.
    let job = rig::runtime()?.block_on(save_job(place.path()))?;
    let store = RedbStore::open(place.path(), RedbOptions::default())?;
    store.load()?;
    let (filled, took) = timed(|| fill(&store, job, count));
    filled?;
    report.tell("runs written, all at once", rate(count, took), "/s");
    report.tell("size of the store", store.stats()?.size_bytes as f64 / 1e6, "MB");
    let failed = || [StateName::Failed].into();
    let pages = [
        ("all", RunQuery::default()),
        ("one job", RunQuery::of_job(job)),
        ("one state", RunQuery { states: failed(), ..RunQuery::default() }),
        ("one job and state", RunQuery { states: failed(), ..RunQuery::of_job(job) }),
    ];
    for (name, query) in &pages {
        let mut times = Vec::new();
        for _ in 0..READS {
            let (page, time) = timed(|| store.query(query));
            let page = page?;
            anyhow::ensure!(page.items.len() == expected(name, count), "{name}: {} runs", page.items.len());
            times.push(time);
        }
        tell(report, &format!("store, {name}"), times);
    }
    store.close()?;
    drop(store);
    rig::runtime()?.block_on(over_the_api(place.path(), count, report))
}

/// How many runs the first page has.
fn expected(name: &str, count: usize) -> usize {
    let matching = match name {
        "one job" => count / JOBS,
        "one job and state" => count / JOBS / FAILED,
        "one state" => count / FAILED,
        _ => count,
    };
    matching.min(100)
}

fn tell(report: &mut Report, name: &str, times: Vec<Duration>) {
    let first = times.first().copied().unwrap_or_default();
    let sample = Sample::new(times);
    report.hold(format!("{name}, first time"), millis(first), "ms", Reach::AtMost(5.0));
    report.tell(format!("{name}, median"), millis(sample.median()), "ms");
    report.tell(format!("{name}, p99"), millis(sample.p99()), "ms");
}

async fn save_job(dir: &Path) -> anyhow::Result<JobId> {
    let rig = Rig::start(dir).await?;
    let spec = rig::job("job-0", json!({ "use": "shell", "with": { "command": "true" } }), json!({}))?;
    let name = spec.name.clone();
    rig.save(vec![spec]).await?;
    let stored = rig.store().job_named(&"default".parse()?, &name)?;
    rig.stop().await?;
    Ok(stored.ok_or_else(|| anyhow::anyhow!("the job is not there"))?.job.id)
}

async fn over_the_api(dir: &Path, count: usize, report: &mut Report) -> anyhow::Result<()> {
    let begin = clock();
    let rig = Rig::start(dir).await?;
    report.tell("start of a daemon on it", millis(begin.elapsed()), "ms");
    let limit = Some(100);
    let pages = [
        ("all", RunListQuery { limit, ..RunListQuery::default() }),
        ("one job", RunListQuery { job: Some("job-0".parse()?), limit, ..RunListQuery::default() }),
        ("one state", RunListQuery { state: Some("failed".into()), limit, ..RunListQuery::default() }),
    ];
    for (name, query) in &pages {
        let mut times = Vec::new();
        for _ in 0..READS {
            let begin = clock();
            let page = rig.client().runs(query).await?;
            times.push(begin.elapsed());
            anyhow::ensure!(page.items.len() == expected(name, count), "{name}: {} runs", page.items.len());
        }
        tell(report, &format!("API, {name}"), times);
    }
    rig.stop().await
}

/// Writes `count` runs that are over, of `first` and other jobs in turn.
fn fill(store: &RedbStore, first: JobId, count: usize) -> anyhow::Result<()> {
    let mut rng = fastrand::Rng::with_seed(1);
    let jobs: Vec<JobId> =
        (0..JOBS).map(|n| if n == 0 { first } else { JobId::from_bits((n as u128) << 64) }).collect();
    let mut number = 0;
    while number < count {
        let end = (number + PER_COMMIT).min(count);
        let runs: Vec<Write> = (number..end)
            .map(|n| Ok(Write::InsertRun(Arc::new(ended(n, jobs[n % JOBS], &mut rng)?))))
            .collect::<anyhow::Result<_>>()?;
        let batches: Vec<Batch> = runs.into_iter().map(Batch::of).collect();
        store.commit(&batches, Timestamp::EPOCH)?.into_iter().collect::<Result<Vec<()>, _>>()?;
        number = end;
    }
    Ok(())
}

fn ended(number: usize, job: JobId, rng: &mut fastrand::Rng) -> anyhow::Result<Run> {
    let at = Timestamp::from_millis(1_700_000_000_000 + i64::try_from(number)? * 20);
    let finished_at = at.after(Duration::from_millis(3));
    let (ending, outcome) = match (number / JOBS).is_multiple_of(FAILED) {
        true => (Ending::Failed, AttemptOutcome::Failed),
        false => (Ending::Succeeded, AttemptOutcome::Succeeded),
    };
    let usage = Usage {
        fuel: 12_345,
        peak_memory_bytes: 1 << 20,
        wall_us: 900,
        guest_cpu_us: 300,
        output_bytes: 42,
        ..Usage::default()
    };
    Ok(Run {
        version: 2,
        trigger: Some(0),
        gate: Gate::Window,
        state: RunState::Ended { ending, at: finished_at },
        attempts: vec![Attempt {
            number: 1,
            started_at: at,
            end: Some(AttemptEnd { finished_at, outcome, error: None, exit_code: Some(0), usage }),
        }],
        result: Some("{\"answer\":42}".to_owned()),
        ..Run::queued(RunId::random(at, rng), "default".parse()?, job, format!("job-{}", number % JOBS).parse()?, at)
    })
}
