//! A small blocking HTTP client. The plugin's manifest asks for the capability `http`.
//!
//! It follows no redirects: where a request may go is decided for each address, and the caller knows best.

use std::io::Write;
use std::time::Duration;

use crate::{Context, Failure, Retry};

mod retry_after;
mod tls;
mod url;
pub use tls::{Identity, Tls};
pub use url::Url;

/// The most that a response's body may take unless the request says otherwise.
pub const DEFAULT_MAX_BODY_BYTES: usize = 1024 * 1024;

/// A request to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The method, in capitals.
    pub method: String,
    /// Where it goes.
    pub url: Url,
    /// Header names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// How long the whole exchange may take; without it, the run's deadline bounds it.
    pub timeout: Option<Duration>,
    /// How much of the response's body is kept, in bytes.
    pub max_body_bytes: usize,
    /// Whom it trusts, and who it says that it is; without it the web's authorities, and nobody.
    pub tls: Option<Tls>,
}

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: impl Into<String>, url: Url) -> Self {
        Self {
            method: method.into(),
            url,
            headers: Vec::new(),
            body: Vec::new(),
            timeout: None,
            max_body_bytes: DEFAULT_MAX_BODY_BYTES,
            tls: None,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Whether a header is set, in whatever case.
    #[must_use]
    pub fn has_header(&self, name: &str) -> bool {
        self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Bounds how long the whole exchange may take.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Bounds how much of the response's body is kept.
    #[must_use]
    pub fn max_body_bytes(mut self, bytes: usize) -> Self {
        self.max_body_bytes = bytes;
        self
    }

    /// Chooses certificates. They are for all requests that the attempt sends to this server from then on.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Sends the request and reads the response. Ends early when the run should stop.
    ///
    /// # Errors
    /// When no response arrived; a response of whatever status is none.
    pub fn send(&self, context: &Context) -> Result<Response, HttpError> {
        self.exchange(context, None)
    }

    /// As [`Request::send`]; and where the status is as `wants` says, all of the response's body is written to `sink` as it comes.
    /// The response has the beginning of it, as far as it may be kept.
    ///
    /// # Errors
    /// When no response arrived, or the sink does not take it.
    pub fn send_into(
        &self,
        context: &Context,
        wants: &dyn Fn(u16) -> bool,
        sink: &mut dyn Write,
    ) -> Result<Response, HttpError> {
        self.exchange(context, Some(Sink { wants, to: sink }))
    }

    fn exchange(&self, _context: &Context, sink: Option<Sink<'_>>) -> Result<Response, HttpError> {
        if let Some(tls) = &self.tls {
            tls.choose(&self.url)?;
        }
        #[cfg(target_arch = "wasm32")]
        return crate::host::guest_http::send(self, sink);
        #[cfg(not(target_arch = "wasm32"))]
        return crate::testing::http::answer(self, sink);
    }
}

/// Where the bodies of some responses go.
pub(crate) struct Sink<'a> {
    wants: &'a dyn Fn(u16) -> bool,
    to: &'a mut dyn Write,
}

impl<'a> Sink<'a> {
    /// Where the body of a response with this status goes, if it is wanted.
    pub(crate) fn of(this: Option<Self>, status: u16) -> Option<&'a mut dyn Write> {
        this.filter(|sink| (sink.wants)(status)).map(|sink| sink.to)
    }
}

/// What the server answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Header names in small letters, and values, in order.
    pub headers: Vec<(String, String)>,
    /// The body, as far as it was kept.
    pub body: Vec<u8>,
    /// Whether there was more of the body.
    pub truncated: bool,
}

impl Response {
    /// The first value of a header, in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// What a response that means failure says about trying again: a client's fault stays one, a server's may pass, and a
    /// busy server says when in `Retry-After`.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self.status {
            429 | 503 => self
                .header("retry-after")
                .and_then(|value| retry_after::wait(value, self.header("date")))
                .map_or(Retry::ByJobPolicy, Retry::After),
            400..=499 if !matches!(self.status, 408 | 425) => Retry::Never,
            _ => Retry::ByJobPolicy,
        }
    }
}

/// Why no response arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// The request cannot be sent as it is.
    Invalid(String),
    /// The run has no grant for this request.
    Denied(String),
    /// The exchange took too long.
    Timeout,
    /// The run should stop.
    Cancelled,
    /// What the response's body is written to does not take it.
    Unkept(String),
    /// The connection failed: a code in kebab case, and a message.
    Transport(String, String),
}

impl std::fmt::Display for HttpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Invalid(message) | Self::Denied(message) | Self::Unkept(message) | Self::Transport(_, message) => {
                f.write_str(message)
            }
            Self::Timeout => f.write_str("the exchange took too long"),
            Self::Cancelled => f.write_str("the run was asked to stop"),
        }
    }
}

impl std::error::Error for HttpError {}

impl HttpError {
    pub(crate) fn unkept(error: &std::io::Error) -> Self {
        Self::Unkept(format!("the response cannot be kept: {error}"))
    }
}

impl From<HttpError> for Failure {
    fn from(error: HttpError) -> Self {
        let message = error.to_string();
        match error {
            HttpError::Invalid(_) => Self::new("invalid-argument", message).never_retry(),
            HttpError::Denied(_) => Self::new("denied", message).never_retry(),
            HttpError::Unkept(_) => Self::new("response", message).never_retry(),
            HttpError::Timeout => Self::new("timeout", message),
            HttpError::Cancelled => Self::cancelled(),
            HttpError::Transport(code, _) => Self::new(code, message),
        }
    }
}
