//! Which HTTP requests may be sent.

use std::fmt;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list;
use super::pattern::HttpPattern;

/// Which requests may be sent: `any`, `public`, or a list of patterns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub enum HttpGrant {
    /// Every request; as a ceiling it lets grants name special addresses too.
    Any,
    /// Every request to a public address.
    Public,
    /// The requests that one of the patterns matches.
    Requests(Vec<HttpPattern>),
}

/// The parts of a request that grants speak of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HttpRequest<'a> {
    /// In capitals.
    pub method: &'a str,
    /// `http` or `https`.
    pub scheme: &'a str,
    /// A name or an address, without brackets.
    pub host: &'a str,
    /// The port, the scheme's default if the URL names none.
    pub port: u16,
    /// The path, without query.
    pub path: &'a str,
}

impl HttpRequest<'_> {
    /// Whether by its method it asks for something and changes nothing (RFC 9110, 9.2.1).
    #[must_use]
    pub fn only_reads(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS")
    }
}

impl HttpGrant {
    /// Whether the text of `request` is allowed.
    #[must_use]
    pub fn allows(&self, request: &HttpRequest<'_>) -> bool {
        match self {
            Self::Any | Self::Public => true,
            Self::Requests(patterns) => patterns.iter().any(|pattern| pattern.matches(request)),
        }
    }

    /// Whether some request to the server of `request` is allowed.
    #[must_use]
    pub fn reaches(&self, request: &HttpRequest<'_>) -> bool {
        match self {
            Self::Any | Self::Public => true,
            Self::Requests(patterns) => patterns.iter().any(|pattern| pattern.reaches(request)),
        }
    }

    /// Whether the grant names, literally, where `request` would go if it were sent to `address`: by a pattern whose host
    /// is a name without `*` and the very name asked for, or is that address. A name counts whatever it resolves to:
    /// who writes down `localhost` or `db.internal` means the special address behind it.
    #[must_use]
    pub fn names(&self, request: &HttpRequest<'_>, address: IpAddr) -> bool {
        let Self::Requests(patterns) = self else { return false };
        let text = address.to_string();
        let direct = HttpRequest { host: &text, ..*request };
        patterns.iter().any(|pattern| {
            (pattern.is_literal() && pattern.matches(request))
                || (pattern.is_address(address) && pattern.matches(&direct))
        })
    }
}

/// The port that `scheme` (in small letters) means where none is named.
pub(super) fn default_port(scheme: &str) -> Option<u16> {
    match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    }
}

impl fmt::Display for HttpRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}{}", self.method, self.origin(), self.path)
    }
}

impl HttpRequest<'_> {
    /// Scheme, host and, unless it is the scheme's own, port.
    #[must_use]
    pub fn origin(&self) -> String {
        let host = if self.host.contains(':') && !self.host.starts_with('[') {
            format!("[{}]", self.host)
        } else {
            self.host.to_owned()
        };
        if default_port(self.scheme) == Some(self.port) {
            format!("{}://{host}", self.scheme)
        } else {
            format!("{}://{host}:{}", self.scheme, self.port)
        }
    }

    /// The line that would allow this request, and others to the same place.
    #[must_use]
    pub fn grant(&self) -> String {
        format!("http: [\"{} {}/*\"]", self.method, self.origin())
    }
}

impl TryFrom<serde_json::Value> for HttpGrant {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        match value {
            serde_json::Value::String(text) if text == "any" => Ok(Self::Any),
            serde_json::Value::String(text) if text == "public" => Ok(Self::Public),
            serde_json::Value::Array(items) => list::read(&items, "request pattern").map(Self::Requests),
            other => Err(format!("{other} is no http grant: write 'public' or a list of request patterns")),
        }
    }
}

impl From<HttpGrant> for serde_json::Value {
    fn from(grant: HttpGrant) -> Self {
        match grant {
            HttpGrant::Any => "any".into(),
            HttpGrant::Public => "public".into(),
            HttpGrant::Requests(patterns) => list::write(&patterns),
        }
    }
}

impl JsonSchema for HttpGrant {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "HttpGrant".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "requests that may be sent: 'public', 'any', or patterns such as 'GET https://api.example.com/v1/*'",
            "oneOf": [{ "enum": ["public", "any"] }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}
