//! A response that is kept as an artifact.

use std::fs::File;
use std::io::{self, Write};

use sandglass_plugin::http::Response;
use sandglass_plugin::{Failure, artifacts, files, output};

use crate::request::is_token;

/// The response's file in the run's own folder.
const NAME: &str = ".sandglass-response";

/// What the response's body was kept as.
#[output]
pub(crate) struct Published {
    /// What it is called.
    name: String,
    /// How long it is, in bytes.
    size: u64,
    /// The SHA-256 of its content.
    sha256: String,
}

/// What is wrong with an artifact's name, if anything.
pub(crate) fn issue(name: &str) -> Option<&'static str> {
    let is_relative = name.split('/').all(|part| !matches!(part, "" | "." | ".."));
    (!is_relative).then_some("expected a relative path such as reports/today.json")
}

/// The file that a response goes to, of so many bytes at most.
pub(crate) struct Sink {
    file: File,
    left: usize,
}

impl Sink {
    /// An empty file. What a response before it left there is gone.
    pub(crate) fn open(most: usize) -> Result<Self, Failure> {
        let file = File::create(files::work().join(NAME));
        file.map(|file| Self { file, left: most })
            .map_err(|error| Failure::new("response", format!("the response cannot be kept: {error}")))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.left = self.left.checked_sub(bytes.len()).ok_or(io::ErrorKind::FileTooLarge)?;
        self.file.write_all(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Publishes what the response left in its file.
pub(crate) fn publish(name: &str, response: &Response) -> Result<Published, Failure> {
    let said = response.header("content-type").and_then(|kind| kind.split(';').next()).unwrap_or_default().trim();
    // What is none is left to the name's ending.
    let media_type = said.split_once('/').filter(|(kind, of)| is_token(kind) && is_token(of)).map_or("", |_| said);
    let artifact = artifacts::publish(&files::in_work(NAME), name, media_type)?;
    Ok(Published { name: artifact.name, size: artifact.size, sha256: artifact.sha256 })
}
