//! TLS as the guest wants it for the servers that it names: its own authorities, and who it is.
//!
//! What it says is kept for the attempt and used by its requests alone, so it opens nothing that the grants do not.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::uri::{Scheme, Uri};
use sandglass_core::capability::{Capability, HttpRequest};
use tokio_rustls::rustls::ClientConfig;
use zeroize::Zeroizing;

use super::http::{NotSent, certificates, whole_address};
use super::{CallError, CallResult};
use crate::attempt::lock;
use crate::bindings::tls;
use crate::bindings::types::ErrorCode;
use crate::guest::Guest;

/// The most servers that an attempt may say something of.
const SERVERS: usize = 64;
/// The most bytes of a text: some times what all authorities of the web take.
const TEXT: usize = 1 << 20;

/// What an attempt said of servers, and what was wrong with its last connection that could not be encrypted.
#[derive(Default)]
pub(crate) struct Encryption {
    servers: Mutex<BTreeMap<(String, u16), Arc<ClientConfig>>>,
    failure: Mutex<Option<String>>,
}

impl Encryption {
    /// What was said of a server.
    pub(crate) fn of(&self, host: &str, port: u16) -> Option<Arc<ClientConfig>> {
        lock(&self.servers).get(&server(host, port)).cloned()
    }

    /// Remembers what was wrong with a connection.
    pub(crate) fn failed(&self, words: String) {
        *lock(&self.failure) = Some(super::clip(words, 500));
    }

    fn set(&self, host: &str, port: u16, config: ClientConfig) -> CallResult<()> {
        let mut servers = lock(&self.servers);
        let server = server(host, port);
        if servers.len() >= SERVERS && !servers.contains_key(&server) {
            let message = format!("an attempt chooses certificates for at most {SERVERS} servers");
            return Err(CallError::new(ErrorCode::LimitExceeded, message));
        }
        servers.insert(server, Arc::new(config));
        Ok(())
    }
}

/// A name is the same in capitals, and with a dot at its end.
fn server(host: &str, port: u16) -> (String, u16) {
    (host.trim_end_matches('.').to_ascii_lowercase(), port)
}

fn invalid(message: impl Into<String>) -> CallError {
    CallError::new(ErrorCode::InvalidArgument, message)
}

/// What `options` come to, with each text as `text` reads it; what it leaves out is not looked at.
fn read(
    options: &tls::Options,
    text: impl Fn(&str) -> CallResult<Option<Zeroizing<Vec<u8>>>>,
) -> CallResult<ClientConfig> {
    let text = |given: Option<&String>| given.map_or(Ok(None), |given| text(given));
    let client = options.client.as_ref();
    let ca = text(options.ca.as_ref())?;
    let chain = text(client.map(|client| &client.certificate))?;
    let key = text(client.map(|client| &client.key))?;
    let roots = ca.map(|ca| certificates::authorities(&ca)).transpose().map_err(invalid)?;
    let chain = chain.map(|chain| certificates::chain(&chain)).transpose().map_err(invalid)?;
    let key = key.map(|key| certificates::key(&key)).transpose().map_err(invalid)?;
    certificates::config(roots, chain.zip(key)).map_err(invalid)
}

impl Guest {
    /// The address with the secret's value, if it is one.
    fn address(&self, origin: &str) -> CallResult<Uri> {
        let uri: Uri = origin.parse().map_err(|_| invalid("the server's address cannot be understood"))?;
        let Some(secrets) = self.attempt.secrets() else { return Ok(uri) };
        whole_address(secrets, &uri).map_err(|error| match error {
            NotSent::Secret(error) => self.attempt.not_put_in(&error.without_host()),
            NotSent::Request(_) => invalid("the server's address cannot be understood"),
        })
    }

    /// A text with the values of secrets, if it has some, for `host`, which may be a secret itself.
    fn filled(&self, text: &str, host: &str, is_secret: bool) -> CallResult<Zeroizing<Vec<u8>>> {
        let filled = self.attempt.secrets().map(|secrets| secrets.for_host(text.as_bytes(), host));
        let filled = filled
            .transpose()
            .map_err(|error| self.attempt.not_put_in(&if is_secret { error.without_host() } else { error }));
        let filled = filled?.flatten();
        Ok(Zeroizing::new(filled.unwrap_or_else(|| text.as_bytes().to_vec())))
    }
}

fn short_enough(options: &tls::Options) -> CallResult<()> {
    let client = options.client.iter().flat_map(|client| [&client.certificate, &client.key]);
    if options.ca.iter().chain(client).any(|text| text.len() > TEXT) {
        return Err(invalid(format!("certificates and keys have at most {TEXT} bytes")));
    }
    Ok(())
}

impl tls::Host for Guest {
    async fn check(&mut self, options: tls::Options) -> CallResult<()> {
        short_enough(&options)?;
        let secrets = self.attempt.secrets();
        let known = |text: &str| {
            let stands_for_secret = secrets.is_some_and(|secrets| secrets.first_in(text.as_bytes()).is_some());
            Ok((!stands_for_secret).then(|| Zeroizing::new(text.as_bytes().to_vec())))
        };
        self.attempt.in_host(|| read(&options, known)).map(drop)
    }

    async fn configure(&mut self, origin: String, options: tls::Options) -> CallResult<()> {
        short_enough(&options)?;
        let address = self.address(&origin)?;
        let secrets = self.attempt.secrets();
        let to_secret = secrets.is_some_and(|secrets| secrets.first_in(origin.as_bytes()).is_some());
        let authority = address.authority().filter(|_| address.scheme() == Some(&Scheme::HTTPS));
        let authority = authority.ok_or_else(|| invalid("certificates are for addresses that begin with https://"))?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let port = authority.port_u16().unwrap_or(443);
        let request = HttpRequest { method: "GET", scheme: "https", host, port, path: "/" };
        let allowed = self.attempt.work.grants.http_server(&request);
        allowed.map_err(|mut denial| {
            // What the host put in is not told to the guest.
            if to_secret {
                denial.what = format!("choosing certificates for {origin}");
                denial.grant = "http: any".to_owned();
            }
            self.attempt.refused(Capability::Http, &denial)
        })?;
        let config = self.attempt.in_host(|| read(&options, |text| self.filled(text, host, to_secret).map(Some)))?;
        self.attempt.encryption.set(host, port, config)
    }

    async fn failure(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(lock(&self.attempt.encryption.failure).clone())
    }
}
