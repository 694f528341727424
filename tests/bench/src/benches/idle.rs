//! A daemon with a thousand jobs and nothing to do: what it uses, and how fast it starts. It is a process of its own.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use sandglass_core::spec::JobSpec;
use serde_json::json;

use super::Scale;
use crate::measure::{Sample, clock, millis};
use crate::place::Place;
use crate::report::{Reach, Report};
use crate::rig::{self, Rig};

const JOBS: usize = 1000;
/// How often the daemon is started.
const STARTS: usize = 9;
/// How long it is left alone before it is watched.
const CALM: Duration = Duration::from_secs(3);
/// How long it is watched, in seconds.
const WATCHED: usize = 10;

pub(super) fn run(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let place = Place::new()?;
    rig::runtime()?.block_on(prepare(place.path()))?;
    let program = program();
    let mut starts = Vec::new();
    for _ in 0..scale.of(STARTS).max(3) {
        let (served, time) = Served::start(program.as_deref(), place.path())?;
        starts.push(time);
        served.stop()?;
    }
    let (served, _) = Served::start(program.as_deref(), place.path())?;
    std::thread::sleep(CALM);
    let watched = Duration::from_secs(scale.of(WATCHED) as u64);
    let (before, begin) = (served.cpu()?, clock());
    std::thread::sleep(watched);
    let share = (served.cpu()? - before).as_secs_f64() / begin.elapsed().as_secs_f64();
    let (resident, threads) = (served.status("VmRSS")?, served.status("Threads")?);
    let own = served.status("RssAnon")?;
    served.stop()?;

    let starts = Sample::new(starts);
    report.hold("start to ready, median", millis(starts.median()), "ms", Reach::AtMost(150.0));
    report.tell(format!("start to ready, worst of {}", starts.len()), millis(starts.longest()), "ms");
    report.hold("resident memory", resident * 1024.0 / 1e6, "MB", Reach::AtMost(50.0));
    report.tell("of it not backed by files", own * 1024.0 / 1e6, "MB");
    report.hold("share of a core", share * 100.0, "%", Reach::AtMost(0.2));
    report.tell("threads", threads, "");
    report.note(match program {
        Some(program) => format!("measured is {}", program.file_name().unwrap_or_default().display()),
        None => {
            "there is no `sandglass` beside this program: measured is the daemon alone, in a process like it".into()
        }
    });
    Ok(())
}

/// Makes a data directory with the built-in plugins, compiled, and jobs that are not due soon.
async fn prepare(dir: &Path) -> anyhow::Result<()> {
    let rig = Rig::start(dir).await?;
    let spec = |place: usize| -> anyhow::Result<JobSpec> {
        let trigger = json!({ "cron": format!("{} {} 29 2 *", place % 60, place / 60) });
        let action = json!({ "use": "shell", "with": { "command": format!("echo {place}") } });
        rig::job(&format!("job-{place}"), action, json!({ "triggers": [trigger], "timezone": "Europe/Berlin" }))
    };
    rig.save((0..JOBS).map(spec).collect::<Result<_, _>>()?).await?;
    rig.stop().await
}

/// The program `sandglass`, if it was built beside this one.
fn program() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name("sandglass");
    path.is_file().then_some(path)
}

/// A daemon in a process of its own, killed when this is dropped.
struct Served(Child);

impl Served {
    /// Starts a daemon: it, and how long it took to be ready.
    fn start(program: Option<&Path>, dir: &Path) -> anyhow::Result<(Self, Duration)> {
        let mut command = match program {
            Some(program) => {
                let mut command = Command::new(program);
                command.arg("--data-dir").arg(dir).args(["serve", "--listen", "none"]);
                command
            }
            None => {
                let mut command = Command::new(std::env::current_exe()?);
                command.arg("--serve").arg(dir);
                command
            }
        };
        command.env("SANDGLASS_LOG", "error").stdin(Stdio::piped()).stdout(Stdio::piped());
        let begin = clock();
        let mut child = command.spawn().context("the daemon cannot be started")?;
        let stdout = child.stdout.take().expect("it was just piped");
        let served = Self(child);
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        anyhow::ensure!(line.contains("ready"), "the daemon is not ready but says {line:?}");
        Ok((served, begin.elapsed()))
    }

    /// Stops it as an operator does, so that the next start finds everything in order.
    fn stop(mut self) -> anyhow::Result<()> {
        let told = Command::new("kill").arg(self.0.id().to_string()).status()?;
        anyhow::ensure!(told.success(), "the daemon cannot be told to stop");
        self.0.wait()?;
        Ok(())
    }

    /// A number from what the kernel says of it.
    fn status(&self, key: &str) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.with_context(|| format!("the kernel does not tell {key}"))
    }

    /// The time that all its threads have run.
    fn cpu(&self) -> anyhow::Result<Duration> {
        let mut nanos = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            // A thread may end meanwhile.
            let Ok(text) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            nanos += text.split(' ').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
        }
        Ok(Duration::from_nanos(nanos))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended already.
        _ = self.0.kill();
        _ = self.0.wait();
    }
}
