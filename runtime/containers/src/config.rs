//! Where an engine is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where an engine is and how it is reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EngineConfig {
    /// Where.
    pub host: EngineHost,
    /// What is needed to reach it over TLS. Only for TCP.
    pub tls: Option<TlsFiles>,
}

/// The place that an engine listens on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum EngineHost {
    /// A socket of this machine.
    Unix(PathBuf),
    /// A port, here or elsewhere.
    Tcp {
        /// A name or an address, without brackets.
        host: String,
        /// The port.
        port: u16,
    },
}

/// Files in PEM for TLS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsFiles {
    /// The authority that signed the engine's certificate. No other is trusted.
    pub ca: PathBuf,
    /// Our own certificate and its key, by which most engines know who may use them.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// The text names no engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' names no engine: write unix:///var/run/docker.sock, or tcp:// with a host and a port")]
pub struct InvalidEngineHost(String);

impl Default for EngineHost {
    /// Where Docker's engine listens unless it was told otherwise.
    fn default() -> Self {
        Self::Unix("/var/run/docker.sock".into())
    }
}

impl EngineHost {
    /// Whether the engine is this machine's for certain, so that its folders are ours.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::Unix(_))
    }
}

impl FromStr for EngineHost {
    type Err = InvalidEngineHost;

    fn from_str(text: &str) -> Result<Self, InvalidEngineHost> {
        let invalid = || InvalidEngineHost(text.to_owned());
        if let Some(path) = text.strip_prefix("unix://") {
            return if path.starts_with('/') && path.len() > 1 { Ok(Self::Unix(path.into())) } else { Err(invalid()) };
        }
        let place = text.strip_prefix("tcp://").ok_or_else(invalid)?;
        let (host, port) = place.trim_end_matches('/').rsplit_once(':').ok_or_else(invalid)?;
        let host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']').ok_or_else(invalid)?,
            None if host.contains(':') => return Err(invalid()),
            None => host,
        };
        let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || ".-_:%".contains(c));
        let port = port.parse().ok().filter(|port| *port != 0).ok_or_else(invalid)?;
        if is_host { Ok(Self::Tcp { host: host.to_owned(), port }) } else { Err(invalid()) }
    }
}

impl fmt::Display for EngineHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_they_are_written() {
        for text in ["unix:///var/run/docker.sock", "tcp://build.example.com:2376", "tcp://[::1]:2375"] {
            assert_eq!(text.parse::<EngineHost>().unwrap().to_string(), text);
        }
        for text in
            ["", "/var/run/docker.sock", "unix://", "unix://a", "tcp://host", "tcp://:1", "tcp://a b:1", "tcp://::1:5"]
        {
            assert!(text.parse::<EngineHost>().is_err(), "{text}");
        }
    }
}
