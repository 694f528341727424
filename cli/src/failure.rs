//! What went wrong: what failed, why, and what to do next, on standard error; and the exit code.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use sandglass_api::client::ClientError;
use sandglass_api::jobfile::JobFileError;
use sandglass_api::problem::{Code, ExitCode, Problem};

use crate::args::{Form, Global};
use crate::context::{Context, invocation, paints, to_json};
use crate::render::amount::counted;
use crate::render::ansi;
use crate::render::paint::Paint;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A problem, the daemon's or our own.
    Problem(Box<Problem>),
    /// Faults in job files.
    JobFiles(Vec<JobFileError>),
    /// What was asked about is not so, and has been shown already.
    NotSo,
    /// The command line is wrong.
    Usage(String),
    /// Something has been told already; only the exit code is left.
    Told(ExitCode),
    /// Standard output cannot be written.
    Output(io::Error),
}

/// How failures are told.
#[derive(Debug)]
pub(crate) struct Telling {
    json: bool,
    paint: Paint,
    /// How the program was called, for the commands in hints.
    invocation: String,
}

impl Telling {
    pub(crate) fn new(global: &Global) -> Self {
        let (_, paint) = paints(global.no_color);
        Self { json: global.form() == Form::Json, paint, invocation: invocation(global) }
    }

    /// As `context` has it.
    pub(crate) fn of(context: &Context) -> Self {
        Self { json: context.is_json(), paint: context.error_paint, invocation: context.invocation.clone() }
    }

    /// A hint whose commands are for the same daemon and namespace.
    pub(crate) fn hint(&self, text: &str) -> String {
        for_invocation(text, &self.invocation)
    }
}

/// A hint whose commands begin with `invocation`.
pub(crate) fn for_invocation(text: &str, invocation: &str) -> String {
    text.replace("`sandglass ", &format!("`{invocation} "))
}

impl Failure {
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    pub(crate) fn problem(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }

    pub(crate) fn output(error: io::Error) -> Self {
        Self::Output(error)
    }

    /// A file or another part of the system that cannot be used.
    pub(crate) fn io(what: &str, error: io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::NotFound => Code::InvalidFile,
            io::ErrorKind::PermissionDenied => Code::Forbidden,
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::IsADirectory => Code::InvalidFile,
            _ => Code::Unavailable,
        };
        Self::problem(Problem::new(code, format!("{what}: {error}")))
    }

    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Problem(problem) => problem.exit_code(),
            Self::JobFiles(_) => ExitCode::Invalid,
            Self::NotSo => ExitCode::NotSo,
            Self::Usage(_) => ExitCode::Usage,
            Self::Told(code) => *code,
            // Whoever read our output has seen enough, as with `| head`.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::Done,
            Self::Output(_) => ExitCode::Unavailable,
        }
    }

    /// Tells the failure, as text or as JSON.
    pub(crate) fn report(&self, telling: &Telling) -> std::process::ExitCode {
        self.tell(telling);
        std::process::ExitCode::from(self.exit_code().number())
    }

    /// Tells the failure now; only its exit code is left.
    pub(crate) fn told(&self, telling: &Telling) -> Self {
        self.tell(telling);
        Self::Told(self.exit_code())
    }

    fn tell(&self, telling: &Telling) {
        let text = if telling.json { self.to_json() } else { ansi::colours_only(&self.to_text(telling)) };
        // Nobody is left to be told that this failed.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }

    fn to_json(&self) -> String {
        let problem = match self {
            Self::Problem(problem) => problem.as_ref().clone(),
            Self::JobFiles(errors) => {
                let mut problem = Problem::from_job_errors(errors);
                for (fault, error) in problem.errors.iter_mut().zip(errors) {
                    let place = error.position;
                    fault.message = format!("{}:{}:{}: {}", error.source, place.line, place.column, fault.message);
                }
                problem
            }
            Self::Usage(message) => Problem::new(Code::BadRequest, message.as_str()),
            Self::Output(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Problem::new(Code::Unavailable, format!("cannot write the output: {error}"))
            }
            Self::NotSo | Self::Told(_) | Self::Output(_) => return String::new(),
        };
        to_json(&problem) + "\n"
    }

    /// The failure in words.
    fn to_text(&self, telling: &Telling) -> String {
        let paint = telling.paint;
        let error = paint.red("error:");
        match self {
            Self::Problem(problem) => problem_text(problem, telling),
            Self::JobFiles(errors) => {
                let mut text: String = errors.iter().map(|fault| format!("{error} {fault}\n\n")).collect();
                let _ = writeln!(text, "{error} {} found; nothing was changed", counted(errors.len(), "fault"));
                text
            }
            Self::Usage(message) => format!("{error} {message}\n{} `sandglass --help`\n", paint.bold("hint:")),
            Self::Output(source) if source.kind() != io::ErrorKind::BrokenPipe => {
                format!("{error} cannot write the output: {source}\n")
            }
            Self::NotSo | Self::Told(_) | Self::Output(_) => String::new(),
        }
    }
}

/// Tells that the command line cannot be read: as the parser does, or as JSON if `args` ask for that.
pub(crate) fn misread(error: &clap::Error, args: impl Iterator<Item = OsString>) -> std::process::ExitCode {
    if !error.use_stderr() || !asks_for_json(args) {
        error.exit();
    }
    let _ = io::stderr().lock().write_all((to_json(&misreading(error)) + "\n").as_bytes());
    std::process::ExitCode::from(ExitCode::Usage.number())
}

/// Whether JSON was asked for, as far as can be told before the arguments are understood.
fn asks_for_json(args: impl Iterator<Item = OsString>) -> bool {
    let args: Vec<OsString> = args.take_while(|arg| arg != "--").collect();
    let in_one = |arg: &OsString| ["--json", "--output=json", "-ojson", "-o=json"].iter().any(|json| arg == json);
    let in_two = |pair: &[OsString]| (pair[0] == "--output" || pair[0] == "-o") && pair[1] == "json";
    args.iter().any(in_one) || args.windows(2).any(in_two)
}

/// What the parser says, in paragraphs: what is wrong, tips, and how the command is used.
fn misreading(error: &clap::Error) -> Problem {
    let text = error.render().to_string();
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut paragraphs = text.split("\n\n").map(words);
    let wrong = paragraphs.next().unwrap_or_default();
    let hints: Vec<String> = paragraphs.filter(|text| !text.starts_with("For more")).collect();
    let problem = Problem::new(Code::BadRequest, wrong.trim_start_matches("error: "));
    if hints.is_empty() { problem } else { problem.with_hint(hints.join("; ")) }
}

/// A problem in words: what failed, each fault, and what to do.
fn problem_text(problem: &Problem, telling: &Telling) -> String {
    let paint = telling.paint;
    let mut text = format!("{} {problem}\n", paint.red("error:"));
    for fault in &problem.errors {
        let pointer = if fault.pointer.is_empty() { "/" } else { &fault.pointer };
        // What the detail says already is not said again.
        let _ = match (problem.detail.contains(&fault.message), problem.detail.contains(pointer)) {
            (true, true) => Ok(()),
            (true, false) => writeln!(text, "  at {pointer}"),
            (false, _) => writeln!(text, "  at {pointer}: {}", fault.message),
        };
    }
    let hint = match problem.hint.as_deref() {
        None if problem.is(Code::Unauthenticated) => Some(
            "give a token with --token or SANDGLASS_TOKEN; the daemon's own is in admin.token in its data directory",
        ),
        hint => hint,
    };
    if let Some(hint) = hint {
        let _ = writeln!(text, "{} {}", paint.bold("hint:"), telling.hint(hint));
    }
    text
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::problem(error.into_problem())
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::problem(problem)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain() -> Telling {
        let global = Global { data_dir: Some("/srv/my sand".into()), no_color: true, ..Global::default() };
        Telling::new(&global)
    }

    #[test]
    fn a_problem_says_what_why_and_what_next() {
        let problem = Problem::new(Code::InvalidParams, "the command is empty")
            .with_fault("/action/with/command", "the command is empty")
            .with_hint("write a command");
        insta::assert_snapshot!(Failure::problem(problem).to_text(&plain()), @r#"
        error: the command is empty
          at /action/with/command
        hint: write a command
        "#);
    }

    #[test]
    fn hints_are_for_the_same_daemon() {
        let problem = Problem::new(Code::JobNotFound, "there is no job 'a'").with_hint("try `sandglass job list`");
        insta::assert_snapshot!(Failure::problem(problem).to_text(&plain()), @r"
        error: there is no job 'a'
        hint: try `sandglass --data-dir '/srv/my sand' job list`
        ");
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let failure = Failure::output(io::ErrorKind::BrokenPipe.into());
        assert_eq!((failure.exit_code(), failure.to_text(&plain())), (ExitCode::Done, String::new()));
    }
}
