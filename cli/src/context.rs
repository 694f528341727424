//! What every command needs: the daemon to ask, the form to answer in, and the instant it is.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use sandglass_api::client::{Client, Endpoint};
use sandglass_core::id::Namespace;
use sandglass_core::time::Timestamp;
use serde::Serialize;

use crate::args::{Form, Global};
use crate::failure::{Failure, for_invocation};
use crate::render::paint::Paint;
use crate::render::{ansi, yaml};

/// What every command needs.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) client: Client,
    /// The local daemon's data directory.
    pub(crate) data_dir: PathBuf,
    pub(crate) form: Form,
    pub(crate) now: Timestamp,
    /// How standard output looks.
    pub(crate) paint: Paint,
    /// How standard error looks.
    pub(crate) error_paint: Paint,
    /// How this program is called for the same daemon and namespace, such as `sandglass --data-dir /srv/sandglass`: what
    /// hints begin with.
    pub(crate) invocation: String,
}

impl Context {
    /// Resolves the global flags.
    pub(crate) fn new(global: Global, now: SystemTime) -> Result<Self, Failure> {
        let (paint, error_paint) = paints(global.no_color);
        let (form, invocation) = (global.form(), invocation(&global));
        let data_dir = absolute(&data_dir(global.data_dir.as_deref()));
        let endpoint = match given(global.url) {
            Some(url) => url
                .parse()
                .map_err(|error: sandglass_api::client::InvalidEndpoint| Failure::usage(error.to_string()))?,
            None => Endpoint::in_data_dir(&data_dir),
        };
        let namespace = match given(global.namespace) {
            Some(name) => {
                name.parse().map_err(|error: sandglass_core::id::InvalidId| Failure::usage(error.to_string()))?
            }
            None => Namespace::default(),
        };
        let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Ok(Self {
            data_dir,
            client: Client::new(endpoint, given(global.token), namespace),
            form,
            now: Timestamp::EPOCH.after(since_epoch),
            paint,
            error_paint,
            invocation,
        })
    }

    /// A command for people to type next, for the same daemon and namespace.
    pub(crate) fn command(&self, rest: &str) -> String {
        format!("`{} {rest}`", self.invocation)
    }

    /// Says what to do next, on standard error. Commands in it, such as `` `sandglass job list` ``, are made those for the
    /// same daemon and namespace.
    pub(crate) fn hint(&self, text: &str) {
        self.note(&format!("{} {}", self.error_paint.bold("hint:"), for_invocation(text, &self.invocation)));
    }

    /// Says something on standard error.
    pub(crate) fn say(&self, text: &str) {
        // Nobody is left to be told that this failed.
        let _ = writeln!(io::stderr().lock(), "{}", ansi::colours_only(text));
    }

    /// Says something beside the answer, on standard error. Programs that want JSON are not told.
    pub(crate) fn note(&self, text: &str) {
        if !self.is_json() {
            self.say(text);
        }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.form == Form::Json
    }

    /// Prints `value` as JSON or YAML if that is the form wanted, else what `text` makes of it.
    pub(crate) fn show<T: Serialize>(&self, value: &T, text: impl FnOnce(&Self) -> String) -> Result<(), Failure> {
        match self.form {
            Form::Json => print_json(value),
            Form::Yaml => print(&yaml::document(&serde_json::to_value(value).unwrap_or_default())),
            // What comes from jobs and plugins may hold anything; a terminal obeys only our colours.
            Form::Table | Form::Wide => print(&ansi::colours_only(&text(self))),
        }
    }
}

/// How standard output and standard error look: in colours on a terminal, unless somebody asked for none.
pub(crate) fn paints(no_color: bool) -> (Paint, Paint) {
    let colours = !no_color
        && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    let (stdout, stderr) = (io::stdout(), io::stderr());
    let asked = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).filter(|columns| *columns > 0);
    let columns = asked.or_else(|| terminal_size::terminal_size_of(&stdout).map(|(width, _)| usize::from(width.0)));
    // Whoever reads a pipe or a file wants whole texts, however wide the terminal beside it is.
    (
        Paint::new(colours && stdout.is_terminal()).with_width(columns.filter(|_| stdout.is_terminal())),
        Paint::new(colours && stderr.is_terminal()).with_width(columns),
    )
}

/// The program and those global flags that the environment does not say as well.
pub(crate) fn invocation(global: &Global) -> String {
    let from_environment = |name: &str, value: &str| std::env::var_os(name).is_some_and(|set| set == *value);
    let mut text = "sandglass".to_owned();
    let data_dir = global.data_dir.as_ref().map(|path| path.display().to_string());
    for (flag, name, value) in [
        ("--data-dir", "SANDGLASS_DATA_DIR", data_dir.as_ref()),
        ("--url", "SANDGLASS_URL", global.url.as_ref()),
        ("--namespace", "SANDGLASS_NAMESPACE", global.namespace.as_ref()),
    ] {
        let Some(value) = value.filter(|value| !value.is_empty() && !from_environment(name, value)) else { continue };
        let plain = value.chars().all(|char| char.is_ascii_alphanumeric() || "/._-:".contains(char));
        let value = if plain { value.clone() } else { format!("'{}'", value.replace('\'', "'\\''")) };
        text = format!("{text} {flag} {value}");
    }
    text
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
