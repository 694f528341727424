//! Job files from the command line: files, folders, or standard input.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use sandglass_api::jobfile::{self, FileJob, Format, JobFileError, MAX_BYTES};
use sandglass_api::problem::{Code, Position, Problem};
use sandglass_core::id::JobName;

use crate::failure::Failure;
use crate::render::paint::Paint;

/// How deeply folders are searched, and how many files are taken.
const MAX_DEPTH: usize = 8;
const MAX_FILES: usize = 10_000;

/// A job and the file it is from.
#[derive(Debug)]
pub(crate) struct SourcedJob {
    pub(crate) source: String,
    pub(crate) job: FileJob,
}

/// Reads every job of `paths`. Faults of all files are told together.
pub(crate) fn read(paths: &[PathBuf]) -> Result<Vec<SourcedJob>, Failure> {
    let (mut jobs, mut errors) = (Vec::new(), Vec::new());
    for path in expand(paths)? {
        let (text, source, format) = content(&path)?;
        match jobfile::read(&text, format, &source) {
            Ok(found) => jobs.extend(found.into_iter().map(|job| SourcedJob { source: source.clone(), job })),
            Err(found) => errors.extend(found),
        }
    }
    errors.extend(repeated(&jobs));
    if errors.is_empty() { Ok(jobs) } else { Err(Failure::JobFiles(errors)) }
}

/// A name that two files use.
fn repeated(jobs: &[SourcedJob]) -> Vec<JobFileError> {
    let mut seen: HashMap<&JobName, &SourcedJob> = HashMap::new();
    let mut errors = Vec::new();
    for sourced in jobs {
        let name = &sourced.job.spec.name;
        if let Some(first) = seen.insert(name, sourced) {
            let Position { line, .. } = first.job.locate("/name");
            errors.push(JobFileError {
                source: sourced.source.clone(),
                position: sourced.job.locate("/name"),
                length: name.as_str().len(),
                line: String::new(),
                cut: 0,
                pointer: "/name".to_owned(),
                job: Some(name.to_string()),
                message: format!("job '{name}' is given twice: first in {}:{line}", first.source),
                hint: None,
            });
        }
    }
    errors
}

/// The files of `paths`; of a folder those that end as job files do, by name.
fn expand(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
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
fn content(path: &Path) -> Result<(String, String, Format), Failure> {
    let standard_input = path == Path::new("-");
    let source = if standard_input { "standard input".to_owned() } else { path.display().to_string() };
    let failed = |error| Failure::io(&format!("cannot read {source}"), error);
    let limit = MAX_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    if standard_input {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        std::fs::File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)).map_err(failed)?;
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        // Cut inside a character by the limit, so it is too large, which the reader says.
        Err(error) if error.as_bytes().len() > MAX_BYTES => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let problem = Problem::new(Code::InvalidFile, format!("{source} is not text: byte {at} is not UTF-8"));
            return Err(problem.into());
        }
    };
    let format = match Format::of_path(path) {
        Some(format) => format,
        None if standard_input => Format::of_text(&text),
        None => {
            let problem = Problem::new(Code::InvalidFile, format!("{source} has no known format"));
            return Err(problem.with_hint("job files end in .yaml, .yml, .toml or .json").into());
        }
    };
    Ok((text, source, format))
}

/// What the daemon has against jobs: told together, each with its place in its file.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    problems: Vec<(Place, Problem)>,
}

/// Where a refused job is.
#[derive(Debug)]
struct Place {
    source: String,
    position: Position,
    job: JobName,
}

impl Refusals {
    /// Takes note of a refusal.
    pub(crate) fn push(&mut self, sourced: &SourcedJob, mut problem: Problem) {
        let pointer = problem.errors.first().map(|fault| fault.pointer.clone()).unwrap_or_default();
        let at = sourced.job.locate(&pointer);
        for fault in &mut problem.errors {
            fault.position = Some(sourced.job.locate(&fault.pointer));
        }
        let place = Place { source: sourced.source.clone(), position: at, job: sourced.job.spec.name.clone() };
        self.problems.push((place, problem));
    }

    /// The failure they come to, if there are any, after `saved` jobs were saved. With `json` they become one problem
    /// document.
    pub(crate) fn into_failure(self, saved: usize, json: bool, paint: Paint) -> Result<(), Failure> {
        let Some((place, first)) = self.problems.first() else { return Ok(()) };
        let class = first.class;
        if json {
            let mut problem = first.clone();
            let Place { source, position, job } = place;
            let (line, column) = (position.line, position.column);
            problem.detail = format!("{source}:{line}:{column}: job '{job}': {}", first.detail);
            problem.errors = self.problems.iter().flat_map(|(_, problem)| problem.errors.clone()).collect();
            return Err(problem.into());
        }
        let mut text: String =
            self.problems.iter().map(|(place, problem)| refusal_text(place, problem, paint)).collect();
        let applied = match saved {
            0 => "nothing was applied".to_owned(),
            _ => format!("{saved} other job(s) were applied before the daemon changed its answer"),
        };
        text.push_str(&format!("{} {applied}\n", paint.red("error:")));
        // Nobody is left to be told that this failed.
        let _ = std::io::Write::write_all(&mut std::io::stderr().lock(), text.as_bytes());
        Err(Failure::Told(class.exit_code()))
    }
}

/// A refusal in words: each fault with its place, then what to do.
fn refusal_text(place: &Place, problem: &Problem, paint: Paint) -> String {
    let error = paint.red("error:");
    let told = |at: Position, message: &str| {
        format!("{error} {}:{}:{}: job '{}': {message}\n", place.source, at.line, at.column, place.job)
    };
    let mut text = String::new();
    if problem.errors.is_empty() {
        text.push_str(&told(place.position, &problem.to_string()));
    }
    for fault in &problem.errors {
        text.push_str(&told(fault.position.unwrap_or(place.position), &fault.message));
        if !fault.pointer.is_empty() {
            text.push_str(&format!("  at {}\n", fault.pointer));
        }
    }
    if let Some(hint) = &problem.hint {
        text.push_str(&format!("{} {hint}\n", paint.bold("hint:")));
    }
    text
}
