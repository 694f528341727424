//! A run that prints as fast as it can: alone, and while somebody follows it.

use std::time::Duration;

use anyhow::Context as _;
use sandglass_api::client::{Client, LogItem};
use sandglass_api::wire::LogsQuery;
use sandglass_core::id::{JobName, RunId};
use sandglass_core::output::OutputStream;
use serde_json::json;
use tokio::task::JoinSet;

use super::Scale;
use crate::measure::{clock, rate};
use crate::place::Place;
use crate::report::{Reach, Report};
use crate::rig::{self, Rig};

/// What the run prints, in MiB; a multiple of [`PART`].
const PRINTED: usize = 2048;
/// A part of it, in MiB, which is made once: what prints shall take as little as can be of the machine.
const PART: usize = 64;
const FOLLOWERS: [usize; 4] = [0, 1, 10, 200];
/// What is kept of it where whoever follows is to get all: it may fall behind by half of it.
const KEPT: &str = "512MiB";

pub(super) fn run(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let parts = scale.of(PRINTED / PART);
    let mebibytes = parts * PART;
    rig::runtime()?.block_on(async {
        let place = Place::new()?;
        let rig = Rig::start(place.path()).await?;
        for (kept, name) in [("8MiB", "8 MiB kept"), (KEPT, "512 MiB kept")] {
            for followers in FOLLOWERS {
                if kept == KEPT && followers > 1 {
                    continue;
                }
                let job = save(&rig, parts, kept).await?;
                let Figures { printing, followed } = measure(&rig, &job, followers).await?;
                let bytes = mebibytes << 20;
                let name = format!("{name}, {followers} followers");
                report.tell(format!("{name}: printed"), rate(bytes, printing) / 1e6, "MB/s");
                if let Some(slowest) = followed.iter().min() {
                    report.tell(format!("{name}: got by the one that got least"), *slowest as f64 / 1e6, "MB");
                    let one = rate(*slowest, printing) / 1e6;
                    if followers == 1 && kept == KEPT {
                        anyhow::ensure!(*slowest == bytes, "the follower got {slowest} bytes of {bytes}");
                        report.hold(format!("{name}: got by it"), one, "MB/s", Reach::AtLeast(500.0));
                    }
                }
            }
        }
        rig.stop().await
    })
}

struct Figures {
    /// How long the run took, and whoever followed it.
    printing: Duration,
    /// How many bytes each follower got.
    followed: Vec<usize>,
}

async fn save(rig: &Rig, parts: usize, kept: &str) -> anyhow::Result<JobName> {
    let command = format!(
        "yes 'a line as long as many lines are, more or less, and with a number: 123456789' | head -c {PART}M > part
         for number in $(seq {parts}); do cat part; done"
    );
    let action = json!({ "use": "shell", "with": { "command": command } });
    let spec = rig::job("print", action, json!({ "limits": { "output": kept } }))?;
    let name = spec.name.clone();
    rig.save(vec![spec]).await?;
    Ok(name)
}

/// One run; followers have threads of their own, because they are programs of their own elsewhere.
async fn measure(rig: &Rig, job: &JobName, followers: usize) -> anyhow::Result<Figures> {
    let begin = clock();
    let id = rig.client().run_job(job, false, sandglass_core::spec::ParamValues::new()).await?.id;
    let followers: Vec<_> = (0..followers).map(|_| (rig.client().clone(), id)).collect();
    let threads = if followers.is_empty() { None } else { Some(std::thread::spawn(move || follow_all(followers))) };
    let run = rig.client().wait(id).await?;
    anyhow::ensure!(run.exit_code == Some(0), "the run failed: {:?}", run.attempts);
    let alone = begin.elapsed();
    let followed = match threads {
        None => Vec::new(),
        Some(thread) => {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await?;
            joined.map_err(|_| anyhow::anyhow!("a follower panicked"))??
        }
    };
    let printing = if followed.len() == 1 { begin.elapsed() } else { alone };
    Ok(Figures { printing, followed })
}

fn follow_all(followers: Vec<(Client, RunId)>) -> anyhow::Result<Vec<usize>> {
    rig::runtime()?.block_on(async {
        let mut all = JoinSet::new();
        for (client, id) in followers {
            all.spawn(follow(client, id));
        }
        let mut bytes = Vec::new();
        while let Some(done) = all.join_next().await {
            bytes.push(done??);
        }
        Ok(bytes)
    })
}

/// Follows a run to its end and gives how many bytes came of it.
async fn follow(client: Client, id: RunId) -> anyhow::Result<usize> {
    let query = LogsQuery { follow: Some(true), ..LogsQuery::default() };
    let mut stream = client.logs(id, query).await?;
    let mut bytes = 0;
    loop {
        match stream.next().await?.context("the output ended without the run")? {
            LogItem::Output(printed) if printed.chunk.stream == OutputStream::Stdout => {
                bytes += printed.chunk.bytes.len();
            }
            LogItem::Output(_) | LogItem::Progress(_) => {}
            LogItem::End(_) => return Ok(bytes),
        }
    }
}
