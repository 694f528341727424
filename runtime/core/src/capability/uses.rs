//! How often an attempt used each capability, and how often it was refused one.

use std::ops::{Index, IndexMut};

/// What a plugin may ask of the host, named as in [`Grants`](super::Grants).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Capability {
    /// Starting programs.
    Process,
    /// Sending HTTP requests.
    Http,
    /// Folders of the host.
    Files,
    /// Pulling images, running containers and commands in them.
    Docker,
    /// Working on targets.
    Remote,
    /// Secrets whose values are put in where they leave the sandbox.
    Secrets,
    /// Secrets whose values the plugin reads.
    Reveal,
    /// The job's state.
    State,
    /// Mail by the operator's server.
    Mail,
    /// Files that runs leave to others.
    Artifacts,
}

impl Capability {
    /// All of them. Each stands at its own place.
    pub const ALL: [Self; 10] = [
        Self::Process,
        Self::Http,
        Self::Files,
        Self::Docker,
        Self::Remote,
        Self::Secrets,
        Self::Reveal,
        Self::State,
        Self::Mail,
        Self::Artifacts,
    ];

    /// The name in text.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Process => "process",
            Self::Http => "http",
            Self::Files => "files",
            Self::Docker => "docker",
            Self::Remote => "remote",
            Self::Secrets => "secrets",
            Self::Reveal => "reveal",
            Self::State => "state",
            Self::Mail => "mail",
            Self::Artifacts => "artifacts",
        }
    }
}

/// How often one capability was used and refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Uses {
    /// Requests that were allowed.
    pub used: u32,
    /// Requests that were refused.
    pub denied: u32,
}

/// How often each capability was used and refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CapabilityUses([Uses; Capability::ALL.len()]);

impl CapabilityUses {
    /// Those that were used or refused at all.
    pub fn counted(&self) -> impl Iterator<Item = (Capability, Uses)> {
        Capability::ALL.into_iter().zip(self.0).filter(|(_, uses)| *uses != Uses::default())
    }
}

impl Index<Capability> for CapabilityUses {
    type Output = Uses;

    fn index(&self, capability: Capability) -> &Uses {
        &self.0[capability as usize]
    }
}

impl IndexMut<Capability> for CapabilityUses {
    fn index_mut(&mut self, capability: Capability) -> &mut Uses {
        &mut self.0[capability as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stands_at_its_own_place() {
        for (place, capability) in Capability::ALL.into_iter().enumerate() {
            assert_eq!(capability as usize, place);
            let mut uses = CapabilityUses::default();
            uses[capability].denied = 1;
            assert_eq!(uses.counted().collect::<Vec<_>>(), [(capability, Uses { used: 0, denied: 1 })]);
        }
    }
}
