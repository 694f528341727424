//! The action `run`.

use std::collections::BTreeMap;

use sandglass_plugin::process::{Command, Input, platform};
use sandglass_plugin::serde_json::Value;
use sandglass_plugin::{
    Action, Context, Failure, Issue, Outcome, Period, Schemas, examples, include_json, include_schema, output,
};

use crate::artifacts::{self, Published};
use crate::capture::{Capture, Captured};
use crate::interpreter::Interpreter;
use crate::params::Params;
use crate::steps::StepOutput;
use crate::{ending, script, steps};

/// What the run keeps.
#[output]
pub(crate) struct Output {
    /// The exit code of the program, or of the last command that succeeded.
    exit_code: i32,
    /// How each of several commands ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<Vec<StepOutput>>,
    /// With `capture`: what was written as lines `key=value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<BTreeMap<String, String>>,
    /// With `capture`: what was written as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    /// What was published.
    #[serde(skip_serializing_if = "Option::is_none")]
    artifacts: Option<Vec<Published>>,
}

pub(crate) struct Run;

impl Action for Run {
    const NAME: &'static str = "run";
    const TITLE: &'static str = "Run a command";
    const DESCRIPTION: &'static str =
        "Runs a command line, a script, several commands, or a program with its arguments; exit codes decide.";
    const SCHEMAS: Option<Schemas> = Some(Schemas {
        params: include_schema!("src/run.params.json"),
        output: Some(include_schema!("src/run.output.json")),
    });
    type Params = Params;
    type Output = Output;

    fn examples() -> Vec<Value> {
        examples(include_json!("src/run.examples.json"))
    }

    fn validate(params: &Params) -> Vec<Issue> {
        params.issues()
    }

    fn run(params: Params, context: &Context) -> Result<Outcome<Output>, Failure> {
        for reference in &params.fetch {
            sandglass_plugin::artifacts::fetch(reference)?;
        }
        let capture = if params.capture { Some(Capture::prepare()?) } else { None };
        let platform = platform();
        let common = Common {
            platform: &platform,
            interpreter: params.interpreter_of(&platform).map(String::as_str),
            env: &params.env,
            stdin: params.stdin.as_deref(),
            success_codes: params.success_codes.as_deref().unwrap_or(&[0]),
            timeout: params.timeout.as_ref(),
            capture: capture.as_ref(),
        };
        let (exit_code, steps, mut warnings) = match (params.command_of(&platform), &params.commands) {
            (None, Some(commands)) => {
                let stop = params.stop_on_failure.unwrap_or(true);
                let ended = steps::run(commands, stop, &common, context)?;
                (ended.exit_code, Some(ended.steps), ended.warnings)
            }
            _ => (single(&params, &common)?, None, Vec::new()),
        };
        let Captured { values, data } = capture.map(|capture| capture.read()).transpose()?.unwrap_or_default();
        let (published, unmatched) = artifacts::publish(&params.artifacts)?;
        let artifacts = (!published.is_empty()).then_some(published);
        warnings.extend(unmatched);
        let summary = match &steps {
            Some(steps) => format!("{} commands", steps.len()),
            None => format!("exit code {exit_code}"),
        };
        let outcome = Outcome::output(Output { exit_code, steps, values, data, artifacts }).with_summary(summary);
        Ok(Outcome { warnings, ..outcome })
    }
}

fn invalid(message: impl Into<String>) -> Failure {
    Failure::new("invalid-params", message).never_retry()
}

/// Runs the one command, script or program; the exit code.
fn single(params: &Params, common: &Common<'_>) -> Result<i32, Failure> {
    let Common { platform, interpreter, .. } = common;
    let parsed = interpreter.map(Interpreter::parse).transpose().map_err(invalid)?;
    let commands = match (params.command_of(platform), &params.script, &params.script_file) {
        (None, Some(text), _) => script::run_text(text, &params.args, parsed, platform)?,
        (None, _, Some(path)) => script::run_file(path, &params.args, parsed, platform)?,
        (of_platform, ..) => {
            let text = of_platform.or(params.command.as_ref()).map(String::as_str);
            text_or_argv(text, params.argv.as_deref(), *interpreter, platform)?
        }
    };
    let complete = |command| common.complete(command, None, common.timeout);
    let commands: Vec<Command> = commands.into_iter().map(complete).collect();
    let report = ending::execute(&commands).map_err(|error| {
        let failure = Failure::from(error);
        match (&params.script_file, interpreter) {
            (Some(_), None) if failure.code == "not-found" => {
                let hint = "make the script executable, or name its interpreter with `interpreter`";
                Failure { message: format!("{}; {hint}", failure.message), ..failure }
            }
            _ => failure,
        }
    })?;
    ending::judge(&report, common.success_codes)?.map_err(|wrong| {
        let failure = Failure::new(wrong.code, format!("the program {}", wrong.message));
        match wrong.detail() {
            Some(detail) => failure.detail(detail),
            None => failure,
        }
    })
}

/// A text for an interpreter, or a program with its arguments.
pub(crate) fn text_or_argv(
    text: Option<&str>,
    argv: Option<&[String]>,
    interpreter: Option<&str>,
    platform: &str,
) -> Result<Vec<Command>, Failure> {
    match (text, argv) {
        (Some(text), _) => {
            let interpreter = interpreter.map(Interpreter::parse).transpose().map_err(invalid)?;
            Ok(interpreter.unwrap_or_else(|| Interpreter::default_of(platform)).run_text(text))
        }
        (None, Some([program, args @ ..])) => Ok(vec![Command::new(program).args(args.to_vec())]),
        _ => Err(invalid(format!("there is no command for the platform {platform}"))),
    }
}

/// What all commands of a run have in common.
pub(crate) struct Common<'a> {
    pub(crate) platform: &'a str,
    pub(crate) interpreter: Option<&'a str>,
    env: &'a BTreeMap<String, String>,
    stdin: Option<&'a str>,
    pub(crate) success_codes: &'a [i32],
    pub(crate) timeout: Option<&'a Period>,
    capture: Option<&'a Capture>,
}

impl Common<'_> {
    /// The command with everything else that it is given.
    pub(crate) fn complete(
        &self,
        command: Command,
        further: Option<&BTreeMap<String, String>>,
        timeout: Option<&Period>,
    ) -> Command {
        let env = self.env.iter().filter(|(name, _)| !further.is_some_and(|further| further.contains_key(*name)));
        let env = env.chain(further.into_iter().flatten());
        let mut command = env.fold(command, |command, (name, value)| command.env(name, value));
        if let Some(text) = self.stdin {
            command = command.input(Input::Bytes(text.as_bytes().to_vec()));
        }
        if let Some(capture) = self.capture {
            command = capture.tell(command);
        }
        match timeout {
            Some(Period(limit)) => command.timeout(*limit),
            None => command,
        }
    }
}
