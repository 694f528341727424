//! HTTP requests of guests. The crate's own sender is compiled out: this is the only way out.
//!
//! A request is checked against the grants as text, its host is resolved, every address is checked, and the connection
//! goes to an address that was checked: what a name resolves to later does not matter.

mod body;
pub(crate) mod certificates;
mod connect;
mod swap;

use std::error::Error as _;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use http::header::{self, HeaderName, HeaderValue};
use http::uri::Scheme;
use http_body_util::BodyExt;
use hyper_util::rt::TokioIo;
use sandglass_core::capability::{Capability, HttpRequest};
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

use self::body::Watched;
use self::connect::Place;
pub(crate) use self::swap::{IN_PATH, IN_QUERY, NotSent, whole_address};
use crate::attempt::Attempt;

/// How long connecting may take, names and encryption included, unless the guest asks for less.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the response may take to begin, unless the guest says otherwise.
const FIRST_BYTE: Duration = Duration::from_secs(120);
/// How long the response may pause, unless the guest says otherwise.
const BETWEEN_BYTES: Duration = Duration::from_secs(60);
/// The most that the head of a response may have, in bytes.
const RESPONSE_HEAD: usize = 64 << 10;
/// What requests say that they come from, unless the guest says so.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("sandglass/", env!("CARGO_PKG_VERSION")));
/// The most header fields that a response may have.
const RESPONSE_FIELDS: usize = 256;
/// How much of a request's body is taken from the guest at once, in bytes.
const REQUEST_CHUNK: usize = 64 << 10;

/// Fields that speak of the connection, which is ours, not of the request.
const CONNECTION_FIELDS: [HeaderName; 9] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("http2-settings"),
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// A response whose body is still coming, and the work of its connection.
type Answer = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), Error>> + Send>);

/// Sends the requests of one attempt.
pub(crate) struct Egress {
    attempt: Arc<Attempt>,
}

impl Egress {
    pub(crate) fn new(attempt: Arc<Attempt>) -> Self {
        Self { attempt }
    }
}

impl WasiHttpHooks for Egress {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        options: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), Error>> + Send>,
    ) -> Box<dyn Future<Output = Result<Answer, Error>> + Send> {
        let attempt = Arc::clone(&self.attempt);
        Box::new(async move {
            if attempt.stop.reason().is_some() {
                return Err(cancelled());
            }
            let sending = send(Arc::clone(&attempt), request, options.unwrap_or_default());
            attempt.unless_stopped(sending).await.unwrap_or_else(|| Err(cancelled()))
        })
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        REQUEST_CHUNK
    }
}

fn cancelled() -> Error {
    Error::InternalError(Some("cancelled: the run was asked to stop".to_owned()))
}

/// What went wrong between us and the server. With TLS 1.3 a server refuses a client only after the client is done with
/// what begins the connection.
fn protocol_error(attempt: &Attempt, error: &hyper::Error) -> Error {
    if let Some(error) = connect::tls_error(attempt, error) {
        error
    } else if error.is_timeout() {
        Error::ConnectionReadTimeout
    } else if error.is_parse_too_large() {
        Error::HttpResponseHeaderSectionSize(None)
    } else {
        match input_output(error) {
            _ if error.is_incomplete_message() => Error::HttpResponseIncomplete,
            Some(ErrorKind::UnexpectedEof) => Error::HttpResponseIncomplete,
            Some(ErrorKind::InvalidData | ErrorKind::InvalidInput) => Error::HttpProtocolError,
            _ if error.is_parse() || error.is_user() => Error::HttpProtocolError,
            _ => Error::ConnectionTerminated,
        }
    }
}

/// How reading or writing failed, if that is the cause: a body that ends too early counts, and one that is written wrongly.
fn input_output(error: &hyper::Error) -> Option<ErrorKind> {
    let mut cause = error.source();
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Some(error.kind());
        }
        cause = error.source();
    }
    None
}

/// One of the guest's limits, or the usual one, and never longer than the attempt.
fn limit(attempt: &Attempt, wanted: Option<Duration>, usual: Duration) -> Duration {
    wanted.unwrap_or(usual).min(attempt.remaining()).max(Duration::from_millis(1))
}

async fn send(
    attempt: Arc<Attempt>,
    mut request: http::Request<WasiBody>,
    options: RequestOptions,
) -> Result<Answer, Error> {
    let room = body::Connection::open(&attempt)?;
    if let Some(secrets) = attempt.secrets() {
        let first_byte = limit(&attempt, options.first_byte_timeout, FIRST_BYTE);
        let filled = tokio::time::timeout(first_byte, swap::put_in(secrets, request)).await;
        let filled = filled.map_err(|_| Error::ConnectionWriteTimeout)?;
        request = filled.map_err(|error| not_sent(&attempt, error))?;
    }
    let place = permitted(&attempt, &request)?;
    let connect = limit(&attempt, options.connect_timeout.map(|wanted| wanted.min(CONNECT)), CONNECT);
    let stream = tokio::time::timeout(connect, connect::connect(&attempt, &place))
        .await
        .map_err(|_| Error::ConnectionTimeout)??;
    complete(&mut request, &place)?;
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(RESPONSE_HEAD)
        .max_headers(RESPONSE_FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| protocol_error(&attempt, &error))?;
    let connection = wasmtime_wasi::runtime::spawn(async move {
        let _room = room;
        connection.await
    });
    let first_byte = limit(&attempt, options.first_byte_timeout, FIRST_BYTE);
    let response = tokio::time::timeout(first_byte, sender.send_request(request))
        .await
        .map_err(|_| Error::ConnectionReadTimeout)?
        .map_err(|error| protocol_error(&attempt, &error))?;
    let pause = limit(&attempt, options.between_bytes_timeout, BETWEEN_BYTES);
    let watching = Arc::clone(&attempt);
    let response = response.map(|body| Watched::new(body, watching, pause).boxed_unsync());
    let connection = async move { connection.await.map_err(|error| protocol_error(&attempt, &error)) };
    Ok((response, Box::new(connection)))
}

/// What the guest is told of a request whose secrets cannot be put in. That one may not go there is a refusal like others.
fn not_sent(attempt: &Attempt, error: NotSent) -> Error {
    let error = match error {
        NotSent::Secret(error) => error,
        NotSent::Request(error) => return error,
    };
    match error.denial() {
        Some(denial) => {
            attempt.denied(Capability::Secrets, &denial);
            Error::HttpRequestDenied
        }
        None => Error::InternalError(Some(error.to_string())),
    }
}

/// Where the request goes, if the run may send it.
fn permitted(attempt: &Attempt, request: &http::Request<WasiBody>) -> Result<Place, Error> {
    let uri = request.uri();
    let authority = uri.authority().ok_or(Error::HttpRequestUriInvalid)?;
    let encrypted = uri.scheme() == Some(&Scheme::HTTPS);
    let host = authority.host().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || authority.as_str().contains('@') {
        return Err(Error::HttpRequestUriInvalid);
    }
    let port = authority.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
    let place = Place {
        method: request.method().as_str().to_ascii_uppercase(),
        encrypted,
        host: host.to_owned(),
        port,
        path: if uri.path().is_empty() { "/".to_owned() } else { uri.path().to_owned() },
    };
    attempt.work.grants.http(&place.request()).map_err(|denial| {
        attempt.denied(Capability::Http, &denial);
        Error::HttpRequestDenied
    })?;
    Ok(place)
}

/// Makes the request one for a connection to the server itself.
fn complete(request: &mut http::Request<WasiBody>, place: &Place) -> Result<(), Error> {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path = if path.starts_with('?') { format!("/{path}") } else { path.to_owned() };
    *request.uri_mut() = path.parse().map_err(|_| Error::HttpRequestUriInvalid)?;
    let fields = request.headers_mut();
    for field in &CONNECTION_FIELDS {
        fields.remove(field);
    }
    let host = HeaderValue::from_str(&place.authority()).map_err(|_| Error::HttpRequestUriInvalid)?;
    fields.insert(header::HOST, host);
    // Some servers answer nobody who does not say what they are.
    fields.entry(header::USER_AGENT).or_insert(USER_AGENT);
    Ok(())
}

impl Place {
    /// The parts that grants speak of.
    fn request(&self) -> HttpRequest<'_> {
        HttpRequest {
            method: &self.method,
            scheme: if self.encrypted { "https" } else { "http" },
            host: &self.host,
            port: self.port,
            path: &self.path,
        }
    }

    /// Host and, unless it is the scheme's own, port.
    fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.encrypted, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}
