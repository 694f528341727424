//! Job files: YAML, TOML or JSON; one job, a list, or `jobs:`, beside `calendars:`, `templates:`, `targets:` and `groups:`.
//!
//! A text is read into a tree whose every value knows its place ([`node`]), short forms are turned into the canonical form
//! on that tree ([`short`]), and the tree becomes [`JobSpec`]s ([`job`], [`de`]). So every fault, whoever finds it, has a line and
//! a column.

mod calendars;
mod check;
mod de;
mod document;
mod error;
mod job;
mod json;
mod keys;
mod node;
mod notify;
mod short;
mod targets;
mod templates;
#[cfg(test)]
mod tests;
mod toml;
mod yaml;

use std::path::Path;

use sandglass_core::capability::Grants;
use sandglass_core::id::JobName;
use sandglass_core::spec::{JobSpec, JobTemplateSpec, Trigger, WrittenJob};
use serde::Deserialize as _;

pub use calendars::FileCalendar;
pub use check::{faults, faults_of_notifiers};
pub use document::KEYS;
pub use error::JobFileError;
pub use job::{blamed, resolve};
pub use notify::FileNotify;
pub use targets::{FileGroup, FilePart, FileTarget};
pub use templates::FileTemplate;

use crate::problem::Position;
use node::Node;

/// The most bytes of a job file.
pub const MAX_BYTES: usize = 1 << 20;
/// The most values in a job file, the values that aliases repeat included.
pub const MAX_VALUES: usize = 200_000;
/// The deepest nesting of values in a job file.
pub const MAX_DEPTH: usize = 64;
/// The most jobs in a job file.
pub const MAX_JOBS: usize = 10_000;
/// The most faults that are told of one job file.
pub const MAX_ERRORS: usize = 50;

/// How a job file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// YAML 1.2.
    Yaml,
    /// TOML 1.1.
    Toml,
    /// JSON (RFC 8259).
    Json,
}

impl Format {
    /// By the end of a file's name; none if it is not one of `.yaml`, `.yml`, `.toml`, `.json`.
    #[must_use]
    pub fn of_path(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        match extension.as_str() {
            "yaml" | "yml" => Some(Self::Yaml),
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }

    /// By the first character of a text whose name tells nothing: JSON if it opens a map or list, else YAML.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        if text.trim_start().starts_with(['{', '[']) { Self::Json } else { Self::Yaml }
    }
}

/// A job as it was read, and where in its file each part was.
#[derive(Clone, Debug)]
pub struct FileJob {
    /// The job, in canonical form.
    pub written: WrittenJob,
    node: Node,
}

impl FileJob {
    /// The job's name.
    #[must_use]
    pub fn name(&self) -> &JobName {
        self.written.name()
    }

    /// Whether the value at `pointer` stands in the job itself, rather than in the template that it extends.
    #[must_use]
    pub fn holds(&self, pointer: &str) -> bool {
        self.node.at(pointer).is_some_and(|node| !node.is_null())
    }

    /// Where the value was that became the one at `pointer` (RFC 6901) in the canonical job; if there was none, where
    /// the nearest value around it was.
    #[must_use]
    pub fn locate(&self, pointer: &str) -> Position {
        self.node.nearest(pointer).position
    }

    /// What somebody else found wrong at `pointer` of the canonical job, such as the daemon, as a fault of the file that
    /// the job was read from: `text` and `source` are those given to [`read`].
    #[must_use]
    pub fn fault(&self, text: &str, source: &str, pointer: &str, message: &str) -> JobFileError {
        let error = error::NodeError::at(message, self.node.nearest(pointer));
        let document = document::Document { text, source };
        let job = Some(self.name().to_string());
        JobFileError { pointer: pointer.to_owned(), job, ..document.error(&error) }
    }
}

/// What a file holds.
#[derive(Clone, Debug)]
pub struct FileContents {
    /// Its jobs.
    pub jobs: Vec<FileJob>,
    /// The calendars under its `calendars:`.
    pub calendars: Vec<FileCalendar>,
    /// The targets under its `targets:`, and its documents of that kind.
    pub targets: Vec<FileTarget>,
    /// The groups under its `groups:`, and its documents of that kind.
    pub groups: Vec<FileGroup>,
    /// The notifiers of the namespace: those under its `notify:` beside `jobs:`.
    pub notify: Option<FileNotify>,
    /// The job templates under its `templates:`.
    pub templates: Vec<FileTemplate>,
}

/// Reads what is in a file whose content is `text` and whose name, for errors, is `source`.
///
/// # Errors
///
/// Everything that is wrong with the file, in the order of its lines: syntax faults alone, else the faults of every job
/// and calendar.
pub fn read_all(text: &str, format: Format, source: &str) -> Result<FileContents, Vec<JobFileError>> {
    document::Document { text, source }.read(format)
}

/// Reads the jobs of a file where there can be nothing else.
///
/// # Errors
///
/// As [`read_all`], and if there are calendars, templates, targets, groups or notifiers of the namespace in the file.
pub fn read(text: &str, format: Format, source: &str) -> Result<Vec<FileJob>, Vec<JobFileError>> {
    let contents = read_all(text, format, source)?;
    let calendar = contents.calendars.first().map(|calendar| ("calendars", "calendars", calendar.node.span));
    let template = contents.templates.first().map(|template| ("templates", "templates", template.node.span));
    let notify = contents.notify.as_ref().map(|notify| ("notifiers of a namespace", "notify", notify.node.span));
    let target = contents.targets.first().map(|target| ("targets", "targets", target.node.span));
    let group = contents.groups.first().map(|group| ("groups", "groups", group.node.span));
    match calendar.or(template).or(notify).or(target).or(group) {
        None => Ok(contents.jobs),
        Some((what, key, span)) => {
            let error = error::NodeError::at(format!("{what} cannot stand here: only jobs can"), span).under(key);
            Err(vec![document::Document { text, source }.error(&error)])
        }
    }
}

/// Reads the calendars of a file that holds nothing else: one calendar, a list of them, or `calendars:`.
///
/// # Errors
///
/// As [`read_all`], and if there is no calendar or something else.
pub fn read_calendars(text: &str, format: Format, source: &str) -> Result<Vec<FileCalendar>, Vec<JobFileError>> {
    document::Document { text, source }.calendars(format)
}

/// Reads the notifiers of a namespace from a file that holds nothing else: a list of them, or `notify:`.
///
/// # Errors
///
/// As [`read_all`], and if there is something else.
pub fn read_notify(text: &str, format: Format, source: &str) -> Result<FileNotify, Vec<JobFileError>> {
    document::Document { text, source }.notify(format)
}

/// Reads the jobs of a file where none can extend a template, and forgets where they were.
///
/// # Errors
///
/// As [`read`], and if a job extends a template.
pub fn parse(text: &str, format: Format, source: &str) -> Result<Vec<JobSpec>, Vec<JobFileError>> {
    let whole = |job: FileJob| match &job.written {
        WrittenJob::Whole(spec) => Ok(JobSpec::clone(spec)),
        WrittenJob::Extending(_) => Err(vec![job.fault(text, source, "/extends", "no template can be extended here")]),
    };
    read(text, format, source)?.into_iter().map(whole).collect()
}

/// Reads a job template that stands by itself, such as the body of a request.
///
/// # Errors
///
/// As [`read_all`], and if the text is no template.
pub fn parse_template(text: &str, format: Format, source: &str) -> Result<JobTemplateSpec, Vec<JobFileError>> {
    let document = document::Document { text, source };
    let read = |nodes: Vec<Node>| match <[Node; 1]>::try_from(nodes) {
        Ok([node]) => templates::template(node).map(|template| template.spec),
        Err(_) => Err(vec![error::NodeError::new("expected one template here")]),
    };
    let located = |errors: Vec<error::NodeError>| errors.iter().map(|error| document.error(error)).collect();
    document.tree(format).map_err(|error| vec![error]).and_then(read).map_err(located)
}

/// Reads grants as a person writes them: YAML such as `process: [/usr/bin/tar]`, a line a capability.
///
/// # Errors
///
/// If the text is no YAML, or names no grants.
pub fn grants(text: &str, source: &str) -> Result<Grants, JobFileError> {
    let document = document::Document { text, source };
    let read = |nodes: Vec<Node>| match nodes.as_slice() {
        [] => Ok(Grants::default()),
        [node] => Grants::deserialize(node).map_err(|error| error.or_at(node.span)),
        [_, more, ..] => Err(error::NodeError::at("expected one map of grants, found another", more.span)),
    };
    document.tree(Format::Yaml).and_then(read).map_err(|error| document.error(&error))
}

/// Reads a trigger as a person writes it where there is no file: in text as after `schedule:` (`0 2 * * *`, `every 10m`,
/// `daily 03:00`), or as a map in YAML (`{weekly: {days: mon, at: "02:00"}, gap: skip}`).
///
/// # Errors
///
/// If the text means no trigger.
pub fn trigger(text: &str, source: &str) -> Result<Trigger, JobFileError> {
    let document = document::Document { text, source };
    // What is no map in YAML is text as it stands: `* * * * *` is no YAML at all.
    let node = match document.tree(Format::Yaml).map(|mut nodes| (nodes.pop(), nodes.len())) {
        Ok((Some(node), 0)) if matches!(node.value, node::Value::Map(_)) => node,
        _ => Node::text(node::Span::new(1, 1, text.chars().count()), text),
    };
    short::schedule::alone(node).map_err(|error| document.error(&error))
}

/// Reads exactly one job, such as the body of a request.
///
/// # Errors
///
/// As [`read`], and if there is not exactly one job.
pub fn parse_one(text: &str, format: Format, source: &str) -> Result<WrittenJob, Vec<JobFileError>> {
    let mut jobs = read(text, format, source)?;
    match (jobs.pop(), jobs.len()) {
        (Some(job), 0) => Ok(job.written),
        (_, others) => {
            let found = if others == 0 { 0 } else { others + 1 };
            let document = document::Document { text, source };
            Err(vec![document.error(&error::NodeError::new(format!("expected one job here, found {found}")))])
        }
    }
}
