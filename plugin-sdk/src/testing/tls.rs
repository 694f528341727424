//! Certificates in tests: what is no PEM at first sight, and no template, is refused, and what is chosen stands in the request.

use crate::bindings::tls::sandglass::plugin::tls::Options;
use crate::{Error, ErrorCode};

pub(crate) fn check(options: &Options) -> Result<(), Error> {
    let client = options.client.iter().flat_map(|client| [&client.certificate, &client.key]);
    let is_read = |text: &&String| ["-----BEGIN ", "{{", crate::PLACEHOLDER].iter().any(|part| text.contains(part));
    match options.ca.iter().chain(client).find(|text| !is_read(text)) {
        Some(text) => Err(invalid(format!("{text:?} is no PEM"))),
        None => Ok(()),
    }
}

pub(crate) fn configure(origin: &str, options: &Options) -> Result<(), Error> {
    if !origin.starts_with("https://") {
        return Err(invalid("certificates are for addresses that begin with https://".to_owned()));
    }
    check(options)
}

fn invalid(message: String) -> Error {
    Error { code: ErrorCode::InvalidArgument, message, detail: None }
}
