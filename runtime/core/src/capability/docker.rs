//! Which images containers may be made of, which volumes they may have, and in which containers commands may run.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::process::{glob, segment};
use super::{Denial, EffectiveGrants, list};

/// How a refusal names it.
pub(super) const RUNNING: &str = "running containers";
/// What a pattern of containers begins with.
const CONTAINER: &str = "container:";
/// What a pattern of volumes begins with.
const VOLUME: &str = "volume:";
/// What a digest begins with, and how many hexadecimal digits follow.
const DIGEST: &str = "sha256:";
const DIGITS: usize = 64;
/// The registry of images whose name has none.
const HUB: &str = "docker.io";

/// What may be run in containers: `any`, or a list of patterns.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "serde_json::Value", into = "serde_json::Value")]
pub enum DockerGrant {
    /// Every image and volume, and commands in every container.
    Any,
    /// What one of the patterns matches.
    Patterns(Vec<DockerPattern>),
}

/// Images by name and tag, where `*` stands for any characters but `/`; an image by its digest; or
/// a container or volume by its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DockerPattern {
    text: String,
    kind: Kind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Image(Reference),
    Digest(String),
    Container(String),
    Volume(String),
}

/// The name of an image with everything that may be left out of it.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Reference {
    /// With the registry, such as `docker.io/library/postgres`. Empty if an image is named by its digest alone.
    name: String,
    /// Counts only without a digest, as a tag beside one is a remark.
    tag: String,
    digest: Option<String>,
}

/// The text is no pattern of images or containers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' names no image: write it as postgres:16 or postgres:*, with its registry or without, as sha256: and 64 digits, or \
     as container: and a name for commands in a container, or as volume: and a name for a volume"
)]
pub struct InvalidDockerPattern(String);

fn is_digest(text: &str) -> bool {
    text.strip_prefix(DIGEST)
        .is_some_and(|digits| digits.len() == DIGITS && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}

impl Reference {
    /// None if the text names no image.
    fn parse(text: &str) -> Option<Self> {
        if is_digest(text) {
            return Some(Self { name: String::new(), tag: String::new(), digest: Some(text.to_owned()) });
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) if is_digest(digest) => (rest, Some(digest.to_owned())),
            Some(_) => return None,
            None => (text, None),
        };
        // A colon in the first of several parts is that of a port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (rest, "latest"),
        };
        let known = |c: char| c.is_ascii_alphanumeric() || "._-*".contains(c);
        let is_part = |part: &str| part.chars().all(known) && part.chars().any(|c| c != '.');
        let is_host =
            |part: &str| part.contains(['.', ':']) || part == "localhost" || part.contains(char::is_uppercase);
        let (host, path) = match name.split_once('/') {
            Some((host, path)) if is_host(host) => (host, path.to_owned()),
            Some(_) => (HUB, name.to_owned()),
            None => (HUB, format!("library/{name}")),
        };
        let (host, path) = match host {
            HUB | "index.docker.io" if !path.contains('/') => (HUB, format!("library/{path}")),
            "index.docker.io" => (HUB, path),
            _ => (host, path),
        };
        let is_name = host.split(':').all(is_part) && path.split('/').all(is_part);
        (is_name && is_part(tag)).then(|| Self { name: format!("{host}/{path}"), tag: tag.to_owned(), digest })
    }

    /// Whether this, as a pattern, matches the image. Where a digest decides which version it is, a tag says nothing: only a
    /// pattern for all tags, or for the digest, matches then.
    fn matches(&self, image: &Self) -> bool {
        let version = match (&self.digest, &image.digest) {
            (None, None) => segment(&self.tag, &image.tag),
            (None, Some(_)) => self.tag == "*",
            (wanted, given) => wanted == given,
        };
        version && !image.name.is_empty() && glob(&self.name, &image.name)
    }
}

impl DockerGrant {
    fn allows_image(&self, reference: &str) -> bool {
        let Self::Patterns(patterns) = self else { return true };
        // A star in it would be taken for a name.
        let Some(image) = Reference::parse(reference).filter(|_| !reference.contains('*')) else { return false };
        patterns.iter().any(|pattern| match &pattern.kind {
            Kind::Image(pattern) => pattern.matches(&image),
            Kind::Digest(digest) => image.digest.as_ref() == Some(digest),
            Kind::Container(_) | Kind::Volume(_) => false,
        })
    }

    fn allows_container(&self, name: &str) -> bool {
        self.has(|kind| matches!(kind, Kind::Container(pattern) if segment(pattern, name)))
    }

    fn allows_volume(&self, name: &str) -> bool {
        self.has(|kind| matches!(kind, Kind::Volume(pattern) if segment(pattern, name)))
    }

    fn has(&self, allows: impl Fn(&Kind) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::Patterns(patterns) => patterns.iter().any(|pattern| allows(&pattern.kind)),
        }
    }
}

impl EffectiveGrants {
    /// Whether any container at all may be used: else the interface is not linked.
    #[must_use]
    pub fn any_docker(&self) -> bool {
        self.layers().all(|(_, grants)| grants.docker.is_some())
    }

    /// Whether a container may be made of the image that `reference` names.
    ///
    /// # Errors
    ///
    /// If a layer does not allow it.
    pub fn image(&self, reference: &str) -> Result<(), Denial> {
        let what = || (format!("running the image {}", reference.escape_debug()), reference.to_owned());
        self.docker(|grant| grant.allows_image(reference), what)
    }

    /// Whether the engine may be asked whether it has the image that `reference` names.
    ///
    /// # Errors
    ///
    /// If a layer does not allow to run it.
    pub fn find_image(&self, reference: &str) -> Result<(), Denial> {
        let what = || (format!("looking for the image {}", reference.escape_debug()), reference.to_owned());
        self.docker_layers(|grant| grant.allows_image(reference), what)
    }

    /// Whether a container may have the volume called `name`.
    ///
    /// # Errors
    ///
    /// If a layer does not allow it.
    pub fn volume(&self, name: &str) -> Result<(), Denial> {
        let what = || (format!("mounting the volume {}", name.escape_debug()), format!("{VOLUME}{name}"));
        self.docker(|grant| grant.allows_volume(name), what)
    }

    /// Whether a command may run in the container called `name`.
    ///
    /// # Errors
    ///
    /// If a layer does not allow it.
    pub fn container(&self, name: &str) -> Result<(), Denial> {
        let what =
            || (format!("running a command in the container {}", name.escape_debug()), format!("{CONTAINER}{name}"));
        self.docker(|grant| grant.allows_container(name), what)
    }

    fn docker(&self, allows: impl Fn(&DockerGrant) -> bool, what: impl Fn() -> (String, String)) -> Result<(), Denial> {
        self.acting(|| what().0)?;
        self.docker_layers(allows, what)
    }

    fn docker_layers(
        &self,
        allows: impl Fn(&DockerGrant) -> bool,
        what: impl Fn() -> (String, String),
    ) -> Result<(), Denial> {
        match self.layers().find(|(_, grants)| !grants.docker.as_ref().is_some_and(&allows)) {
            None => Ok(()),
            Some((layer, _)) => {
                let (what, pattern) = what();
                Err(Denial { what, layer, grant: format!("docker: [{pattern:?}]") })
            }
        }
    }
}

impl FromStr for DockerPattern {
    type Err = InvalidDockerPattern;

    fn from_str(text: &str) -> Result<Self, InvalidDockerPattern> {
        let invalid = || InvalidDockerPattern(text.escape_debug().to_string());
        let named = |name: &str| {
            let is_name = |c: char| c.is_ascii_alphanumeric() || "_.-*".contains(c);
            let fits = !name.is_empty() && name.chars().all(is_name);
            fits.then(|| name.to_owned()).ok_or_else(invalid)
        };
        let kind = if let Some(name) = text.strip_prefix(CONTAINER) {
            Kind::Container(named(name)?)
        } else if let Some(name) = text.strip_prefix(VOLUME) {
            Kind::Volume(named(name)?)
        } else if text.starts_with(DIGEST) {
            Kind::Digest(is_digest(text).then(|| text.to_owned()).ok_or_else(invalid)?)
        } else {
            Kind::Image(Reference::parse(text).ok_or_else(invalid)?)
        };
        Ok(Self { text: text.to_owned(), kind })
    }
}

impl fmt::Display for DockerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl TryFrom<serde_json::Value> for DockerGrant {
    type Error = String;

    fn try_from(value: serde_json::Value) -> Result<Self, String> {
        match value {
            serde_json::Value::String(text) if text == "any" => Ok(Self::Any),
            serde_json::Value::Array(items) => list::read(&items, "image pattern").map(Self::Patterns),
            other => Err(format!("{other} is no docker grant: write 'any' or a list of images")),
        }
    }
}

impl From<DockerGrant> for serde_json::Value {
    fn from(grant: DockerGrant) -> Self {
        match grant {
            DockerGrant::Any => "any".into(),
            DockerGrant::Patterns(patterns) => list::write(&patterns),
        }
    }
}

impl JsonSchema for DockerGrant {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "DockerGrant".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "images that may be run: 'any', or a list of patterns such as postgres:*, of digests, of \
                            container: with a name for commands in a container, and of volume: with a name for volumes",
            "oneOf": [{ "const": "any" }, { "type": "array", "items": { "type": "string", "minLength": 1 } }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capability::{Grants, Layer};

    fn grant(patterns: &[&str]) -> DockerGrant {
        DockerGrant::Patterns(patterns.iter().map(|pattern| pattern.parse().unwrap()).collect())
    }

    fn digest(digit: &str) -> String {
        format!("{DIGEST}{}", digit.repeat(DIGITS))
    }

    #[test]
    fn names_are_compared_in_full() {
        let postgres = grant(&["postgres:16"]);
        for image in ["postgres:16", "library/postgres:16", "docker.io/library/postgres:16", "docker.io/postgres:16"] {
            assert!(postgres.allows_image(image), "{image}");
        }
        for image in [
            "postgres",
            "postgres:15",
            "evil/postgres:16",
            "ghcr.io/library/postgres:16",
            "postgres:16/x",
            "",
            "Library/postgres:16",
        ] {
            assert!(!postgres.allows_image(image), "{image}");
        }
        assert!(grant(&["postgres"]).allows_image("postgres:latest"));
        assert!(grant(&["localhost:5000/a"]).allows_image("localhost:5000/a:latest"));
        assert!(grant(&["index.docker.io/library/a:1"]).allows_image("a:1"));
        assert!(!grant(&["*:*"]).allows_image("ghcr.io/acme/app:1"));
        let acme = grant(&["ghcr.io/acme/*:1.*"]);
        assert!(acme.allows_image("ghcr.io/acme/app:1.2"));
        assert!(!acme.allows_image("ghcr.io/acme/sub/app:1.2") && !acme.allows_image("ghcr.io/acme/app:2.1"));
        assert!(!grant(&["postgres:16"]).allows_image("postgres:*"));
    }

    #[test]
    fn a_digest_decides_over_a_tag() {
        let (one, two) = (digest("1"), digest("2"));
        let pinned = format!("postgres:16@{one}");
        assert!(!grant(&["postgres:16"]).allows_image(&pinned));
        assert!(grant(&["postgres:*"]).allows_image(&pinned));
        assert!(grant(&[&one]).allows_image(&pinned) && grant(&[&one]).allows_image(&one));
        assert!(!grant(&[&two]).allows_image(&pinned) && !grant(&["postgres:*"]).allows_image(&one));
        assert!(grant(&[&format!("postgres@{one}")]).allows_image(&pinned));
        assert!(!grant(&[&format!("postgres@{two}")]).allows_image(&pinned));
        assert!(!grant(&[&format!("postgres@{one}")]).allows_image("postgres:16"));
    }

    #[test]
    fn containers_are_named_apart() {
        let orders = grant(&["container:orders-*", "container/x:*"]);
        assert!(orders.allows_container("orders-db") && !orders.allows_container("billing-db"));
        assert!(!orders.allows_image("container:orders-db") && !grant(&["*:*"]).allows_container("orders-db"));
        let data = grant(&["volume:orders-*"]);
        assert!(data.allows_volume("orders-data") && !data.allows_volume("data") && !data.allows_image("orders-data"));
        assert!(!orders.allows_volume("orders-db") && !data.allows_container("orders-data"));
        for wrong in [
            "",
            "container:",
            "volume:",
            "volume:/etc",
            "container:a b",
            "sha256:abc",
            "a b",
            "a@sha256:1",
            "a:b:c",
            "..",
            "/a",
            "a:",
        ] {
            assert!(wrong.parse::<DockerPattern>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_refusal_names_the_line() {
        let all = Grants::everything();
        let job = Grants { docker: Some(grant(&["alpine:3"])), ..Grants::default() };
        let grants = EffectiveGrants {
            request: all.clone(),
            ceiling: all.clone(),
            plugin: all,
            job: Some(job),
            looks_only: false,
        };
        assert!(grants.image("alpine:3").is_ok());
        let denial = grants.image("postgres:16").unwrap_err();
        assert_eq!((denial.layer, denial.grant.as_str()), (Layer::Job, "docker: [\"postgres:16\"]"));
        assert_eq!(grants.container("db").unwrap_err().grant, "docker: [\"container:db\"]");
        assert_eq!(grants.volume("data").unwrap_err().grant, "docker: [\"volume:data\"]");
        // A plan looks at what may be run, and runs nothing.
        let plan = EffectiveGrants { looks_only: true, ..grants };
        assert!(plan.find_image("alpine:3").is_ok() && plan.find_image("postgres:16").is_err());
        assert_eq!(plan.image("alpine:3").unwrap_err().layer, Layer::Plan);
    }
}
