//! Texts of targets, each a type of its own that is checked as it is read, so that a slip is told where it stands.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::capability::is_host_name;

/// The text is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not a valid {what}: {rule}")]
pub struct InvalidText {
    text: String,
    what: &'static str,
    rule: &'static str,
}

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
        impl FromStr for $name {
            type Err = InvalidText;
            fn from_str(text: &str) -> Result<Self, InvalidText> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    return Ok(Self(text.into()));
                }
                Err(InvalidText { text: text.chars().take(120).collect(), what: $what, rule: $rule })
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                $what.into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string", "minLength": 1 })
            }
        }
    };
}

checked_text!(
    /// Where a target is: an IP address, or a host name that the daemon's machine can resolve.
    Address,
    "address",
    "write a host name or an IP address, without a port, such as web-1.example.com or 10.0.0.5",
    |text| text.parse::<IpAddr>().is_ok() || (is_host_name(text) && !text.starts_with('-'))
);
checked_text!(
    /// A user of a target's machine.
    ///
    /// What `sudo` and programs like it take for an option or a number is refused, so that an account never means anything
    /// but its name.
    Account,
    "account",
    "use 1 to 100 letters, digits, '_', '-', '.', '+', '@', '$' or '\\', beginning with a letter or '_'",
    |text| {
        let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        first && text.len() <= 100 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.+@$\\".contains(&byte))
    }
);
checked_text!(
    /// What a label is called.
    LabelName,
    "label",
    "use 1 to 100 letters, digits, '-', '_' or '.', beginning with a letter or digit; expressions read 'name', 'platform', \
     'account', 'and', 'or', 'not' and 'in' in a way of their own",
    |text| is_label(text) && !RESERVED.contains(&text) && !BUILT_IN.contains(&text)
);
checked_text!(
    /// What a label says.
    LabelValue,
    "value of a label",
    "use 1 to 200 characters, none of them a control character",
    |text| !text.is_empty() && text.chars().count() <= 200 && !text.chars().any(char::is_control)
);
checked_text!(
    /// The socket of an agent that keeps keys, on the daemon's machine.
    SocketPath,
    "socket of an agent",
    "write its absolute path, such as /run/user/1000/ssh-agent.sock",
    |text| text.starts_with('/') && text.len() <= 4000 && !text.contains('\0')
);
checked_text!(
    /// The socket of a container engine, on a target's machine.
    EngineSocket,
    "socket of a container engine",
    "write its absolute path on the target, such as /run/podman/podman.sock",
    // No system takes a longer one.
    |text| text.starts_with('/') && text.len() <= 103 && !text.contains(char::is_control)
);

/// What label expressions have words for.
pub(super) const RESERVED: [&str; 4] = ["and", "or", "not", "in"];
/// What label expressions find without a label.
pub(super) const BUILT_IN: [&str; 3] = ["name", "platform", "account"];

/// Whether `text` has the characters of a label.
pub(super) fn is_label(text: &str) -> bool {
    let first = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    first && text.len() <= 100 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}
