//! Getting images.

use std::collections::HashMap;

use bollard::auth::DockerCredentials;
use bollard::errors::Error as ApiError;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::CreateImageOptions;
use futures_util::StreamExt;

use crate::engine::Engine;
use crate::error::Error;

/// The longest reference, in bytes.
const REFERENCE: usize = 500;
/// The most layers whose progress is added up.
const LAYERS: usize = 512;

/// When an image is fetched from its registry.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum PullPolicy {
    /// If the engine does not have it.
    #[default]
    Missing,
    /// Before every use.
    Always,
    /// Not at all.
    Never,
}

/// Who a registry is told that we are.
#[derive(Clone)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password, or a token in its place.
    pub password: String,
}

/// An image that the engine has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Image {
    /// Its id: the digest of its configuration.
    pub id: String,
    /// The digest that its registry knows it by, if it came from one.
    pub digest: Option<String>,
    /// What it takes on disk, in bytes.
    pub size: u64,
}

/// How far a pull has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PullProgress {
    /// What is there, in bytes.
    pub completed: u64,
    /// What will be there, as far as is known by now, in bytes.
    pub total: u64,
    /// What is going on, in the engine's words.
    pub status: String,
}

impl Engine {
    /// Makes sure that the engine has an image. Progress is told only while something is fetched.
    ///
    /// # Errors
    ///
    /// If the image is not there, cannot be had, or the engine does not answer.
    pub async fn pull(
        &self,
        reference: &str,
        policy: PullPolicy,
        credentials: Option<Credentials>,
        mut progress: impl FnMut(PullProgress) + Send,
    ) -> Result<Image, Error> {
        let found = self.find(reference).await?;
        let reference = with_version(reference)?;
        match (policy, found) {
            (PullPolicy::Missing | PullPolicy::Never, Some(image)) => return Ok(image),
            // An id names what is there, and no registry knows it.
            (PullPolicy::Always, Some(image)) if reference.starts_with("sha256:") => return Ok(image),
            (PullPolicy::Never, None) => {
                let message = format!(
                    "the engine at {} has no image {reference}, and it is not to be pulled; pull it there, or let `pull` be \
                     `missing`",
                    self.place()
                );
                return Err(Error::NotFound(message));
            }
            (_, None) if reference.starts_with("sha256:") => {
                let place = self.place();
                return Err(Error::NotFound(format!("the engine at {place} has no image with the id {reference}")));
            }
            (PullPolicy::Missing | PullPolicy::Always, _) => {}
        }
        self.fetch(&reference, credentials, &mut progress).await?;
        let missing = || Error::NotFound(format!("the image {reference} was pulled and is not there"));
        self.image(&reference).await?.ok_or_else(missing)
    }

    /// The image, if the engine has it. Nothing is fetched.
    ///
    /// # Errors
    ///
    /// If that is no name of an image, or the engine does not answer.
    pub async fn find(&self, reference: &str) -> Result<Option<Image>, Error> {
        self.image(&with_version(reference)?).await
    }

    async fn fetch(
        &self,
        reference: &str,
        credentials: Option<Credentials>,
        progress: &mut (impl FnMut(PullProgress) + Send),
    ) -> Result<(), Error> {
        let options = CreateImageOptions { from_image: Some(reference.to_owned()), ..CreateImageOptions::default() };
        let credentials = credentials.map(|credentials| DockerCredentials {
            username: Some(credentials.username),
            password: Some(credentials.password),
            serveraddress: Some(registry_of(reference).to_owned()),
            ..DockerCredentials::default()
        });
        let mut layers = HashMap::new();
        let mut stream = self.docker().create_image(Some(options), None, credentials);
        while let Some(info) = stream.next().await {
            let info = info.map_err(|error| self.not_pulled(reference, error))?;
            if let Some(step) = step(&mut layers, info) {
                progress(step);
            }
        }
        Ok(())
    }

    fn not_pulled(&self, reference: &str, error: ApiError) -> Error {
        let doing = format!("pulling {reference}");
        match self.failed(&doing, error) {
            Error::Refused { message, .. } if message.contains("manifest unknown") || message.contains("not found") => {
                Error::NotFound(format!("{doing} failed: {message}"))
            }
            Error::Refused { doing, message }
                if message.contains("unauthorized") || message.contains("authentication") =>
            {
                let message = format!("{message}; give the user and password of the registry in `registry`");
                Error::Refused { doing, message }
            }
            other => other,
        }
    }

    /// The image, if the engine has it.
    async fn image(&self, reference: &str) -> Result<Option<Image>, Error> {
        match self.docker().inspect_image(reference).await {
            Ok(image) => {
                let digests = image.repo_digests.unwrap_or_default();
                let digest = digests.first().and_then(|digest| Some(digest.split_once('@')?.1.to_owned()));
                Ok(Some(Image {
                    id: image.id.unwrap_or_default(),
                    digest,
                    size: image.size.and_then(|size| u64::try_from(size).ok()).unwrap_or_default(),
                }))
            }
            Err(ApiError::DockerResponseServerError { status_code: 404, .. }) => Ok(None),
            Err(error) => Err(self.failed(&format!("looking for the image {reference}"), error)),
        }
    }
}

/// What a piece of news says of the whole.
fn step(layers: &mut HashMap<String, (u64, u64)>, info: CreateImageInfo) -> Option<PullProgress> {
    let status = info.status?;
    if let (Some(id), Some(detail)) = (info.id, info.progress_detail)
        && let (Some(current), Some(total)) = (detail.current, detail.total)
        && (layers.contains_key(&id) || layers.len() < LAYERS)
        && status == "Downloading"
    {
        layers.insert(id, (u64::try_from(current).unwrap_or(0), u64::try_from(total).unwrap_or(0)));
    }
    let sum = |value: fn(&(u64, u64)) -> u64| layers.values().map(value).fold(0, u64::saturating_add);
    Some(PullProgress { completed: sum(|layer| layer.0), total: sum(|layer| layer.1), status })
}

/// A reference with its tag or digest: without one an engine would fetch every version that there is.
pub(crate) fn with_version(reference: &str) -> Result<String, Error> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    let is_plain = reference.chars().all(is_known)
        && reference.split(['/', ':', '@']).all(|part| !part.is_empty() && !part.chars().all(|c| c == '.'));
    if !is_plain || reference.len() > REFERENCE {
        let message = format!("'{}' is no image: write it as postgres:16", reference.escape_debug());
        return Err(Error::Invalid(message));
    }
    let name = reference.rsplit('/').next().unwrap_or(reference);
    Ok(if name.contains([':', '@']) { reference.to_owned() } else { format!("{reference}:latest") })
}

/// The host of the registry that a reference leads to.
#[must_use]
pub fn registry_of(reference: &str) -> &str {
    match reference.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => "docker.io",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_names_one_version() {
        let full = |text: &str| with_version(text).ok();
        assert_eq!(full("alpine").as_deref(), Some("alpine:latest"));
        assert_eq!(full("localhost:5000/a/b").as_deref(), Some("localhost:5000/a/b:latest"));
        for text in ["postgres:16", "quay.io/x/y@sha256:00ff", "sha256:00ff"] {
            assert_eq!(full(text).as_deref(), Some(text));
        }
        for text in ["", "a b", "../x", "a/../b", "a//b", "a?b=c", "a#b", "a%2e", "a:", ":a", "é", "/a"] {
            assert_eq!(full(text), None, "{text}");
        }
    }

    #[test]
    fn registries_are_told_from_folders() {
        for (reference, registry) in [
            ("alpine", "docker.io"),
            ("me/app:1", "docker.io"),
            ("ghcr.io/x/y", "ghcr.io"),
            ("localhost/x", "localhost"),
        ] {
            assert_eq!(registry_of(reference), registry);
        }
    }
}
