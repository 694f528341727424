//! `log` records become lines of the run's log.

use log::{LevelFilter, Log, Metadata, Record};

use super::{LEVELS, Level};
use crate::host;

struct HostLog;

static HOST_LOG: HostLog = HostLog;

/// Installs the logger and sets the level to what the host keeps, so that the rest costs nothing.
pub(super) fn install() {
    // A logger that is already there was installed by the plugin, or by an earlier call in the same instance.
    let _ = log::set_logger(&HOST_LOG);
    let kept = LEVELS.into_iter().find(|&level| host::log_enabled(level));
    log::set_max_level(kept.map_or(LevelFilter::Off, filter));
}

fn filter(level: Level) -> LevelFilter {
    match level {
        Level::Trace => LevelFilter::Trace,
        Level::Debug => LevelFilter::Debug,
        Level::Info => LevelFilter::Info,
        Level::Warn => LevelFilter::Warn,
        Level::Error => LevelFilter::Error,
    }
}

impl Log for HostLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            host::log(level(record.level()), &record.args().to_string(), &[]);
        }
    }

    fn flush(&self) {}
}

fn level(level: log::Level) -> Level {
    match level {
        log::Level::Trace => Level::Trace,
        log::Level::Debug => Level::Debug,
        log::Level::Info => Level::Info,
        log::Level::Warn => Level::Warn,
        log::Level::Error => Level::Error,
    }
}
