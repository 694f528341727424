//! From a host's name to an encrypted or plain connection to an address that was checked.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sandglass_core::capability::Capability;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls;
use tokio_rustls::rustls::pki_types::ServerName;
use wasmtime_wasi_http::Error;

use super::certificates;
use crate::attempt::Attempt;

/// How long one of several addresses is waited for.
const TURN: Duration = Duration::from_secs(2);
/// How many of a host's addresses are tried.
const ADDRESSES: usize = 8;

/// Where a request goes.
pub(super) struct Place {
    /// In capitals.
    pub(super) method: String,
    pub(super) encrypted: bool,
    /// A name or an address, without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) path: String,
}

/// A connection to a server.
pub(super) enum Stream {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

/// Resolves, checks every address, and connects to the first that answers.
pub(super) async fn connect(attempt: &Attempt, place: &Place) -> Result<Stream, Error> {
    let addresses = addresses(place).await?;
    for address in &addresses {
        attempt.work.grants.address(&place.request(), address.ip()).map_err(|denial| {
            attempt.denied(Capability::Http, &denial);
            Error::DestinationIpProhibited
        })?;
    }
    attempt.used(Capability::Http);
    let mut failure = Error::DestinationNotFound;
    let last = addresses.len() - 1;
    for (at, address) in addresses.into_iter().enumerate() {
        let connecting = TcpStream::connect(address);
        // One that does not answer at all leaves time for the next.
        let connected = match at == last {
            true => Ok(connecting.await),
            false => tokio::time::timeout(TURN, connecting).await,
        };
        match connected {
            Ok(Ok(stream)) => return encrypt(attempt, place, stream).await,
            Ok(Err(error)) => failure = connect_error(&error),
            Err(_) => failure = Error::ConnectionTimeout,
        }
    }
    Err(failure)
}

async fn addresses(place: &Place) -> Result<Vec<SocketAddr>, Error> {
    if let Ok(address) = place.host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, place.port)]);
    }
    let found = tokio::net::lookup_host((place.host.as_str(), place.port)).await.map_err(|error| {
        tracing::debug!("looking {} up failed: {error}", place.host);
        Error::DnsError { rcode: Some(error.to_string()), info_code: None }
    })?;
    let mut addresses: Vec<SocketAddr> = found.collect();
    addresses.truncate(ADDRESSES);
    if addresses.is_empty() { Err(Error::DestinationNotFound) } else { Ok(addresses) }
}

fn connect_error(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Error::ConnectionRefused,
        io::ErrorKind::TimedOut => Error::ConnectionTimeout,
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => Error::DestinationIpUnroutable,
        _ => Error::DestinationUnavailable,
    }
}

async fn encrypt(attempt: &Attempt, place: &Place, stream: TcpStream) -> Result<Stream, Error> {
    let _ = stream.set_nodelay(true);
    if !place.encrypted {
        return Ok(Stream::Plain(stream));
    }
    let name = ServerName::try_from(place.host.clone()).map_err(|_| Error::HttpRequestUriInvalid)?;
    let config = attempt.encryption.of(&place.host, place.port).unwrap_or_else(certificates::usual);
    let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|error| {
        tls_error(attempt, &error).unwrap_or_else(|| {
            attempt.encryption.failed(format!("the connection broke meanwhile ({error})"));
            Error::TlsProtocolError
        })
    })?;
    Ok(Stream::Encrypted(Box::new(stream)))
}

/// What an error of TLS is to the guest; more of it is kept for [`Attempt::encryption`].
pub(super) fn tls_error(attempt: &Attempt, error: &(dyn std::error::Error + 'static)) -> Option<Error> {
    let cause = certificates::cause(error)?;
    attempt.encryption.failed(certificates::words(cause));
    Some(match cause {
        rustls::Error::InvalidCertificate(_) => Error::TlsCertificateError,
        rustls::Error::AlertReceived(alert) => {
            Error::TlsAlertReceived { alert_id: Some(u8::from(*alert)), alert_message: Some(format!("{alert:?}")) }
        }
        _ => Error::TlsProtocolError,
    })
}

macro_rules! delegate {
    ($self:ident, $stream:ident => $call:expr) => {
        match $self.get_mut() {
            Stream::Plain(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Stream::Encrypted(stream) => {
                let $stream = Pin::new(stream.as_mut());
                $call
            }
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        delegate!(self, stream => stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        delegate!(self, stream => stream.poll_shutdown(cx))
    }
}
