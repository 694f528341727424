//! Job files from the command line: files, folders, or standard input.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sandglass_api::jobfile::{self, FileJob, FileNotify, Format, JobFileError, MAX_BYTES};
use sandglass_api::problem::{Code, Position, Problem};
use sandglass_core::id::{CalendarName, JobName};
use sandglass_core::schedule::Warning;
use sandglass_core::spec::CalendarSpec;

use crate::context::Context;
use crate::failure::{Failure, for_invocation};
use crate::render::ansi;

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
}

impl SourcedJob {
    /// A fault at `pointer` of the canonical job, shown in its file.
    fn fault(&self, pointer: &str, message: &str) -> JobFileError {
        self.job.fault(&self.text, &self.source, pointer, message)
    }

    /// Tells of likely slips in the job.
    pub(crate) fn warn(&self, warnings: &[Warning], context: &Context) {
        for Warning { pointer, message, hint, .. } in warnings {
            let line = self.job.locate(pointer).line;
            let (source, job) = (&self.source, &self.job.spec.name);
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
    pub(crate) notify: Option<SourcedNotify>,
}

/// Reads every job and calendar of `paths`, and the notifiers of the namespace. Faults of all files are told together.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Sources, Failure> {
    let (mut jobs, mut calendars, mut errors) = (Vec::new(), Vec::new(), Vec::new());
    let mut notify: Option<SourcedNotify> = None;
    let mut names: HashMap<CalendarName, (String, usize)> = HashMap::new();
    for path in expand(paths)? {
        let (text, source, format) = content(&path)?;
        let text: Arc<str> = text.into();
        match jobfile::read_all(&text, format, &source) {
            Ok(found) => {
                jobs.extend(found.jobs.into_iter().map(|job| {
                    let (source, text) = (source.clone(), Arc::clone(&text));
                    SourcedJob { source, text, job }
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
                for calendar in found.calendars {
                    let name = calendar.spec.name.clone();
                    if let Some((first, line)) = names.get(&name) {
                        let message = format!("calendar '{name}' is given twice: first in {first}:{line}");
                        errors.push(calendar.fault(&text, &source, &message));
                    }
                    names.insert(name, (source.clone(), calendar.position().line));
                    calendars.push(calendar.spec);
                }
            }
            Err(found) => errors.extend(found),
        }
    }
    errors.extend(repeated(&jobs));
    if errors.is_empty() { Ok(Sources { jobs, calendars, notify }) } else { Err(Failure::JobFiles(errors)) }
}

/// A name that two files use.
fn repeated(jobs: &[SourcedJob]) -> Vec<JobFileError> {
    let mut seen: HashMap<&JobName, &SourcedJob> = HashMap::new();
    let mut errors = Vec::new();
    for sourced in jobs {
        let name = &sourced.job.spec.name;
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

/// What the daemon has against jobs: told together, each with its place in its file.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    refused: Vec<Refused>,
}

/// A refused job.
#[derive(Debug)]
struct Refused {
    job: JobName,
    problem: Problem,
    /// The problem's faults in the job's file; at least one.
    faults: Vec<JobFileError>,
}

impl Refusals {
    /// Takes note of a refusal.
    pub(crate) fn push(&mut self, sourced: &SourcedJob, mut problem: Problem) {
        for fault in &mut problem.errors {
            fault.position = Some(sourced.job.locate(&fault.pointer));
        }
        let mut faults: Vec<JobFileError> =
            problem.errors.iter().map(|fault| sourced.fault(&fault.pointer, &fault.message)).collect();
        if faults.is_empty() {
            faults.push(sourced.fault("", &problem.to_string()));
        }
        self.refused.push(Refused { job: sourced.job.spec.name.clone(), problem, faults });
    }

    /// The failure they come to, if there are any. With `--json` they become one problem document.
    pub(crate) fn into_failure(self, context: &Context) -> Result<(), Failure> {
        let Some(Refused { job, problem, faults }) = self.refused.first() else { return Ok(()) };
        if context.is_json() {
            let mut all = problem.clone();
            if let Some(JobFileError { source, position, .. }) = faults.first() {
                let (line, column) = (position.line, position.column);
                all.detail = format!("{source}:{line}:{column}: job '{job}': {}", problem.detail);
            }
            all.errors = self.refused.iter().flat_map(|refused| refused.problem.errors.clone()).collect();
            return Err(all.into());
        }
        let mut text: String = self.refused.iter().map(|refused| refused.to_text(context)).collect();
        text.push_str(&format!("{} nothing was applied\n", context.error_paint.red("error:")));
        // Nobody is left to be told that this failed.
        let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), ansi::colours_only(&text).as_bytes());
        Err(Failure::Told(problem.class.exit_code()))
    }
}

impl Refused {
    /// In words: each fault with its line, as the faults that are found without a daemon, then what to do.
    fn to_text(&self, context: &Context) -> String {
        let paint = context.error_paint;
        let mut text = String::new();
        for fault in &self.faults {
            let at = if fault.pointer.is_empty() { String::new() } else { format!("  at {}\n", fault.pointer) };
            let message = format!("job '{}': {}", self.job, fault.message);
            let fault = JobFileError { message, ..fault.clone() };
            text.push_str(&format!("{} {fault}\n{at}\n", paint.red("error:")));
        }
        if let Some(hint) = &self.problem.hint {
            let hint = for_invocation(hint, &context.invocation);
            text.push_str(&format!("{} {hint}\n\n", paint.bold("hint:")));
        }
        text
    }
}
