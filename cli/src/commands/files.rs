//! Job files from the command line: files, folders, or standard input.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandglass_api::jobfile::{
    self, FileGroup, FileJob, FileNotify, FilePart, FileTarget, FileTemplate, Format, JobFileError, MAX_BYTES,
};
use sandglass_api::problem::{Code, Position, Problem};
use sandglass_api::wire::ApplyRequest;
use sandglass_core::id::{CalendarName, JobName, TemplateName};
use sandglass_core::schedule::Warning;
use sandglass_core::spec::{CalendarSpec, JobSpec, WrittenJob};

use crate::context::Context;
use crate::failure::Failure;

/// How deeply folders are searched, and how many files are taken.
const MAX_DEPTH: usize = 8;
const MAX_FILES: usize = 10_000;

/// A job and the file it is from.
#[derive(Debug)]
pub(crate) struct SourcedJob {
    pub(crate) source: String,
    /// All of the file.
    text: Arc<str>,
    pub(crate) job: FileJob,
    /// What it comes to; none if it extends a template that is not in the files.
    pub(crate) spec: Option<Arc<JobSpec>>,
}

impl SourcedJob {
    /// A fault at `pointer` of the canonical job, shown in its file.
    pub(super) fn fault(&self, pointer: &str, message: &str) -> JobFileError {
        self.job.fault(&self.text, &self.source, pointer, message)
    }

    /// Tells of likely slips in the job.
    pub(crate) fn warn(&self, warnings: &[Warning], context: &Context) {
        for Warning { pointer, message, hint, .. } in warnings {
            let line = self.job.locate(pointer).line;
            let (source, job) = (&self.source, self.job.name());
            context
                .note(&format!("{} {source}:{line}: job '{job}': {message}", context.error_paint.yellow("warning:")));
            context.note(&format!("  {hint}"));
        }
    }
}

/// The notifiers of the namespace and the file they are from.
#[derive(Debug)]
pub(crate) struct SourcedNotify {
    pub(crate) source: String,
    /// All of the file.
    pub(crate) text: Arc<str>,
    pub(crate) notify: FileNotify,
}

impl SourcedNotify {
    /// A fault at `pointer`, shown in its file.
    pub(crate) fn fault(&self, pointer: &str, message: &str) -> JobFileError {
        self.notify.fault(&self.text, &self.source, pointer, message)
    }
}

/// What files hold.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) jobs: Vec<SourcedJob>,
    pub(crate) calendars: Vec<CalendarSpec>,
    pub(crate) templates: Vec<SourcedTemplate>,
    pub(crate) targets: Vec<Sourced<FileTarget>>,
    pub(crate) groups: Vec<Sourced<FileGroup>>,
    pub(crate) notify: Option<SourcedNotify>,
}

/// A job template and the file it is from.
#[derive(Debug)]
pub(crate) struct SourcedTemplate {
    source: String,
    /// All of the file.
    text: Arc<str>,
    pub(crate) template: FileTemplate,
}

impl SourcedTemplate {
    /// A fault at `pointer` of the template, shown in its file.
    pub(super) fn fault(&self, pointer: &str, message: &str) -> JobFileError {
        self.template.fault(&self.text, &self.source, pointer, message)
    }
}

/// A part of a file, such as a target, and the file it is from.
#[derive(Debug)]
pub(crate) struct Sourced<T> {
    pub(crate) source: String,
    /// All of the file.
    text: Arc<str>,
    pub(crate) part: T,
}

impl<T> Sourced<FilePart<T>> {
    /// A fault at `pointer` of the part, shown in its file.
    pub(super) fn fault(&self, pointer: &str, message: &str) -> JobFileError {
        self.part.fault(&self.text, &self.source, pointer, message)
    }
}

/// Names of parts that two files use; `what` is what such a part is called.
fn repeated_parts<T>(parts: &[Sourced<FilePart<T>>], what: &str, name: impl Fn(&T) -> &str) -> Vec<JobFileError> {
    let mut seen: HashMap<&str, &Sourced<FilePart<T>>> = HashMap::new();
    let mut errors = Vec::new();
    for sourced in parts {
        let name = name(&sourced.part.spec);
        if let Some(first) = seen.insert(name, sourced) {
            let (source, line) = (&first.source, first.part.position().line);
            errors.push(sourced.fault("/name", &format!("{what} '{name}' is given twice: first in {source}:{line}")));
        }
    }
    errors
}

impl Sources {
    /// All of it, to be saved together.
    pub(crate) fn request(&self) -> ApplyRequest {
        ApplyRequest {
            templates: self.templates.iter().map(|sourced| Arc::new(sourced.template.spec.clone())).collect(),
            calendars: self.calendars.clone(),
            targets: self.targets.iter().map(|sourced| Arc::new(sourced.part.spec.clone())).collect(),
            groups: self.groups.iter().map(|sourced| Arc::new(sourced.part.spec.clone())).collect(),
            jobs: self.jobs.iter().map(|sourced| sourced.job.written.clone()).collect(),
            notify: self.notify.as_ref().map(|sourced| sourced.notify.notify.clone()),
        }
    }

    /// What the jobs come to, without a daemon.
    pub(crate) fn resolved(&self) -> Result<Vec<JobSpec>, Failure> {
        let (mut jobs, mut errors) = (Vec::new(), Vec::new());
        for sourced in &self.jobs {
            match &sourced.spec {
                Some(spec) => jobs.push(JobSpec::clone(spec)),
                None => {
                    let message = format!("the template of job '{}' is not in these files", sourced.job.name());
                    let hint = "give the file that has it, too: `sandglass template show` prints a saved one";
                    errors.push(JobFileError { hint: Some(hint.to_owned()), ..sourced.fault("/extends", &message) });
                }
            }
        }
        if errors.is_empty() { Ok(jobs) } else { Err(Failure::JobFiles(errors)) }
    }

    /// Lays jobs over their templates, as far as those are in the files.
    fn resolve(&mut self) -> Vec<JobFileError> {
        let mut errors = Vec::new();
        for place in 0..self.jobs.len() {
            let sourced = &self.jobs[place];
            let spec = match &sourced.job.written {
                WrittenJob::Whole(spec) => Ok(Some(Arc::clone(spec))),
                WrittenJob::Extending(overlay) => match self.template_of(&sourced.job) {
                    Some(template) => {
                        jobfile::resolve(overlay, &template.template.spec).map(|spec| Some(Arc::new(spec)))
                    }
                    None => Ok(None),
                },
            };
            match spec {
                Ok(spec) => self.jobs[place].spec = spec,
                Err(faults) => errors
                    .extend(faults.iter().map(|(pointer, message)| self.place(&self.jobs[place], pointer, message))),
            }
        }
        errors
    }

    /// The template that the job extends, if it is in the files.
    fn template_of(&self, job: &FileJob) -> Option<&SourcedTemplate> {
        let name = job.written.overlay()?.template();
        self.templates.iter().find(|sourced| sourced.template.spec.name == *name)
    }

    /// A fault of what a job comes to: where the job says it, or else its template, or else at the job.
    pub(super) fn place(&self, sourced: &SourcedJob, pointer: &str, message: &str) -> JobFileError {
        let in_template = format!("/job{pointer}");
        match self.template_of(&sourced.job).filter(|_| !sourced.job.holds(pointer)) {
            Some(template) if !pointer.is_empty() && template.template.holds(&in_template) => {
                let name = sourced.job.name();
                let fault = template.fault(&in_template, &format!("job '{name}': {message}"));
                JobFileError { job: Some(name.to_string()), ..fault }
            }
            _ => sourced.fault(pointer, message),
        }
    }
}

/// Reads every job, calendar, template, target and group of `paths`, and the notifiers of the namespace. Faults of all files are told together.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Sources, Failure> {
    let (mut jobs, mut calendars, mut templates, mut errors) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut targets, mut groups) = (Vec::new(), Vec::new());
    let mut notify: Option<SourcedNotify> = None;
    let mut names: HashMap<CalendarName, (String, usize)> = HashMap::new();
    let mut template_names: HashMap<TemplateName, (String, usize)> = HashMap::new();
    for path in expand(paths)? {
        let (text, source, format) = content(&path)?;
        let text: Arc<str> = text.into();
        match jobfile::read_all(&text, format, &source) {
            Ok(found) => {
                jobs.extend(found.jobs.into_iter().map(|job| {
                    let (source, text) = (source.clone(), Arc::clone(&text));
                    SourcedJob { source, text, job, spec: None }
                }));
                if let Some(found) = found.notify {
                    let sourced = SourcedNotify { source: source.clone(), text: Arc::clone(&text), notify: found };
                    if let Some(first) = &notify {
                        let (first, line) = (&first.source, first.notify.locate("/notify").line);
                        let message =
                            format!("the notifiers of the namespace are given twice: first in {first}:{line}");
                        errors.push(sourced.fault("/notify", &message));
                    }
                    notify = Some(sourced);
                }
                targets.extend(found.targets.into_iter().map(|part| {
                    let (source, text) = (source.clone(), Arc::clone(&text));
                    Sourced { source, text, part }
                }));
                groups.extend(found.groups.into_iter().map(|part| {
                    let (source, text) = (source.clone(), Arc::clone(&text));
                    Sourced { source, text, part }
                }));
                for calendar in found.calendars {
                    let name = calendar.spec.name.clone();
                    if let Some((first, line)) = names.get(&name) {
                        let message = format!("calendar '{name}' is given twice: first in {first}:{line}");
                        errors.push(calendar.fault(&text, &source, &message));
                    }
                    names.insert(name, (source.clone(), calendar.position().line));
                    calendars.push(calendar.spec);
                }
                for template in found.templates {
                    let (name, line) = (template.spec.name.clone(), template.position().line);
                    if let Some((first, line)) = template_names.get(&name) {
                        let message = format!("template '{name}' is given twice: first in {first}:{line}");
                        errors.push(template.fault(&text, &source, "/name", &message));
                    }
                    template_names.insert(name, (source.clone(), line));
                    templates.push(SourcedTemplate { source: source.clone(), text: Arc::clone(&text), template });
                }
            }
            Err(found) => errors.extend(found),
        }
    }
    errors.extend(repeated(&jobs));
    errors.extend(repeated_parts(&targets, "target", |spec| spec.name.as_str()));
    errors.extend(repeated_parts(&groups, "group", |spec| spec.name.as_str()));
    let mut sources = Sources { jobs, calendars, templates, targets, groups, notify };
    errors.extend(sources.resolve());
    if errors.is_empty() { Ok(sources) } else { Err(Failure::JobFiles(errors)) }
}

/// A name that two files use.
fn repeated(jobs: &[SourcedJob]) -> Vec<JobFileError> {
    let mut seen: HashMap<&JobName, &SourcedJob> = HashMap::new();
    let mut errors = Vec::new();
    for sourced in jobs {
        let name = sourced.job.name();
        if let Some(first) = seen.insert(name, sourced) {
            let Position { line, .. } = first.job.locate("/name");
            let message = format!("job '{name}' is given twice: first in {}:{line}", first.source);
            errors.push(sourced.fault("/name", &message));
        }
    }
    errors
}

/// The files of `paths`; of a folder those that end as job files do, by name.
pub(super) fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let before = files.len();
            search(path, 0, &mut files)?;
            if files.len() == before {
                let problem = Problem::new(Code::InvalidFile, format!("there are no job files in {}", path.display()));
                return Err(problem.with_hint("job files end in .yaml, .yml, .toml or .json").into());
            }
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn search(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error| Failure::io(&format!("cannot read the folder {}", folder.display()), error);
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        entries.push(entry.map_err(failed)?.path());
    }
    entries.sort();
    for path in entries {
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if path.is_dir() && depth < MAX_DEPTH {
            search(&path, depth + 1, files)?;
        } else if path.is_file() && Format::of_path(&path).is_some() {
            files.push(path);
        }
        if files.len() > MAX_FILES {
            return Err(Failure::usage(format!("there are more than {MAX_FILES} job files in {}", folder.display())));
        }
    }
    Ok(())
}

/// A file's text, the name to call it by, and its format; `-` is standard input.
pub(super) fn content(path: &Path) -> Result<(String, String, Format), Failure> {
    let (text, source) = text(path, MAX_BYTES)?;
    let format = match Format::of_path(path) {
        Some(format) => format,
        None if path == Path::new("-") => Format::of_text(&text),
        None => {
            let problem = Problem::new(Code::InvalidFile, format!("{source} has no known format"));
            return Err(problem.with_hint("job files end in .yaml, .yml, .toml or .json").into());
        }
    };
    Ok((text, source, format))
}

/// A file's text, a little more than `limit` bytes of it at most, and the name to call it by; `-` is standard input.
pub(super) fn text(path: &Path, limit: usize) -> Result<(String, String), Failure> {
    let standard_input = path == Path::new("-");
    let source = if standard_input { "standard input".to_owned() } else { path.display().to_string() };
    let failed = |error| Failure::io(&format!("cannot read {source}"), error);
    let most = limit as u64 + 1;
    let mut bytes = Vec::new();
    if standard_input {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        std::fs::File::open(path).and_then(|file| file.take(most).read_to_end(&mut bytes)).map_err(failed)?;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text, source)),
        // Cut inside a character by the limit, so it is too large, which the reader says.
        Err(error) if error.as_bytes().len() > limit => {
            Ok((String::from_utf8_lossy(error.as_bytes()).into_owned(), source))
        }
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let problem = Problem::new(Code::InvalidFile, format!("{source} is not text: byte {at} is not UTF-8"));
            Err(problem.into())
        }
    }
}
