//! A response that is kept as an artifact.

use std::fs::File;
use std::io::{self, Write};

use sandglass_plugin::http::Response;
use sandglass_plugin::{Failure, artifacts, files, output};

use crate::request::is_token;

/// The response's file in the run's own folder.
const NAME: &str = ".sandglass-response";
/// The longest name of an artifact, in bytes.
const LONGEST: usize = 255;

/// The response's body.
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
    let is_name = is_relative && name.len() <= LONGEST && !name.contains(char::is_control);
    (!is_name).then_some("expected a relative path such as reports/today.json")
}

/// The file that a response goes to, of so many bytes at most.
pub(crate) struct Sink {
    file: File,
    most: u32,
    left: usize,
}

impl Sink {
    /// An empty file. What a response before it left there is gone.
    pub(crate) fn open(most: u32) -> Result<Self, Failure> {
        let file = File::create(files::work().join(NAME));
        file.map(|file| Self { file, most, left: most as usize }).map_err(|error| {
            let message = format!("the response cannot be kept: {error}; is there a grant `files: []`?");
            Failure::new("response", message).never_retry()
        })
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.left.checked_sub(bytes.len());
        self.left = left
            .ok_or_else(|| io::Error::other(format!("there is more of it than max_response_bytes ({})", self.most)))?;
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
