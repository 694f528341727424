//! What the figures were measured on.

use std::fmt;
use std::fs;
use std::io::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

use crate::measure::{Sample, micros, timed};
use crate::place::Place;

/// How often the disk is made to keep a block.
const SYNCS: usize = 200;
/// Above this many processes that want to run, the figures suffer.
const BUSY: f64 = 0.7;

/// The machine and how this program was built.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    cores: usize,
    cpu: String,
    kernel: String,
    memory_mb: u64,
    /// How long the disk takes to keep a block of 4 KiB that is appended.
    sync: Duration,
    load: f64,
    optimised: bool,
}

impl Machine {
    pub(crate) fn look() -> anyhow::Result<Self> {
        let line = |path: &str, key: &str| -> Option<String> {
            let text = fs::read_to_string(path).ok()?;
            let line = text.lines().find(|line| line.starts_with(key))?.to_owned();
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let kilobytes = line("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Ok(Self {
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            cpu: line("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".to_owned()),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim().to_owned(),
            memory_mb: kilobytes.unwrap_or_default() / 1024,
            sync: sync()?,
            load: load.split(' ').next().and_then(|text| text.parse().ok()).unwrap_or_default(),
            optimised: !cfg!(debug_assertions),
        })
    }

    pub(crate) fn to_json(&self) -> Value {
        json!({
            "cores": self.cores,
            "cpu": self.cpu,
            "kernel": self.kernel,
            "memory_mb": self.memory_mb,
            "sync_us": micros(self.sync),
            "load": self.load,
            "optimised": self.optimised,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, cpu, kernel, memory_mb, .. } = self;
        write!(f, "{cores} cores of {cpu}, {memory_mb} MB, Linux {kernel}; ")?;
        write!(f, "the disk keeps an appended block in {:.0} µs", micros(self.sync))?;
        if self.load > BUSY {
            write!(f, "\nthe machine is busy (load {}): the figures suffer", self.load)?;
        }
        if !self.optimised {
            write!(f, "\nbuilt without optimisation: the figures mean nothing")?;
        }
        Ok(())
    }
}

/// The median time in which the disk keeps an appended block.
fn sync() -> anyhow::Result<Duration> {
    let place = Place::new()?;
    let mut file = fs::File::create(place.path().join("sync"))?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let (kept, time) = timed(|| file.write_all(&[0x5a; 4096]).and_then(|()| file.sync_data()));
        kept?;
        times.push(time);
    }
    Ok(Sample::new(times).median())
}
