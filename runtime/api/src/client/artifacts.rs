//! What runs left to others.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, header};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use sandglass_core::artifact::ArtifactName;
use sandglass_core::id::RunId;

use super::transport::{Request, Transport, escape};
use super::{Client, ClientError, PATIENCE};
use crate::wire::{Artifact, Page};

/// After this long without anything, the connection is lost.
const SILENCE: Duration = Duration::from_secs(60);

/// An artifact's content as it comes.
#[derive(Debug)]
pub struct ArtifactContent {
    transport: Transport,
    body: Incoming,
    sha256: Option<String>,
}

impl ArtifactContent {
    /// The SHA-256 that the daemon says it has, in hexadecimal digits.
    #[must_use]
    pub fn sha256(&self) -> Option<&str> {
        self.sha256.as_deref()
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    ///
    /// If the connection breaks before the end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        loop {
            let frame = tokio::time::timeout(SILENCE, self.body.frame()).await;
            match frame.map_err(|_| self.transport.no_answer(SILENCE))? {
                None => return Ok(None),
                Some(frame) => {
                    if let Ok(piece) = frame.map_err(ClientError::Broken)?.into_data() {
                        return Ok(Some(piece));
                    }
                }
            }
        }
    }
}

impl Client {
    /// What a run left to others, by name.
    ///
    /// # Errors
    ///
    /// If the run is not there, or the daemon cannot be reached or refuses.
    pub async fn artifacts(&self, run: RunId) -> Result<Page<Artifact>, ClientError> {
        self.get(self.scoped(&format!("runs/{run}/artifacts"))).await
    }

    /// The content of one of them.
    ///
    /// # Errors
    ///
    /// If it is not there, or the daemon cannot be reached or refuses.
    pub async fn artifact(&self, run: RunId, name: &ArtifactName) -> Result<ArtifactContent, ClientError> {
        let mut path = format!("runs/{run}/artifacts");
        for part in name.as_str().split('/') {
            path.push('/');
            escape(part, &mut path);
        }
        let request = Request::new(Method::GET, self.scoped(&path)).with_header("accept", "*/*".to_owned());
        let response = self.transport.begin(request, PATIENCE).await?;
        let tag = response.headers().get(header::ETAG).and_then(|tag| tag.to_str().ok());
        let sha256 = tag.map(|tag| tag.trim_matches('"').to_owned());
        Ok(ArtifactContent { transport: self.transport.clone(), body: response.into_body(), sha256 })
    }
}
