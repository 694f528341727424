//! Whom a request trusts, and who it says that it is.

use sandglass_plugin::http::{Identity, Tls as Chosen};
use sandglass_plugin::{Issue, params};

/// Certificates and a key, each as text in PEM.
#[params]
#[derive(Clone)]
pub(crate) struct Tls {
    /// The authorities that are trusted, in place of the web's.
    #[serde(default)]
    ca: Option<String>,
    /// Who the client is, with certificates that lead to its authority.
    #[serde(default)]
    client_certificate: Option<String>,
    /// The key of the client's certificate, such as {{ secret.CLIENT_KEY }}.
    #[serde(default)]
    client_key: Option<String>,
}

impl Tls {
    /// What is wrong with it.
    pub(crate) fn issue(&self) -> Option<Issue> {
        if self.client_certificate.is_some() != self.client_key.is_some() {
            return Some(Issue::at("/tls", "`client_certificate` and `client_key` go together"));
        }
        self.chosen().check().err().map(|why| Issue::at("/tls", why))
    }

    pub(crate) fn chosen(&self) -> Chosen {
        let client = self.client_certificate.clone().zip(self.client_key.clone());
        Chosen { ca: self.ca.clone(), client: client.map(|(certificate, key)| Identity { certificate, key }) }
    }
}
