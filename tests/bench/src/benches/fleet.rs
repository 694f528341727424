//! A file that goes to a hundred machines: by a deployment, and by `scp` and `ssh` in a shell's loop.
//!
//! The machines are OpenSSH servers on addresses of loopback, each with a host key and a folder `/mnt` of its own. All work
//! for both ends is done by the same cores, and the network costs nothing, so what is compared is the work.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sandglass_api::client::{Client, Endpoint};
use sandglass_api::wire::{ApplyRequest, SecretRequest};
use sandglass_core::id::{JobName, Namespace};
use sandglass_core::run::StateName;
use sandglass_core::spec::ParamValues;
use sandglass_test_servers::Sshd;
use serde_json::{Value, json};

use super::Scale;
use crate::measure::{clock, timed};
use crate::place::Place;
use crate::report::{Reach, Report};
use crate::rig;
use crate::served::{Served, program};

/// How many machines there are: with addresses from 127.0.0.1 on.
const MACHINES: usize = 100;
/// How long the file is, in bytes.
const LENGTH: usize = 10_000_000;
/// How many machines are worked on at once, as a deployment does unless it is told otherwise.
const AT_ONCE: u32 = 10;
/// What both ends agree on with Sandglass, for `ssh` and `scp` to do the same.
const CIPHER: &str = "chacha20-poly1305@openssh.com";
const EXCHANGE: &str = "curve25519-sha256";

/// What the loop does with each machine.
#[derive(Clone, Copy)]
enum Step {
    /// Copies the file.
    Scp,
    /// Copies it beside its place, compares its digest there, and renames it: what a deployment does.
    ScpAndSsh,
}

pub(super) fn run(scale: Scale, report: &mut Report) -> anyhow::Result<()> {
    let Some(machines) = machines(scale.of(MACHINES)) else {
        report.note("not measured: it takes an OpenSSH server and the right to mount");
        return Ok(());
    };
    let place = Place::new()?;
    let source = place.path().join("file");
    std::fs::write(&source, content())?;
    let shell = Loop::new(&machines, &source, place.path())?;
    let data = Place::new()?;
    let (served, _) = Served::start(program().as_deref(), data.path())?;
    let figures = rig::runtime()?.block_on(deployments(&machines, &source, data.path(), &served))?;
    served.stop()?;
    ensure!(machines.iter().all(|machine| is_there(machine, "deployed")), "a machine has another file than was sent");
    let [copied, checked] = [Step::Scp, Step::ScpAndSsh].map(|step| [1, AT_ONCE].map(|limit| shell.run(step, limit)));
    let ([copied_in_turn, copied], [checked_in_turn, checked]) = (all(copied)?, all(checked)?);
    ensure!(machines.iter().all(|machine| is_there(machine, "looped")), "the loop left another file than was sent");

    let count = machines.len();
    let seconds = Duration::as_secs_f64;
    report.tell(format!("deployment to {count} machines, one at a time"), seconds(&figures.in_turn), "s");
    report.tell("`scp` in a loop", seconds(&copied_in_turn), "s");
    report.tell("`scp`, and `ssh` to compare and rename, in a loop", seconds(&checked_in_turn), "s");
    report.tell(format!("deployment, {AT_ONCE} at once"), seconds(&figures.at_once), "s");
    report.tell(format!("`scp` with `xargs -P {AT_ONCE}`"), seconds(&copied), "s");
    report.tell(format!("`scp` and `ssh` with `xargs -P {AT_ONCE}`"), seconds(&checked), "s");
    let ratio = |ours: Duration, theirs: Duration| ours.as_secs_f64() / theirs.as_secs_f64();
    report.tell("deployment against `scp` in a loop, one at a time", ratio(figures.in_turn, copied_in_turn), "times");
    let against_both = ratio(figures.in_turn, checked_in_turn);
    report.hold("against `scp` and `ssh` in a loop, one at a time", against_both, "times", Reach::AtMost(1.0));
    report.tell(format!("deployment against `scp`, {AT_ONCE} at once"), ratio(figures.at_once, copied), "times");
    let against_both = ratio(figures.at_once, checked);
    report.hold(format!("against `scp` and `ssh`, {AT_ONCE} at once"), against_both, "times", Reach::AtMost(1.0));
    report.tell(
        format!("deployment that finds all as it should be, {AT_ONCE} at once"),
        seconds(&figures.unchanged),
        "s",
    );
    report.tell("the daemon's work for the deployment, all its threads", seconds(&figures.work), "s");
    report.tell("the daemon's peak memory before", figures.peak_before, "MB");
    report.tell("the daemon's peak memory afterwards", figures.peak_after, "MB");
    let growth = figures.peak_after - figures.peak_before;
    report.hold("its growth, for a file of 10 MB", growth, "MB", Reach::AtMost(40.0));
    report.note(format!(
        "{count} OpenSSH servers on this machine's loopback; a file of {LENGTH} bytes; {CIPHER} and {EXCHANGE} everywhere"
    ));
    Ok(())
}

fn all(times: [anyhow::Result<Duration>; 2]) -> anyhow::Result<[Duration; 2]> {
    let [one, other] = times;
    Ok([one?, other?])
}

/// The machines; none where there can be none. All are entered with the key of the first.
fn machines(count: usize) -> Option<Vec<Sshd>> {
    let machines: Option<Vec<Sshd>> = (1..=count).map(|at| Sshd::start_apart(&format!("127.0.0.{at}"))).collect();
    let machines = machines?;
    machines.iter().for_each(|machine| machine.let_in(&machines[0].public_key()));
    Some(machines)
}

/// Bytes without a pattern that anything could shorten.
fn content() -> Vec<u8> {
    let mut rng = fastrand::Rng::with_seed(7);
    std::iter::repeat_with(|| rng.u8(..)).take(LENGTH).collect()
}

fn is_there(machine: &Sshd, name: &str) -> bool {
    std::fs::read(machine.mnt().join(name)).is_ok_and(|found| found == content())
}

/// What the deployments took.
struct Figures {
    in_turn: Duration,
    at_once: Duration,
    unchanged: Duration,
    /// What the daemon's threads did for `at_once`.
    work: Duration,
    /// In MB.
    peak_before: f64,
    peak_after: f64,
}

async fn deployments(machines: &[Sshd], source: &Path, data: &Path, served: &Served) -> anyhow::Result<Figures> {
    let client = Client::new(Endpoint::in_data_dir(data), None, Namespace::default());
    let secret = SecretRequest { value: Some(machines[0].key()), base64: None, hosts: None };
    client.set_secret(&"FLEET_KEY".parse()?, &secret).await.context("the key is refused")?;
    let targets: Vec<Value> = machines.iter().enumerate().map(target).collect();
    let jobs = [("in-turn", "deployed-in-turn", 1), ("at-once", "deployed", AT_ONCE)];
    let jobs = jobs.map(|(name, dest, limit)| job(name, source, &format!("/mnt/{dest}"), limit));
    let request: ApplyRequest = serde_json::from_value(json!({ "targets": targets, "jobs": jobs }))?;
    client.apply(&request, false).await.context("the fleet is refused")?;

    let peak_before = peak(served)?;
    let before = served.cpu()?;
    let at_once = deploy(&client, "at-once", machines.len()).await?;
    let (work, peak_after) = (served.cpu()? - before, peak(served)?);
    let unchanged = deploy(&client, "at-once", 0).await?;
    let in_turn = deploy(&client, "in-turn", machines.len()).await?;
    Ok(Figures { in_turn, at_once, unchanged, work, peak_before, peak_after })
}

/// The most memory that the daemon has had, in MB.
fn peak(served: &Served) -> anyhow::Result<f64> {
    Ok(served.status("VmHWM")? * 1024.0 / 1e6)
}

/// How long a deployment took, which must have changed so many machines.
async fn deploy(client: &Client, job: &str, changed: usize) -> anyhow::Result<Duration> {
    let name: JobName = job.parse()?;
    let begin = clock();
    let run = client.run_job(&name, false, ParamValues::default()).await?;
    let run = client.wait(run.id).await?;
    let took = begin.elapsed();
    let told = serde_json::to_value(&run)?;
    ensure!(run.state == StateName::Succeeded, "the deployment failed: {told:#}");
    ensure!(told["result"]["output"]["changed"] == changed, "{changed} machines should have been changed: {told:#}");
    Ok(took)
}

fn target((at, machine): (usize, &Sshd)) -> Value {
    json!({
        "name": format!("machine-{}", at + 1),
        "address": machine.address(),
        "port": machine.port(),
        "account": Sshd::account(),
        "host_key": machine.host_key().trim(),
        "key": "FLEET_KEY",
    })
}

fn job(name: &str, source: &Path, dest: &str, limit: u32) -> Value {
    let with = json!({
        "targets": "machine-*",
        "files": [{ "source": source, "dest": dest }],
        "strategy": { "kind": "parallel", "limit": limit },
    });
    let folder = source.parent().unwrap_or(source).display().to_string();
    json!({
        "name": name,
        "action": { "use": "deploy/files", "with": with },
        "grants": { "remote": ["machine-*"], "files": [format!("{folder}:ro")] },
        "timeout": "10m",
    })
}

/// The loop: a configuration of `ssh`, the machines one a line, and what is done with each.
struct Loop {
    source: PathBuf,
    folder: PathBuf,
}

impl Loop {
    fn new(machines: &[Sshd], source: &Path, folder: &Path) -> anyhow::Result<Self> {
        let (mut known, mut list) = (String::new(), String::new());
        for machine in machines {
            let (address, port) = (machine.address(), machine.port());
            writeln!(known, "[{address}]:{port} {}", machine.host_key().trim())?;
            writeln!(list, "{address} {port}")?;
        }
        let config = format!(
            "BatchMode yes\nStrictHostKeyChecking yes\nUserKnownHostsFile {known}\nGlobalKnownHostsFile none\n\
             IdentityFile {key}\nIdentitiesOnly yes\nLogLevel ERROR\nUser {account}\nCiphers {CIPHER}\nKexAlgorithms {EXCHANGE}\n",
            known = folder.join("known").display(),
            key = machines[0].key_file().display(),
            account = Sshd::account(),
        );
        for (name, text) in [("known", known), ("machines", list), ("config", config)] {
            std::fs::write(folder.join(name), text)?;
        }
        Ok(Self { source: source.to_owned(), folder: folder.to_owned() })
    }

    /// Goes through all machines, so many at once.
    fn run(&self, step: Step, limit: u32) -> anyhow::Result<Duration> {
        let script = match step {
            Step::Scp => r#"exec scp -q -F "$CONFIG" -P "$2" "$SOURCE" "$1:/mnt/copied""#,
            Step::ScpAndSsh => {
                r#"scp -q -F "$CONFIG" -P "$2" "$SOURCE" "$1:/mnt/looped.part" &&
                exec ssh -n -F "$CONFIG" -p "$2" "$1" \
                    "echo '$DIGEST  /mnt/looped.part' | sha256sum -c --quiet && mv /mnt/looped.part /mnt/looped""#
            }
        };
        let digest = Command::new("sha256sum").arg(&self.source).output()?;
        let digest = String::from_utf8_lossy(&digest.stdout).split(' ').next().unwrap_or_default().to_owned();
        let mut command = Command::new("xargs");
        command.args(["-P", &limit.to_string(), "-L", "1", "sh", "-c", script, "sh"]);
        command.env("CONFIG", self.folder.join("config")).env("SOURCE", &self.source).env("DIGEST", digest);
        command.stdin(std::fs::File::open(self.folder.join("machines"))?).stdout(Stdio::null());
        let (status, took) = timed(|| command.status());
        ensure!(status.context("`xargs` cannot be started")?.success(), "`scp` or `ssh` failed");
        Ok(took)
    }
}
