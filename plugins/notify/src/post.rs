//! A message on its way: one request, and what its answer means.

use std::time::Duration;

use sandglass_plugin::http::{Request, Response, Url};
use sandglass_plugin::serde_json::{self, Value, json};
use sandglass_plugin::{Context, Failure, Issue, Outcome};

use crate::text;

/// How long the whole exchange may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How much of an answer is looked at, in bytes.
const MAX_ANSWER: usize = 16 * 1024;
/// How much of a service's own words a failure quotes.
const MAX_QUOTE: usize = 300;

/// A request with a JSON body.
pub(crate) fn request(url: &str, body: &Value) -> Result<Request, Failure> {
    let body = serde_json::to_vec(body).expect("a JSON value can be written as text");
    Ok(plain_request(url)?.header("content-type", "application/json").body(body))
}

/// A request without a body.
pub(crate) fn plain_request(url: &str) -> Result<Request, Failure> {
    Ok(Request::new("POST", url.parse()?).timeout(TIMEOUT).max_body_bytes(MAX_ANSWER))
}

/// Sends it, and takes any status of 2xx for success.
pub(crate) fn send(request: &Request, service: &str, context: &Context) -> Result<Outcome<()>, Failure> {
    let response = request.send(context)?;
    let status = response.status;
    if (200..300).contains(&status) {
        return Ok(Outcome::summary(format!("{service} took the message (status {status})")).changed(true));
    }
    let said = said(&response);
    let words = said.as_ref().map(|said| format!(": {said}")).unwrap_or_default();
    Err(Failure::new("status", format!("{service} answered with status {status}{words}"))
        .retry(response.retry())
        .detail(json!({ "status": status, "body": said })))
}

/// What the service says is wrong, on one line: what its JSON names so, or its text.
fn said(response: &Response) -> Option<String> {
    let body = String::from_utf8_lossy(&response.body);
    let named = serde_json::from_slice::<Value>(&response.body).ok().and_then(|body| named(&body));
    let said = text::line(named.as_deref().unwrap_or(&body).trim(), MAX_QUOTE);
    if said.is_empty() { None } else { Some(said) }
}

/// The text under the keys by which services tell errors.
fn named(body: &Value) -> Option<String> {
    ["message", "error", "error_description"].into_iter().find_map(|key| match body.get(key)? {
        Value::String(text) => Some(text.clone()),
        inner @ Value::Object(_) => named_within(inner),
        _ => None,
    })
}

fn named_within(error: &Value) -> Option<String> {
    error.get("message").and_then(Value::as_str).map(str::to_owned)
}

/// What is wrong with an address, if anything is.
pub(crate) fn check_url(url: &str) -> Vec<Issue> {
    url.parse::<Url>().err().map(|error| Issue::at("/url", error.to_string())).into_iter().collect()
}
