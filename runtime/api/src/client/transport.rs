//! One request and its answer over HTTP/1.1.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, Method, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use super::{ClientError, Endpoint, Precondition};
use crate::problem::{Class, Problem};

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// The media types of answers, where a request does not name its own.
const ACCEPTED: &str = "application/json, application/problem+json, text/event-stream, application/x-ndjson";
/// The largest answer that is taken in as a whole.
const MAX_ANSWER_BYTES: usize = 64 << 20;

/// How to reach a daemon.
#[derive(Clone)]
pub(super) struct Transport {
    pub(super) endpoint: Endpoint,
    pub(super) token: Option<String>,
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token stays out of logs.
        f.debug_struct("Transport").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

pub(super) struct Request {
    method: Method,
    path: String,
    headers: Vec<(HeaderName, String)>,
    body: Bytes,
}

impl Request {
    pub(super) fn new(method: Method, path: String) -> Self {
        Self { method, path, headers: Vec::new(), body: Bytes::new() }
    }

    /// With what must be there.
    pub(super) fn expecting(self, expect: Precondition) -> Self {
        match expect {
            Precondition::Anything => self,
            Precondition::Absent => self.with_header("if-none-match", "*".to_owned()),
            Precondition::Revision(revision) => self.with_header("if-match", format!("\"{revision}\"")),
        }
    }

    pub(super) fn with_header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((HeaderName::from_static(name), value));
        self
    }

    pub(super) fn with_body(mut self, body: Bytes, media_type: &str) -> Self {
        self.body = body;
        self.with_header("content-type", media_type.to_owned())
    }

    pub(super) fn with_json(self, body: &impl Serialize) -> Self {
        let body = serde_json::to_vec(body).expect("wire types have text keys and finite numbers");
        self.with_body(body.into(), "application/json")
    }
}

impl Transport {
    /// Sends a request and gives the answer as soon as it begins. A refusal is an error.
    pub(super) async fn begin(&self, request: Request, patience: Duration) -> Result<Response<Incoming>, ClientError> {
        let answer = tokio::time::timeout(patience, self.send(request));
        let response = answer.await.map_err(|_| self.no_answer(patience))??;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let body = self.collect(response, patience).await?;
        Err(self.refusal(status, &body))
    }

    /// Sends a request and gives the whole answer.
    pub(super) async fn bytes(&self, request: Request, patience: Duration) -> Result<Bytes, ClientError> {
        let response = self.begin(request, patience).await?;
        self.collect(response, patience).await
    }

    /// Sends a request whose answer is JSON.
    pub(super) async fn json<T: DeserializeOwned>(
        &self,
        request: Request,
        patience: Duration,
    ) -> Result<T, ClientError> {
        let body = self.bytes(request, patience).await?;
        serde_json::from_slice(&body).map_err(|error| self.unexpected(error.to_string()))
    }

    pub(super) fn unexpected(&self, what: String) -> ClientError {
        ClientError::Unexpected { endpoint: self.endpoint.to_string(), what }
    }

    pub(super) fn no_answer(&self, patience: Duration) -> ClientError {
        ClientError::NoAnswer { endpoint: self.endpoint.to_string(), seconds: patience.as_secs() }
    }

    async fn collect(&self, response: Response<Incoming>, patience: Duration) -> Result<Bytes, ClientError> {
        let body = Limited::new(response.into_body(), MAX_ANSWER_BYTES).collect();
        let body = tokio::time::timeout(patience, body).await.map_err(|_| self.no_answer(patience))?;
        body.map(http_body_util::Collected::to_bytes).map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(error) => ClientError::Broken(*error),
            Err(error) if error.is::<LengthLimitError>() => self.unexpected("it is far too large".to_owned()),
            Err(error) => self.unexpected(error.to_string()),
        })
    }

    fn refusal(&self, status: StatusCode, body: &[u8]) -> ClientError {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) => ClientError::Refused(Box::new(problem)),
            // Not from the daemon itself: a proxy's answer, or something else that listens there.
            Err(_) if status.is_server_error() => ClientError::Refused(Box::new(Problem {
                kind: "about:blank".to_owned(),
                title: format!("the server answered {status}"),
                status: status.as_u16(),
                detail: String::new(),
                code: "unavailable".to_owned(),
                class: Class::Unavailable,
                hint: None,
                errors: Vec::new(),
            })),
            Err(_) => self.unexpected(format!("status {status} without a problem document")),
        }
    }

    async fn send(&self, request: Request) -> Result<Response<Incoming>, ClientError> {
        let unreachable = |source| ClientError::Unreachable { endpoint: self.endpoint.to_string(), source };
        let late = |_| unreachable(std::io::ErrorKind::TimedOut.into());
        match &self.endpoint {
            #[cfg(unix)]
            Endpoint::Unix(path) => {
                let stream = tokio::time::timeout(CONNECT_PATIENCE, UnixStream::connect(path)).await.map_err(late)?;
                self.exchange(stream.map_err(unreachable)?, request, "localhost", "").await
            }
            #[cfg(not(unix))]
            Endpoint::Unix(_) => Err(unreachable(std::io::ErrorKind::Unsupported.into())),
            Endpoint::Tcp { host, port, base } => {
                let connect = TcpStream::connect((host.as_str(), *port));
                let stream = tokio::time::timeout(CONNECT_PATIENCE, connect).await.map_err(late)?;
                let stream = stream.map_err(unreachable)?;
                let _ = stream.set_nodelay(true);
                let host = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
                self.exchange(stream, request, &host, base).await
            }
        }
    }

    async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
        &self,
        stream: S,
        request: Request,
        host: &str,
        base: &str,
    ) -> Result<Response<Incoming>, ClientError> {
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(ClientError::Broken)?;
        // The connection ends by itself once the answer has been read or dropped.
        tokio::spawn(connection);
        let mut builder = http::Request::builder()
            .method(request.method)
            .uri(format!("{base}{}", request.path))
            .header(header::HOST, host)
            .header(header::USER_AGENT, concat!("sandglass/", env!("CARGO_PKG_VERSION")));
        if request.headers.iter().all(|(name, _)| *name != header::ACCEPT) {
            builder = builder.header(header::ACCEPT, ACCEPTED);
        }
        if let Some(token) = &self.token {
            builder = builder.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        let request =
            builder.body(Full::new(request.body)).map_err(|error| self.unexpected(format!("request: {error}")))?;
        sender.send_request(request).await.map_err(ClientError::Broken)
    }
}

/// A query from the fields of a plain struct, absent ones left out; empty if there are none.
pub(super) fn query(fields: &impl Serialize) -> String {
    let Ok(serde_json::Value::Object(fields)) = serde_json::to_value(fields) else { return String::new() };
    let mut text = String::new();
    for (name, value) in fields {
        let value = match value {
            serde_json::Value::Null => continue,
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        text.push(if text.is_empty() { '?' } else { '&' });
        text.push_str(&name);
        text.push('=');
        escape(&value, &mut text);
    }
    text
}

/// Percent-encoding (RFC 3986, section 2.1) of everything but unreserved characters.
pub(super) fn escape(value: &str, text: &mut String) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
}
