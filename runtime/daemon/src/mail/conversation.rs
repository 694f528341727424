//! A conversation with a mail server (RFC 5321), in which each recipient is asked for alone.

use std::time::Duration;

use lettre::Address;
use lettre::address::Envelope;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};

use super::STEP;

/// How long a server may take to say goodbye.
const FAREWELL: Duration = Duration::from_secs(2);

/// A mail server, and how it is entered.
pub(super) struct Way<'a> {
    pub(super) server: &'a str,
    pub(super) port: u16,
    /// None where nothing is encrypted.
    pub(super) tls: Option<Tls>,
    pub(super) credentials: Option<Credentials>,
}

/// When a connection is encrypted.
pub(super) enum Tls {
    /// From its beginning.
    AtOnce(TlsParameters),
    /// Once the server was asked for it, before anything else is said.
    Starttls(TlsParameters),
}

/// A recipient whom the server does not take, and what it says.
pub(super) type LeftOut = (Address, Error);

/// Hands a mail to a server for all recipients that it takes, at one go, and gives the others. Each mail has a connection of its
/// own, as mail is rare.
///
/// # Errors
///
/// If the server cannot be reached, does not let us in, or does not take the mail; then nobody has it. That it may take a
/// recipient another time is such an error too.
pub(super) async fn hand_over(way: Way<'_>, envelope: &Envelope, text: &[u8]) -> Result<Vec<LeftOut>, Error> {
    let hello = ClientId::default();
    let (at_once, later) = match way.tls {
        None => (None, None),
        Some(Tls::AtOnce(parameters)) => (Some(parameters), None),
        Some(Tls::Starttls(parameters)) => (None, Some(parameters)),
    };
    let place = (way.server, way.port);
    let mut connection = AsyncSmtpConnection::connect_tokio1(place, Some(STEP), &hello, at_once, None).await?;
    if let Some(parameters) = later {
        connection.starttls(parameters, &hello).await?;
    }
    let told = tell(&mut connection, way.credentials.as_ref(), envelope, text).await;
    // Whatever it says to that, and if it says nothing: the mail is taken, or is not.
    let _ = tokio::time::timeout(FAREWELL, connection.abort()).await;
    told
}

async fn tell(
    connection: &mut AsyncSmtpConnection,
    credentials: Option<&Credentials>,
    envelope: &Envelope,
    text: &[u8],
) -> Result<Vec<LeftOut>, Error> {
    if let Some(credentials) = credentials {
        connection.auth(DEFAULT_MECHANISMS, credentials).await?;
    }
    connection.command(Mail::new(envelope.from().cloned(), parameters(connection, envelope, text))).await?;
    let mut left_out = Vec::new();
    for recipient in envelope.to() {
        match connection.command(Rcpt::new(recipient.clone(), Vec::new())).await {
            Ok(_) => {}
            Err(error) if error.is_permanent() => left_out.push((recipient.clone(), error)),
            Err(error) => return Err(error),
        }
    }
    if left_out.len() < envelope.to().len() {
        connection.command(Data).await?;
        connection.message(text).await?;
    }
    Ok(left_out)
}

/// What the server has to know beforehand of what is not ASCII: one that cannot do with it says so.
fn parameters(connection: &AsyncSmtpConnection, envelope: &Envelope, text: &[u8]) -> Vec<MailParameter> {
    let addresses = envelope.to().iter().chain(envelope.from());
    let is_utf8 = addresses.map(AsRef::<str>::as_ref).any(|address| !address.is_ascii());
    let knows_eight_bits = connection.server_info().supports_feature(Extension::EightBitMime);
    let utf8 = is_utf8.then_some(MailParameter::SmtpUtfEight);
    let eight_bits = !text.is_ascii() && knows_eight_bits;
    utf8.into_iter().chain(eight_bits.then_some(MailParameter::Body(MailBodyParameter::EightBitMime))).collect()
}
