//! `[docker]` in the configuration.

use std::net::IpAddr;
use std::path::PathBuf;

use sandglass_containers::{EngineConfig, EngineHost, TlsFiles};
use serde::Deserialize;

use crate::config::ConfigError;

/// `[docker]` as it is written.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct DockerFile {
    host: Option<String>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    key: Option<PathBuf>,
    allow_plain: bool,
}

/// `[docker]`, checked.
#[derive(Clone, Debug)]
pub(crate) struct DockerConfig(pub(super) EngineConfig);

impl DockerFile {
    pub(crate) fn check(self) -> Result<DockerConfig, ConfigError> {
        let wrong = |key, value: &str, rule| Err(ConfigError::Value { key, value: value.to_owned(), rule });
        let text = self.host.as_deref().unwrap_or_default();
        let host: EngineHost = match self.host.as_deref().map(str::parse) {
            None => EngineHost::default(),
            Some(Ok(host)) => host,
            Some(Err(_)) => {
                return wrong("docker.host", text, "it is unix:// and a path, or tcp:// with a host and a port");
            }
        };
        let client = match (self.cert, self.key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some((cert, key)),
            (cert, key) => {
                let given = cert.or(key).unwrap_or_default();
                return wrong(
                    "docker.cert",
                    &given.to_string_lossy(),
                    "a certificate has a key, and a key a certificate",
                );
            }
        };
        let tls = match (self.ca, client) {
            (Some(ca), client) => Some(TlsFiles { ca, client }),
            (None, None) => None,
            (None, Some(_)) => {
                return wrong("docker.ca", "absent", "TLS needs the authority of the engine's certificate");
            }
        };
        match &host {
            EngineHost::Unix(_) if tls.is_some() => {
                return wrong(
                    "docker.host",
                    &host.to_string(),
                    "a socket of this machine has no TLS: leave out ca and cert",
                );
            }
            EngineHost::Tcp { host, .. } if tls.is_none() && !self.allow_plain && !is_this_machine(host) => {
                let rule = "whoever is on the way could take the engine over: name ca, cert and key, or say allow_plain = true";
                return wrong("docker.host", text, rule);
            }
            _ => {}
        }
        Ok(DockerConfig(EngineConfig { host, tls }))
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<DockerConfig, ConfigError> {
        toml::from_str::<DockerFile>(text).unwrap().check()
    }

    #[test]
    fn an_engine_elsewhere_needs_tls() {
        assert_eq!(check("").unwrap().0.host.to_string(), "unix:///var/run/docker.sock");
        assert!(check("host = 'unix:///run/podman/podman.sock'").unwrap().0.tls.is_none());
        assert!(check("host = 'tcp://127.0.0.1:2375'").is_ok());
        let plain = check("host = 'tcp://build:2375'").unwrap_err().to_string();
        assert!(plain.contains("allow_plain"), "{plain}");
        assert!(check("host = 'tcp://build:2375'\nallow_plain = true").is_ok());
        let tls = "host = 'tcp://build:2376'\nca = '/ca.pem'";
        assert!(check(tls).unwrap().0.tls.unwrap().client.is_none());
        assert!(check(&format!("{tls}\ncert = '/cert.pem'\nkey = '/key.pem'")).is_ok());
        for wrong in ["host = 'build'", "cert = '/a'", "cert = '/a'\nkey = '/b'", "ca = '/a'", "host = 'ssh://build'"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
