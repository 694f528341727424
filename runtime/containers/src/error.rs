//! What goes wrong between us and an engine.

use bollard::errors::Error as ApiError;

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Nobody answers where the engine should be.
    #[error("the container engine at {place} cannot be reached: {cause}; {advice}")]
    Unreachable {
        /// Where it should be.
        place: String,
        /// What happened.
        cause: String,
        /// What to do.
        advice: &'static str,
    },
    /// The way to it, which somebody else opens, is not open.
    #[error("{0}")]
    Way(Obstacle),
    /// It takes too long.
    #[error(
        "the container engine at {place} did not answer in time while {doing}; look whether it is overloaded or stuck"
    )]
    Slow {
        /// Where it is.
        place: String,
        /// What it was asked to do.
        doing: String,
    },
    /// The files for TLS cannot be used.
    #[error("{0}")]
    Tls(String),
    /// What was asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// The engine cannot be asked for this.
    #[error("{0}")]
    Invalid(String),
    /// The engine would not or could not do it.
    #[error("{doing} failed: {message}")]
    Refused {
        /// What it was asked to do.
        doing: String,
        /// What it said.
        message: String,
    },
}

/// What is in the way to an engine, in the words of whoever should open it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Obstacle {
    /// What sort of thing.
    pub kind: ObstacleKind,
    /// What is wrong, and what to do.
    pub message: String,
}

/// What sort of thing is in the way to an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObstacleKind {
    /// It may have gone by itself later.
    Passing,
    /// Somebody lets nobody through.
    Refused,
    /// What the way should be cannot be.
    Wrong,
}

impl From<Obstacle> for std::io::Error {
    fn from(obstacle: Obstacle) -> Self {
        Self::other(obstacle)
    }
}

/// The most that is told of what an engine said, in bytes.
const SAID: usize = 1000;

impl Error {
    /// What went wrong at `place` while `doing` something.
    pub(crate) fn from_api(place: &str, doing: &str, error: ApiError) -> Self {
        let doing = doing.to_owned();
        match error {
            ApiError::RequestTimeoutError => Self::Slow { place: place.to_owned(), doing },
            ApiError::IOError { err } => match err.downcast::<Obstacle>() {
                Ok(obstacle) => Self::Way(obstacle),
                Err(err) => Self::unreachable(place, &err),
            },
            ApiError::HyperResponseError { err } => Self::unreachable(place, &std::io::Error::other(err)),
            ApiError::DockerResponseServerError { status_code: 404, message } => {
                Self::NotFound(format!("{doing} failed: {}", said(&message)))
            }
            ApiError::DockerResponseServerError { status_code: 400, message } => {
                Self::Invalid(format!("{doing} failed: {}", said(&message)))
            }
            ApiError::DockerResponseServerError { message, .. } => Self::Refused { doing, message: said(&message) },
            ApiError::DockerStreamError { error } => Self::Refused { doing, message: said(&error) },
            other => Self::Refused { doing, message: said(&other.to_string()) },
        }
    }

    pub(crate) fn unreachable(place: &str, error: &std::io::Error) -> Self {
        let advice = match error.kind() {
            std::io::ErrorKind::PermissionDenied => {
                "let the daemon's user into the group that owns the socket, or run a rootless engine as that user"
            }
            std::io::ErrorKind::InvalidData => "look at `ca`, `cert` and `key` under [docker] in sandglass.toml",
            _ => "start the engine, or say where it is in `host` under [docker] in sandglass.toml",
        };
        Self::Unreachable { place: place.to_owned(), cause: error.to_string(), advice }
    }

    /// The same of an engine that no configuration of ours names.
    pub(crate) fn elsewhere(self) -> Self {
        match self {
            Self::Unreachable { place, cause, .. } => {
                Self::Unreachable { place, cause, advice: "look whether it still runs there" }
            }
            other => other,
        }
    }

    /// Whether the engine's answer, rather than the lack of one, is the failure: then nothing was done.
    pub(crate) const fn is_answer(&self) -> bool {
        !matches!(self, Self::Unreachable { .. } | Self::Slow { .. })
    }
}

/// What an engine said, on one line and no longer than it helps.
fn said(message: &str) -> String {
    let mut text = message.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.len() > SAID {
        text.truncate(text.floor_char_boundary(SAID));
        text.push('…');
    }
    if text.is_empty() { "the engine did not say why".to_owned() } else { text }
}
