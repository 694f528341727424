//! The files of units.

use std::fmt::Write as _;

use sandglass_core::id::Namespace;
use sandglass_core::quantity::Period;
use serde::Serialize;

use super::super::{Caller, Inexpressible, LeftOut, Source, printable, title};

/// What the first line of each of our files begins with, up to the namespace.
const MARK: &str = "# Made by `sandglass export systemd`";
/// The longest name of a unit, as `systemd.unit(5)` has it.
const LONGEST_NAME: usize = 255;

/// Whose units they are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manager {
    /// A user's.
    User,
    /// The system's.
    System,
}

/// A unit as a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct UnitFile {
    /// The file's name, which is the unit's.
    pub name: String,
    /// All of the file.
    pub text: String,
    /// Whether it is to be enabled.
    pub enabled: bool,
}

/// What a timer has beside its lines.
#[derive(Default)]
pub(super) struct Timer {
    body: String,
    pub(super) jitter: Option<Period>,
    pub(super) persistent: bool,
    /// Whether any of its lines is about the calendar.
    pub(super) is_calendar: bool,
    /// Whether the service starts by itself with the machine or the session.
    pub(super) at_start: bool,
}

impl Timer {
    /// One without lines, whose starts are put off by up to `jitter`.
    pub(super) fn new(jitter: Option<Period>) -> Self {
        Self { jitter, ..Self::default() }
    }

    /// Adds the lines of a trigger.
    pub(super) fn add(&mut self, fires: &str, notes: &[String], lines: &[String]) {
        comment(&mut self.body, fires);
        notes.iter().for_each(|note| comment(&mut self.body, &format!("note: {note}")));
        lines.iter().for_each(|line| self.body.push_str(&format!("{line}\n")));
    }
}

/// What the names of a namespace's units begin with. No two namespaces and jobs share a name: a `-` in a namespace is
/// written as systemd escapes it.
#[must_use]
pub fn prefix(namespace: &Namespace) -> String {
    format!("sandglass-{}-", namespace.as_str().replace('-', r"\x2d"))
}

/// Whether a file is one that an export of this namespace made.
#[must_use]
pub fn is_ours(text: &str, namespace: &Namespace) -> bool {
    text.lines().next().is_some_and(|line| line.starts_with(&mark(namespace)))
}

fn mark(namespace: &Namespace) -> String {
    format!("{MARK} (namespace {namespace})")
}

/// The files of a job; none if there is nothing in them.
pub(super) fn files(
    source: &Source<'_>,
    caller: &Caller,
    manager: Manager,
    timer: &Timer,
    notes: &[String],
    left_out: &[LeftOut],
) -> Result<Vec<UnitFile>, Inexpressible> {
    let has_timer = !timer.body.is_empty();
    if !has_timer && !timer.at_start {
        return Ok(Vec::new());
    }
    let name = format!("{}{}", prefix(source.namespace), source.job());
    if name.len() + ".service".len() > LONGEST_NAME {
        return Err(Inexpressible::new(format!("the name of its unit would have more than {LONGEST_NAME} bytes")));
    }
    let mut head = format!("{}, which replaces and removes files that begin so.\n", mark(source.namespace));
    comment(&mut head, &format!("{}. The daemon, which must be up, runs it.", title(source.job(), source.revision)));
    notes.iter().for_each(|note| comment(&mut head, &format!("note: {note}")));
    for LeftOut { fires, why, instead, .. } in left_out {
        comment(&mut head, &format!("{fires}: has no line here; why: {why}; what to do: {instead}"));
    }
    let mut files = vec![UnitFile {
        name: format!("{name}.service"),
        text: format!("{head}{}", service(source, caller, manager, timer)),
        enabled: timer.at_start,
    }];
    if has_timer {
        let text = format!("{head}{}", timer_text(source, timer));
        files.push(UnitFile { name: format!("{name}.timer"), text, enabled: true });
    }
    Ok(files)
}

fn service(source: &Source<'_>, caller: &Caller, manager: Manager, timer: &Timer) -> String {
    let (job, namespace) = (source.job(), source.namespace);
    let words: Vec<String> = source.command(caller).iter().map(|word| quoted(word)).collect();
    let mut text = format!(
        "\n[Unit]\nDescription=Sandglass job {job} (namespace {namespace})\n\n[Service]\nType=oneshot\nExecStart={}\n",
        words.join(" ")
    );
    if timer.at_start {
        let target = match manager {
            Manager::User => "default.target",
            Manager::System => "multi-user.target",
        };
        let _ = write!(text, "\n[Install]\nWantedBy={target}\n");
    }
    text
}

fn timer_text(source: &Source<'_>, timer: &Timer) -> String {
    let (job, namespace) = (source.job(), source.namespace);
    let mut text = format!(
        "\n[Unit]\nDescription=Starts the Sandglass job {job} (namespace {namespace})\n\n[Timer]\n{}",
        timer.body
    );
    if timer.is_calendar {
        let _ = writeln!(text, "Persistent={}", timer.persistent);
    }
    if let Some(jitter) = timer.jitter {
        let _ = writeln!(text, "RandomizedDelaySec={jitter}");
    }
    text + "AccuracySec=1s\n\n[Install]\nWantedBy=timers.target\n"
}

fn comment(text: &mut String, line: &str) {
    let _ = writeln!(text, "# {}", printable(line));
}

/// A word as `ExecStart=` reads it back (`systemd.service(5)`, on command lines).
fn quoted(word: &str) -> String {
    let word = word.replace('%', "%%").replace('$', "$$");
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:=,@+%$".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word;
    }
    format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\""))
}
