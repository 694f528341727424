//! What every command needs: the daemon to ask, the form to answer in, and the instant it is.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sandglass_api::client::{Client, Endpoint};
use sandglass_core::id::Namespace;
use sandglass_core::time::Timestamp;
use serde::Serialize;

use crate::args::{Form, Global};
use crate::failure::Failure;
use crate::render::paint::Paint;
use crate::render::yaml;

/// What every command needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) client: Client,
    /// The local daemon's data directory.
    pub(crate) data_dir: PathBuf,
    pub(crate) form: Form,
    pub(crate) now: Timestamp,
    /// Colours for standard output.
    pub(crate) paint: Paint,
    /// Colours for standard error.
    pub(crate) error_paint: Paint,
}

impl Context {
    /// Resolves the global flags. A failure comes with whether it is to be told as JSON.
    pub(crate) fn new(global: Global, now: SystemTime) -> Result<Self, (Failure, bool)> {
        let form = if global.json { Form::Json } else { global.output.unwrap_or_default() };
        let json = form == Form::Json;
        let usage = |error: String| (Failure::usage(error), json);
        let data_dir = absolute(&data_dir(global.data_dir.as_deref()));
        let endpoint = match given(global.url) {
            Some(url) => {
                url.parse().map_err(|error: sandglass_api::client::InvalidEndpoint| usage(error.to_string()))?
            }
            None => Endpoint::in_data_dir(&data_dir),
        };
        let namespace = match given(global.namespace) {
            Some(name) => name.parse().map_err(|error: sandglass_core::id::InvalidId| usage(error.to_string()))?,
            None => Namespace::default(),
        };
        let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let colours = !global.no_color
            && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Ok(Self {
            data_dir,
            client: Client::new(endpoint, given(global.token), namespace),
            form,
            now: Timestamp::EPOCH.after(since_epoch),
            paint: Paint::new(colours && io::stdout().is_terminal()),
            error_paint: Paint::new(colours && io::stderr().is_terminal()),
        })
    }

    pub(crate) fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Prints `value` as JSON or YAML if that is the form wanted, else what `text` makes of it.
    pub(crate) fn show<T: Serialize>(&self, value: &T, text: impl FnOnce(&Self) -> String) -> Result<(), Failure> {
        match self.form {
            Form::Json => print_json(value),
            Form::Yaml => print(&yaml::document(&serde_json::to_value(value).unwrap_or_default())),
            Form::Table | Form::Wide => print(&text(self)),
        }
    }
}

/// An empty variable counts as none.
fn given(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// `value` as JSON for people and programs alike.
pub(crate) fn to_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string_pretty(value).expect("what is printed has text keys and finite numbers")
}

/// Prints `value` as JSON.
pub(crate) fn print_json<T: Serialize>(value: &T) -> Result<(), Failure> {
    print(&(to_json(value) + "\n"))
}

/// Prints to standard output. A reader that has gone away, such as `head`, is a quiet end.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    print_bytes(text.as_bytes())
}

/// As [`print()`], for bytes.
pub(crate) fn print_bytes(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes).and_then(|()| stdout.flush()).map_err(Failure::output)
}

/// The data directory: the one given, else `/var/lib/sandglass` for root if it is there, else `$XDG_DATA_HOME/sandglass`
/// or `~/.local/share/sandglass`.
pub(crate) fn data_dir(given: Option<&Path>) -> PathBuf {
    const OF_THE_SYSTEM: &str = "/var/lib/sandglass";
    if let Some(path) = given.filter(|path| !path.as_os_str().is_empty()) {
        return path.to_owned();
    }
    if is_root() && Path::new(OF_THE_SYSTEM).is_dir() {
        return OF_THE_SYSTEM.into();
    }
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    match (folder("XDG_DATA_HOME"), folder("HOME")) {
        (Some(data), _) => data.join("sandglass"),
        (None, Some(home)) => home.join(".local/share/sandglass"),
        (None, None) => OF_THE_SYSTEM.into(),
    }
}

#[cfg(unix)]
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}
