//! Which secrets may be used.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::list;
use super::pattern::host_matches;
use super::process::segment;
use crate::id::SecretName;

/// Which secrets may be used: `any`, or a list of names and patterns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub enum SecretsGrant {
    /// Every secret that the job names.
    Any,
    /// The secrets that one of the patterns matches.
    Names(Vec<SecretPattern>),
}

/// The name of a secret in which `*` stands for any characters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretPattern(String);

/// The text is no pattern of secret names.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' names no secret: write a name such as DB_PASSWORD, or a pattern such as DB_*")]
pub struct InvalidSecretPattern(String);

impl SecretsGrant {
    /// Whether the secret called `name` may be used.
    #[must_use]
    pub fn allows(&self, name: &SecretName) -> bool {
        match self {
            Self::Any => true,
            Self::Names(patterns) => patterns.iter().any(|pattern| segment(&pattern.0, name.as_str())),
        }
    }
}

impl FromStr for SecretPattern {
    type Err = InvalidSecretPattern;

    fn from_str(text: &str) -> Result<Self, InvalidSecretPattern> {
        let name = text.replace('*', "");
        let valid = if name.is_empty() { text == "*" } else { format!("A{name}").parse::<SecretName>().is_ok() };
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidSecretPattern(text.chars().take(120).collect())) }
    }
}

impl fmt::Display for SecretPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<serde_json::Value> for SecretsGrant {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        match value {
            serde_json::Value::String(text) if text == "any" => Ok(Self::Any),
            serde_json::Value::Array(items) => list::read(&items, "name of a secret").map(Self::Names),
            other => Err(format!("{other} is no grant of secrets: write 'any' or a list of names")),
        }
    }
}

impl From<SecretsGrant> for serde_json::Value {
    fn from(grant: SecretsGrant) -> Self {
        match grant {
            SecretsGrant::Any => "any".into(),
            SecretsGrant::Names(patterns) => list::write(&patterns),
        }
    }
}

impl JsonSchema for SecretsGrant {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretsGrant".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "secrets that may be used: 'any', or a list of names and patterns such as DB_*",
            "oneOf": [{ "const": "any" }, { "type": "array", "items": { "type": "string" } }]
        })
    }
}

/// Whether `host`, as an HTTP request names it, is one of `hosts`, in which `*` stands for what it does in the grant of
/// requests: as the first label for one or more, elsewhere for any characters of a label, and never for a part of an address.
#[must_use]
pub fn is_one_of(host: &str, hosts: &[String]) -> bool {
    hosts.iter().any(|pattern| host_matches(&pattern.to_ascii_lowercase(), host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns_are_told_from_anything_else() {
        let grant = |json: &str| serde_json::from_str::<SecretsGrant>(json);
        let name = |text: &str| text.parse::<SecretName>().unwrap();
        assert!(grant("\"any\"").unwrap().allows(&name("TOKEN")));
        let some = grant(r#"["DB_*", "TOKEN"]"#).unwrap();
        assert!(some.allows(&name("DB_PASSWORD")) && some.allows(&name("TOKEN")));
        assert!(!some.allows(&name("TOKEN2")) && !some.allows(&name("OLD_DB_A")));
        assert!(grant("[]").is_ok_and(|none| !none.allows(&name("TOKEN"))));
        for wrong in ["true", "\"TOKEN\"", "[1]", "[\"a b\"]", "[\"\"]", "[\"a-b\"]"] {
            assert!(grant(wrong).is_err(), "{wrong}");
        }
        assert_eq!(serde_json::to_value(some).unwrap(), serde_json::json!(["DB_*", "TOKEN"]));
    }

    #[test]
    fn hosts_are_compared_whole_and_without_case() {
        let hosts = ["api.example.com".to_owned(), "*.Example.org".to_owned()];
        assert!(is_one_of("API.example.com", &hosts) && is_one_of("a.b.example.org", &hosts));
        assert!(!is_one_of("example.org", &hosts) && !is_one_of("api.example.com.evil.net", &hosts));
        let addresses = ["10.0.0.*".to_owned(), "10.0.0.7".to_owned(), "::1".to_owned(), "api*.example.net".to_owned()];
        for host in ["10.0.0.7", "[::1]", "::1", "API2.example.net."] {
            assert!(is_one_of(host, &addresses), "{host}");
        }
        for host in ["10.0.0.8", "10.0.0.evil.example", "api.evil.example.net"] {
            assert!(!is_one_of(host, &addresses), "{host}");
        }
    }
}
