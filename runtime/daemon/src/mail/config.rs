//! `[mail]` in the configuration.

use std::net::IpAddr;
use std::path::PathBuf;

use lettre::message::Mailbox;
use sandglass_core::id::SecretName;
use serde::Deserialize;

use crate::config::ConfigError;

/// `[mail]` as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MailFile {
    server: String,
    port: Option<u16>,
    #[serde(default)]
    encryption: Encryption,
    ca: Option<PathBuf>,
    user: Option<String>,
    password_secret: Option<SecretName>,
    password_file: Option<PathBuf>,
    from: String,
    allow_to: Option<Vec<String>>,
    #[serde(default)]
    allow_plain: bool,
}

/// How the conversation with the server is kept from others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Encryption {
    /// It begins in the open and goes on with TLS before anything is told.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Tls,
    /// Not at all.
    None,
}

/// `[mail]`, checked.
#[derive(Clone, Debug)]
pub(crate) struct MailConfig {
    pub(super) server: String,
    pub(super) port: u16,
    pub(super) encryption: Encryption,
    /// A file in PEM with the authorities that are trusted in place of the web's.
    pub(super) ca: Option<PathBuf>,
    pub(super) login: Option<Login>,
    pub(super) from: Mailbox,
    /// In small letters; none: everybody.
    allow_to: Option<Vec<String>>,
}

/// Who the server is told that we are.
#[derive(Clone, Debug)]
pub(super) struct Login {
    pub(super) user: String,
    pub(super) password: Password,
}

/// Where the password is.
#[derive(Clone, Debug)]
pub(super) enum Password {
    /// A secret of the namespace `default`.
    Secret(SecretName),
    /// A file.
    File(PathBuf),
}

impl MailFile {
    pub(crate) fn check(self) -> Result<MailConfig, ConfigError> {
        let wrong = |key, value: &str, rule| Err(ConfigError::Value { key, value: value.to_owned(), rule });
        if self.server.is_empty() || self.server.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/') {
            return wrong("mail.server", &self.server, "it is the name or address of a server");
        }
        if self.encryption == Encryption::None && !self.allow_plain && !is_this_machine(&self.server) {
            let rule =
                "mail and password would go there for others to read: use starttls or tls, or say allow_plain = true";
            return wrong("mail.server", &self.server, rule);
        }
        if let Some(ca) = self.ca.as_ref().filter(|_| self.encryption == Encryption::None) {
            return wrong("mail.ca", &ca.display().to_string(), "without encryption no certificate is looked at");
        }
        let login = match (self.user, self.password_secret, self.password_file) {
            (None, None, None) => None,
            (Some(user), Some(name), None) => Some(Login { user, password: Password::Secret(name) }),
            (Some(user), None, Some(path)) => Some(Login { user, password: Password::File(path) }),
            (user, _, _) => {
                let rule = "a user has a password, in one of password_secret and password_file, and a password a user";
                return wrong("mail.user", user.as_deref().unwrap_or("absent"), rule);
            }
        };
        let Ok(from) = self.from.parse() else {
            return wrong("mail.from", &self.from, "it is an address, such as Sandglass <jobs@example.com>");
        };
        let rule = "it is an address, *@ and a domain, or *";
        for pattern in self.allow_to.iter().flatten() {
            let rest = pattern.strip_prefix('*').unwrap_or(pattern);
            let is_domain = rest.strip_prefix('@').is_some_and(|domain| !domain.is_empty() && !domain.contains('@'));
            let is_address = !pattern.starts_with('*') && pattern.parse::<lettre::Address>().is_ok();
            if rest.contains('*') || !(pattern == "*" || is_domain || is_address) {
                return wrong("mail.allow_to", pattern, rule);
            }
        }
        let allow_to = self.allow_to.map(|patterns| patterns.iter().map(|one| one.to_lowercase()).collect());
        let port = self.port.unwrap_or(match self.encryption {
            Encryption::Starttls => 587,
            Encryption::Tls => 465,
            Encryption::None => 25,
        });
        let Self { server, encryption, ca, .. } = self;
        Ok(MailConfig { server, port, encryption, ca, login, from, allow_to })
    }
}

impl MailConfig {
    /// Where the server is, for people.
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.server, self.port)
    }

    /// Whether mail may go to an address.
    pub(super) fn allows(&self, address: &str) -> bool {
        let address = address.to_lowercase();
        self.allow_to.as_ref().is_none_or(|patterns| {
            patterns.iter().any(|pattern| match pattern.strip_prefix('*') {
                Some(domain) => address.ends_with(domain),
                None => address == *pattern,
            })
        })
    }
}

fn is_this_machine(server: &str) -> bool {
    let address = server.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    server == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
