//! The action `run`.

use std::collections::BTreeMap;

use sandglass_plugin::process::{Command, Ending, ExitReport, Input};
use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::{Action, Context, Failure, Issue, Outcome, Period, output, params};

use crate::interpreter;

const DEFAULT_INTERPRETER: &str = "sh";

/// What a job gives: a command line, or a program with its arguments.
#[params]
#[derive(Default)]
pub(crate) struct Params {
    /// A command line, or a whole script, for the interpreter.
    #[serde(default)]
    command: Option<String>,
    /// What runs the command: sh (the default), bash, zsh, python3, node, …, or an absolute path.
    #[serde(default)]
    interpreter: Option<String>,
    /// Instead of a command: a program and its arguments, passed on exactly as they are.
    #[serde(default)]
    argv: Option<Vec<String>>,
    /// Variables beside the job's environment.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// What the program reads on standard input; nothing by default.
    #[serde(default)]
    stdin: Option<String>,
    /// The exit codes that mean success; 0 by default.
    #[serde(default)]
    success_codes: Option<Vec<i32>>,
    /// Ends the program after this time; by default, the job's timeout does.
    #[serde(default)]
    timeout: Option<Period>,
}

/// What the run keeps.
#[output]
pub(crate) struct Output {
    /// The exit code of the program.
    exit_code: i32,
}

pub(crate) struct Run;

impl Action for Run {
    const NAME: &'static str = "run";
    const TITLE: &'static str = "Run a command";
    const DESCRIPTION: &'static str =
        "Runs a command line through an interpreter, or a program with its arguments; the exit code decides.";
    type Params = Params;
    type Output = Output;

    fn examples() -> Vec<Value> {
        vec![
            json!({ "command": "tar -czf backup.tar.gz documents" }),
            json!({ "command": "print(6 * 7)", "interpreter": "python3" }),
            json!({ "argv": ["/usr/bin/rsync", "-a", "documents/", "backup/"] }),
        ]
    }

    fn validate(params: &Params) -> Vec<Issue> {
        let mut issues = Vec::new();
        match (&params.command, &params.argv) {
            (None, None) => issues.push(Issue::at("", "give either `command` or `argv`")),
            (Some(_), Some(_)) => issues.push(Issue::at("/argv", "give either `command` or `argv`, not both")),
            (Some(command), None) if command.trim().is_empty() => {
                issues.push(Issue::at("/command", "the command is empty"));
            }
            (None, Some(argv)) if argv.first().is_none_or(String::is_empty) => {
                issues.push(Issue::at("/argv", "the first element names the program"));
            }
            _ => {}
        }
        if let Some(interpreter) = &params.interpreter {
            if params.argv.is_some() {
                issues.push(Issue::at("/interpreter", "an interpreter goes with `command`, not with `argv`"));
            } else if interpreter.is_empty() || (interpreter.contains('/') && !interpreter.starts_with('/')) {
                issues.push(Issue::at("/interpreter", "expected a name such as bash, or an absolute path"));
            }
        }
        if params.success_codes.as_ref().is_some_and(Vec::is_empty) {
            issues.push(Issue::at("/success_codes", "at least one exit code must mean success"));
        }
        for name in params.env.keys().filter(|name| name.is_empty() || name.contains(['=', '\0'])) {
            issues.push(Issue::at("/env", format!("{name:?} cannot be the name of a variable")));
        }
        issues
    }

    fn run(params: Params, _context: &Context) -> Result<Outcome<Output>, Failure> {
        if let Some(issue) = Self::validate(&params).into_iter().next() {
            let message = format!("{} (at {:?})", issue.message, issue.pointer);
            return Err(Failure::new("invalid-params", message).never_retry());
        }
        let success_codes = params.success_codes.clone().unwrap_or_else(|| vec![0]);
        let report = command(params).execute()?;
        judge(&report, &success_codes)
    }
}

fn command(params: Params) -> Command {
    let command = match (params.command, params.argv) {
        (Some(text), _) => {
            let interpreter = params.interpreter.unwrap_or_else(|| DEFAULT_INTERPRETER.to_owned());
            let option = interpreter::text_option(&interpreter);
            Command::new(interpreter).arg(option).arg(text)
        }
        (None, argv) => {
            let mut argv = argv.unwrap_or_default().into_iter();
            Command::new(argv.next().unwrap_or_default()).args(argv)
        }
    };
    let command = params.env.into_iter().fold(command, |command, (name, value)| command.env(name, value));
    let command = match params.stdin {
        Some(text) => command.input(Input::Bytes(text.into_bytes())),
        None => command,
    };
    match params.timeout {
        Some(Period(limit)) => command.timeout(limit),
        None => command,
    }
}

fn judge(report: &ExitReport, success_codes: &[i32]) -> Result<Outcome<Output>, Failure> {
    match &report.ending {
        Ending::Exited(code) if success_codes.contains(code) => {
            Ok(Outcome::output(Output { exit_code: *code }).with_summary(format!("exit code {code}")))
        }
        Ending::Exited(code) => Err(Failure::new("exit", format!("the program ended with exit code {code}"))
            .detail(json!({ "exit_code": code }))),
        Ending::Signalled(signal) => Err(Failure::new("signal", format!("the program was ended by signal {signal}"))
            .detail(json!({ "signal": signal, "exit_code": 128 + signal }))),
        Ending::Cancelled => Err(Failure::cancelled()),
        Ending::TimedOut => Err(Failure::new("timeout", "the program took longer than it may")),
        Ending::Lost(why) => Err(Failure::new("lost", format!("the program was lost sight of: {why}"))),
    }
}
