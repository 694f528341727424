//! The action `request`.

use std::collections::BTreeMap;
use std::time::Duration;

use sandglass_plugin::http::{HttpError, Request, Response, Url};
use sandglass_plugin::plan::{Effect, Plan, Planned, Step};
use sandglass_plugin::serde_json::{Value, from_slice, json, to_vec};
use sandglass_plugin::{
    Action, Context, Error, ErrorCode, Failure, Issue, Outcome, PLACEHOLDER, Period, Schemas, examples, include_json,
    include_schema, output, params,
};

use crate::artifact::{self, Published, Sink};
use crate::assertion::Assertion;
use crate::auth::Auth;
use crate::status::ExpectedStatus;
use crate::tls::Tls;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_RESPONSE_BYTES: u32 = 64 * 1024;
/// The most that may be asked for: it has to fit the plugin's memory and the run's record.
const MAX_RESPONSE_BYTES: u32 = 256 * 1024;
/// The same of a response that is kept as an artifact.
const DEFAULT_ARTIFACT_BYTES: u32 = 64 << 20;
const MAX_ARTIFACT_BYTES: u32 = 1 << 30;
const MAX_REDIRECTS: u8 = 20;
const MAX_ASSERTIONS: usize = 100;
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
    /// Names and values added to the address as its query, encoded as needed.
    #[serde(default)]
    query: BTreeMap<String, String>,
    /// Header names and values.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The body as text.
    #[serde(default)]
    body: Option<String>,
    /// Instead of a body: a value, sent as JSON.
    #[serde(default)]
    json: Option<Value>,
    /// Instead of a body: names and values of a form.
    #[serde(default)]
    form: Option<BTreeMap<String, String>>,
    /// How the request proves whose it is.
    #[serde(default)]
    auth: Option<Auth>,
    /// Whom the request trusts, and the certificate of its own.
    #[serde(default)]
    tls: Option<Tls>,
    /// Which statuses mean success: one, a pattern such as "2xx" or "200-299", or a list; "2xx" by default.
    #[serde(default)]
    expected_status: ExpectedStatus,
    /// What must be so in the response's JSON for the run to succeed.
    #[serde(default)]
    assertions: Vec<Assertion>,
    /// How long it may take, with all redirects; 30 s by default.
    #[serde(default)]
    timeout: Option<Period>,
    /// How much of the response's body is kept, in bytes; 65536 by default. An artifact is kept whole, and the run fails if it
    /// has more; 67108864 by default.
    #[serde(default)]
    max_response_bytes: Option<u32>,
    /// Keeps the response's body as an artifact of this name, and not in the output. Assertions are for one of
    /// 256 KiB at most.
    #[serde(default)]
    artifact: Option<String>,
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
    /// The body, as far as it was kept; what is not UTF-8 is replaced. Empty if it is an artifact.
    body: String,
    /// Whether there was more of the body.
    truncated: bool,
    /// The body as JSON, if the response says that it is, and all of it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    /// What the body was kept as.
    #[serde(skip_serializing_if = "Option::is_none")]
    artifact: Option<Published>,
}

pub(crate) struct SendRequest;

impl Action for SendRequest {
    const NAME: &'static str = "request";
    const TITLE: &'static str = "Send an HTTP request";
    const DESCRIPTION: &'static str = "Sends a request; the response's status decides, and the response is kept.";
    const SCHEMAS: Option<Schemas> = Some(Schemas {
        params: include_schema!("src/request.params.json"),
        output: Some(include_schema!("src/request.output.json")),
    });
    type Params = Params;
    type Output = Output;

    fn examples() -> Vec<Value> {
        examples(include_json!("src/request.examples.json"))
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
        if params.form.is_some() && (params.body.is_some() || params.json.is_some()) {
            issues.push(Issue::at("/form", "give either `form` or another body, not both"));
        }
        issues.extend(params.auth.as_ref().and_then(Auth::issue));
        let has_authorization = params.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization"));
        if has_authorization && matches!(params.auth, Some(Auth::Basic { .. } | Auth::Bearer(_))) {
            issues.push(Issue::at("/auth", "give either `auth` or a header `Authorization`, not both"));
        }
        if let Some(tls) = &params.tls {
            if params.url.starts_with("http://") {
                issues.push(Issue::at("/tls", "it is for an address that begins with https://"));
            }
            issues.extend(tls.issue());
        }
        if params.assertions.len() > MAX_ASSERTIONS {
            issues.push(Issue::at("/assertions", format!("expected at most {MAX_ASSERTIONS}")));
        }
        let assertions = params.assertions.iter().enumerate();
        issues.extend(assertions.filter_map(|(place, one)| one.issue(&format!("/assertions/{place}"))));
        let most = if params.artifact.is_some() { MAX_ARTIFACT_BYTES } else { MAX_RESPONSE_BYTES };
        if params.max_response_bytes.is_some_and(|bytes| bytes > most) {
            issues.push(Issue::at("/max_response_bytes", format!("expected at most {most}")));
        }
        issues.extend(params.artifact.as_deref().and_then(artifact::issue).map(|why| Issue::at("/artifact", why)));
        if params.follow_redirects > MAX_REDIRECTS {
            issues.push(Issue::at("/follow_redirects", format!("expected at most {MAX_REDIRECTS}")));
        }
        issues
    }

    fn run(params: Params, context: &Context) -> Result<Outcome<Output>, Failure> {
        let response = exchange(request(&params)?, &params, context)?;
        judge(response, &params)
    }
}

impl Plan for SendRequest {
    fn plan(params: Params, _: &Context) -> Result<Planned, Error> {
        let invalid = |message| Error { code: ErrorCode::InvalidArgument, message, detail: None };
        let method = method(&params);
        let url = address(&params).map_err(|failure| invalid(failure.message))?;
        let effect = if matches!(method.as_str(), "GET" | "HEAD" | "OPTIONS") { Effect::Read } else { Effect::Send };
        let mut steps = vec![Step::new(effect, url.to_string(), method)];
        steps.extend(params.artifact.map(|name| Step::new(Effect::Create, name, "an artifact, of the response")));
        Ok(Planned { steps, is_complete: params.follow_redirects == 0 })
    }
}

/// A token by RFC 9110, section 5.6.2: what methods and header names are made of.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn request(params: &Params) -> Result<Request, Failure> {
    // What an artifact is judged by stays in memory all the same.
    let bytes = match params.artifact {
        Some(_) => MAX_RESPONSE_BYTES,
        None => params.max_response_bytes.unwrap_or(DEFAULT_RESPONSE_BYTES),
    };
    let mut request = Request::new(method(params), address(params)?)
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
    } else if let Some(form) = &params.form {
        if !request.has_header("content-type") {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        request = request.body(encoded(form));
    }
    if let Some(tls) = &params.tls {
        request = request.tls(tls.chosen());
    }
    match &params.auth {
        Some(auth) => auth.sign(request),
        None => Ok(request),
    }
}

fn method(params: &Params) -> String {
    params.method.as_deref().unwrap_or("GET").to_ascii_uppercase()
}

/// The address with what `query` adds to it.
fn address(params: &Params) -> Result<Url, Failure> {
    if params.query.is_empty() {
        return Ok(params.url.parse()?);
    }
    let address = params.url.split('#').next().unwrap_or_default();
    let mark = if address.contains('?') { '&' } else { '?' };
    Ok(format!("{address}{mark}{}", encoded(&params.query)).parse()?)
}

fn encoded(values: &BTreeMap<String, String>) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(values).finish()
}

fn json_bytes(value: &Value) -> Vec<u8> {
    to_vec(value).expect("a JSON value can be written as text")
}

/// Sends the request and follows as many redirects as it may; one that may not be followed is the response.
fn exchange(mut request: Request, params: &Params, context: &Context) -> Result<Response, Failure> {
    // The timeout is for all requests together. There is no end if the attempt's own comes first.
    let end = request.timeout.zip(context.remaining()).and_then(|(timeout, left)| left.checked_sub(timeout));
    let mut left = params.follow_redirects;
    let proof = params.auth.as_ref().map_or("authorization", Auth::header);
    loop {
        let response = if params.artifact.is_some() {
            let most = params.max_response_bytes.unwrap_or(DEFAULT_ARTIFACT_BYTES);
            let wants = |status| params.expected_status.contains(status) && (left == 0 || !is_redirect(status));
            request.send_into(context, &wants, &mut Sink::open(most)?)?
        } else {
            request.send(context)?
        };
        let location = if is_redirect(response.status) { response.header("location") } else { None };
        match location {
            Some(location) if left > 0 => {
                request = redirected(request, response.status, location, proof)?;
                if let Some((end, left)) = end.zip(context.remaining()) {
                    request.timeout = Some(left.checked_sub(end).ok_or(HttpError::Timeout)?);
                }
                left -= 1;
            }
            _ => return Ok(response),
        }
    }
}

fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The request that a redirect asks for (RFC 9110, section 15.4). What proves who we are does not go to another server.
fn redirected(mut request: Request, status: u16, location: &str, proof: &str) -> Result<Request, Failure> {
    let url = request.url.join(location)?;
    let same_server = url.authority() == request.url.authority() && url.is_secure() == request.url.is_secure();
    let becomes_get =
        status == 303 && request.method != "HEAD" || matches!(status, 301 | 302) && request.method == "POST";
    if becomes_get {
        request.method = "GET".to_owned();
        request.body.clear();
    }
    if !same_server && request.body.windows(PLACEHOLDER.len()).any(|bytes| bytes == PLACEHOLDER.as_bytes()) {
        let message = "the server redirects to another one, which must not have the secret in the request's body";
        return Err(Failure::new("redirect", message).never_retry());
    }
    request.headers.retain(|(name, value)| {
        let name = name.to_ascii_lowercase();
        let secret = matches!(name.as_str(), "authorization" | "cookie" | "proxy-authorization")
            || name.eq_ignore_ascii_case(proof)
            || value.contains(PLACEHOLDER);
        let about_body = name.starts_with("content-");
        (same_server || !secret) && (!becomes_get || !about_body)
    });
    if !same_server {
        request.tls = None;
    }
    request.url = url;
    Ok(request)
}

/// The response's JSON, if it says that it is and there is all of it.
fn json_of(response: &Response) -> Option<Value> {
    let kind = response.header("content-type")?.split(';').next()?.trim().to_ascii_lowercase();
    let is_json = kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"));
    if is_json && !response.truncated { from_slice(&response.body).ok() } else { None }
}

/// What is not as the job says in the response's JSON, if anything.
fn unmet(params: &Params, response: &Response) -> Option<String> {
    if params.assertions.is_empty() {
        return None;
    }
    // A server that forgets to say so may still answer with JSON.
    match from_slice::<Value>(&response.body) {
        _ if response.truncated => {
            let most =
                if params.artifact.is_some() { "256 KiB, the most that is looked into" } else { "max_response_bytes" };
            Some(format!("there is more of it than {most}"))
        }
        Ok(body) => params.assertions.iter().find_map(|assertion| assertion.fails(&body)),
        Err(error) => Some(format!("it is no JSON: {error}")),
    }
}

fn judge(response: Response, params: &Params) -> Result<Outcome<Output>, Failure> {
    let expected = &params.expected_status;
    let status = response.status;
    let mut body = String::from_utf8_lossy(&response.body).into_owned();
    if expected.contains(status) {
        if let Some(what) = unmet(params, &response) {
            let quoted: String = body.chars().take(QUOTED_CHARS).collect();
            return Err(Failure::new("assertion", format!("the response is not as expected: {what}"))
                .detail(json!({ "status": status, "body": quoted })));
        }
        let artifact = params.artifact.as_deref().map(|name| artifact::publish(name, &response)).transpose()?;
        let (mut json, mut truncated) = (json_of(&response), response.truncated);
        if artifact.is_some() {
            (body, json, truncated) = (String::new(), None, false);
        }
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in response.headers {
            let joined = headers.entry(name).or_default();
            *joined = if joined.is_empty() { value } else { format!("{joined}, {value}") };
        }
        let output = Output { status, headers, body, truncated, json, artifact };
        return Ok(Outcome::output(output).with_summary(format!("status {status}")));
    }
    let quoted: String = body.chars().take(QUOTED_CHARS).collect();
    Err(Failure::new("status", format!("the server answered with status {status}"))
        .retry(response.retry())
        .detail(json!({ "status": status, "body": quoted })))
}
