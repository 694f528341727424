//! Durable runs through the whole daemon: a command, one commit, an attempt, another commit.

use std::time::Duration;

use futures_util::future::try_join_all;
use sandglass_core::id::JobName;
use sandglass_core::time::Timestamp;
use serde_json::json;

use super::Scale;
use crate::measure::{Sample, clock, millis, rate};
use crate::place::Place;
use crate::report::{Reach, Report};
use crate::rig::{self, Rig};

/// Jobs that take turns.
const JOBS: usize = 16;
/// Runs one after the other.
const ALONE: usize = 1500;
/// Runs with a hundred queued.
const HUNDRED: usize = 30_000;
/// Runs with five thousand queued, each of which somebody waits for.
const WAITED_FOR: usize = 50_000;
/// Runs with ten thousand queued.
const TEN_THOUSAND: usize = 150_000;
/// Runs that fail once and are tried again, and as many that do not.
const RETRIED: usize = 50_000;

pub(super) fn run(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    rig::runtime()?.block_on(async {
        let place = Place::new()?;
        let rig = Rig::with_noop(place.path()).await?;
        let (specs, names) = rig::manual_jobs(JOBS)?;
        rig.save(specs).await?;
        // What is done for the first time costs more.
        in_turn(&rig, &names, 1, 200).await?;

        let alone = in_turn(&rig, &names, 1, scale.of(ALONE)).await?;
        let whole = &alone.whole;
        report.hold("a run alone, command to durable result, median", millis(whole.median()), "ms", Reach::AtMost(3.0));
        report.tell("a run alone, command to durable result, p99", millis(whole.p99()), "ms");
        alone.tell(&rig, "1 queued", report)?;

        let hundred = in_turn(&rig, &names, 100, scale.of(HUNDRED)).await?;
        hundred.tell(&rig, "100 queued", report)?;

        let waited_for = in_turn(&rig, &names, 5000, scale.of(WAITED_FOR)).await?;
        waited_for.tell(&rig, "5,000 queued and each waited for", report)?;

        let many = refilled(&rig, &names, 10_000, scale.of(TEN_THOUSAND)).await?;
        many.tell(&rig, "10,000 queued", report)?;
        let per_run = rig.store().stats()?.size_bytes as f64 / rig.store().stats()?.runs.total() as f64;
        report.tell("store, all of it, for each run", per_run, "bytes");
        retried(&rig, scale, report).await?;
        rig.stop().await
    })
}

/// Runs that fail once and are tried again after a millisecond, against runs of the same jobs that do not fail.
async fn retried(rig: &Rig, scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let retry = json!({ "retry": { "max_attempts": 2, "initial": "1ms", "max": "1ms", "jitter": "none" } });
    let mut attempts = Vec::new();
    // The template costs both the same.
    for (name, fails_at, of_run) in [("smooth", "0{{ run.attempt }}", 1), ("failing", "{{ run.attempt }}", 2)] {
        let action = json!({ "use": "noop", "with": { "fails_at": fails_at } });
        let (specs, names) = rig::named_jobs(name, JOBS, &action, &retry)?;
        rig.save(specs).await?;
        let course = refilled(rig, &names, 10_000, scale.of(RETRIED)).await?;
        let runs = rig.history(course.from, course.until)?;
        let wrong = runs.iter().find(|run| run.attempts.len() != of_run);
        anyhow::ensure!(wrong.is_none(), "a run of '{name}' has not {of_run} attempts: {wrong:?}");
        attempts.push(rate(course.count * of_run, course.took));
    }
    let (smooth, failing) = (attempts[0], attempts[1]);
    report.tell("runs that fail once, 10,000 queued", failing / 2.0, "/s");
    report.tell("attempts of runs that fail once", failing, "/s");
    report.tell("attempts of runs that do not", smooth, "/s");
    report.hold("attempts where every run fails once, to where none does", failing / smooth, "", Reach::AtLeast(0.7));
    Ok(())
}

/// What a measurement came to.
struct Course {
    from: Timestamp,
    until: Timestamp,
    count: usize,
    took: Duration,
    /// From each command to its durable result, where that was waited for.
    whole: Sample,
}

impl Course {
    fn tell(&self, rig: &Rig, name: &str, report: &mut Report) -> anyhow::Result<()> {
        let speed = rate(self.count, self.took);
        match name {
            "10,000 queued" => report.hold(format!("runs, {name}"), speed, "/s", Reach::AtLeast(20_000.0)),
            _ => report.tell(format!("runs, {name}"), speed, "/s"),
        }
        let runs = rig.history(self.from, self.until)?;
        anyhow::ensure!(runs.len() == self.count, "{} runs were asked for, {} are there", self.count, runs.len());
        let times = runs.iter().filter_map(|run| Some(run.finished_at()?.since(run.scheduled_at)));
        let sample = Sample::new(times.collect());
        report.tell(format!("due to finished, {name}, median"), millis(sample.median()), "ms");
        report.tell(format!("due to finished, {name}, p99"), millis(sample.p99()), "ms");
        Ok(())
    }
}

/// Makes `count` runs, `queued` at a time: each is followed by the next as soon as its end is durable.
async fn in_turn(rig: &Rig, names: &[JobName], queued: usize, count: usize) -> anyhow::Result<Course> {
    let (from, begin) = (next_millisecond().await, clock());
    let turns = (0..queued).map(|place| async move {
        let mut times = Vec::new();
        let name = &names[place % names.len()];
        for _ in (place..count).step_by(queued) {
            let begin = clock();
            rig.run(name).await?;
            times.push(begin.elapsed());
        }
        anyhow::Ok(times)
    });
    let times = try_join_all(turns).await?.concat();
    let took = begin.elapsed();
    Ok(Course { from, until: next_millisecond().await, count, took, whole: Sample::new(times) })
}

/// Makes `count` runs and keeps about `queued` of them waiting as long as there are more to make.
async fn refilled(rig: &Rig, names: &[JobName], queued: usize, count: usize) -> anyhow::Result<Course> {
    let (from, begin) = (next_millisecond().await, clock());
    let mut left = count;
    let mut active = 0;
    while left > 0 {
        let more = (queued - active).min(left);
        rig.start_runs(names, more).await?;
        left -= more;
        active = rig.until_active(queued * 7 / 8).await?;
    }
    rig.until_active(0).await?;
    let took = begin.elapsed();
    Ok(Course { from, until: next_millisecond().await, count, took, whole: Sample::new(Vec::new()) })
}

/// Waits for the next millisecond, because history is divided by them.
async fn next_millisecond() -> Timestamp {
    tokio::time::sleep(Duration::from_millis(2)).await;
    Timestamp::from_millis(rig::now().as_millis())
}
