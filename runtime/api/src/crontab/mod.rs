//! Jobs from crontabs, as `crontab(5)` of Vixie cron and cronie has them.
//!
//! Each line that starts a command becomes a job in the short form of job files that does what cron does with it: cron
//! lets runs of one line overlap, makes up for nothing that was missed, and knows no time limit.

mod line;
mod name;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use sandglass_core::spec::Trigger;
use sandglass_core::template::is_template;
use serde::Serialize;
use serde_json::{Map, Value, json};

use self::line::{Command, Line};
use crate::jobfile;

/// How many bytes a crontab may have.
pub const MOST_BYTES: usize = 1 << 20;

/// What cron gives a command for its path where the crontab does not say.
const DEFAULT_PATH: &str = "/usr/bin:/bin";
const DEFAULT_SHELL: &str = "/bin/sh";
/// How many commands a crontab may start.
const MOST_JOBS: usize = 5_000;
/// In place of cron's none: a run that hangs ends some day.
const TIMEOUT: &str = "7d";

/// Whose crontab it is.
#[derive(Clone, Copy)]
pub enum Kind<'a> {
    /// A user's own, as `crontab -l` prints it.
    User {
        /// The user's name.
        user: Option<&'a str>,
        /// The user's home directory.
        home: Option<&'a str>,
    },
    /// The system's, such as `/etc/crontab` and the files of `/etc/cron.d`: every command has the name of a user before it.
    System,
}

/// A job as it is in a crontab.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct CronJob {
    /// The line, counted from 1.
    pub line: usize,
    /// The line itself.
    pub text: String,
    /// The job in the short form of job files.
    pub job: Map<String, Value>,
    /// What the job cannot do as cron does it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// A line that cannot be read.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct InvalidCrontab {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong.
    pub message: String,
}

/// Reads a crontab. `home_of` gives the home directory of a user that the system's names, if it is known.
///
/// # Errors
///
/// Every line that is neither a comment nor a variable nor starts a command.
pub fn read(
    text: &str,
    kind: Kind<'_>,
    home_of: impl Fn(&str) -> Option<String>,
) -> Result<Vec<CronJob>, Vec<InvalidCrontab>> {
    if text.len() > MOST_BYTES {
        return Err(vec![InvalidCrontab { line: 1, message: format!("it has more than {} KiB", MOST_BYTES >> 10) }]);
    }
    let mut variables = BTreeMap::new();
    let (mut jobs, mut faults, mut names) = (Vec::new(), Vec::new(), name::Names::default());
    for (number, text) in (1..).zip(text.lines()) {
        match Line::read(text, matches!(kind, Kind::System)) {
            Ok(Line::Nothing) => {}
            Ok(Line::Variable { name, value }) => _ = variables.insert(name, value),
            Ok(Line::Start(command)) => match trigger(&command.schedule) {
                Ok(_) => {
                    let (user, home) = match kind {
                        Kind::User { user, home } => (user, home.map(str::to_owned)),
                        Kind::System => (command.user.as_deref(), command.user.as_deref().and_then(&home_of)),
                    };
                    if jobs.len() == MOST_JOBS {
                        let message = format!("more than {MOST_JOBS} commands are too many for one file; divide it");
                        faults.push(InvalidCrontab { line: number, message });
                        break;
                    }
                    let (job, mut notes) =
                        job(&command, &variables, kind, (user, home), names.next(&command.text, number));
                    notes.extend(users_note(&command, kind, &home_of));
                    let notes = notes.iter().map(|note| printable(note)).collect();
                    jobs.push(CronJob { line: number, text: printable(text), job, notes });
                }
                Err(message) => faults.push(InvalidCrontab { line: number, message }),
            },
            Err(message) => faults.push(InvalidCrontab { line: number, message }),
        }
    }
    if faults.is_empty() { Ok(jobs) } else { Err(faults) }
}

/// What tells that the crontab may be of the other kind.
fn users_note(command: &Command, kind: Kind<'_>, home_of: impl Fn(&str) -> Option<String>) -> Option<String> {
    let first = command.text.split_whitespace().next().unwrap_or_default();
    match (kind, &command.user) {
        (Kind::User { .. }, _) if home_of(first).is_some() => {
            Some(format!("'{first}' is the name of a user: if the crontab is the system's, import it with `--system`"))
        }
        (Kind::System, Some(user)) if home_of(user).is_none() => Some(format!(
            "there is no user '{user}' here: if the crontab is a user's own, import it without `--system`"
        )),
        _ => None,
    }
}

fn trigger(schedule: &Value) -> Result<Trigger, String> {
    let text = match schedule {
        Value::String(text) => text.clone(),
        map => map.to_string(),
    };
    jobfile::trigger(&text, "crontab").map_err(|error| error.message)
}

/// The job of one line, and what it cannot do as cron does it.
fn job(
    command: &Command,
    variables: &BTreeMap<String, String>,
    kind: Kind<'_>,
    (user, home): (Option<&str>, Option<String>),
    name: String,
) -> (Map<String, Value>, Vec<String>) {
    let mut notes = Vec::new();
    let mut env: BTreeMap<&str, String> =
        BTreeMap::from([("PATH", DEFAULT_PATH.to_owned()), ("SHELL", DEFAULT_SHELL.to_owned())]);
    env.extend(home.iter().map(|home| ("HOME", home.clone())));
    env.extend(user.iter().flat_map(|user| [("LOGNAME", (*user).to_owned()), ("USER", (*user).to_owned())]));
    let mut zone = None;
    for (name, value) in variables {
        match name.as_str() {
            "CRON_TZ" => zone = Some(value),
            "MAILTO" if value.is_empty() => {}
            "MAILTO" => notes.push(format!("cron mailed what it printed to {value}; `notify` tells of runs here")),
            // No crontab may change them.
            "LOGNAME" | "USER" => {}
            "MAILFROM" | "CONTENT_TYPE" | "CONTENT_TRANSFER_ENCODING" => {}
            "RANDOM_DELAY" => {
                notes.push(format!("cron started it up to {value} minutes later by chance: see `jitter`"));
            }
            name => _ = env.insert(name, value.clone()),
        }
    }
    if let (Kind::System, Some(user)) = (kind, user) {
        notes.push(format!("cron ran it as the user '{user}'; it runs as the daemon's user here"));
    }
    if command.schedule == json!({ "startup": true }) {
        notes.push("cron started it once the machine was up; it starts with the daemon here".to_owned());
    }
    let home = env.get("HOME").cloned();
    let shell = env.get("SHELL").cloned().filter(|shell| shell != DEFAULT_SHELL);
    let env: Map<String, Value> = env.into_iter().map(|(name, value)| (name.to_owned(), verbatim(&value))).collect();
    let mut job = Map::new();
    let mut put = |name: &str, value: Value| _ = job.insert(name.to_owned(), value);
    put("name", name.into());
    if let Some(zone) = zone {
        put("timezone", zone.as_str().into());
    }
    match &command.schedule {
        map @ Value::Object(_) => put("triggers", json!([map])),
        schedule => put("schedule", schedule.clone()),
    }
    match &command.stdin {
        None => {
            put("command", verbatim(&command.text));
            if let Some(shell) = shell {
                put("interpreter", shell.into());
            }
        }
        Some(stdin) => {
            let mut with = json!({ "command": verbatim(&command.text), "stdin": verbatim(stdin) });
            if let Some(shell) = shell {
                with["interpreter"] = shell.into();
            }
            put("action", json!({ "use": "shell", "with": with }));
        }
    }
    if let Some(home) = home {
        put("working_dir", verbatim(&home));
    }
    put("env", env.into());
    put("overlap", "allow_all".into());
    put("catch_up", json!({ "policy": "none" }));
    put("timeout", TIMEOUT.into());
    (job, notes)
}

/// A text that no template is looked for in.
fn verbatim(text: &str) -> Value {
    if is_template(text) { format!("{{% raw %}}{text}{{% endraw %}}").into() } else { text.into() }
}

/// A line as it can be shown.
fn printable(text: &str) -> String {
    text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
