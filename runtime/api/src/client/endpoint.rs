//! Where a daemon is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a daemon is: `unix:///path/to/sandglass.sock` or `http://host:port`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Endpoint {
    /// Its owner-only socket.
    Unix(PathBuf),
    /// A TCP address.
    Tcp {
        /// A name or an address, an IPv6 address without brackets.
        host: String,
        /// The port.
        port: u16,
        /// What stands before every path, without a slash at its end; empty unless a proxy adds something.
        base: String,
    },
}

/// The text names no daemon.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "'{text}' is not the address of a daemon: {why}; write unix:///path/to/sandglass.sock or http://127.0.0.1:7070"
)]
pub struct InvalidEndpoint {
    text: String,
    why: &'static str,
}

impl Endpoint {
    /// The socket of the daemon whose data is in `data_dir`.
    #[must_use]
    pub fn in_data_dir(data_dir: &Path) -> Self {
        Self::Unix(data_dir.join("sandglass.sock"))
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        let invalid = |why| InvalidEndpoint { text: text.to_owned(), why };
        if let Some(path) = text.strip_prefix("unix://").or_else(|| text.strip_prefix("unix:")) {
            let absolute = path.starts_with('/');
            return if absolute { Ok(Self::Unix(path.into())) } else { Err(invalid("the path is not absolute")) };
        }
        if text.starts_with("https://") {
            return Err(invalid("https is not supported yet"));
        }
        let rest = text.strip_prefix("http://").ok_or_else(|| invalid("it begins with neither unix:// nor http://"))?;
        let (authority, base) = match rest.find('/') {
            Some(at) => (&rest[..at], rest[at..].trim_end_matches('/')),
            None => (rest, ""),
        };
        let authority: http::uri::Authority = authority.parse().map_err(|_| invalid("the host is not valid"))?;
        if authority.as_str().contains('@') {
            return Err(invalid("a token goes into SANDGLASS_TOKEN, not into the address"));
        }
        if base.contains(['?', '#', ' ']) {
            return Err(invalid("the path is not valid"));
        }
        // `Authority::port` takes a port out of range for none at all.
        let port = match authority.as_str().strip_prefix(authority.host()).unwrap_or_default() {
            "" => 80,
            port => port[1..].parse().map_err(|_| invalid("the port is not valid"))?,
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self::Tcp { host, port, base: base.to_owned() })
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { host, port, base } if host.contains(':') => write!(f, "http://[{host}]:{port}{base}"),
            Self::Tcp { host, port, base } => write!(f, "http://{host}:{port}{base}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_read_and_write() {
        for text in
            ["unix:///run/sandglass.sock", "http://127.0.0.1:7070", "http://[::1]:7070", "http://a.example:80/x"]
        {
            assert_eq!(text.parse::<Endpoint>().unwrap().to_string(), text);
        }
        for bad in ["", "unix:x", "https://a", "http://", "http://t@h:1", "http://h:99999", "http://h:1/a?b", "ftp://x"]
        {
            assert!(bad.parse::<Endpoint>().is_err(), "{bad}");
        }
    }
}
