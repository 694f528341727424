//! Several commands, one after the other.

use sandglass_plugin::serde_json::json;
use sandglass_plugin::{Context, Failure, Progress, output};

use crate::ending::{self, Wrong};
use crate::params::{Step, StepParams};
use crate::run::{Common, text_or_argv};

/// The most of a command's text that stands for its name.
const NAME: usize = 60;

/// How one of several commands ended.
#[output]
pub(crate) struct StepOutput {
    /// Its name, or the beginning of its text.
    name: String,
    /// Whether it succeeded.
    ok: bool,
    /// The exit code, if it ended by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    /// What was wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What came of all of them.
pub(crate) struct Ended {
    pub(crate) exit_code: i32,
    pub(crate) steps: Vec<StepOutput>,
    pub(crate) warnings: Vec<String>,
}

/// Runs the commands. Fails if one of them fails that may not.
pub(crate) fn run(steps: &[Step], stop: bool, common: &Common<'_>, context: &Context) -> Result<Ended, Failure> {
    let total = steps.len();
    let mut ended = Ended { exit_code: 0, steps: Vec::new(), warnings: Vec::new() };
    let mut wrongs: Vec<(String, Wrong)> = Vec::new();
    for (place, Step(step)) in steps.iter().enumerate() {
        context.check()?;
        let name = name(step);
        report(context, place, total, Some(name.clone()));
        let judged = one(step, common)?;
        ended.steps.push(StepOutput {
            name: name.clone(),
            ok: judged.is_ok(),
            exit_code: judged.as_ref().map_or_else(|wrong| wrong.exit_code, |code| Some(*code)),
            error: judged.as_ref().err().map(|wrong| wrong.message.clone()),
        });
        match judged {
            Ok(code) => ended.exit_code = code,
            Err(wrong) => {
                let what = format!("command {} of {total} ({name}) {}", place + 1, wrong.message);
                if step.continue_on_failure {
                    ended.warnings.push(what);
                } else {
                    wrongs.push((what, wrong));
                    if stop {
                        break;
                    }
                }
            }
        }
    }
    if wrongs.is_empty() {
        report(context, total, total, None);
        return Ok(ended);
    }
    Err(failure(&wrongs, total - ended.steps.len(), &ended.steps))
}

fn one(step: &StepParams, common: &Common<'_>) -> Result<Result<i32, Wrong>, Failure> {
    let interpreter = step.interpreter.as_deref().or(common.interpreter);
    let commands = text_or_argv(step.command.as_deref(), step.argv.as_deref(), interpreter, common.platform)?;
    let timeout = step.timeout.as_ref().or(common.timeout);
    let commands: Vec<_> =
        commands.into_iter().map(|command| common.complete(command, Some(&step.env), timeout)).collect();
    let codes = step.success_codes.as_deref().unwrap_or(common.success_codes);
    match ending::execute(&commands) {
        Ok(report) => ending::judge(&report, codes),
        Err(error) => ending::not_started(error).map(Err),
    }
}

/// The first failure's code, and all of them in words.
fn failure(wrongs: &[(String, Wrong)], not_started: usize, steps: &[StepOutput]) -> Failure {
    let (first, wrong) = &wrongs[0];
    let mut message = first.clone();
    for (further, _) in &wrongs[1..] {
        message.push_str("; ");
        message.push_str(further);
    }
    if not_started > 0 {
        message.push_str(&format!("; {not_started} more not started"));
    }
    let exit_code = wrong.exit_code;
    let failed: Vec<&str> = steps.iter().filter(|step| !step.ok).map(|step| step.name.as_str()).collect();
    let detail = match exit_code {
        Some(code) => json!({ "exit_code": code, "failed": failed }),
        None => json!({ "failed": failed }),
    };
    let failure = Failure::new(wrong.code, message).detail(detail);
    if matches!(wrong.code, "denied" | "invalid-argument") { failure.never_retry() } else { failure }
}

/// What a command is called.
pub(crate) fn name(step: &StepParams) -> String {
    match (&step.name, &step.command, &step.argv) {
        (Some(name), _, _) => name.clone(),
        (_, Some(command), _) => beginning(command),
        (_, _, argv) => beginning(&argv.as_deref().unwrap_or_default().join(" ")),
    }
}

/// The first line of a text, or as much of it as people read.
pub(crate) fn beginning(text: &str) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    match line.char_indices().nth(NAME) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}

fn report(context: &Context, completed: usize, total: usize, message: Option<String>) {
    let (completed, total) = (completed as u64, Some(total as u64));
    context.report(&Progress { completed, total, unit: Some("commands".to_owned()), message });
}
