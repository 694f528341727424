//! The values of secrets put into a request in the place of what stands for them.
//!
//! The grants are asked afterwards, about the request as it will be sent. The values of a secret that is limited to some
//! hosts go to no other.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt as _;
use http::header::{self, HeaderMap, HeaderValue};
use http::uri::{Authority, PathAndQuery, Scheme, Uri};
use http_body_util::{BodyDataStream, BodyExt, Full, StreamBody};
use hyper::body::Frame;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode, utf8_percent_encode};
use wasmtime_wasi_http::{Error, WasiBody};

use crate::secrets::{Held, LONGEST_BEGUN, NotPutIn, RunSecrets};

/// The most that a request's body may have for values to be put into it, in bytes. One that is longer may hold no placeholder.
const BODY: usize = 1 << 20;
/// What a value has in an address as it is. In the path, which tokens of chat services are parts of, `/` too.
pub(crate) const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
pub(crate) const IN_PATH: &AsciiSet = &IN_QUERY.remove(b'/').remove(b':').remove(b'@');

/// Why a request is not sent with the values of secrets.
#[derive(Debug)]
pub(crate) enum NotSent {
    /// A value cannot stand where it is wanted, or may not go there.
    Secret(NotPutIn),
    Request(Error),
}

impl NotSent {
    fn without_host(self) -> Self {
        match self {
            Self::Secret(error) => Self::Secret(error.without_host()),
            Self::Request(_) => self,
        }
    }
}

impl From<NotPutIn> for NotSent {
    fn from(error: NotPutIn) -> Self {
        Self::Secret(error)
    }
}

impl From<Error> for NotSent {
    fn from(error: Error) -> Self {
        Self::Request(error)
    }
}

/// The request as it is to be sent.
pub(super) async fn put_in(
    secrets: &RunSecrets,
    request: http::Request<WasiBody>,
) -> Result<http::Request<WasiBody>, NotSent> {
    let to_secret = is_secret(secrets, request.uri());
    filled(secrets, request).await.map_err(|error| if to_secret { error.without_host() } else { error })
}

/// Whether the server is named by what stands for a secret.
fn is_secret(secrets: &RunSecrets, uri: &Uri) -> bool {
    uri.authority().is_some_and(|authority| secrets.first_in(authority.as_str().as_bytes()).is_some())
}

async fn filled(
    secrets: &RunSecrets,
    mut request: http::Request<WasiBody>,
) -> Result<http::Request<WasiBody>, NotSent> {
    let uri = whole_address(secrets, request.uri())?;
    let host = uri.authority().map(|authority| authority.host().to_owned()).unwrap_or_default();
    *request.uri_mut() = within_address(secrets, uri, &host)?;
    fields(secrets, request.headers_mut(), &host)?;
    body(secrets, request, &host).await
}

fn unfit(held: &Held, why: &'static str) -> NotPutIn {
    NotPutIn::Unfit(held.secret.name.clone(), why)
}

/// An address whose host is a placeholder is meant to be the secret as a whole: its value is the address.
pub(crate) fn whole_address(secrets: &RunSecrets, uri: &Uri) -> Result<Uri, NotSent> {
    let authority = uri.authority().map(Authority::as_str).unwrap_or_default();
    let Some(held) = secrets.first_in(authority.as_bytes()) else { return Ok(uri.clone()) };
    if authority != held.placeholder {
        return Err(unfit(held, "a secret is the whole address, or a part of its path or query").into());
    }
    let no_address = "it is no address that begins with http:// or https://";
    let value = std::str::from_utf8(&held.secret.value).map_err(|_| unfit(held, no_address))?;
    let address: Uri = value.trim().parse().map_err(|_| unfit(held, no_address))?;
    let is_absolute = address.scheme().is_some_and(|scheme| *scheme == Scheme::HTTP || *scheme == Scheme::HTTPS);
    let host = address.authority().filter(|_| is_absolute).ok_or_else(|| unfit(held, no_address))?.host();
    held.for_host(host)?;
    let added = uri.path_and_query().map(PathAndQuery::as_str).unwrap_or("/");
    if added == "/" {
        return Ok(address);
    }
    Ok(goes_on(value.trim(), added).parse().map_err(|_| Error::HttpRequestUriInvalid)?)
}

/// An address with what follows its placeholder: a path goes on where the address's own ends, and so does a query.
fn goes_on(address: &str, added: &str) -> String {
    // What follows `#` is never sent.
    let address = address.split('#').next().unwrap_or_default();
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let (further, more) = added.split_once('?').unwrap_or((added, ""));
    let path =
        if matches!(further, "" | "/") { path.to_owned() } else { format!("{}{further}", path.trim_end_matches('/')) };
    match [query, more].into_iter().filter(|query| !query.is_empty()).collect::<Vec<_>>().join("&") {
        queries if queries.is_empty() => path,
        queries => format!("{path}?{queries}"),
    }
}

/// Values within the path and the query, written so that they stay within their part of it.
fn within_address(secrets: &RunSecrets, uri: Uri, host: &str) -> Result<Uri, NotSent> {
    let Some(text) = uri.path_and_query().map(PathAndQuery::as_str) else { return Ok(uri) };
    let query = text.find('?').unwrap_or(text.len());
    let part = |text: &str, set: &'static AsciiSet| -> Result<Option<String>, NotPutIn> {
        let filled = secrets.put_in(text.as_bytes(), |held, filled| {
            let value = std::str::from_utf8(held.for_host(host)?)
                .map_err(|_| NotPutIn::Unfit(held.secret.name.clone(), "it is no text"))?;
            filled.extend(utf8_percent_encode(value, set).flat_map(str::bytes));
            Ok(())
        });
        Ok(filled?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    let (path, rest) = text.split_at(query);
    let (filled, added) = (part(path, IN_PATH)?, part(rest, IN_QUERY)?);
    if filled.is_none() && added.is_none() {
        return Ok(uri);
    }
    let whole = format!("{}{}", filled.as_deref().unwrap_or(path), added.as_deref().unwrap_or(rest));
    let mut parts = uri.into_parts();
    parts.path_and_query = Some(whole.parse().map_err(|_| Error::HttpRequestUriInvalid)?);
    Ok(Uri::from_parts(parts).map_err(|_| Error::HttpRequestUriInvalid)?)
}

/// Values within header fields, also where a name and a password are written in base64 (RFC 7617).
fn fields(secrets: &RunSecrets, fields: &mut HeaderMap, host: &str) -> Result<(), NotSent> {
    for (name, field) in fields.iter_mut() {
        let basic = (name == header::AUTHORIZATION).then(|| credentials(field)).flatten();
        let filled = match &basic {
            Some(text) => secrets.for_host(text, host)?.map(|text| basic_field(&text)),
            None => secrets.for_host(field.as_bytes(), host)?,
        };
        let Some(filled) = filled else { continue };
        let mut filled = HeaderValue::from_bytes(&filled).map_err(|_| {
            let held = secrets.first_in(basic.as_deref().unwrap_or(field.as_bytes()));
            let odd = |held| unfit(held, "it has characters that no header field has").into();
            held.map_or(NotSent::Request(Error::HttpRequestUriInvalid), odd)
        })?;
        filled.set_sensitive(true);
        *field = filled;
    }
    Ok(())
}

/// The name and password of a field `Basic …`.
fn credentials(field: &HeaderValue) -> Option<Vec<u8>> {
    let (scheme, text) = field.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("basic") { BASE64_STANDARD.decode(text.trim()).ok() } else { None }
}

fn basic_field(credentials: &[u8]) -> Vec<u8> {
    format!("Basic {}", BASE64_STANDARD.encode(credentials)).into_bytes()
}

/// How a value is written into a body.
type Write = fn(&Held, &[u8], &mut Vec<u8>) -> Result<(), NotPutIn>;

/// How values are written in a body of this kind, so that each stays within the text that it is a part of.
fn writer_for(fields: &HeaderMap) -> Write {
    let kind = fields.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == "application/json" || kind.ends_with("+json") {
        return |held, value, filled| {
            let text = std::str::from_utf8(value);
            let text = text.map_err(|_| NotPutIn::Unfit(held.secret.name.clone(), "it is no text, as JSON wants"))?;
            let quoted = serde_json::Value::from(text).to_string();
            filled.extend_from_slice(&quoted.as_bytes()[1..quoted.len() - 1]);
            Ok(())
        };
    }
    if kind == "application/x-www-form-urlencoded" {
        return |_, value, filled| {
            filled.extend(percent_encode(value, IN_QUERY).flat_map(str::bytes));
            Ok(())
        };
    }
    |_, value, filled| {
        filled.extend_from_slice(value);
        Ok(())
    }
}

/// Values within the body, as far as it is looked through.
async fn body(
    secrets: &RunSecrets,
    request: http::Request<WasiBody>,
    host: &str,
) -> Result<http::Request<WasiBody>, NotSent> {
    let (mut parts, body) = request.into_parts();
    let mut coming = BodyDataStream::new(body);
    let mut begun = BytesMut::new();
    while begun.len() <= BODY {
        match coming.next().await {
            Some(piece) => begun.extend_from_slice(&piece?),
            None => {
                let write = writer_for(&parts.headers);
                let filled = secrets.put_in(&begun, |held, filled| write(held, held.for_host(host)?, filled));
                let bytes = match filled? {
                    Some(filled) => Bytes::from(filled),
                    None => begun.freeze(),
                };
                if let Some(length) = parts.headers.get_mut(header::CONTENT_LENGTH) {
                    *length = HeaderValue::from(bytes.len());
                }
                let whole = Full::new(bytes).map_err(|never| match never {});
                return Ok(http::Request::from_parts(parts, whole.boxed_unsync()));
            }
        }
    }
    if secrets.first_in(&begun).is_some() {
        return Err(too_long().into());
    }
    // Sent without its value, a placeholder would tell whoever gets it what to have filled in elsewhere.
    let mut last = begun[begun.len() - LONGEST_BEGUN..].to_vec();
    let begun = futures_util::stream::once(async { Ok(begun.freeze()) });
    let placeholders = secrets.finder();
    let looked_through = coming.map(move |piece| {
        let piece = piece?;
        last.extend_from_slice(&piece);
        if placeholders.is_match(&last) {
            return Err(too_long());
        }
        last.drain(..last.len() - LONGEST_BEGUN);
        Ok(piece)
    });
    let body = StreamBody::new(begun.chain(looked_through).map(|piece| piece.map(Frame::data)));
    Ok(http::Request::from_parts(parts, body.boxed_unsync()))
}

fn too_long() -> Error {
    let most = BODY >> 20;
    Error::InternalError(Some(format!(
        "a secret cannot stand in a body of more than {most} MiB; send it in a header, or send less"
    )))
}

#[cfg(test)]
mod tests {
    use http_body_util::Empty;

    use super::*;
    use crate::services::SecretValue;

    fn secrets(value: &str, hosts: &[&str]) -> (RunSecrets, String) {
        let secret = SecretValue {
            name: "A".parse().unwrap(),
            value: value.as_bytes().to_vec().into(),
            hosts: hosts.iter().map(ToString::to_string).collect(),
        };
        let secrets = RunSecrets::new(vec![secret], &[]).unwrap();
        let placeholder = secrets.all()[0].placeholder.clone();
        (secrets, placeholder)
    }

    async fn sent(secrets: &RunSecrets, uri: &str, field: &str) -> Result<http::Request<WasiBody>, NotSent> {
        let body = Empty::<Bytes>::new().map_err(|never| match never {}).boxed_unsync();
        let request = http::Request::builder().uri(uri).header("authorization", field).body(body).unwrap();
        put_in(secrets, request).await
    }

    #[tokio::test]
    async fn names_and_passwords_in_base64_are_looked_into() {
        let (secrets, placeholder) = secrets("pass word", &[]);
        let field = String::from_utf8(basic_field(format!("ada:{placeholder}").as_bytes())).unwrap();
        let request = sent(&secrets, "https://a.example/", &field).await.unwrap();
        assert_eq!(request.headers()["authorization"].as_bytes(), basic_field(b"ada:pass word"));
        assert!(request.headers()["authorization"].is_sensitive());
        let plain = sent(&secrets, "https://a.example/x?y=%7B", "Basic nothing").await.unwrap();
        assert_eq!(
            (plain.uri().to_string().as_str(), plain.headers()["authorization"].as_bytes()),
            ("https://a.example/x?y=%7B", &b"Basic nothing"[..])
        );
    }

    #[tokio::test]
    async fn a_value_stays_in_its_part_of_an_address() {
        let (secrets, placeholder) = secrets("a/b?c&d=e#f g", &[]);
        let request =
            sent(&secrets, &format!("https://a.example/{placeholder}?q={placeholder}&r=1"), "x").await.unwrap();
        assert_eq!(request.uri(), "https://a.example/a/b%3Fc%26d%3De%23f%20g?q=a%2Fb%3Fc%26d%3De%23f%20g&r=1");
        let host = sent(&secrets, &format!("https://{placeholder}.evil.example/"), "x").await.unwrap_err();
        assert!(format!("{host:?}").contains("the whole address"), "{host:?}");
        let whole = sent(&secrets, &format!("https://{placeholder}/"), "x").await.unwrap_err();
        assert!(format!("{whole:?}").contains("it is no address"), "{whole:?}");
        assert!(!format!("{whole:?}").contains("a/b"), "{whole:?}");
    }

    #[tokio::test]
    async fn a_secret_that_is_an_address_goes_on_and_obeys_its_hosts() {
        let (secrets, placeholder) =
            secrets("http://hooks.example.com:8080/services/T/B?x=1\n", &["hooks.example.com"]);
        let request = sent(&secrets, &format!("https://{placeholder}"), "x").await.unwrap();
        assert_eq!(request.uri(), "http://hooks.example.com:8080/services/T/B?x=1");
        for (added, expected) in [("/?y=2", "/services/T/B?x=1&y=2"), ("/C/?y=2", "/services/T/B/C/?x=1&y=2")] {
            let request = sent(&secrets, &format!("https://{placeholder}{added}"), "x").await.unwrap();
            assert_eq!(request.uri().path_and_query().unwrap(), expected);
        }
        assert_eq!(goes_on("https://a/b/?x=1#y", "?z"), "https://a/b/?x=1&z");
        let elsewhere = sent(&secrets, "https://evil.example/", &format!("Bearer {placeholder}")).await.unwrap_err();
        let NotSent::Secret(NotPutIn::OtherHost { hosts, host, .. }) = elsewhere else { panic!("{elsewhere:?}") };
        assert_eq!((hosts.as_str(), host.as_deref()), ("hooks.example.com", Some("evil.example")));
    }

    #[tokio::test]
    async fn the_host_of_an_address_that_is_a_secret_is_told_to_nobody() {
        let (secrets, placeholder) = secrets("https://internal.example/x", &["hooks.example.com"]);
        let elsewhere = sent(&secrets, &format!("https://{placeholder}"), "x").await.unwrap_err();
        let NotSent::Secret(error) = elsewhere else { panic!("{elsewhere:?}") };
        let told = error.to_string();
        assert!(told.contains("to an address that is a secret is denied") && !told.contains("internal"), "{told}");
    }

    #[tokio::test]
    async fn a_value_stays_in_its_part_of_a_body() {
        let (secrets, placeholder) = secrets("a\"b\n&c=d+", &[]);
        for (kind, expected) in [
            ("application/json; charset=utf-8", "<a\\\"b\\n&c=d+>"),
            ("application/x-www-form-urlencoded", "<a%22b%0A%26c%3Dd%2B>"),
            ("text/plain", "<a\"b\n&c=d+>"),
        ] {
            let body =
                Full::new(Bytes::from(format!("<{placeholder}>"))).map_err(|never| match never {}).boxed_unsync();
            let request = http::Request::builder().uri("https://a.example/").header("content-type", kind);
            let request = request.header("content-length", "45").body(body).unwrap();
            let sent = put_in(&secrets, request).await.unwrap();
            assert_eq!(sent.headers()["content-length"], expected.len().to_string(), "{kind}");
            let bytes = sent.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(std::str::from_utf8(&bytes).unwrap(), expected, "{kind}");
        }
    }

    #[tokio::test]
    async fn a_long_body_goes_on_as_it_is_but_with_no_placeholder() {
        let (secrets, placeholder) = secrets("value", &[]);
        let body_of = |pieces: Vec<Vec<u8>>| {
            let pieces = pieces.into_iter().map(|piece| Ok(Frame::data(Bytes::from(piece))));
            StreamBody::new(futures_util::stream::iter(pieces)).boxed_unsync()
        };
        let sent = async |pieces: Vec<Vec<u8>>| {
            let request = http::Request::builder().uri("https://a.example/").body(body_of(pieces)).unwrap();
            let collected = put_in(&secrets, request).await?.into_body().collect().await?;
            Ok::<_, NotSent>(collected.to_bytes().len())
        };
        let (first, second) = placeholder.as_bytes().split_at(5);
        let long = vec![b'x'; BODY + 1];
        assert_eq!(sent(vec![long.clone(), b"sgl-secret-".to_vec()]).await.unwrap(), BODY + 12);
        let hidden = [
            vec![[&long[..], placeholder.as_bytes()].concat()],
            vec![long.clone(), placeholder.clone().into_bytes()],
            vec![[&long[..], first].concat(), second[..3].to_vec(), second[3..].to_vec(), b"x".to_vec()],
        ];
        for pieces in hidden {
            let refused = sent(pieces).await.unwrap_err();
            assert!(format!("{refused:?}").contains("1 MiB"), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn what_no_header_can_hold_is_refused_without_the_value() {
        let (secrets, placeholder) = secrets("line\nInjected: yes", &[]);
        let refused = sent(&secrets, "https://a.example/", &format!("Bearer {placeholder}")).await.unwrap_err();
        let text = format!("{refused:?}");
        assert!(text.contains("no header field has") && !text.contains("Injected"), "{text}");
    }
}
