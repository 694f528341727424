//! A daemon in a process of its own, whose memory and work are its alone.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;

use crate::measure::clock;

/// The program `sandglass`, if it was built beside this one.
pub(crate) fn program() -> Option<PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name("sandglass");
    path.is_file().then_some(path)
}

/// A daemon in a process of its own, killed when this is dropped.
pub(crate) struct Served(Child);

impl Served {
    /// Starts a daemon: it, and how long it took to be ready.
    pub(crate) fn start(program: Option<&Path>, dir: &Path) -> anyhow::Result<(Self, Duration)> {
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
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        let told = Command::new("kill").arg(self.0.id().to_string()).status()?;
        anyhow::ensure!(told.success(), "the daemon cannot be told to stop");
        self.0.wait()?;
        Ok(())
    }

    /// A number from what the kernel says of it: memory is in KiB.
    pub(crate) fn status(&self, key: &str) -> anyhow::Result<f64> {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.with_context(|| format!("the kernel does not tell {key}"))
    }

    /// The time that all its threads have run.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
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
