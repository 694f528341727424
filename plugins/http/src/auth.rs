//! How a request proves whose it is.

use std::borrow::Cow;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sandglass_plugin::http::Request;
use sandglass_plugin::schemars::{JsonSchema, Schema, SchemaGenerator};
use sandglass_plugin::serde::{Deserialize, Deserializer, de};
use sandglass_plugin::serde_json::{Map, Value};
use sandglass_plugin::{Failure, Issue, PLACEHOLDER, secrets};
use sha2::Sha256;

use crate::schema;

/// One of these.
#[derive(Debug)]
pub(crate) enum Auth {
    /// A name and a password (RFC 7617).
    Basic { user: String, password: String },
    /// A token (RFC 6750).
    Bearer(String),
    /// A signature of the body, HMAC-SHA256 (RFC 2104), made with a secret: where it goes, and what stands before it.
    Hmac { secret: String, header: String, prefix: String },
}

const DEFAULT_HEADER: &str = "X-Hub-Signature-256";
const DEFAULT_PREFIX: &str = "sha256=";

impl Auth {
    /// What is wrong with it.
    pub(crate) fn issue(&self) -> Option<Issue> {
        let line = |text: &str| !text.contains(['\r', '\n', '\0']);
        match self {
            Self::Basic { user, .. } if user.contains(':') => {
                Some(Issue::at("/auth/basic/user", "a name with a colon cannot be sent"))
            }
            Self::Bearer(token) if token.is_empty() || !line(token) => {
                Some(Issue::at("/auth/bearer", "a token is one line and not empty"))
            }
            Self::Hmac { secret, .. } if secret.is_empty() => {
                Some(Issue::at("/auth/hmac/secret", "name the secret that is the key"))
            }
            Self::Hmac { prefix, .. } if !line(prefix) => {
                Some(Issue::at("/auth/hmac/prefix", "the value of a header is one line"))
            }
            _ => None,
        }
    }

    /// The header that proves whose a request is.
    pub(crate) fn header(&self) -> &str {
        match self {
            Self::Basic { .. } | Self::Bearer(_) => "Authorization",
            Self::Hmac { header, .. } => header,
        }
    }

    /// The request with what proves whose it is.
    pub(crate) fn sign(&self, request: Request) -> Result<Request, Failure> {
        Ok(match self {
            // The host looks for what stands for secrets in here too.
            Self::Basic { user, password } => {
                let credentials = BASE64_STANDARD.encode(format!("{user}:{password}"));
                request.header("Authorization", format!("Basic {credentials}"))
            }
            Self::Bearer(token) => request.header("Authorization", format!("Bearer {token}")),
            Self::Hmac { secret, header, prefix } => {
                if request.body.windows(PLACEHOLDER.len()).any(|bytes| bytes == PLACEHOLDER.as_bytes()) {
                    let message = "a body with a secret in it cannot be signed: its value is put in after this";
                    return Err(Failure::new("invalid-params", message).never_retry());
                }
                let key = secrets::reveal(secret)?;
                let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
                mac.update(&request.body);
                let digits: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
                request.header(header, format!("{prefix}{digits}"))
            }
        })
    }
}

/// Read through a JSON value, which is a good deal smaller than what is derived.
impl<'de> Deserialize<'de> for Auth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read(&Value::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

fn read(value: &Value) -> Result<Auth, String> {
    let mut entries = value.as_object().into_iter().flatten();
    let (Some((kind, value)), None) = (entries.next(), entries.next()) else {
        return Err("expected one of `basic`, `bearer` and `hmac`".to_owned());
    };
    match kind.as_str() {
        "bearer" => value.as_str().map(|token| Auth::Bearer(token.to_owned())).ok_or("a token is a text".to_owned()),
        "basic" => {
            let [user, password] = texts(value, ["user", "password"])?;
            let missing = || "basic needs `user` and `password`".to_owned();
            Ok(Auth::Basic { user: user.ok_or_else(missing)?, password: password.ok_or_else(missing)? })
        }
        "hmac" => {
            let [secret, header, prefix] = texts(value, ["secret", "header", "prefix"])?;
            Ok(Auth::Hmac {
                secret: secret.ok_or("hmac needs the name of a `secret`")?,
                header: header.unwrap_or_else(|| DEFAULT_HEADER.to_owned()),
                prefix: prefix.unwrap_or_else(|| DEFAULT_PREFIX.to_owned()),
            })
        }
        other => Err(format!("unknown key `{other}`: expected one of `basic`, `bearer` and `hmac`")),
    }
}

/// The texts that an object has under `keys`, which are all that it may have.
fn texts<const N: usize>(value: &Value, keys: [&str; N]) -> Result<[Option<String>; N], String> {
    let object: &Map<String, Value> = value.as_object().ok_or_else(|| format!("expected {}", keys.join(", ")))?;
    if let Some(unknown) = object.keys().find(|key| !keys.contains(&key.as_str())) {
        return Err(format!("unknown key `{unknown}`: expected {}", keys.join(", ")));
    }
    let mut texts = [const { None }; N];
    for (text, key) in texts.iter_mut().zip(keys) {
        *text = match object.get(key) {
            None => None,
            Some(Value::String(found)) => Some(found.clone()),
            Some(_) => return Err(format!("`{key}` is a text")),
        };
    }
    Ok(texts)
}

impl JsonSchema for Auth {
    fn schema_name() -> Cow<'static, str> {
        "Auth".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        schema::of(include_str!("auth.schema.json"))
    }
}
