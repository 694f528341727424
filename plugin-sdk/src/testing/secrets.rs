//! Secrets in tests: as many as a test gives, with placeholders that show whose they are.

use std::collections::BTreeMap;

use crate::testing::{Host, with};
use crate::{Error, ErrorCode};

#[derive(Default)]
pub(crate) struct Script {
    values: BTreeMap<String, Vec<u8>>,
}

impl Host {
    /// Gives the run a secret. Its placeholder is `sgl-secret-` and the name.
    #[must_use]
    pub fn with_secret(self, name: &str, value: &[u8]) -> Self {
        self.script.borrow_mut().secrets.values.insert(name.to_owned(), value.to_vec());
        self
    }
}

pub(crate) struct Secret {
    name: String,
    value: Vec<u8>,
}

impl Secret {
    pub(crate) fn placeholder(&self) -> String {
        format!("sgl-secret-{}", self.name)
    }

    pub(crate) fn reveal(self) -> Vec<u8> {
        self.value
    }
}

pub(crate) fn names() -> Vec<String> {
    with(|script| script.secrets.values.keys().cloned().collect())
}

pub(crate) fn get(name: &str) -> Result<Secret, Error> {
    let value = with(|script| script.secrets.values.get(name).cloned());
    value.map(|value| Secret { name: name.to_owned(), value }).ok_or_else(|| Error {
        code: ErrorCode::NotFound,
        message: format!("the job names no secret '{name}'"),
        detail: None,
    })
}
