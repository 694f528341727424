//! Patterns of HTTP requests.
//!
//! A pattern allows and nothing can forbid, so what is read in doubt must match less: a host that is no name and no
//! address, and a path that a server may take for another one, match no pattern that speaks of them.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use super::http::{HttpRequest, default_port};
use super::process::segment;

/// `[METHODS ]scheme://host[:port][/path]`, such as `GET,POST https://api.example.com/v1/*`.
///
/// - The scheme is `http`, `https` or `*` for both.
/// - `*` as the host's first label stands for one or more labels, elsewhere in the host for any characters of a label.
///   It never stands for a part of an address; only the host `*` matches addresses too.
/// - Without a port the scheme's own is meant; `*` as the port stands for every port.
/// - `*` in the path stands for any characters, `/` included. Without a path every path matches. A pattern with a path
///   narrower than `/*` matches no request whose path goes up (`..`, also encoded).
/// - Without methods every method matches.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpPattern {
    /// In capitals.
    methods: Vec<String>,
    scheme: String,
    /// In small letters, without brackets or a dot at the end.
    host: String,
    port: Port,
    path: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Port {
    OfScheme,
    Any,
    Number(u16),
}

/// The text is no request pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' names no requests: {reason}; write [METHODS ]scheme://host[:port][/path], such as GET https://api.example.com/v1/*"
)]
pub struct InvalidHttpPattern {
    text: String,
    reason: &'static str,
}

impl HttpPattern {
    /// Whether the pattern matches `request`.
    #[must_use]
    pub fn matches(&self, request: &HttpRequest<'_>) -> bool {
        let method = self.methods.is_empty() || self.methods.iter().any(|method| method == request.method);
        method && self.reaches(request) && self.path_matches(request.path)
    }

    /// Whether the pattern matches any request to the server of `request`.
    #[must_use]
    pub fn reaches(&self, request: &HttpRequest<'_>) -> bool {
        let scheme = request.scheme.to_ascii_lowercase();
        let port = match self.port {
            Port::Any => true,
            Port::OfScheme => default_port(&scheme) == Some(request.port),
            Port::Number(port) => port == request.port,
        };
        let known = matches!(scheme.as_str(), "http" | "https");
        known && (self.scheme == "*" || self.scheme == scheme) && port && host_matches(&self.host, request.host)
    }

    /// Whether the host stands for one host only.
    pub(super) fn is_literal(&self) -> bool {
        !self.host.contains('*')
    }

    /// Whether the host is `address`.
    pub(super) fn is_address(&self, address: IpAddr) -> bool {
        self.host.parse() == Ok(address)
    }

    fn path_matches(&self, path: &str) -> bool {
        match self.path.as_deref() {
            None | Some("/*") => true,
            Some(pattern) => {
                let path = if path.is_empty() { "/" } else { path };
                is_plain(path) && segment(pattern, path)
            }
        }
    }
}

/// Whether `pattern`, in small letters, matches `host`: see [`HttpPattern`].
pub(super) fn host_matches(pattern: &str, host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(&host);
    if let Ok(address) = bare.parse::<IpAddr>() {
        return pattern == "*" || pattern.parse() == Ok(address);
    }
    let host = host.strip_suffix('.').unwrap_or(&host);
    if !is_name(host) {
        return false;
    }
    let (patterns, labels): (Vec<&str>, Vec<&str>) = (pattern.split('.').collect(), host.split('.').collect());
    let (patterns, labels) = match patterns.split_first() {
        Some((&"*", rest)) if labels.len() > rest.len() => (rest, &labels[labels.len() - rest.len()..]),
        _ => (&patterns[..], &labels[..]),
    };
    patterns.len() == labels.len() && patterns.iter().zip(labels).all(|(pattern, label)| segment(pattern, label))
}

/// Whether `host` is a name: labels of letters, digits, `-` and `_`, of which the last is no number. Resolvers take
/// names such as `127.1` and `0x7f000001` for addresses.
pub(crate) fn is_name(host: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    host.len() <= 253 && host.split('.').all(label) && !host.rsplit('.').next().is_some_and(is_number)
}

fn is_number(label: &str) -> bool {
    let hexadecimal =
        label.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    hexadecimal || (!label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether every server reads `path` as it is written: no segment is `.` or `..`, even with parts encoded, encoded more
/// than once, split by a backslash, or followed by parameters; and there is no query.
fn is_plain(path: &str) -> bool {
    const ROUNDS: usize = 4;
    let mut path = path.as_bytes().to_vec();
    for _ in 0..ROUNDS {
        let decoded = decode(&path);
        if decoded == path {
            let goes_up = path.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| {
                let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
                matches!(name, b"." | b"..")
            });
            // 0xc0 and 0xc1 begin overlong forms of ASCII, which are no UTF-8.
            let odd = |byte: &u8| byte.is_ascii_control() || matches!(byte, b'?' | b'#' | 0xc0 | 0xc1);
            return !goes_up && !path.iter().any(odd);
        }
        path = decoded;
    }
    false
}

/// Decodes what may change a path's shape: percent signs, dots, slashes, semicolons, controls and what is no UTF-8.
fn decode(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&first, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let byte = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => u8::try_from(high * 16 + low).ok(),
            _ => None,
        };
        match byte {
            Some(byte) if byte.is_ascii_control() || b"%./\\;\xc0\xc1".contains(&byte) => {
                decoded.push(byte);
                rest = &tail[2..];
            }
            _ => {
                decoded.push(first);
                rest = tail;
            }
        }
    }
    decoded
}

impl FromStr for HttpPattern {
    type Err = InvalidHttpPattern;

    fn from_str(text: &str) -> Result<Self, InvalidHttpPattern> {
        let invalid = |reason| InvalidHttpPattern { text: text.to_owned(), reason };
        let (methods, url) = match text.trim().rsplit_once(' ') {
            Some((methods, url)) => (parse_methods(methods).map_err(invalid)?, url),
            None => (Vec::new(), text.trim()),
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(|| invalid("it has no scheme"))?;
        let scheme = scheme.to_ascii_lowercase();
        if !matches!(scheme.as_str(), "http" | "https" | "*") {
            return Err(invalid("its scheme is not http, https or *"));
        }
        let (authority, path) = match rest.find('/') {
            Some(at) => (&rest[..at], Some(rest[at..].to_owned())),
            None => (rest, None),
        };
        let (host, port) = parse_authority(authority).map_err(invalid)?;
        if path.as_deref().is_some_and(|path| !is_plain(path)) {
            return Err(invalid("a path has no '.' or '..' segments, and no query"));
        }
        Ok(Self { methods, scheme, host, port, path })
    }
}

fn parse_methods(text: &str) -> Result<Vec<String>, &'static str> {
    let method = |method: &str| {
        let method = method.trim();
        let valid = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'-');
        if valid { Ok(method.to_ascii_uppercase()) } else { Err("its methods are not words with commas between") }
    };
    text.split(',').map(method).collect()
}

/// Reads `host`, `host:port`, `[v6]` or `[v6]:port`.
fn parse_authority(authority: &str) -> Result<(String, Port), &'static str> {
    let (host, port) = if let Some(rest) = authority.strip_prefix('[') {
        let (host, port) = rest.split_once(']').ok_or("its address has no closing bracket")?;
        let host: Ipv6Addr = host.parse().map_err(|_| "what is in the brackets is no IPv6 address")?;
        (host.to_string(), port)
    } else {
        let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
        (parse_host(host)?, port)
    };
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => Port::OfScheme,
        Some("*") => Port::Any,
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Port::Number(digits.parse().map_err(|_| "its port is not a number up to 65535 or *")?)
        }
        _ => return Err("its port is not a number up to 65535 or *"),
    };
    Ok((host, port))
}

fn parse_host(text: &str) -> Result<String, &'static str> {
    let host = text.to_ascii_lowercase();
    let host = host.strip_suffix('.').unwrap_or(&host);
    if host.is_empty() {
        return Err("it has no host");
    }
    if host.parse::<IpAddr>().is_ok() {
        return Ok(host.to_owned());
    }
    if host.contains('@') {
        return Err("user names and passwords do not belong here");
    }
    if !host.is_ascii() {
        return Err("a host with other letters than ASCII is written in its xn-- form");
    }
    let mut labels = host.split('.').filter(|label| *label != "*").peekable();
    if labels.peek().is_some() && labels.all(is_number) {
        return Err("an address is written out in full: '*' stands for parts of names only");
    }
    // A star may be empty or long, so a name is checked with a letter in its place.
    if is_name(&host.replace('*', "x")) { Ok(host.to_owned()) } else { Err("its host is no name and no address") }
}

impl fmt::Display for HttpPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.methods.is_empty() {
            write!(f, "{} ", self.methods.join(","))?;
        }
        let v6 = self.host.contains(':');
        let (open, close) = if v6 { ("[", "]") } else { ("", "") };
        write!(f, "{}://{open}{}{close}", self.scheme, self.host)?;
        match self.port {
            Port::OfScheme => {}
            Port::Any => f.write_str(":*")?,
            Port::Number(port) => write!(f, ":{port}")?,
        }
        f.write_str(self.path.as_deref().unwrap_or_default())
    }
}
