//! `wasi:http` inside a component: one exchange, bounded in time and size.

use std::io::Write;

use crate::bindings::http::wasi::http::outgoing_handler;
use crate::bindings::http::wasi::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest,
    RequestOptions, Scheme,
};
use crate::bindings::sandglass::plugin::run_context;
use crate::bindings::wasi::clocks::monotonic_clock;
use crate::bindings::wasi::io::poll::{self, Pollable};
use crate::bindings::wasi::io::streams::StreamError;
use crate::dispatch::nanoseconds;
use crate::http::{HttpError, Request, Response, Sink};

/// What one read may bring, in bytes.
const READ_BYTES: u64 = 64 * 1024;

/// Sends a request and reads the response; all of its body goes to the sink, if that wants it.
pub(crate) fn send(request: &Request, sink: Option<Sink<'_>>) -> Result<Response, HttpError> {
    let limits = Limits::new(request);
    let outgoing = build(request)?;
    let body = if request.body.is_empty() {
        None
    } else {
        Some(outgoing.body().map_err(|()| HttpError::Invalid("the request can have no body".to_owned()))?)
    };
    let response = outgoing_handler::handle(outgoing, options(request)).map_err(transport)?;
    if let Some(body) = body {
        // A server may answer without reading the body; then the answer counts, and a broken pipe does not.
        match write(&body, &request.body, &limits) {
            Err(HttpError::Transport(..)) => drop(body),
            Err(other) => return Err(other),
            Ok(()) => OutgoingBody::finish(body, None).map_err(transport)?,
        }
    }
    read(&receive(&response, &limits)?, request.max_body_bytes, sink, &limits)
}

/// What may end the exchange early.
struct Limits {
    cancel: Pollable,
    deadline: Option<Pollable>,
}

impl Limits {
    fn new(request: &Request) -> Self {
        Self {
            cancel: run_context::subscribe_cancel(),
            deadline: request.timeout.map(|timeout| monotonic_clock::subscribe_duration(nanoseconds(timeout))),
        }
    }

    /// Waits for the exchange to go on, but not beyond the limits.
    fn wait(&self, ready: &Pollable) -> Result<(), HttpError> {
        let mut list = vec![ready, &self.cancel];
        list.extend(&self.deadline);
        let events = poll::poll(&list);
        if events.contains(&1) {
            Err(HttpError::Cancelled)
        } else if events.contains(&0) {
            Ok(())
        } else {
            Err(HttpError::Timeout)
        }
    }
}

fn build(request: &Request) -> Result<OutgoingRequest, HttpError> {
    // How long the body is, it says itself: another length would cut it, or have the server wait for more.
    let given = request.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("content-length"));
    let mut headers: Vec<(String, Vec<u8>)> =
        given.map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
    if !request.body.is_empty() || matches!(request.method.as_str(), "POST" | "PUT" | "PATCH") {
        headers.push(("content-length".to_owned(), request.body.len().to_string().into_bytes()));
    }
    let fields =
        Fields::from_list(&headers).map_err(|error| HttpError::Invalid(format!("a header cannot be sent: {error}")))?;
    let outgoing = OutgoingRequest::new(fields);
    let url = &request.url;
    let scheme = if url.is_secure() { Scheme::Https } else { Scheme::Http };
    let set = outgoing
        // The host knows the usual ones by their names too; telling them apart here would cost a guest 200 bytes.
        .set_method(&Method::Other(request.method.clone()))
        .and_then(|()| outgoing.set_scheme(Some(&scheme)))
        .and_then(|()| outgoing.set_authority(Some(url.authority())))
        .and_then(|()| outgoing.set_path_with_query(Some(url.path_and_query())));
    set.map_err(|()| HttpError::Invalid(format!("the host does not take the request {} {url}", request.method)))?;
    Ok(outgoing)
}

/// The host's own time limits: whichever is first, they or ours, ends the exchange.
fn options(request: &Request) -> Option<RequestOptions> {
    let timeout = nanoseconds(request.timeout?);
    let options = RequestOptions::new();
    // A host that does not support one of these limits leaves it to our deadline.
    let _ = options.set_connect_timeout(Some(timeout));
    let _ = options.set_first_byte_timeout(Some(timeout));
    Some(options)
}

fn write(body: &OutgoingBody, mut bytes: &[u8], limits: &Limits) -> Result<(), HttpError> {
    let stream = body.write().map_err(|()| HttpError::Invalid("the request's body was taken before".to_owned()))?;
    let ready = stream.subscribe();
    while !bytes.is_empty() {
        limits.wait(&ready)?;
        let permit = usize::try_from(stream.check_write().map_err(broken)?).unwrap_or(usize::MAX);
        let (now, later) = bytes.split_at(permit.min(bytes.len()));
        if !now.is_empty() {
            stream.write(now).map_err(broken)?;
        }
        bytes = later;
    }
    stream.flush().map_err(broken)?;
    limits.wait(&ready)?;
    stream.check_write().map_err(broken)?;
    Ok(())
}

fn receive(response: &FutureIncomingResponse, limits: &Limits) -> Result<IncomingResponse, HttpError> {
    limits.wait(&response.subscribe())?;
    let answer = response.get().and_then(Result::ok);
    answer
        .ok_or_else(|| HttpError::Transport("internal".to_owned(), "the host gave no answer".to_owned()))?
        .map_err(transport)
}

fn read(
    incoming: &IncomingResponse,
    max_bytes: usize,
    sink: Option<Sink<'_>>,
    limits: &Limits,
) -> Result<Response, HttpError> {
    let fields = incoming.headers().entries();
    let headers = fields
        .into_iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), String::from_utf8_lossy(&value).into_owned()))
        .collect();
    let mut response = Response { status: incoming.status(), headers, ..Response::default() };
    let body = incoming.consume().map_err(|()| lost_body())?;
    let sink = Sink::of(sink, response.status);
    read_body(&body, max_bytes, sink, limits, &mut response)?;
    Ok(response)
}

fn read_body(
    body: &IncomingBody,
    max_bytes: usize,
    mut sink: Option<&mut dyn Write>,
    limits: &Limits,
    response: &mut Response,
) -> Result<(), HttpError> {
    let stream = body.stream().map_err(|()| lost_body())?;
    let ready = stream.subscribe();
    // One byte more than is kept tells whether there was more.
    while sink.is_some() || response.body.len() <= max_bytes {
        limits.wait(&ready)?;
        let room = max_bytes.saturating_add(1) - response.body.len();
        let most = if sink.is_some() { READ_BYTES } else { READ_BYTES.min(room as u64) };
        let bytes = match stream.read(most) {
            Ok(bytes) => bytes,
            Err(StreamError::Closed) => break,
            Err(error) => return Err(broken(error)),
        };
        if let Some(sink) = &mut sink {
            sink.write_all(&bytes).map_err(|error| HttpError::unkept(&error))?;
        }
        response.body.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
    response.truncated = response.body.len() > max_bytes;
    response.body.truncate(max_bytes);
    Ok(())
}

fn lost_body() -> HttpError {
    HttpError::Transport("internal".to_owned(), "the response's body was taken before".to_owned())
}

fn broken(error: StreamError) -> HttpError {
    let message = match error {
        StreamError::Closed => "the connection was closed".to_owned(),
        StreamError::LastOperationFailed(error) => error.to_debug_string(),
    };
    HttpError::Transport("connection".to_owned(), message)
}

/// The same with what the host says of it.
fn told(what: &str) -> String {
    match crate::bindings::tls::sandglass::plugin::tls::failure() {
        Some(why) => format!("{what}: {why}"),
        None => what.to_owned(),
    }
}

fn transport(error: ErrorCode) -> HttpError {
    let (code, message) = match error {
        ErrorCode::HttpRequestDenied | ErrorCode::DestinationIpProhibited => {
            return HttpError::Denied("the run may not send this request".to_owned());
        }
        ErrorCode::ConnectionTimeout
        | ErrorCode::ConnectionReadTimeout
        | ErrorCode::ConnectionWriteTimeout
        | ErrorCode::HttpResponseTimeout
        | ErrorCode::DnsTimeout => return HttpError::Timeout,
        ErrorCode::DnsError(payload) => {
            ("dns", format!("the host's name was not found: {}", payload.rcode.unwrap_or_default()))
        }
        ErrorCode::DestinationNotFound | ErrorCode::DestinationUnavailable | ErrorCode::DestinationIpUnroutable => {
            ("connection", "the host cannot be reached".to_owned())
        }
        ErrorCode::ConnectionRefused => ("connection", "the connection was refused".to_owned()),
        ErrorCode::ConnectionTerminated | ErrorCode::HttpResponseIncomplete => {
            ("connection", "the connection was closed before the response was complete".to_owned())
        }
        ErrorCode::ConnectionLimitReached => ("connection", "too many connections are open".to_owned()),
        ErrorCode::TlsCertificateError => ("tls", told("the server's certificate is not trusted")),
        ErrorCode::TlsProtocolError | ErrorCode::TlsAlertReceived(_) => {
            ("tls", told("the connection could not be encrypted"))
        }
        ErrorCode::HttpResponseHeaderSectionSize(_) => ("protocol", "the head of the response is too long".to_owned()),
        ErrorCode::HttpRequestUriInvalid => return HttpError::Invalid("the address is not valid".to_owned()),
        ErrorCode::HttpRequestMethodInvalid => return HttpError::Invalid("the method is not valid".to_owned()),
        ErrorCode::InternalError(Some(message)) => ("transport", message),
        // The rest is about one side breaking the protocol's rules; telling each apart would cost a guest 5 kB.
        _ => ("protocol", "the exchange broke the rules of HTTP".to_owned()),
    };
    HttpError::Transport(code.to_owned(), message)
}
