//! A daemon with a thousand jobs and nothing to do: what it uses, and how fast it starts. It is a process of its own.

use std::path::Path;
use std::time::Duration;

use sandglass_core::spec::JobSpec;
use serde_json::json;

use super::Scale;
use crate::measure::{Sample, clock, millis};
use crate::place::Place;
use crate::report::{Reach, Report};
use crate::rig::{self, Rig};
use crate::served::{Served, program};

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
