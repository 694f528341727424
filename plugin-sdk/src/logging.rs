//! The `log` and `tracing` facades, each led to the host's log.

#[cfg(any(feature = "log", feature = "tracing"))]
use crate::bindings::sandglass::plugin::logging::Level;

#[cfg(feature = "log")]
mod log_facade;
#[cfg(feature = "tracing")]
mod tracing_facade;

/// Connects the facades that are switched on. Cheap to call again, and a facade that the plugin connected itself stays.
pub(crate) fn install() {
    #[cfg(feature = "log")]
    log_facade::install();
    #[cfg(feature = "tracing")]
    tracing_facade::install();
}

/// Every level, the most talkative first.
#[cfg(feature = "log")]
const LEVELS: [Level; 5] = [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error];
