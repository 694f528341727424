//! Connections: to a machine, directly or through others, as an account that it lets in by a key.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use russh::client::{self, AuthResult, Handle, Msg};
use russh::keys::agent::AgentIdentity;
use russh::keys::agent::client::AgentClient;
use russh::keys::{Algorithm, HashAlg, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh::{Channel, ChannelOpenFailure, Preferred, SshId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, SemaphorePermit};
use zeroize::Zeroizing;

use crate::error::SshError;
use crate::host_key::{HostKey, shown};

/// How long a machine may take to answer, let the account in, or open a channel.
pub(crate) const PATIENCE: Duration = Duration::from_secs(15);
/// How often a machine that says nothing is asked whether it is there.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How many times it may fail to answer.
const KEEPALIVES: usize = 3;
/// The most channels of one connection at once: OpenSSH's server allows ten unless it is told otherwise.
const CHANNELS: usize = 8;
/// How long to wait before a machine that has no room for a channel is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// The most keys of an agent that are shown to a machine: OpenSSH's server gives up after six.
const AGENT_KEYS: usize = 6;

/// A machine and how it is entered.
#[derive(Clone, Debug)]
pub struct Hop {
    /// What its operator calls it.
    pub machine: String,
    /// Its name or address in the network, as the machine before it knows it.
    pub host: String,
    /// The port of its SSH server.
    pub port: u16,
    /// Who logs in.
    pub account: String,
    /// The host keys that it may show.
    pub host_keys: Vec<HostKey>,
    /// What lets the account in.
    pub auth: Auth,
}

/// What lets an account in.
#[derive(Clone)]
pub enum Auth {
    /// A private key.
    Key {
        /// As OpenSSH, or another program, writes it.
        key: Zeroizing<String>,
        /// What it is encrypted with.
        passphrase: Option<Zeroizing<String>>,
    },
    /// The keys of the agent that listens on this socket.
    Agent(PathBuf),
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key { .. } => f.write_str("Key"),
            Self::Agent(socket) => f.debug_tuple("Agent").field(socket).finish(),
        }
    }
}

/// A connection to a machine. It ends when the last that uses it is dropped.
pub struct Connection {
    machine: String,
    handle: Handle<Checker>,
    channels: Semaphore,
    /// The connection that this one goes through.
    _through: Option<Box<Self>>,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("machine", &self.machine).finish_non_exhaustive()
    }
}

/// Compares the host key.
pub(crate) struct Checker {
    pinned: Vec<HostKey>,
    /// The key that was shown and not pinned.
    refused: Arc<Mutex<Option<String>>>,
}

impl client::Handler for Checker {
    type Error = russh::Error;

    async fn check_server_key(&mut self, key: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let what = match key {
            PublicKeyOrCertificate::PublicKey { key, .. } if self.pinned.iter().any(|pinned| pinned.is(key)) => {
                return Ok(true);
            }
            PublicKeyOrCertificate::PublicKey { key, .. } => shown(key),
            PublicKeyOrCertificate::Certificate(_) => "of a certificate".to_owned(),
        };
        *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(what);
        Ok(false)
    }
}

impl Connection {
    /// Connects to the last of `way`, through those before it.
    ///
    /// # Errors
    ///
    /// If a machine cannot be reached within its time, shows another host key, or does not let the account in.
    pub async fn open(way: &[Hop]) -> Result<Self, SshError> {
        let mut through: Option<Box<Self>> = None;
        for hop in way {
            let entered = match &through {
                None => {
                    let stream = in_time(hop, TcpStream::connect((hop.host.as_str(), hop.port))).await?;
                    stream.set_nodelay(true).map_err(|error| unreachable(hop, &error))?;
                    enter(hop, stream).await?
                }
                Some(last) => {
                    let opening = last.handle.channel_open_direct_tcpip(&hop.host, u32::from(hop.port), "127.0.0.1", 0);
                    let channel = in_time(hop, opening).await.map_err(|error| match error {
                        SshError::Unreachable { machine, why } => {
                            SshError::Unreachable { machine, why: format!("from {}: {why}", last.machine) }
                        }
                        other => other,
                    })?;
                    enter(hop, channel.into_stream()).await?
                }
            };
            through = Some(Box::new(Self {
                machine: hop.machine.clone(),
                handle: entered,
                channels: Semaphore::new(CHANNELS),
                _through: through,
            }));
        }
        let connection = through.ok_or_else(|| SshError::Invalid("there is no machine to connect to".to_owned()))?;
        Ok(*connection)
    }

    /// What the operator calls the machine.
    #[must_use]
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// Whether it has broken.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.handle.is_closed()
    }

    /// Whether another program need not wait for one of those that run.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.channels.available_permits() > 0
    }

    pub(crate) const fn handle(&self) -> &Handle<Checker> {
        &self.handle
    }

    /// Opens a channel for one program. No more than a machine allows are open at once; the others wait.
    pub(crate) async fn channel(&self) -> Result<(Channel<Msg>, SemaphorePermit<'_>), SshError> {
        let permit = self.channels.acquire().await.map_err(|_| self.broken(&"it is closed"))?;
        Ok((self.spare_channel().await?, permit))
    }

    /// Opens a channel without waiting for others to end. A machine has a few of these to spare; one that has none just now,
    /// as programs that ended are still being cleared away there, is asked again.
    pub(crate) async fn spare_channel(&self) -> Result<Channel<Msg>, SshError> {
        let opening = async {
            loop {
                match self.handle.channel_open_session().await {
                    Err(russh::Error::ChannelOpenFailure(
                        ChannelOpenFailure::ConnectFailed | ChannelOpenFailure::ResourceShortage,
                    )) => tokio::time::sleep(ASK_AGAIN).await,
                    opened => return opened,
                }
            }
        };
        match tokio::time::timeout(PATIENCE, opening).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(error)) => Err(self.broken(&error)),
            Err(_) => Err(self.broken(&"it opens no channel")),
        }
    }

    pub(crate) fn broken(&self, why: &dyn std::fmt::Display) -> SshError {
        SshError::Unreachable { machine: self.machine.clone(), why: why.to_string() }
    }
}

fn unreachable(hop: &Hop, why: &dyn std::fmt::Display) -> SshError {
    SshError::Unreachable { machine: hop.machine.clone(), why: format!("{}:{}: {why}", hop.host, hop.port) }
}

async fn in_time<T, E: std::fmt::Display>(hop: &Hop, work: impl Future<Output = Result<T, E>>) -> Result<T, SshError> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done.map_err(|error| unreachable(hop, &error)),
        Err(_) => Err(unreachable(hop, &format!("it does not answer within {} s", PATIENCE.as_secs()))),
    }
}

/// Shakes hands over `stream`, compares the host key, and logs in.
async fn enter<S>(hop: &Hop, stream: S) -> Result<Handle<Checker>, SshError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let config = client::Config {
        client_id: SshId::Standard("SSH-2.0-Sandglass".into()),
        keepalive_interval: Some(KEEPALIVE),
        keepalive_max: KEEPALIVES,
        nodelay: true,
        preferred: preferred(&hop.host_keys),
        ..client::Config::default()
    };
    let refused = Arc::default();
    let checker = Checker { pinned: hop.host_keys.clone(), refused: Arc::clone(&refused) };
    let met = in_time(hop, client::connect_stream(Arc::new(config), stream, checker)).await;
    if let Some(shown) = refused.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(SshError::HostKey { machine: hop.machine.clone(), shown });
    }
    let mut handle = met?;
    match tokio::time::timeout(PATIENCE, log_in(hop, &mut handle)).await {
        Ok(entered) => entered?,
        Err(_) => return Err(unreachable(hop, &"it does not say whether it lets the account in")),
    }
    Ok(handle)
}

/// The kinds of keys that are pinned come first, as a machine with several shows the first that is asked for.
fn preferred(pinned: &[HostKey]) -> Preferred {
    let mut preferred = Preferred::default();
    let is_pinned = |algorithm: &Algorithm| {
        pinned.iter().any(|key| match key {
            HostKey::Key(key) if key.algorithm().is_rsa() => algorithm.clone().is_rsa(),
            HostKey::Key(key) => key.algorithm() == *algorithm,
            HostKey::Fingerprint(_) => false,
        })
    };
    let mut algorithms = preferred.key.to_vec();
    algorithms.sort_by_key(|algorithm| !is_pinned(algorithm));
    preferred.key = algorithms.into();
    preferred
}

async fn log_in(hop: &Hop, handle: &mut Handle<Checker>) -> Result<(), SshError> {
    match &hop.auth {
        Auth::Key { key, passphrase } => {
            let passphrase = passphrase.as_ref().map(|text| text.as_str());
            let key = decode_secret_key(key, passphrase).map_err(|error| {
                SshError::Invalid(format!(
                    "the key for {} cannot be read: {error}; the secret holds a private key as `ssh-keygen` writes it, and \
                     its passphrase is a secret of its own",
                    hop.machine
                ))
            })?;
            let shown = shown(key.public_key());
            let hash = rsa_hash(hop, handle).await?;
            let key = PrivateKeyWithHashAlg::new(Arc::new(key), hash);
            let answer = handle.authenticate_publickey(&hop.account, key).await;
            answered(hop, &shown, answer.map_err(|error| unreachable(hop, &error))?)
        }
        Auth::Agent(socket) => {
            let no_agent = |error: &dyn std::fmt::Display| {
                SshError::Invalid(format!("the agent at {} cannot be asked: {error}", socket.display()))
            };
            let mut agent = AgentClient::connect_uds(socket).await.map_err(|error| no_agent(&error))?;
            let identities = agent.request_identities().await.map_err(|error| no_agent(&error))?;
            let hash = rsa_hash(hop, handle).await?;
            let mut last = Err(no_agent(&"it has no keys"));
            let keys = identities.into_iter().filter_map(|identity| match identity {
                AgentIdentity::PublicKey { key, .. } => Some(key),
                AgentIdentity::Certificate { .. } => None,
            });
            for key in keys.take(AGENT_KEYS) {
                let shown = shown(&key);
                let hash = if key.algorithm().is_rsa() { hash } else { None };
                let answer = handle.authenticate_publickey_with(&hop.account, key, hash, &mut agent).await;
                last = answered(hop, &shown, answer.map_err(|error| no_agent(&error))?);
                if last.is_ok() {
                    break;
                }
            }
            last
        }
    }
}

/// RSA keys sign with what the machine can check.
async fn rsa_hash(hop: &Hop, handle: &Handle<Checker>) -> Result<Option<HashAlg>, SshError> {
    let best = handle.best_supported_rsa_hash().await.map_err(|error| unreachable(hop, &error))?;
    Ok(best.unwrap_or(Some(HashAlg::Sha256)))
}

fn answered(hop: &Hop, key: &str, answer: AuthResult) -> Result<(), SshError> {
    match answer {
        AuthResult::Success => Ok(()),
        AuthResult::Failure { remaining_methods, partial_success } => {
            let why = if partial_success {
                "it asks for more than a key".to_owned()
            } else {
                let methods: Vec<&str> = remaining_methods.iter().map(|method| method.into()).collect();
                format!("put the key into the account's authorized_keys; the machine takes {}", methods.join(", "))
            };
            let (machine, account) = (hop.machine.clone(), hop.account.clone());
            Err(SshError::Refused { machine, account, key: key.to_owned(), why })
        }
    }
}
