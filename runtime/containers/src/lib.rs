//! Running containers on an engine that speaks Docker's API: Docker's own, or Podman's. It is on a socket or a port, or at the
//! end of a [`Way`] that the caller knows.
//!
//! It knows nothing of jobs. What it starts it sees through: the output is copied into files that the caller opened, and
//! when the container has ended, or nobody holds it any more, it is removed. What a killed daemon left is found again by
//! its labels ([`Engine::sweep`]).

mod config;
mod connect;
mod engine;
mod error;
mod image;
mod spec;

mod container;
mod exec;
mod running;
mod stdio;

pub use config::{EngineConfig, EngineHost, InvalidEngineHost, TlsFiles};
pub use connect::{Duplex, Opening, Way};
pub use engine::Engine;
pub use error::{Error, Obstacle, ObstacleKind};
pub use image::{Credentials, Image, PullPolicy, PullProgress, registry_of};
pub use running::{How, Running, Signal};
pub use spec::{ContainerSpec, ExecSpec, Mount, MountSource, Owner, is_name};
