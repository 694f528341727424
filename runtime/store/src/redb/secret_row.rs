//! How secrets are written. What is written of their values is sealed.

use sandglass_core::id::{Namespace, SecretName};
use sandglass_core::secret::{KeyId, MAX_HOSTS, MAX_VERSIONS, Sealed, Secret, SecretVersion};

use super::codec::{Decoder, Encoder};
use crate::error::StoreError;

const FORMAT: u8 = 1;

/// Namespace and name with a byte between that is in neither, so that names sort within their namespace.
pub(super) fn key(namespace: &Namespace, name: &SecretName) -> Vec<u8> {
    [namespace.as_str().as_bytes(), b"\0", name.as_str().as_bytes()].concat()
}

pub(super) fn encode(secret: &Secret) -> Vec<u8> {
    let mut row = Encoder::new(FORMAT);
    row.number(secret.revision);
    row.text(secret.namespace.as_str());
    row.text(secret.name.as_str());
    row.number(secret.hosts.len() as u64);
    secret.hosts.iter().for_each(|host| row.text(host));
    row.number(secret.versions.len() as u64);
    for SecretVersion { number, set_at, sealed } in &secret.versions {
        row.number(*number);
        row.instant(*set_at);
        row.raw(&sealed.key.0);
        row.number(sealed.bytes.len() as u64);
        row.raw(&sealed.bytes);
    }
    row.finish()
}

pub(super) fn decode(bytes: &[u8]) -> Result<Secret, StoreError> {
    let mut row = Decoder::new(bytes, "secret", FORMAT)?;
    let (revision, namespace, name) = (row.number()?, row.parsed()?, row.parsed()?);
    let hosts = count(&mut row, MAX_HOSTS)?;
    let hosts = (0..hosts).map(|_| row.text().map(str::to_owned)).collect::<Result<_, _>>()?;
    let versions = count(&mut row, MAX_VERSIONS)?;
    if versions == 0 {
        return Err(row.wrong("has no version"));
    }
    let versions = (0..versions).map(|_| decode_version(&mut row)).collect::<Result<_, _>>()?;
    row.end()?;
    Ok(Secret { namespace, name, revision, hosts, versions })
}

fn decode_version(row: &mut Decoder<'_>) -> Result<SecretVersion, StoreError> {
    let (number, set_at, key) = (row.number()?, row.instant()?, KeyId(row.array()?));
    let length: usize = row.small()?;
    Ok(SecretVersion { number, set_at, sealed: Sealed { key, bytes: row.raw(length)?.to_vec() } })
}

fn count(row: &mut Decoder<'_>, most: usize) -> Result<usize, StoreError> {
    let count: usize = row.small()?;
    if count > most { Err(row.wrong(&format!("claims to have {count} parts"))) } else { Ok(count) }
}
