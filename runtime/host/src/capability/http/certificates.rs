//! Certificates and keys in PEM, what TLS is configured with, and what was wrong with a connection, in words.
//!
//! No word of a text comes up in what is wrong with it, as it may be a secret.

use std::io;
use std::sync::{Arc, OnceLock};

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{
    AlertDescription, CertificateError, ClientConfig, Error, InconsistentKeys, InvalidMessage, PeerIncompatible,
    RootCertStore,
};

/// Who the client is.
pub(crate) type Identity = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The authorities of `text`.
pub(crate) fn authorities(text: &[u8]) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for (place, certificate) in certificates("the CA", text)?.into_iter().enumerate() {
        let unusable =
            |_| format!("certificate {} of the CA cannot be used: it is damaged, or no authority's", place + 1);
        roots.add(certificate).map_err(unusable)?;
    }
    Ok(roots)
}

/// The certificates of the client.
pub(crate) fn chain(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    certificates("the client's certificate", text)
}

/// The key of the client.
pub(crate) fn key(text: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    const WHAT: &str = "the client's key";
    PrivateKeyDer::from_pem_slice(text).map_err(|error| match error {
        pem::Error::NoItemsFound if has(text, b"ENCRYPTED PRIVATE KEY") => {
            format!("{WHAT} is locked with a password: give it as `openssl pkey -in FILE` writes it, as a secret")
        }
        pem::Error::NoItemsFound => {
            format!("{WHAT} is no private key in PEM, which begins with -----BEGIN PRIVATE KEY-----")
        }
        other => broken(WHAT, &other),
    })
}

fn certificates(what: &str, text: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let found = found.map_err(|error| broken(what, &error))?;
    if found.is_empty() {
        return Err(format!("{what} is no certificate in PEM, which begins with -----BEGIN CERTIFICATE-----"));
    }
    Ok(found)
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn broken(what: &str, error: &pem::Error) -> String {
    let why = match error {
        pem::Error::MissingSectionEnd { .. } | pem::Error::IllegalSectionStart { .. } => {
            "it has no END line for its BEGIN line; was it cut, or were the line breaks lost?"
        }
        pem::Error::Base64Decode(_) => "what stands between its BEGIN and END lines is no base64",
        _ => "it cannot be read",
    };
    format!("{what} is no PEM: {why}")
}

/// Mozilla's roots and no certificate of our own. Made when it is first needed.
pub(super) fn usual() -> Arc<ClientConfig> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    Arc::clone(CONFIG.get_or_init(|| {
        let config = config(None, None);
        Arc::new(config.expect("without a certificate of the client nothing can be wrong"))
    }))
}

/// TLS 1.2 and 1.3 for HTTP/1.1: `roots` instead of Mozilla's, and who the client is.
pub(crate) fn config(roots: Option<RootCertStore>, client: Option<Identity>) -> Result<ClientConfig, String> {
    let roots = roots.unwrap_or_else(|| RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.into() });
    let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let verifier = verifier.map_err(|_| "the CA cannot be used".to_owned())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring has the cipher suites of TLS 1.2 and 1.3")
        .with_webpki_verifier(verifier);
    let mut config = match client {
        None => config.with_no_client_auth(),
        Some((chain, key)) => config.with_client_auth_cert(chain, key).map_err(|error| match error {
            Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                "the client's key does not belong to the client's certificate".to_owned()
            }
            Error::InvalidCertificate(_) => "the client's certificate is damaged".to_owned(),
            _ => {
                "the client's key is of a kind that is not known; RSA, ECDSA (P-256, P-384) and Ed25519 are".to_owned()
            }
        })?,
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// What of TLS is behind a failed connection or exchange, if TLS is.
pub(super) fn cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<Error>() {
            return Some(found);
        }
        // An I/O error gives the source of what it wraps, not what it wraps.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if let Some(found) = wrapped.and_then(|inner| inner.downcast_ref::<Error>()) {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// What is wrong, for people: goes on after a colon.
pub(super) fn words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate_words(error),
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server wants a certificate of the client".to_owned()
        }
        Error::AlertReceived(
            alert @ (AlertDescription::BadCertificate
            | AlertDescription::UnknownCA
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied),
        ) => format!("the server does not take the client's certificate ({alert:?}), or wants one"),
        Error::AlertReceived(alert) => format!("the server answered with the alert {alert:?}"),
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => "the server does not speak TLS there".to_owned(),
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "the server knows neither TLS 1.2 nor TLS 1.3".to_owned()
        }
        other => other.to_string(),
    }
}

fn certificate_words(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it is not valid yet, by this machine's clock".to_owned()
        }
        CertificateError::UnknownIssuer => "no authority that is trusted has signed it".to_owned(),
        CertificateError::NotValidForName => "it is for another host".to_owned(),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<&str> = presented.iter().take(5).map(String::as_str).collect();
            format!("it is for another host: {}", names.join(", "))
        }
        CertificateError::Other(_) => {
            let hint =
                "is it an authority's own? Then sign one for the server by it, or make one that is no authority's";
            format!("{error}; {hint}")
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";

    #[test]
    fn what_is_no_pem_is_told_without_its_text() {
        let lost = format!("{BEGIN} c2VjcmV0 -----END PRIVATE KEY-----");
        let cut = format!("{BEGIN}\nc2VjcmV0\n");
        let odd = format!("{BEGIN}\nsecret!!\n-----END PRIVATE KEY-----\n");
        let locked = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nc2VjcmV0\n-----END ENCRYPTED PRIVATE KEY-----\n";
        for (text, part) in [
            ("secret", "is no private key in PEM"),
            (lost.as_str(), "were the line breaks lost"),
            (cut.as_str(), "was it cut"),
            (odd.as_str(), "is no base64"),
            (locked, "locked with a password"),
        ] {
            let told = key(text.as_bytes()).unwrap_err();
            assert!(told.contains(part) && !told.contains("secret!") && !told.contains("c2Vj"), "{told}");
        }
        assert!(chain(b"").unwrap_err().starts_with("the client's certificate is no certificate in PEM"));
        let damaged = b"-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n";
        assert!(authorities(damaged).unwrap_err().starts_with("certificate 1 of the CA cannot be used"));
    }
}
