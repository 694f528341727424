//! The daemon's configuration: a file, overridden by what is given at the start.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sandglass_core::artifact::ArtifactLimits;
use sandglass_core::capability::Grants;
use sandglass_core::id::{Namespace, PluginName};
use sandglass_core::quantity::Period;
use sandglass_core::scheduler::Options;
use sandglass_core::spec::{Retention, TimeZone};
use serde::Deserialize;

use crate::artifacts::ArtifactsFile;
use crate::containers::{DockerConfig, DockerFile};
use crate::mail::{MailConfig, MailFile};

/// Where the API listens unless told otherwise.
pub const DEFAULT_LISTEN: &str = "127.0.0.1:7070";

/// What `serve` was told on its command line. What is absent comes from the file, else is the default.
#[derive(Clone, Debug, Default)]
pub struct ServeOptions {
    /// The data directory.
    pub data_dir: PathBuf,
    /// The address of the API, or `none` for the socket alone.
    pub listen: Option<String>,
    /// Listen on an address that others can reach, without TLS.
    pub allow_remote: bool,
    /// A file or folder of jobs to apply at the start.
    pub jobs: Option<PathBuf>,
    /// The configuration file; `sandglass.toml` in the data directory if absent and there.
    pub config: Option<PathBuf>,
}

/// The configuration file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    listen: Option<String>,
    allow_remote: bool,
    jobs: Option<PathBuf>,
    timezone: Option<TimeZone>,
    public_url: Option<String>,
    max_running: u32,
    max_running_per_namespace: Option<u32>,
    max_running_of_namespace: BTreeMap<Namespace, u32>,
    max_running_of_plugin: BTreeMap<PluginName, u32>,
    guest_threads: Option<usize>,
    ceiling: Grants,
    retention: Retention,
    upkeep_every: Period,
    mail: Option<MailFile>,
    docker: DockerFile,
    artifacts: ArtifactsFile,
}

impl Default for File {
    fn default() -> Self {
        let Options { max_running, ceiling, .. } = Options::default();
        Self {
            listen: None,
            allow_remote: false,
            jobs: None,
            timezone: None,
            public_url: None,
            max_running,
            max_running_per_namespace: None,
            max_running_of_namespace: BTreeMap::new(),
            max_running_of_plugin: BTreeMap::new(),
            guest_threads: None,
            ceiling,
            retention: Retention::default(),
            upkeep_every: Period::from_secs(60),
            mail: None,
            docker: DockerFile::default(),
            artifacts: ArtifactsFile::default(),
        }
    }
}

/// Everything decided.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) listen: Option<SocketAddr>,
    pub(crate) jobs: Option<PathBuf>,
    pub(crate) guest_threads: usize,
    pub(crate) scheduler: Options,
    /// How long what is over is kept of jobs that say nothing.
    pub(crate) retention: Retention,
    /// How often what is kept long enough is cleared away.
    pub(crate) upkeep_every: Duration,
    /// The server that takes mail, if there is one.
    pub(crate) mail: Option<MailConfig>,
    /// The engine that containers run on.
    pub(crate) docker: DockerConfig,
    /// How much is kept of what runs leave to others.
    pub(crate) artifacts: ArtifactLimits,
}

/// The configuration is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration {} cannot be read: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file cannot be understood. The text shows line and column.
    #[error("the configuration {} is not valid:\n{source}", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// A value is out of range.
    #[error("{key} is {value}, but {rule}")]
    Value {
        /// Which key.
        key: &'static str,
        /// Its value.
        value: String,
        /// What is allowed.
        rule: &'static str,
    },
}

impl Config {
    /// Reads the file, if there is one, and lets `options` override it.
    pub(crate) fn read(options: &ServeOptions) -> Result<Self, ConfigError> {
        let file = match &options.config {
            Some(path) => read_file(path)?,
            None => {
                let path = options.data_dir.join("sandglass.toml");
                if path.exists() { read_file(&path)? } else { File::default() }
            }
        };
        let listen = options.listen.clone().or(file.listen).unwrap_or_else(|| DEFAULT_LISTEN.to_owned());
        let listen = match listen.as_str() {
            "none" => None,
            text => Some(address(text, options.allow_remote || file.allow_remote)?),
        };
        check_limit("max_running", file.max_running)?;
        if let Some(most) = file.max_running_per_namespace {
            check_limit("max_running_per_namespace", most)?;
        }
        file.max_running_of_namespace.values().try_for_each(|most| check_limit("max_running_of_namespace", *most))?;
        file.max_running_of_plugin.values().try_for_each(|most| check_limit("max_running_of_plugin", *most))?;
        let upkeep_every = file.upkeep_every;
        if upkeep_every < Period::from_secs(1) || upkeep_every > Period::from_secs(86_400) {
            let value = upkeep_every.to_string();
            return Err(ConfigError::Value { key: "upkeep_every", value, rule: "it goes from 1s to 1d" });
        }
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        let timezone = file.timezone.unwrap_or_else(machine_zone);
        Ok(Self {
            listen,
            jobs: options.jobs.clone().or(file.jobs),
            guest_threads: file.guest_threads.unwrap_or(cores).clamp(1, 256),
            retention: file.retention.or(Retention::STANDARD),
            upkeep_every: upkeep_every.get(),
            mail: file.mail.map(MailFile::check).transpose()?,
            docker: file.docker.check()?,
            artifacts: file.artifacts.check()?,
            scheduler: Options {
                timezone,
                max_running: file.max_running,
                max_running_per_namespace: file.max_running_per_namespace,
                max_running_of_namespace: file.max_running_of_namespace,
                max_running_of_plugin: file.max_running_of_plugin,
                public_url: file.public_url.as_deref().map(public_url).transpose()?,
                ceiling: file.ceiling,
            },
        })
    }
}

/// The address at which people reach the daemon, as links begin with it.
fn public_url(text: &str) -> Result<String, ConfigError> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let is_address = |rest: &str| !rest.is_empty() && !rest.starts_with('/');
    if rest.is_some_and(is_address)
        && !text.contains(|c: char| c.is_whitespace() || c.is_control() || "?#<>|\"".contains(c))
    {
        return Ok(text.trim_end_matches('/').to_owned());
    }
    let rule = "it is where people reach the daemon, such as https://jobs.example.com";
    Err(ConfigError::Value { key: "public_url", value: text.to_owned(), rule })
}

/// Refuses a limit on attempts at once that lets none start, or more than any machine bears.
fn check_limit(key: &'static str, most: u32) -> Result<(), ConfigError> {
    let rule = "it goes from 1 to 10000";
    if (1..=10_000).contains(&most) { Ok(()) } else { Err(ConfigError::Value { key, value: most.to_string(), rule }) }
}

fn read_file(path: &Path) -> Result<File, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    toml::from_str(&text).map_err(|source| ConfigError::Invalid { path: path.to_owned(), source: Box::new(source) })
}

fn address(text: &str, allow_remote: bool) -> Result<SocketAddr, ConfigError> {
    let wrong = |rule| ConfigError::Value { key: "listen", value: text.to_owned(), rule };
    let text = text.replace("localhost", "127.0.0.1");
    let address: SocketAddr =
        text.parse().map_err(|_| wrong("it is an address with a port, such as 127.0.0.1:7070, or 'none'"))?;
    if !address.ip().is_loopback() && !allow_remote {
        return Err(wrong(
            "others can reach that address and there is no TLS: use a loopback address, or say --allow-remote",
        ));
    }
    Ok(address)
}

/// The time zone that the environment names, else the machine's; UTC if neither tells one.
fn machine_zone() -> TimeZone {
    let of_environment = std::env::var("TZ").ok().and_then(|value| TimeZone::of_environment(&value));
    let of_machine = || iana_time_zone::get_timezone().ok()?.parse().ok();
    of_environment.or_else(of_machine).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, options: ServeOptions) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sandglass.toml");
        std::fs::write(&path, text).unwrap();
        Config::read(&ServeOptions { config: Some(path), ..options })
    }

    #[test]
    fn the_command_line_overrides_the_file() {
        let config = read("listen = '127.0.0.1:1'\nmax_running = 5", ServeOptions::default()).unwrap();
        assert_eq!(config.listen.unwrap().port(), 1);
        assert_eq!(config.scheduler.max_running, 5);
        let options = ServeOptions { listen: Some("localhost:2".into()), ..ServeOptions::default() };
        assert_eq!(read("listen = '127.0.0.1:1'", options).unwrap().listen.unwrap().port(), 2);
        let options = ServeOptions { listen: Some("none".into()), ..ServeOptions::default() };
        assert_eq!(read("", options).unwrap().listen, None);
    }

    #[test]
    fn links_begin_with_an_address_for_people() {
        let config = read("public_url = 'https://jobs.example.com/sandglass/'", ServeOptions::default()).unwrap();
        assert_eq!(config.scheduler.public_url.as_deref(), Some("https://jobs.example.com/sandglass"));
        for wrong in
            ["jobs.example.com", "https://", "https:///a", "https://a b", "https://a?b", "ftp://a", "https://a|b"]
        {
            assert!(read(&format!("public_url = '{wrong}'"), ServeOptions::default()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_kept_can_be_said_in_part() {
        let config = read("[retention]\nruns = 7\noutput_age = '1d'", ServeOptions::default()).unwrap();
        assert_eq!(config.retention.runs.unwrap().get(), 7);
        assert_eq!(config.retention.output_age, Some(Period::from_secs(86_400)));
        assert_eq!(config.retention.age, Retention::STANDARD.age);
        assert!(read("upkeep_every = 0", ServeOptions::default()).is_err());
    }

    #[test]
    fn artifacts_have_limits_that_fit_together() {
        let limits = |text: &str| read(text, ServeOptions::default()).map(|config| config.artifacts);
        assert_eq!(limits("").unwrap(), ArtifactLimits::STANDARD);
        let small = limits("[artifacts]\nrun = '1MiB'").unwrap();
        assert_eq!((small.artifact, small.run), (1 << 20, 1 << 20));
        assert!(limits("[artifacts]\nartifact = '2MiB'\nrun = '1MiB'").is_err());
    }

    #[test]
    fn mistakes_are_told() {
        let unknown = read("max_runing = 5", ServeOptions::default()).unwrap_err().to_string();
        assert!(unknown.contains("max_runing") && unknown.contains("line 1"), "{unknown}");
        assert!(read("max_running = 0", ServeOptions::default()).is_err());
        let limit = read("max_running_of_plugin = { shell = 0 }", ServeOptions::default()).unwrap_err().to_string();
        assert!(limit.contains("max_running_of_plugin is 0"), "{limit}");
        assert!(read("listen = '0.0.0.0:7070'", ServeOptions::default()).is_err());
        assert!(read("listen = '0.0.0.0:7070'\nallow_remote = true", ServeOptions::default()).is_ok());
    }
}
