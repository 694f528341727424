//! One connection for each request: bounded in time, and it says where it was going.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bollard::BollardRequest;
use bollard::errors::Error as ApiError;
use http::header::{HOST, HeaderName};
use http::{HeaderValue, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use crate::config::{EngineConfig, EngineHost, TlsFiles};
use crate::error::{Error, Obstacle};

/// How long it may take to be connected, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// The most bytes of a file with certificates.
const CERTIFICATES: u64 = 1 << 20;

/// The header with what a registry is told that we are.
const AUTH: HeaderName = HeaderName::from_static("x-registry-auth");

/// Bytes in both directions.
pub trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Duplex for T {}

/// A stream to an engine that is being opened.
pub type Opening = Pin<Box<dyn Future<Output = Result<Box<dyn Duplex>, Obstacle>> + Send>>;

/// A way to an engine that whoever calls us knows.
pub trait Way: Send + Sync + 'static {
    /// Opens a stream, for one request. It is bounded in time, and goes on without being looked at: requests are made beside one
    /// another by who looks at one of them at a time.
    fn open(self: Arc<Self>) -> Opening;
}

/// How to get to an engine.
pub(crate) enum Connector {
    /// By ourselves.
    Direct { host: EngineHost, tls: Option<TlsConnector> },
    /// As our caller does.
    Through(Arc<dyn Way>),
}

impl Connector {
    /// Reads the files for TLS, if there are any. Nothing is connected yet.
    pub(crate) fn new(config: &EngineConfig) -> Result<Self, Error> {
        let tls = config.tls.as_ref().map(tls).transpose()?;
        Ok(Self::Direct { host: config.host.clone(), tls })
    }

    /// Sends a request over a connection of its own.
    pub(crate) async fn send(self: Arc<Self>, mut request: BollardRequest) -> Result<Response<Incoming>, ApiError> {
        prepare(&mut request)?;
        let (host, tls) = match &*self {
            Self::Direct { host, tls } => (host, tls),
            Self::Through(way) => return talk(Arc::clone(way).open().await.map_err(io::Error::from)?, request).await,
        };
        match host {
            EngineHost::Unix(path) => talk(in_time(UnixStream::connect(path)).await?, request).await,
            EngineHost::Tcp { host, port } => {
                let stream = in_time(TcpStream::connect((host.as_str(), *port))).await?;
                // A container may run for days, and a connection that nobody uses is forgotten on the way.
                rustix::net::sockopt::set_socket_keepalive(&stream, true).map_err(io::Error::from)?;
                stream.set_nodelay(true)?;
                match tls {
                    None => talk(stream, request).await,
                    Some(tls) => {
                        let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                        talk(in_time(tls.connect(name, stream)).await?, request).await
                    }
                }
            }
        }
    }
}

async fn in_time<T>(connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(CONNECT, connecting).await {
        Ok(connected) => connected,
        Err(_) => {
            let message = format!("no connection within {} s", CONNECT.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, message))
        }
    }
}

/// Puts a request into the form that goes over the wire.
fn prepare(request: &mut BollardRequest) -> Result<(), ApiError> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path: Uri = path.parse()?;
    *request.uri_mut() = path;
    request.headers_mut().insert(HOST, HeaderValue::from_static("engine"));
    // Engines read the alphabet for addresses, in which two of the 64 characters differ.
    if let Some(auth) = request.headers().get(AUTH) {
        let text: Vec<u8> = auth.as_bytes().iter().map(|byte| url_safe(*byte)).collect();
        let mut auth = HeaderValue::from_bytes(&text).map_err(http::Error::from)?;
        auth.set_sensitive(true);
        request.headers_mut().insert(AUTH, auth);
    }
    Ok(())
}

const fn url_safe(byte: u8) -> u8 {
    match byte {
        b'+' => b'-',
        b'/' => b'_',
        other => other,
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: BollardRequest,
) -> Result<Response<Incoming>, ApiError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with its one answer, or when that is dropped.
    tokio::spawn(async move {
        let _ = connection.with_upgrades().await;
    });
    Ok(sender.send_request(request).await?)
}

fn tls(files: &TlsFiles) -> Result<TlsConnector, Error> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(&files.ca)? {
        roots.add(certificate).map_err(|error| unusable(&files.ca, &error))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::Tls(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots);
    let config = match &files.client {
        None => config.with_no_client_auth(),
        Some((cert, key)) => {
            let chain = certificates(cert)?;
            let secret = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|error| unusable(key, &error))?;
            config.with_client_auth_cert(chain, secret).map_err(|error| unusable(cert, &error))?
        }
    };
    Ok(TlsConnector::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let text = read(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if found.is_empty() => Err(unusable(path, &"there is no certificate in PEM in it")),
        Ok(found) => Ok(found),
        Err(error) => Err(unusable(path, &error)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let too_long = std::fs::metadata(path).map_err(|error| unusable(path, &error))?.len() > CERTIFICATES;
    if too_long {
        return Err(unusable(path, &"it is too long for certificates"));
    }
    std::fs::read(path).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, why: &dyn std::fmt::Display) -> Error {
    Error::Tls(format!("{} cannot be used for TLS to the container engine: {why}", path.display()))
}
