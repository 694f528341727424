//! Servers in tests.

use std::time::Duration;

use crate::http::{HttpError, Request, Response, Sink};
use crate::testing::{Host, with};

type Server = Box<dyn FnMut(&Request) -> Result<Response, HttpError>>;

#[derive(Default)]
pub(crate) struct Script {
    server: Option<Server>,
    requests: Vec<Request>,
    takes: Duration,
}

impl Host {
    /// Answers every request that an action sends.
    #[must_use]
    pub fn on_http(self, server: impl FnMut(&Request) -> Result<Response, HttpError> + 'static) -> Self {
        self.script.borrow_mut().http.server = Some(Box::new(server));
        self
    }

    /// Says how long each request takes of what [remains](Host::remaining) of the attempt. Nobody waits for it.
    #[must_use]
    pub fn http_takes(self, duration: Duration) -> Self {
        self.script.borrow_mut().http.takes = duration;
        self
    }

    /// The requests that actions sent.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.script.borrow().http.requests.clone()
    }
}

pub(crate) fn answer(request: &Request, sink: Option<Sink<'_>>) -> Result<Response, HttpError> {
    let server = with(|script| {
        script.http.requests.push(request.clone());
        script.remaining = script.remaining.map(|left| left.saturating_sub(script.http.takes));
        script.http.server.take()
    });
    let Some(mut server) = server else {
        return Err(HttpError::Transport("connection".to_owned(), "there is no server on this host".to_owned()));
    };
    let mut response = server(request);
    with(|script| script.http.server = Some(server));
    if let Ok(response) = &mut response {
        if let Some(sink) = Sink::of(sink, response.status) {
            sink.write_all(&response.body).map_err(|error| HttpError::unkept(&error))?;
        }
        response.truncated |= response.body.len() > request.max_body_bytes;
        response.body.truncate(request.max_body_bytes);
    }
    response
}
