//! A whole file: from its text to its jobs, with every fault put to its line.

use serde::Deserialize;

use sandglass_core::spec::JobSpec;
use sandglass_core::spelling::nearest;

use super::error::{JobFileError, NodeError};
use super::node::{Entry, Node, Scalar, Span, Value};
use crate::problem::Position;

use super::calendars::{self, FileCalendar};
use super::notify::{self, FileNotify};
use super::{FileContents, FileJob, Format, MAX_BYTES, MAX_ERRORS, MAX_JOBS, check, json, keys, short, toml, yaml};

/// The keys of a job in canonical form, in the order of its type.
pub const KEYS: &[&str] = &[
    "name",
    "description",
    "tags",
    "timezone",
    "parameters",
    "triggers",
    "action",
    "env",
    "working_dir",
    "timeout",
    "grace",
    "retry",
    "overlap",
    "max_instances",
    "catch_up",
    "window",
    "max_runs",
    "concurrency",
    "start_deadline",
    "deadline",
    "priority",
    "idempotent",
    "limits",
    "retention",
    "grants",
    "notify",
];
/// The longest part of a line that an error shows, in characters.
const SHOWN_LINE: usize = 200;

/// A file's text and name.
pub(super) struct Document<'a> {
    pub(super) text: &'a str,
    pub(super) source: &'a str,
}

impl Document<'_> {
    pub(super) fn read(&self, format: Format) -> Result<FileContents, Vec<JobFileError>> {
        let parts = self.tree(format).and_then(parts).map_err(|error| vec![self.error(&error)])?;
        let (mut calendars, mut errors) = (Vec::new(), Vec::new());
        for list in parts.calendars {
            match calendars::read(list) {
                Ok(found) => calendars.extend(found),
                Err(found) => errors.extend(found.into_iter().map(|error| (error.under("calendars"), None))),
            }
        }
        let mut notify = None;
        match parts.notify.map(notify::read).transpose() {
            Ok(found) => notify = found,
            Err(found) => errors.extend(found.into_iter().map(|error| (error, None))),
        }
        let (jobs, more) = self.jobs(parts.jobs);
        errors.extend(more);
        if errors.is_empty() {
            return Ok(FileContents { jobs, calendars, notify });
        }
        let located =
            |(error, job): &(NodeError, Option<String>)| JobFileError { job: job.clone(), ..self.error(error) };
        let mut errors: Vec<JobFileError> = errors.iter().take(MAX_ERRORS).map(located).collect();
        errors.sort_by_key(|error| error.position);
        Err(errors)
    }

    /// The jobs, and what is wrong with those that are none, each with the job's name if it has one.
    fn jobs(&self, nodes: Vec<Node>) -> (Vec<FileJob>, Vec<(NodeError, Option<String>)>) {
        let (mut jobs, mut errors) = (Vec::<FileJob>::new(), Vec::new());
        let mut names = std::collections::HashMap::new();
        for node in nodes {
            let name = node.get("name").and_then(Node::as_text).map(str::to_owned);
            match job(node) {
                Ok(job) => {
                    if let Some(line) = names.insert(job.spec.name.clone(), job.locate("/name").line) {
                        let message = format!("job '{}' is in this file twice: first in line {line}", job.spec.name);
                        errors.push((NodeError::at(message, job.node.nearest("/name")).under("name"), name));
                    }
                    jobs.push(job);
                }
                Err(faults) => errors.extend(faults.into_iter().map(|fault| (fault, name.clone()))),
            }
            if errors.len() >= MAX_ERRORS {
                break;
            }
        }
        (jobs, errors)
    }

    /// The calendars of a file that holds nothing else: one, a list of them, or `calendars:`.
    pub(super) fn calendars(&self, format: Format) -> Result<Vec<FileCalendar>, Vec<JobFileError>> {
        let mut all = Vec::new();
        for node in self.tree(format).map_err(|error| vec![self.error(&error)])? {
            let lists = node.get("calendars").is_some();
            let found = match (&node.value, lists) {
                (Value::Map(_), true) => parts(vec![node]).map_err(|error| vec![error]).and_then(|parts| {
                    if let Some(job) = parts.jobs.first() {
                        return Err(vec![NodeError::at("expected calendars alone, found jobs too", job.span)]);
                    }
                    parts
                        .calendars
                        .into_iter()
                        .map(calendars::read)
                        .collect::<Result<Vec<_>, _>>()
                        .map(|all| all.concat())
                }),
                (Value::List(_), _) => calendars::read(node),
                _ => calendars::calendar(node).map(|calendar| vec![calendar]).map_err(|error| vec![error]),
            };
            all.extend(found.map_err(|errors| errors.iter().map(|error| self.error(error)).collect::<Vec<_>>())?);
        }
        if all.is_empty() {
            return Err(vec![self.error(&NodeError::at("there is no calendar in this file", Span::start()))]);
        }
        Ok(all)
    }

    /// The notifiers of a file that holds nothing else: a list of them, or `notify:`.
    pub(super) fn notify(&self, format: Format) -> Result<FileNotify, Vec<JobFileError>> {
        let mut nodes = self.tree(format).map_err(|error| vec![self.error(&error)])?;
        let expected = || "expected a list of notifiers, or 'notify:' and nothing else";
        let (Some(node), 0) = (nodes.pop(), nodes.len()) else {
            return Err(vec![self.error(&NodeError::at(expected(), Span::start()))]);
        };
        let list = match node.value {
            Value::Map(mut entries) => match (entries.pop(), entries.first()) {
                (Some(entry), None) if entry.key == "notify" => entry.value,
                (Some(last), first) => {
                    let other = first.filter(|first| first.key != "notify").unwrap_or(&last);
                    return Err(vec![self.error(&NodeError::at(expected(), other.key_span))]);
                }
                (None, _) => return Err(vec![self.error(&NodeError::at(expected(), node.span))]),
            },
            value => Node::new(node.span, value),
        };
        notify::read(list).map_err(|errors| errors.iter().map(|error| self.error(error)).collect())
    }

    /// The documents of the file: several only in YAML.
    pub(super) fn tree(&self, format: Format) -> Result<Vec<Node>, NodeError> {
        if self.text.len() > MAX_BYTES {
            let message = format!("the file is too large: {} bytes, {MAX_BYTES} are allowed", self.text.len());
            return Err(NodeError::at(message, Span::start()));
        }
        let text = self.text.strip_prefix('\u{feff}').unwrap_or(self.text);
        match format {
            Format::Yaml => yaml::read(text),
            Format::Toml => toml::read(text).map(|node| vec![node]),
            Format::Json => json::read(text).map(|node| vec![node]),
        }
    }

    /// Puts the file's name and line to a fault.
    pub(super) fn error(&self, error: &NodeError) -> JobFileError {
        let Span { position, length } = error.span.unwrap_or_else(Span::start);
        let text = self.text.strip_prefix('\u{feff}').unwrap_or(self.text);
        let line = text.lines().nth(position.line - 1).unwrap_or_default();
        // The parsers may place a fault just behind the end of its line.
        let column = position.column.min(line.chars().count() + 1);
        let position = Position { column, ..position };
        let cut = column.saturating_sub(SHOWN_LINE / 2);
        let line: String = line.chars().skip(cut).take(SHOWN_LINE).collect();
        let rest = line.chars().count().saturating_sub(column - 1 - cut);
        JobFileError {
            source: self.source.to_owned(),
            position,
            length: length.min(rest).max(1),
            line,
            cut,
            pointer: error.pointer(),
            job: None,
            message: error.message.clone(),
            hint: error.hint.clone(),
        }
    }
}

/// What a file's documents hold.
#[derive(Default)]
struct Parts {
    jobs: Vec<Node>,
    /// The values of `calendars`.
    calendars: Vec<Node>,
    /// The value of `notify` where it is the namespace's.
    notify: Option<Node>,
}

/// Each document is a job, a list of jobs, or a map with `jobs`, `calendars`, `notify` or several of them.
fn parts(documents: Vec<Node>) -> Result<Parts, NodeError> {
    let mut parts = Parts::default();
    for document in documents {
        let span = document.span;
        match document.value {
            Value::List(items) => parts.jobs.extend(items),
            Value::Map(entries) => parts.take(entries, span)?,
            Value::Scalar { .. } => {
                let message = format!("expected a job, a list of jobs or 'jobs:', found {}", document.kind_name());
                return Err(NodeError::at(message, span));
            }
        }
    }
    match parts.jobs.len() {
        0 if parts.calendars.is_empty() && parts.notify.is_none() => {
            Err(NodeError::at("there is no job in this file", Span::start())
                .hint("a job needs a name and what it does, such as name: hello and command: echo hello"))
        }
        found if found > MAX_JOBS => {
            Err(NodeError::at(format!("there are too many jobs in this file: {MAX_JOBS} are allowed"), Span::start()))
        }
        _ => Ok(parts),
    }
}

impl Parts {
    /// Takes a document that is a map.
    fn take(&mut self, mut entries: Vec<Entry>, span: Span) -> Result<(), NodeError> {
        let at = entries.iter().position(|entry| entry.key == "jobs");
        let jobs = at.map(|at| entries.remove(at).value);
        // A job itself has a name, and its calendars in its triggers.
        let lists_calendars = jobs.is_some() || !entries.iter().any(|entry| entry.key == "name");
        let at = entries.iter().position(|entry| lists_calendars && entry.key == "calendars");
        let calendars = at.map(|at| entries.remove(at).value);
        // A job itself has more than its notifiers.
        let is_shared = jobs.is_some() || calendars.is_some() || entries.len() == 1;
        let at = entries.iter().position(|entry| is_shared && entry.key == "notify");
        if let Some(Entry { key_span, value, .. }) = at.map(|at| entries.remove(at))
            && self.notify.replace(value).is_some()
        {
            return Err(NodeError::at("the notifiers of the namespace are given twice in this file", key_span));
        }
        if jobs.is_none() && calendars.is_none() && (self.notify.is_none() || !entries.is_empty()) {
            self.jobs.push(Node::new(span, Value::Map(entries)));
            return Ok(());
        }
        if let Some(other) = entries.first() {
            let beside = if jobs.is_some() { "jobs" } else { "calendars" };
            let message = format!("key '{}' cannot stand beside '{beside}'", other.key);
            return Err(NodeError::at(message, other.key_span).hint("put it into each job that it is for"));
        }
        self.calendars.extend(calendars);
        match jobs {
            None => Ok(()),
            Some(Node { value: Value::List(items), .. }) => {
                self.jobs.extend(items);
                Ok(())
            }
            Some(list) => Err(NodeError::at(format!("expected a list of jobs, found {}", list.kind_name()), list.span)),
        }
    }
}

/// One job, or everything that is wrong with it.
fn job(node: Node) -> Result<FileJob, Vec<NodeError>> {
    if !matches!(node.value, Value::Map(_)) {
        let message = format!("expected a job, found {}", node.kind_name());
        return Err(vec![NodeError::at(message, node.span)]);
    }
    let (mut node, mut errors) = short::normalise(node);
    let whole = errors.is_empty();
    for error in &errors {
        mend(&mut node, error.path.first().map(String::as_str));
    }
    let slips = remove_unknown(&mut node, &mut errors);
    missing(&mut node, &slips, &mut errors);
    // Each round finds the first fault that is left. What it concerns is then taken out, so the next round finds the
    // next; there are no more rounds than keys.
    let rounds = KEYS.len() + 1;
    for _ in 0..rounds {
        match JobSpec::deserialize(&node) {
            Ok(spec) => {
                // A part that was taken out has its default by now, so its values are not judged.
                errors.extend(check::faults(&spec).into_iter().filter(|(pointer, _)| has(&node, pointer)).map(
                    |(pointer, message)| {
                        let mut error = NodeError::at(message, node.nearest(&pointer));
                        error.path = pointer.split('/').skip(1).map(str::to_owned).collect();
                        error
                    },
                ));
                if errors.is_empty() && whole {
                    return Ok(FileJob { spec, node });
                }
                return Err(errors);
            }
            Err(error) => {
                let key = error.path.first().cloned();
                errors.push(error.or_at(node.span));
                if !mend(&mut node, key.as_deref()) {
                    break;
                }
            }
        }
    }
    Err(errors)
}

fn has(node: &Node, pointer: &str) -> bool {
    pointer.split('/').nth(1).is_some_and(|key| node.get(key).is_some())
}

/// Takes a faulty part out of a job, or puts a harmless one in its place if the job cannot be without it.
fn mend(node: &mut Node, key: Option<&str>) -> bool {
    let (Value::Map(entries), Some(key)) = (&mut node.value, key) else { return false };
    let key = if short::KEYS.contains(&key) && key != "schedule" { "action" } else { key };
    let found = entries.len();
    entries.retain(|entry| entry.key != key);
    let stand_in = match key {
        "name" => Some(Node::text(node.span, "unnamed")),
        "action" => {
            let uses = Entry { key: "use".into(), key_span: node.span, value: Node::text(node.span, "unnamed") };
            Some(Node::new(node.span, Value::Map(vec![uses])))
        }
        _ => None,
    };
    let removed = entries.len() < found;
    if let Some(value) = stand_in {
        entries.push(Entry { key: key.to_owned(), key_span: node.span, value });
    }
    removed
}

/// Takes out every key that no job has, and gives those that were probably meant.
fn remove_unknown(node: &mut Node, errors: &mut Vec<NodeError>) -> Vec<&'static str> {
    let Value::Map(entries) = &mut node.value else { return Vec::new() };
    let mut meant = Vec::new();
    let known: Vec<&'static str> = KEYS.iter().chain(short::KEYS).copied().collect();
    entries.retain(|entry| {
        let fits = KEYS.contains(&entry.key.as_str());
        if !fits {
            meant.extend(nearest(&entry.key, known.iter().copied()));
            let (message, hint) = keys::unknown("key", &entry.key, &known);
            errors.push(NodeError { hint, ..NodeError::at(message, entry.key_span) }.under(&entry.key));
        }
        fits
    });
    meant
}

/// Says what a job cannot be without, and puts something harmless there.
fn missing(node: &mut Node, slips: &[&str], errors: &mut Vec<NodeError>) {
    for (key, hint) in [
        ("name", "give the job a name, such as name: nightly-backup"),
        ("action", "say what the job does: 'command', 'commands', 'script', 'http' or 'action'"),
    ] {
        if node.get(key).is_none() {
            // A key with a slip in it was told of already.
            let slipped = |slip: &&str| *slip == key || (key == "action" && short::ACTIONS.contains(slip));
            if !slips.iter().any(slipped) {
                errors.push(NodeError::at(format!("the job has no {key}"), node.span).hint(hint));
            }
            mend(node, Some(key));
        }
        // A value that is there but empty reads best as missing, too.
        if let Value::Map(entries) = &mut node.value {
            let empty = |entry: &&mut Entry| {
                entry.key == key && matches!(entry.value.value, Value::Scalar { kind: Scalar::Null, .. })
            };
            if let Some(entry) = entries.iter_mut().find(empty) {
                let error = NodeError::at(format!("the job's {key} is empty"), entry.key_span).hint(hint);
                errors.push(error.under(key));
                mend(node, Some(key));
            }
        }
    }
}
