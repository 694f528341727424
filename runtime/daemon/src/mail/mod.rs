//! Mail by the operator's server: `[mail]` in the configuration, and messages on their way.

mod config;
mod conversation;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use lettre::Message;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, TlsParameters};
use sandglass_core::id::{Namespace, SecretName};
use sandglass_core::time::{Clock as _, Timestamp};
use sandglass_host::services::{MailError, MailMessage};
use zeroize::Zeroizing;

use config::{Encryption, Login, Password};
pub(crate) use config::{MailConfig, MailFile};
use conversation::{Tls, Way};

use crate::clock::SystemClock;
use crate::secrets::Secrets;

/// How long a message may take on its way to the server, in all.
const TIMEOUT: Duration = Duration::from_secs(30);
/// How long the connection may take.
const STEP: Duration = Duration::from_secs(15);
/// The most bytes of a password's file.
const MAX_PASSWORD: u64 = 4096;
/// The most bytes of a file with authorities.
const MAX_CA: u64 = 1 << 20;
/// The most bytes of what went wrong.
const MAX_TOLD: usize = 500;

/// The most recipients that are named of those who did not get a mail.
const NAMED: usize = 5;

/// Sends mail.
pub(crate) struct Mailer {
    config: MailConfig,
    secrets: Arc<Secrets>,
}

impl Mailer {
    pub(crate) fn new(config: MailConfig, secrets: Arc<Secrets>) -> Self {
        Self { config, secrets }
    }

    /// Hands a message to the server, for all recipients that it takes.
    pub(crate) async fn send(&self, message: MailMessage) -> Result<(), MailError> {
        let message = self.config.message(&message, SystemClock.now())?;
        let (way, server) = (self.way()?, self.config.place());
        let text = message.formatted();
        let handing = conversation::hand_over(way, message.envelope(), &text);
        let left_out = match tokio::time::timeout(TIMEOUT, handing).await {
            Ok(Ok(left_out)) => left_out,
            Ok(Err(error)) if error.is_permanent() => {
                let message = format!("the mail server {server} refused the mail: {}", told(&error));
                return Err(MailError::Rejected(message));
            }
            Ok(Err(error)) => {
                let message = format!("the mail server {server} did not take the mail: {}", told(&error));
                return Err(MailError::Unavailable(message));
            }
            Err(_) => {
                let seconds = TIMEOUT.as_secs();
                return Err(MailError::Unavailable(format!("the mail server {server} took longer than {seconds} s")));
            }
        };
        let all = message.envelope().to().len();
        let named = left_out.iter().take(NAMED).map(|(recipient, error)| format!("{recipient}: {}", told(error)));
        let named = named.collect::<Vec<_>>().join("; ");
        match (left_out.len(), all) {
            (0, _) => Ok(()),
            (1, 1) => Err(MailError::Rejected(format!("the mail server {server} refused the mail for {named}"))),
            (missing, _) => {
                let more = missing.saturating_sub(NAMED);
                let more = if more > 0 { format!("; and {more} more") } else { String::new() };
                // Never to be tried again: who has it would get it again.
                let reached = all - missing;
                Err(MailError::Rejected(format!("{reached} of {all} recipients have the mail; not {named}{more}")))
            }
        }
    }

    fn way(&self) -> Result<Way<'_>, MailError> {
        let MailConfig { server, port, encryption, .. } = &self.config;
        let parameters = || {
            let mut parameters = TlsParameters::builder(server.clone());
            if let Some(path) = &self.config.ca {
                let ca = read_authorities(path).map_err(MailError::Unavailable)?;
                parameters = parameters.certificate_store(CertificateStore::None).add_root_certificate(ca);
            }
            let made = parameters.build();
            made.map_err(|error| MailError::Unavailable(format!("TLS to {server} cannot be set up: {}", told(&error))))
        };
        let tls = match encryption {
            Encryption::Starttls => Some(Tls::Starttls(parameters()?)),
            Encryption::Tls => Some(Tls::AtOnce(parameters()?)),
            // The configuration allows that on this machine alone unless its owner insists.
            Encryption::None => None,
        };
        let credentials = self.config.login.as_ref().map(|login| self.credentials(login)).transpose()?;
        Ok(Way { server, port: *port, tls, credentials })
    }

    fn credentials(&self, login: &Login) -> Result<Credentials, MailError> {
        let password = match &login.password {
            Password::Secret(name) => self.secret(name),
            Password::File(path) => read_password(path),
        };
        let password = password.map_err(MailError::Unavailable)?;
        let password = std::str::from_utf8(&password)
            .map_err(|_| MailError::Unavailable("the password of the mail server is no UTF-8".to_owned()))?;
        Ok(Credentials::new(login.user.clone(), password.trim_end_matches(['\r', '\n']).to_owned()))
    }

    fn secret(&self, name: &SecretName) -> Result<Zeroizing<Vec<u8>>, String> {
        let values = self.secrets.values(&Namespace::default(), &BTreeSet::from([name.clone()]));
        let values = values.map_err(|error| format!("the password of the mail server cannot be had: {error}"))?;
        Ok(values.into_iter().next().map(|secret| secret.value).unwrap_or_default())
    }
}

/// Read for each message, so that a new password needs no restart.
fn read_password(path: &Path) -> Result<Zeroizing<Vec<u8>>, String> {
    let mut password = Zeroizing::new(Vec::new());
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_PASSWORD).read_to_end(&mut password));
    read.map_err(|error| format!("the password of the mail server in {} cannot be read: {error}", path.display()))?;
    Ok(password)
}

/// Read for each message, as the password is.
fn read_authorities(path: &Path) -> Result<Certificate, String> {
    let mut text = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_CA).read_to_end(&mut text));
    let shown = path.display();
    read.map_err(|error| format!("`ca` under [mail] in sandglass.toml, {shown}, cannot be read: {error}"))?;
    // A file without any would mean that nobody is trusted, which no server could please.
    let has_one = String::from_utf8_lossy(&text).contains("-----BEGIN CERTIFICATE-----");
    let certificate = if has_one { Certificate::from_pem(&text).ok() } else { None };
    certificate.ok_or_else(|| format!("`ca` under [mail] in sandglass.toml, {shown}, holds no certificate in PEM"))
}

impl MailConfig {
    /// The message as it goes to the server. Names, subject and texts are encoded, so that none of them can add a header.
    fn message(&self, mail: &MailMessage, now: Timestamp) -> Result<Message, MailError> {
        let mut builder = Message::builder()
            .from(self.from.clone())
            .date(system_time(now))
            .message_id(None)
            .subject(mail.subject.replace(|character: char| character.is_control(), " "));
        for address in &mail.to {
            builder = builder.to(self.recipient(address)?);
        }
        for address in &mail.cc {
            builder = builder.cc(self.recipient(address)?);
        }
        let built = match &mail.html {
            None => builder.singlepart(SinglePart::plain(mail.text.clone())),
            Some(html) => builder.multipart(MultiPart::alternative_plain_html(mail.text.clone(), html.clone())),
        };
        built.map_err(|error| MailError::Invalid(error.to_string()))
    }

    /// A recipient, if the operator allows it.
    fn recipient(&self, text: &str) -> Result<Mailbox, MailError> {
        let mailbox: Mailbox = text
            .parse()
            .map_err(|error| MailError::Invalid(format!("'{}' is no mail address: {error}", text.escape_debug())))?;
        let address = mailbox.email.to_string();
        if self.allows(&address) { Ok(mailbox) } else { Err(MailError::NotAllowed(address)) }
    }
}

fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(0))
}

/// An error with what caused it, cut where a server says too much.
fn told(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let words = cause.to_string();
        if !told.contains(&words) {
            told = format!("{told}: {words}");
        }
        next = cause.source();
    }
    if told.len() > MAX_TOLD {
        told.truncate(told.floor_char_boundary(MAX_TOLD));
        told.push('…');
    }
    told
}
