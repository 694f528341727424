//! A long history that goes down to what is kept, while jobs fire: how long it takes, and what it does to lateness.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sandglass_core::batch::{Batch, Write};
use sandglass_core::id::{JobId, RunId};
use sandglass_core::run::{Ending, Gate, Run, RunState, StateName};
use sandglass_core::time::Timestamp;
use sandglass_store::{RedbOptions, RedbStore, Store as _};

use super::Scale;
use super::lateness::{every, lateness, wait_until};
use crate::measure::{Sample, clock, millis, rate};
use crate::place::Place;
use crate::report::{Reach, Report};
use crate::rig::{self, Rig};

const RUNS: usize = 1_000_000;
/// The jobs whose runs they are, and how many stay of each.
const JOBS: usize = 100;
const KEPT: usize = 1000;
const PER_COMMIT: usize = 2000;
/// Jobs that fire meanwhile, and how far apart.
const FIRING: usize = 1000;
const STEP: Duration = Duration::from_millis(10);
const CALM: Duration = Duration::from_secs(2);
const SECONDS: u64 = 15;
const LOOK_EVERY: Duration = Duration::from_millis(200);
const PATIENCE: Duration = Duration::from_secs(900);

pub(super) fn run(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let place = Place::new()?;
    let count = scale.of(RUNS);
    fill(place.path(), count)?;
    let runtime = rig::runtime()?;
    let before = runtime.block_on(undisturbed(place.path()))?;
    report.tell("100 fires/s, nothing removed: p99", millis(before.p99()), "ms");
    let (during, took) = runtime.block_on(while_runs_go(place.path(), count))?;
    let gone = count - JOBS * KEPT.min(count / JOBS);
    report.tell("runs removed meanwhile", rate(gone, took), "/s");
    report.tell(format!("time for {gone} of {count} runs"), took.as_secs_f64(), "s");
    report.tell("100 fires/s meanwhile: median", millis(during.median()), "ms");
    report.hold("100 fires/s meanwhile: p99", millis(during.p99()), "ms", Reach::AtMost(20.0));
    report.tell(format!("100 fires/s meanwhile: worst of {}", during.len()), millis(during.longest()), "ms");
    let store = RedbStore::open(place.path(), RedbOptions::default())?;
    store.load()?;
    let begin = clock();
    let size = store.compact()?;
    report.tell("compacting it", millis(begin.elapsed()), "ms");
    report.tell("its size before", size.before_bytes as f64 / 1e6, "MB");
    report.tell("its size after", size.after_bytes as f64 / 1e6, "MB");
    Ok(store.close()?)
}

/// The lateness of fires while nothing is cleared away.
async fn undisturbed(dir: &Path) -> anyhow::Result<Sample> {
    std::fs::write(dir.join("sandglass.toml"), "upkeep_every = '1d'\n")?;
    let rig = Rig::with_noop(dir).await?;
    let anchor = rig::now().before(Duration::from_secs(1));
    let period = STEP * u32::try_from(FIRING)?;
    let spec = |place: usize| every(place, period, anchor.after(STEP * u32::try_from(place)?));
    rig.save((0..FIRING).map(spec).collect::<Result<_, _>>()?).await?;
    let from = rig::now().after(CALM);
    let until = from.after(Duration::from_secs(SECONDS));
    wait_until(until.after(CALM)).await;
    let sample = lateness(&rig, from, until)?;
    rig.stop().await?;
    Ok(sample)
}

/// The lateness of fires while history is cleared away, and how long that took.
async fn while_runs_go(dir: &Path, count: usize) -> anyhow::Result<(Sample, Duration)> {
    std::fs::write(dir.join("sandglass.toml"), "upkeep_every = '1s'\n")?;
    let kept = (JOBS * KEPT).min(count) as u64;
    let rig = Rig::start(dir).await?;
    let (begin, from) = (clock(), rig::now().after(CALM));
    while rig.store().stats()?.runs.of(StateName::Failed) > kept {
        anyhow::ensure!(begin.elapsed() < PATIENCE, "the runs do not go");
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let took = begin.elapsed();
    // A short time would hold too few fires.
    let until = rig::now().max(from.after(CALM));
    wait_until(until.after(CALM)).await;
    let sample = lateness(&rig, from, until)?;
    rig.stop().await?;
    Ok((sample, took))
}

/// Runs that failed lately, of jobs that are gone.
fn fill(dir: &Path, count: usize) -> anyhow::Result<()> {
    let store = RedbStore::open(dir, RedbOptions::default())?;
    store.load()?;
    let mut rng = fastrand::Rng::with_seed(1);
    let first = rig::now().before(Duration::from_millis(10 * count as u64 + 60_000));
    for begin in (0..count).step_by(PER_COMMIT) {
        let numbers = begin..(begin + PER_COMMIT).min(count);
        let runs = numbers.map(|number| {
            let at = first.after(Duration::from_millis(10 * number as u64));
            Ok(Batch::of(Write::InsertRun(Arc::new(failed(number % JOBS, at, &mut rng)?))))
        });
        let batches = runs.collect::<anyhow::Result<Vec<_>>>()?;
        store.commit(&batches, Timestamp::EPOCH)?.into_iter().collect::<Result<Vec<()>, _>>()?;
    }
    Ok(store.close()?)
}

fn failed(job: usize, at: Timestamp, rng: &mut fastrand::Rng) -> anyhow::Result<Run> {
    Ok(Run {
        version: 2,
        trigger: Some(0),
        gate: Gate::Window,
        state: RunState::Ended { ending: Ending::Failed, at },
        result: Some("{\"answer\":42}".to_owned()),
        ..Run::queued(
            RunId::random(at, rng),
            "default".parse()?,
            JobId::from_bits((job as u128 + 1) << 64),
            format!("gone-{job}").parse()?,
            at,
        )
    })
}
