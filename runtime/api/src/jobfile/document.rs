//! A whole file: from its text to its jobs, with every fault put to its line.

use sandglass_core::spelling::nearest;

use super::error::{JobFileError, NodeError};
use super::node::{Entry, Node, Span, Value};
use crate::problem::Position;

use super::calendars::{self, FileCalendar};
use super::job::job;
use super::notify::{self, FileNotify};
use super::targets::{KIND, Places};
use super::{FileContents, FileJob, Format, MAX_BYTES, MAX_ERRORS, MAX_JOBS, json, keys, templates, toml, yaml};

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
    "secrets",
    "working_dir",
    "timeout",
    "grace",
    "retry",
    "overlap",
    "max_instances",
    "catch_up",
    "window",
    "requires",
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
        let mut templates = Vec::new();
        for list in parts.templates {
            match templates::read(list) {
                Ok(found) => templates.extend(found),
                Err(found) => errors.extend(found.into_iter().map(|error| (error.under("templates"), None))),
            }
        }
        let (targets, more) = parts.targets.read();
        errors.extend(more.into_iter().map(|error| (error, None)));
        let (groups, more) = parts.groups.read();
        errors.extend(more.into_iter().map(|error| (error, None)));
        let mut notify = None;
        match parts.notify.map(notify::read).transpose() {
            Ok(found) => notify = found,
            Err(found) => errors.extend(found.into_iter().map(|error| (error, None))),
        }
        let (jobs, more) = self.jobs(parts.jobs);
        errors.extend(more);
        if errors.is_empty() {
            return Ok(FileContents { jobs, calendars, targets, groups, templates, notify });
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
                    if let Some(line) = names.insert(job.name().clone(), job.locate("/name").line) {
                        let message = format!("job '{}' is in this file twice: first in line {line}", job.name());
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
                    let other = parts.jobs.first().or(parts.templates.first()).map(|node| node.span);
                    if let Some(other) = other.or_else(|| parts.targets.first()).or_else(|| parts.groups.first()) {
                        let message = "expected calendars alone, found something else too";
                        return Err(vec![NodeError::at(message, other)]);
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
    /// The values of `templates`.
    templates: Vec<Node>,
    targets: Places,
    groups: Places,
    /// The value of `notify` where it is the namespace's.
    notify: Option<Node>,
}

/// Each document is a job, a target or group that says its `kind`, a list of these, or a map with one or more of `jobs`,
/// `calendars`, `templates`, `targets`, `groups` and `notify`.
fn parts(documents: Vec<Node>) -> Result<Parts, NodeError> {
    let mut parts = Parts::default();
    for document in documents {
        let span = document.span;
        match document.value {
            Value::List(items) => items.into_iter().try_for_each(|item| parts.take_alone(item))?,
            Value::Map(entries) if entries.iter().any(|entry| entry.key == KIND) => {
                parts.take_alone(Node::new(span, Value::Map(entries)))?;
            }
            Value::Map(entries) => parts.take(entries, span)?,
            Value::Scalar { .. } => {
                let message = format!("expected a job, a list of jobs or 'jobs:', found {}", document.kind_name());
                return Err(NodeError::at(message, span));
            }
        }
    }
    match parts.jobs.len() {
        0 if parts.has_no_list() && parts.notify.is_none() => {
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
    fn has_no_list(&self) -> bool {
        self.calendars.is_empty() && self.templates.is_empty() && self.targets.is_empty() && self.groups.is_empty()
    }

    /// Takes one job, or what else the map says that it is.
    fn take_alone(&mut self, mut node: Node) -> Result<(), NodeError> {
        let kind = match &mut node.value {
            Value::Map(entries) => {
                let at = entries.iter().position(|entry| entry.key == KIND);
                at.map(|at| entries.remove(at).value)
            }
            _ => None,
        };
        let Some(kind) = kind else {
            self.jobs.push(node);
            return Ok(());
        };
        match kind.as_text() {
            Some("target") => self.targets.alone.push(node),
            Some("group") => self.groups.alone.push(node),
            Some("job") => self.jobs.push(node),
            other => {
                let known = ["target", "group", "job"];
                let (message, hint) = keys::unknown(KIND, other.unwrap_or(kind.kind_name()), &known);
                let error = NodeError::at(message, kind.span).under(KIND);
                return Err(NodeError { hint, ..error });
            }
        }
        Ok(())
    }

    /// Takes a document that is a map.
    fn take(&mut self, mut entries: Vec<Entry>, span: Span) -> Result<(), NodeError> {
        let at = entries.iter().position(|entry| entry.key == "jobs");
        let jobs = at.map(|at| entries.remove(at).value);
        // A job itself has a name, and its calendars in its triggers.
        let is_list = jobs.is_some() || !entries.iter().any(|entry| entry.key == "name");
        let mut take = |key: &str| {
            let at = entries.iter().position(|entry| is_list && entry.key == key);
            at.map(|at| entries.remove(at).value)
        };
        let (calendars, templates) = (take("calendars"), take("templates"));
        let (targets, groups) = (take("targets"), take("groups"));
        let lists = [
            ("jobs", jobs.is_some()),
            ("calendars", calendars.is_some()),
            ("templates", templates.is_some()),
            ("targets", targets.is_some()),
            ("groups", groups.is_some()),
        ];
        let first_list = lists.into_iter().find(|(_, is_there)| *is_there).map(|(key, _)| key);
        let is_file = first_list.is_some();
        // A job itself has more than its notifiers.
        let is_shared = is_file || entries.len() == 1;
        let at = entries.iter().position(|entry| is_shared && entry.key == "notify");
        if let Some(Entry { key_span, value, .. }) = at.map(|at| entries.remove(at))
            && self.notify.replace(value).is_some()
        {
            return Err(NodeError::at("the notifiers of the namespace are given twice in this file", key_span));
        }
        if !is_file && (self.notify.is_none() || !entries.is_empty()) {
            self.jobs.push(Node::new(span, Value::Map(entries)));
            return Ok(());
        }
        if let Some(other) = entries.first() {
            let beside = first_list.unwrap_or("notify");
            let message = format!("key '{}' cannot stand beside '{beside}'", other.key);
            // A key of jobs is one, however near it is to that of a list.
            let like = nearest(&other.key, lists.iter().map(|(key, _)| *key).filter(|_| !KEYS.contains(&&*other.key)));
            let hint = match like {
                Some(like) => format!("did you mean '{like}'?"),
                None => "put it into each job that it is for".to_owned(),
            };
            return Err(NodeError::at(message, other.key_span).hint(hint));
        }
        self.calendars.extend(calendars);
        self.templates.extend(templates);
        self.targets.lists.extend(targets);
        self.groups.lists.extend(groups);
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
