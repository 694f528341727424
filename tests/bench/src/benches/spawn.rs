//! Shell runs beside the bare processes that they start.

use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use anyhow::Context as _;
use futures_util::future::try_join_all;
use sandglass_core::batch::{Batch, Write};
use sandglass_core::id::{JobId, JobName, RunId};
use sandglass_core::run::{Ending, Gate, Run, RunState};
use sandglass_core::time::Timestamp;
use sandglass_store::{Committed, Committer, RedbOptions, RedbStore, Store};
use serde_json::json;

use super::Scale;
use crate::measure::{Sample, clock, millis, rate, timed};
use crate::place::Place;
use crate::report::{Reach, Report};
use crate::rig::{self, Rig};

/// Processes one after the other.
const IN_TURN: usize = 500;
/// How many of them before it is something else's turn.
const TURN: usize = 50;
/// Processes with several at a time.
const TOGETHER: usize = 1600;
/// How many at a time: more gains nothing on two cores.
const AT_ONCE: usize = 8;
const COMMITS: usize = 300;

pub(super) fn run(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let bare_rate = bare_together(scale.of(TOGETHER))?;
    let commit = one_commit(scale.of(COMMITS))?;
    rig::runtime()?.block_on(async {
        let place = Place::new()?;
        let rig = Rig::start(place.path()).await?;
        let name: JobName = "true".parse()?;
        rig.save(vec![rig::job("true", json!({ "use": "shell", "with": { "command": "true" } }), json!({}))?]).await?;
        let times = in_turn(&rig, &name, scale.of(IN_TURN)).await?;
        let (made, took) = together(&rig, &name, scale.of(TOGETHER)).await?;
        rig.stop().await?;

        let [bare_true, bare_shell, end_commit, commit_after_commit] =
            [times.bare_true, times.bare_shell, times.end_commit, times.commit_after_commit].map(Sample::new);
        let [whole, durable, attempt] = [times.whole, times.durable, times.attempt].map(Sample::new);
        let limit = |commit: &Sample| 1.5 * millis(bare_shell.median()) + millis(commit.median());
        report.tell("bare process `true`, median", millis(bare_true.median()), "ms");
        report.tell("bare process `sh -c true`, median", millis(bare_shell.median()), "ms");
        report.tell("one commit of the store alone, median", millis(commit.median()), "ms");
        report.tell("group commit of a run's end, after a bare process, median", millis(end_commit.median()), "ms");
        report.tell("group commit of a run's end, right after another commit, median", millis(commit_after_commit.median()), "ms");
        report.tell("1.5 bare processes and a commit right after another", limit(&commit_after_commit), "ms");
        let limit = limit(&end_commit);
        report.hold("shell run, start to durable end, median", millis(durable.median()), "ms", Reach::AtMost(limit));
        report.tell("shell run, start to durable end, p99", millis(durable.p99()), "ms");
        report.tell("shell run, the attempt alone, median", millis(attempt.median()), "ms");
        report.tell("shell run, command to durable end, median", millis(whole.median()), "ms");
        report.tell(format!("bare processes `sh -c true`, {AT_ONCE} at a time"), bare_rate, "/s");
        report.tell(format!("shell runs, {AT_ONCE} at a time"), rate(made, took), "/s");
        report.note(
            "to reach: 1.5 times the bare `sh -c true`, piped, and the group commit that makes the end of a run durable \
             when a process has just ended, all measured in turns",
        );
        anyhow::Ok(())
    })
}

/// How long everything took that is done in turns.
#[derive(Default)]
struct Times {
    bare_true: Vec<Duration>,
    bare_shell: Vec<Duration>,
    /// The commit of a run's end when its process has just ended: the thread that commits has slept, and so has the disk.
    end_commit: Vec<Duration>,
    /// The same right after another commit.
    commit_after_commit: Vec<Duration>,
    /// A run from the command to the durable end.
    whole: Vec<Duration>,
    /// From the start of the attempt to the durable end.
    durable: Vec<Duration>,
    /// From the start of the attempt to its report.
    attempt: Vec<Duration>,
}

/// Runs, and what they are compared with, a few of each at a time: how fast a machine is changes within seconds.
async fn in_turn(rig: &Rig, name: &JobName, count: usize) -> anyhow::Result<Times> {
    let first = runs(rig, name, TURN, &mut Times::default()).await?;
    let mut commits = GroupCommits::new(Run::clone(&first))?;
    let mut times = Times::default();
    for _ in 0..count.div_ceil(TURN) {
        bare(TURN, &["true"], &mut times.bare_true)?;
        for _ in 0..TURN {
            let end = commits.begin()?;
            bare(1, &["sh", "-c", "true"], &mut times.bare_shell)?;
            times.end_commit.push(commits.end(end)?);
        }
        for _ in 0..TURN {
            let end = commits.begin()?;
            times.commit_after_commit.push(commits.end(end)?);
        }
        runs(rig, name, TURN, &mut times).await?;
    }
    Ok(times)
}

/// Makes runs, one after the other, and gives the last.
async fn runs(rig: &Rig, name: &JobName, count: usize, times: &mut Times) -> anyhow::Result<Arc<Run>> {
    let mut last = None;
    for _ in 0..count {
        let begin = clock();
        let id = rig.run(name).await?;
        times.whole.push(begin.elapsed());
        let now = rig::now();
        let run = rig.store().run(id)?.context("the run is gone")?;
        anyhow::ensure!(run.exit_code() == Some(0) || succeeded(&run), "a shell run failed: {:?}", run.attempts);
        let start = run.started_at().context("the run has an attempt")?;
        times.durable.push(now.since(start));
        times.attempt.push(run.finished_at().context("the run is over")?.since(start));
        last = Some(run);
    }
    last.context("no run was made")
}

fn succeeded(run: &Run) -> bool {
    matches!(run.state, RunState::Ended { ending: Ending::Succeeded, .. })
}

async fn together(rig: &Rig, name: &JobName, count: usize) -> anyhow::Result<(usize, Duration)> {
    let begin = clock();
    let turns = (0..AT_ONCE).map(|place| async move {
        for _ in (place..count).step_by(AT_ONCE) {
            rig.run(name).await?;
        }
        anyhow::Ok(())
    });
    try_join_all(turns).await?;
    Ok((count, begin.elapsed()))
}

/// Starts a process whose output and errors are read, as those of a run are, and waits for it; the standard library uses
/// `posix_spawn`.
fn process(line: &[&str]) -> std::io::Result<()> {
    let mut command = Command::new(line[0]);
    let status = command.args(&line[1..]).stdin(Stdio::null()).output()?.status;
    if status.success() { Ok(()) } else { Err(std::io::Error::other(format!("{line:?} ended with {status}"))) }
}

fn bare(count: usize, line: &[&str], times: &mut Vec<Duration>) -> anyhow::Result<()> {
    for _ in 0..count {
        let (ended, time) = timed(|| process(line));
        ended?;
        times.push(time);
    }
    Ok(())
}

/// Bare shells a second, several at a time.
fn bare_together(count: usize) -> anyhow::Result<f64> {
    let (ended, took) = timed(|| {
        std::thread::scope(|scope| {
            let work = || (0..count / AT_ONCE).try_for_each(|_| process(&["sh", "-c", "true"]));
            let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
            threads.into_iter().try_for_each(|thread| thread.join().expect("the thread does not panic"))
        })
    });
    ended?;
    Ok(rate(count / AT_ONCE * AT_ONCE, took))
}

/// How long it takes to make one run durable, with nothing else to do.
fn one_commit(count: usize) -> anyhow::Result<Sample> {
    let place = Place::new()?;
    let store = RedbStore::open(place.path(), RedbOptions::default())?;
    store.load()?;
    let mut times = Vec::with_capacity(count);
    for number in 0..count {
        let batch = [Batch::of(Write::InsertRun(Arc::new(queued_run(number)?)))];
        let (answers, time) = timed(|| store.commit(&batch, Timestamp::EPOCH));
        answers?.into_iter().collect::<Result<Vec<()>, _>>()?;
        times.push(time);
    }
    store.close()?;
    Ok(Sample::new(times))
}

/// Makes the end of a run durable through the thread that makes whatever has queued up one commit, as every write of a
/// daemon goes, with nothing else to do.
struct GroupCommits {
    committer: Committer<()>,
    receiver: mpsc::Receiver<Vec<Committed<()>>>,
    /// A run that is over, of which all others are made.
    ended: Run,
    made: usize,
    _place: Place,
}

impl GroupCommits {
    fn new(ended: Run) -> anyhow::Result<Self> {
        let place = Place::new()?;
        let store: Arc<dyn Store> = Arc::new(RedbStore::open(place.path(), RedbOptions::default())?);
        store.load()?;
        let (sender, receiver) = mpsc::sync_channel(1);
        let committer = Committer::spawn(store, Arc::new(sandglass_daemon::clock::SystemClock), move |done| {
            // The receiver waits in `commit`; if it is gone, nobody wants the answer.
            _ = sender.send(done);
        })?;
        Ok(Self { committer, receiver, ended, made: 0, _place: place })
    }

    /// Makes the beginning of a run durable, and gives how it will end.
    fn begin(&mut self) -> anyhow::Result<Run> {
        let begun = queued_run(self.made)?;
        self.made += 1;
        let end = Run { id: begun.id, version: 2, ..self.ended.clone() };
        self.commit(Write::InsertRun(Arc::new(begun)))?;
        Ok(end)
    }

    /// Makes the end of a run durable, and gives how long that took.
    fn end(&self, end: Run) -> anyhow::Result<Duration> {
        let (done, time) = timed(|| self.commit(Write::UpdateRun(Arc::new(end))));
        done?;
        Ok(time)
    }

    fn commit(&self, write: Write) -> anyhow::Result<()> {
        self.committer.submit(Batch::of(write), ()).ok().context("the committer has ended")?;
        self.receiver.recv()?.into_iter().try_for_each(|((), answer)| Ok(answer?))
    }
}

fn queued_run(number: usize) -> anyhow::Result<Run> {
    let at = Timestamp::from_secs(1_800_000_000 + i64::try_from(number)?);
    Ok(Run {
        trigger: Some(0),
        gate: Gate::Window,
        ..Run::queued(
            RunId::of_fire(JobId::from_bits(1), at),
            "default".parse()?,
            JobId::from_bits(1),
            "true".parse()?,
            at,
        )
    })
}
