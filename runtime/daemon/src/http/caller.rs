//! Who asks.

use tokio::net::UnixStream;

/// Who asks, as far as the connection or the token tells.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// A user of this machine, by number.
    User(u32),
    /// Whoever has the token of this name.
    Token(&'static str),
}

/// The name of the token in the data directory.
const ADMIN: &str = "admin";

impl Caller {
    /// Whoever has the administrator's token.
    pub(super) const ADMIN: Self = Self::Token(ADMIN);

    /// The process at the other end of the owner's socket.
    pub(crate) fn of_socket(stream: &UnixStream) -> Option<Self> {
        stream.peer_cred().ok().map(|peer| Self::User(peer.uid()))
    }

    /// The user's or the token's name. Asks the system for it, which may take a while where users are kept elsewhere.
    pub(super) async fn name(&self) -> String {
        match *self {
            Self::Token(name) => name.to_owned(),
            Self::User(uid) => {
                let user = tokio::task::spawn_blocking(move || uzers::get_user_by_uid(uid)).await;
                let name = user.ok().flatten().map(|user| user.name().to_string_lossy().into_owned());
                name.unwrap_or_else(|| format!("uid {uid}"))
            }
        }
    }
}
