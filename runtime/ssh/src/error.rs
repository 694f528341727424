//! What can go wrong between this machine and another.

/// Why something could not be done on another machine. Every message names the machine as its operator does.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshError {
    /// It cannot be reached, or the connection broke.
    #[error("{machine} cannot be reached: {why}")]
    Unreachable {
        /// The machine.
        machine: String,
        /// What the system, or its server, says.
        why: String,
    },
    /// It shows a host key that is not pinned.
    #[error(
        "{machine} shows the host key {shown}, which is not among those pinned for it; if the machine was set up anew, \
         compare the key with the one on the machine (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`) and pin it"
    )]
    HostKey {
        /// The machine.
        machine: String,
        /// The key's kind and fingerprint.
        shown: String,
    },
    /// It does not let the account in.
    #[error("{machine} does not let {account} in with {key}: {why}")]
    Refused {
        /// The machine.
        machine: String,
        /// The account.
        account: String,
        /// The keys that were shown to it.
        key: String,
        /// What it would take instead.
        why: String,
    },
    /// What was asked cannot be said to a machine.
    #[error("{0}")]
    Invalid(String),
    /// The machine did what it was asked, and that failed.
    #[error("{machine}: {why}")]
    Failed {
        /// The machine.
        machine: String,
        /// What it says.
        why: String,
    },
}

impl SshError {
    /// Whether trying again later may help.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}
