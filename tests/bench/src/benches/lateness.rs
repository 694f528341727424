//! How long after its instant a fire starts: from the instant to the moment when the attempt has its thread and the guest
//! is about to take its first step. Two commits' worth of waiting is in it, because nothing starts before it is durable.

use std::time::Duration;

use sandglass_core::spec::JobSpec;
use sandglass_core::time::Timestamp;
use serde_json::json;

use super::Scale;
use crate::measure::{Sample, millis};
use crate::place::Place;
use crate::report::{Reach, Report};
use crate::rig::{self, Rig};

/// The time between two fires.
const STEP: Duration = Duration::from_millis(10);
/// How long it is measured, in seconds.
const SECONDS: usize = 15;
/// How long the daemon is left alone before it is measured.
const CALM: Duration = Duration::from_secs(2);
/// How long the last fires have to end.
const SETTLED: Duration = Duration::from_millis(500);
/// How often many jobs are due at one instant, and how far apart.
const ROUNDS: usize = 6;
const BETWEEN_ROUNDS: Duration = Duration::from_secs(2);
const AT_ONCE: usize = 1000;

pub(super) fn run(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    rig::runtime()?.block_on(async {
        for jobs in [1000, scale.of(100_000)] {
            let sample = steady(jobs, scale.of(SECONDS)).await?;
            let name = format!("100 fires/s of {},000 jobs", jobs / 1000);
            report.tell(format!("{name}, median"), millis(sample.median()), "ms");
            report.hold(format!("{name}, p99"), millis(sample.p99()), "ms", Reach::AtMost(5.0));
            report.tell(format!("{name}, worst of {}", sample.len()), millis(sample.longest()), "ms");
        }
        let sample = at_once(scale.of(ROUNDS).max(2)).await?;
        report.tell("1,000 jobs at one instant, median", millis(sample.median()), "ms");
        report.hold("1,000 jobs at one instant, p99", millis(sample.p99()), "ms", Reach::AtMost(60.0));
        report.tell(format!("1,000 jobs at one instant, worst of {}", sample.len()), millis(sample.longest()), "ms");
        Ok(())
    })
}

/// Jobs that fire in turn, one every ten milliseconds.
async fn steady(jobs: usize, seconds: usize) -> anyhow::Result<Sample> {
    let place = Place::new()?;
    let rig = Rig::with_noop(place.path()).await?;
    let anchor = rig::now().before(Duration::from_secs(1));
    let period = STEP * u32::try_from(jobs)?;
    let spec = |place: usize| every(place, period, anchor.after(STEP * u32::try_from(place)?));
    rig.save((0..jobs).map(spec).collect::<Result<_, _>>()?).await?;
    let from = rig::now().after(CALM);
    let until = from.after(Duration::from_secs(seconds as u64));
    wait_until(until.after(SETTLED)).await;
    rig.until_active(1).await?;
    let sample = lateness(&rig, from, until)?;
    rig.stop().await?;
    let expected = seconds * 100;
    anyhow::ensure!(sample.len().abs_diff(expected) <= 2, "{} fires, not {expected}", sample.len());
    Ok(sample)
}

/// A thousand jobs that are all due at the same instants.
async fn at_once(rounds: usize) -> anyhow::Result<Sample> {
    let place = Place::new()?;
    let rig = Rig::with_noop(place.path()).await?;
    let first = Timestamp::from_secs(rig::now().as_millis() / 1000 + 4);
    let spec = |place: usize| every(place, BETWEEN_ROUNDS, first);
    rig.save((0..AT_ONCE).map(spec).collect::<Result<_, _>>()?).await?;
    let until = first.after(BETWEEN_ROUNDS * u32::try_from(rounds)?).before(BETWEEN_ROUNDS / 2);
    wait_until(until).await;
    rig.until_active(0).await?;
    let sample = lateness(&rig, first, until)?;
    rig.stop().await?;
    anyhow::ensure!(sample.len() == rounds * AT_ONCE, "{} fires, not {}", sample.len(), rounds * AT_ONCE);
    Ok(sample)
}

pub(super) fn every(place: usize, period: Duration, from: Timestamp) -> anyhow::Result<JobSpec> {
    let trigger = json!({ "every": format!("{}ms", period.as_millis()), "from": from });
    rig::job(&format!("job-{place}"), json!({ "use": "noop" }), json!({ "triggers": [trigger] }))
}

pub(super) async fn wait_until(at: Timestamp) {
    tokio::time::sleep(at.since(rig::now())).await;
}

pub(super) fn lateness(rig: &Rig, from: Timestamp, until: Timestamp) -> anyhow::Result<Sample> {
    let runs = rig.history(from, until)?;
    let times = runs.iter().filter_map(|run| Some(run.started_at()?.since(run.scheduled_at)));
    Ok(Sample::new(times.collect()))
}
