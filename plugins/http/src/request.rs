//! The action `request`.

use std::collections::BTreeMap;
use std::time::Duration;

use sandglass_plugin::http::{Request, Response, Url};
use sandglass_plugin::serde_json::{Value, json, to_vec};
use sandglass_plugin::{Action, Context, Failure, Issue, Outcome, Period, output, params};

use crate::status::ExpectedStatus;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_RESPONSE_BYTES: u32 = 64 * 1024;
/// The most that may be asked for: it has to fit the plugin's memory and the run's record.
const MAX_RESPONSE_BYTES: u32 = 256 * 1024;
const MAX_REDIRECTS: u8 = 20;
/// How much of the body a failure quotes, in characters.
const QUOTED_CHARS: usize = 500;

/// What a job gives.
#[params]
pub(crate) struct Params {
    /// The method; GET by default.
    #[serde(default)]
    method: Option<String>,
    /// Where the request goes, with http:// or https://.
    url: String,
    /// Header names and values.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The body as text.
    #[serde(default)]
    body: Option<String>,
    /// Instead of a body: a value that is sent as JSON.
    #[serde(default)]
    json: Option<Value>,
    /// Which statuses mean success: a status, a pattern such as "2xx" or "200-299", or a list; "2xx" by default.
    #[serde(default)]
    expected_status: ExpectedStatus,
    /// How long the whole exchange may take; 30 s by default.
    #[serde(default)]
    timeout: Option<Period>,
    /// How much of the response's body is kept, in bytes; 65536 by default.
    #[serde(default)]
    max_response_bytes: Option<u32>,
    /// How many redirects are followed; none by default.
    #[serde(default)]
    follow_redirects: u8,
}

/// What the run keeps of the response.
#[output]
pub(crate) struct Output {
    /// The status.
    status: u16,
    /// Header names in small letters, and values; the values of a repeated header are joined by commas.
    headers: BTreeMap<String, String>,
    /// The body, as far as it was kept; what is not UTF-8 is replaced.
    body: String,
    /// Whether there was more of the body.
    truncated: bool,
}

pub(crate) struct SendRequest;

impl Action for SendRequest {
    const NAME: &'static str = "request";
    const TITLE: &'static str = "Send an HTTP request";
    const DESCRIPTION: &'static str = "Sends a request; the response's status decides, and the response is kept.";
    type Params = Params;
    type Output = Output;

    fn examples() -> Vec<Value> {
        vec![
            json!({ "url": "https://example.com/health" }),
            json!({ "method": "POST", "url": "https://example.com/hook", "json": { "text": "done" }, "expected_status": 204 }),
        ]
    }

    fn validate(params: &Params) -> Vec<Issue> {
        let mut issues = Vec::new();
        if let Err(error) = params.url.parse::<Url>() {
            issues.push(Issue::at("/url", error.to_string()));
        }
        if params.method.as_ref().is_some_and(|method| !is_token(method)) {
            issues.push(Issue::at("/method", "expected a method such as GET or POST"));
        }
        for (name, value) in &params.headers {
            let pointer = format!("/headers/{}", name.replace('~', "~0").replace('/', "~1"));
            if !is_token(name) {
                issues.push(Issue::at(pointer, "expected the name of a header"));
            } else if value.contains(['\r', '\n', '\0']) {
                issues.push(Issue::at(pointer, "the value of a header is one line"));
            }
        }
        if params.body.is_some() && params.json.is_some() {
            issues.push(Issue::at("/json", "give either `body` or `json`, not both"));
        }
        if params.max_response_bytes.is_some_and(|bytes| bytes > MAX_RESPONSE_BYTES) {
            issues.push(Issue::at("/max_response_bytes", format!("expected at most {MAX_RESPONSE_BYTES}")));
        }
        if params.follow_redirects > MAX_REDIRECTS {
            issues.push(Issue::at("/follow_redirects", format!("expected at most {MAX_REDIRECTS}")));
        }
        issues
    }

    fn run(params: Params, context: &Context) -> Result<Outcome<Output>, Failure> {
        if let Some(issue) = Self::validate(&params).into_iter().next() {
            let message = format!("{} (at {:?})", issue.message, issue.pointer);
            return Err(Failure::new("invalid-params", message).never_retry());
        }
        let response = exchange(request(&params)?, params.follow_redirects, context)?;
        judge(response, &params.expected_status)
    }
}

/// A token by RFC 9110, section 5.6.2: what methods and header names are made of.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn request(params: &Params) -> Result<Request, Failure> {
    let method = params.method.as_deref().unwrap_or("GET").to_ascii_uppercase();
    let bytes = params.max_response_bytes.unwrap_or(DEFAULT_RESPONSE_BYTES);
    let mut request = Request::new(method, params.url.parse()?)
        .timeout(params.timeout.map_or(DEFAULT_TIMEOUT, |period| period.0))
        .max_body_bytes(bytes as usize);
    for (name, value) in &params.headers {
        request = request.header(name, value);
    }
    if let Some(text) = &params.body {
        request = request.body(text.as_bytes());
    } else if let Some(value) = &params.json {
        if !request.has_header("content-type") {
            request = request.header("content-type", "application/json");
        }
        request = request.body(json_bytes(value));
    }
    Ok(request)
}

fn json_bytes(value: &Value) -> Vec<u8> {
    to_vec(value).expect("a JSON value can be written as text")
}

/// Sends the request and follows at most `redirects` redirects; one that may not be followed is the response.
fn exchange(mut request: Request, redirects: u8, context: &Context) -> Result<Response, Failure> {
    let mut left = redirects;
    loop {
        let response = request.send(context)?;
        let location =
            if matches!(response.status, 301 | 302 | 303 | 307 | 308) { response.header("location") } else { None };
        match location {
            Some(location) if left > 0 => {
                request = redirected(request, response.status, location)?;
                left -= 1;
            }
            _ => return Ok(response),
        }
    }
}

/// The request that a redirect asks for (RFC 9110, section 15.4). What proves who we are does not go to another server.
fn redirected(mut request: Request, status: u16, location: &str) -> Result<Request, Failure> {
    let url = request.url.join(location)?;
    let same_server = url.authority() == request.url.authority() && url.is_secure() == request.url.is_secure();
    let becomes_get =
        status == 303 && request.method != "HEAD" || matches!(status, 301 | 302) && request.method == "POST";
    if becomes_get {
        request.method = "GET".to_owned();
        request.body.clear();
    }
    request.headers.retain(|(name, _)| {
        let name = name.to_ascii_lowercase();
        let secret = matches!(name.as_str(), "authorization" | "cookie" | "proxy-authorization");
        let about_body = name.starts_with("content-");
        (same_server || !secret) && (!becomes_get || !about_body)
    });
    request.url = url;
    Ok(request)
}

fn judge(response: Response, expected: &ExpectedStatus) -> Result<Outcome<Output>, Failure> {
    let status = response.status;
    let body = String::from_utf8_lossy(&response.body).into_owned();
    if expected.contains(status) {
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in response.headers {
            let joined = headers.entry(name).or_default();
            *joined = if joined.is_empty() { value } else { format!("{joined}, {value}") };
        }
        let output = Output { status, headers, body, truncated: response.truncated };
        return Ok(Outcome::output(output).with_summary(format!("status {status}")));
    }
    let quoted: String = body.chars().take(QUOTED_CHARS).collect();
    Err(Failure::new("status", format!("the server answered with status {status}"))
        .retry(response.retry())
        .detail(json!({ "status": status, "body": quoted })))
}
