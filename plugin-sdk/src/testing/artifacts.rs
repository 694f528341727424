//! Artifacts in tests: what is published is kept, and what the test gives is found.

use std::collections::BTreeMap;
use std::fs;

use crate::artifacts::Artifact;
use crate::testing::{Host, with};
use crate::{Error, ErrorCode, FileRef, files};

#[derive(Default)]
pub(crate) struct Script {
    published: BTreeMap<String, Vec<u8>>,
    given: BTreeMap<String, Vec<u8>>,
}

impl Host {
    /// Gives an artifact, to be fetched by this reference.
    #[must_use]
    pub fn with_artifact(self, reference: &str, content: &[u8]) -> Self {
        self.script.borrow_mut().artifacts.given.insert(reference.to_owned(), content.to_vec());
        self
    }

    /// What actions published: contents by name.
    #[must_use]
    pub fn artifacts(&self) -> BTreeMap<String, Vec<u8>> {
        self.script.borrow().artifacts.published.clone()
    }
}

fn not_found(message: String) -> Error {
    Error { code: ErrorCode::NotFound, message, detail: None }
}

pub(crate) fn publish(source: &FileRef, name: &str, media_type: &str) -> Result<Artifact, Error> {
    let path = if source.mount == files::WORK { files::work() } else { source.mount.clone().into() }.join(&source.path);
    let content = fs::read(&path).map_err(|error| not_found(format!("{}: {error}", source.path)))?;
    let size = content.len() as u64;
    with(|script| script.artifacts.published.insert(name.to_owned(), content));
    Ok(Artifact { name: name.to_owned(), size, sha256: String::new(), media_type: media_type.to_owned() })
}

pub(crate) fn fetch(reference: &str) -> Result<FileRef, Error> {
    let given = with(|script| script.artifacts.given.get(reference).cloned());
    let content = given.ok_or_else(|| not_found(format!("there is no artifact '{reference}'")))?;
    let place = files::in_work(format!("artifacts/{reference}"));
    let path = files::work().join(&place.path);
    let written = fs::create_dir_all(path.parent().unwrap_or(&path)).and_then(|()| fs::write(&path, content));
    written.map_err(|error| not_found(error.to_string()))?;
    Ok(place)
}
