//! What a job gives.

use std::collections::BTreeMap;

use sandglass_plugin::serde::{Deserialize, Deserializer, de};
use sandglass_plugin::{Issue, Period, params};

use crate::artifacts;
use crate::interpreter::Interpreter;

/// A command line, a script, a program with its arguments, or several commands.
#[params]
#[derive(Default)]
pub(crate) struct Params {
    /// A command line, or a whole script, for the interpreter.
    #[serde(default)]
    pub(crate) command: Option<String>,
    /// Instead of `command` where the daemon runs on Linux.
    #[serde(default)]
    pub(crate) command_linux: Option<String>,
    /// Instead of `command` where the daemon runs on macOS.
    #[serde(default)]
    pub(crate) command_macos: Option<String>,
    /// Instead of `command` where the daemon runs on Windows.
    #[serde(default)]
    pub(crate) command_windows: Option<String>,
    /// Instead of a command: the text of a script, which is put into a file of the run's own folder. Its first line may name
    /// what runs it, as in #!/usr/bin/env python3.
    #[serde(default)]
    pub(crate) script: Option<String>,
    /// Instead of a command: the absolute path of a script's file. It is copied into the run's own folder if the job's grants
    /// give a folder that it is in, and else run where it is.
    #[serde(default)]
    pub(crate) script_file: Option<String>,
    /// Arguments of the script.
    #[serde(default)]
    pub(crate) args: Vec<String>,
    /// Instead of a command: a program and its arguments, passed on exactly as they are.
    #[serde(default)]
    pub(crate) argv: Option<Vec<String>>,
    /// Instead of a command: several, one after the other, each a process of its own.
    #[serde(default)]
    pub(crate) commands: Option<Vec<Step>>,
    /// Whether the first command that fails is the last one; true by default.
    #[serde(default)]
    pub(crate) stop_on_failure: Option<bool>,
    /// What runs commands and scripts: sh (the default), bash, zsh, pwsh, cmd, python, node, …, or an absolute path; words
    /// after it are its arguments, as in `bash -eu`.
    #[serde(default)]
    pub(crate) interpreter: Option<String>,
    /// Instead of `interpreter` where the daemon runs on Linux.
    #[serde(default)]
    pub(crate) interpreter_linux: Option<String>,
    /// Instead of `interpreter` where the daemon runs on macOS.
    #[serde(default)]
    pub(crate) interpreter_macos: Option<String>,
    /// Instead of `interpreter` where the daemon runs on Windows; `cmd` by default.
    #[serde(default)]
    pub(crate) interpreter_windows: Option<String>,
    /// Variables beside the job's environment.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// What the program reads on standard input; nothing by default.
    #[serde(default)]
    pub(crate) stdin: Option<String>,
    /// The exit codes that mean success; 0 by default.
    #[serde(default)]
    pub(crate) success_codes: Option<Vec<i32>>,
    /// Ends the program after this time, or each of several commands; by default, the job's timeout does.
    #[serde(default)]
    pub(crate) timeout: Option<Period>,
    /// Whether the run takes over what programs write to two files: lines `key=value` to the one that the variable
    /// SANDGLASS_OUTPUT names, and JSON to the one that SANDGLASS_RESULT names.
    #[serde(default)]
    pub(crate) capture: bool,
    /// Files of the run's own folder that are kept as its artifacts once it has succeeded: paths, or patterns such as out/*.tar
    /// and reports/**/*.xml.
    #[serde(default)]
    pub(crate) artifacts: Vec<String>,
    /// Artifacts of other runs that are brought into the run's own folder before, each to artifacts/ and what is written here:
    /// NAME of a run that this one follows from, JOB/NAME of the job's last run that succeeded, or RUN_ID/NAME.
    #[serde(default)]
    pub(crate) fetch: Vec<String>,
}

/// One of several commands: a command line, or a map.
#[derive(Debug)]
pub(crate) struct Step(pub(crate) StepParams);

/// What one of several commands may say for itself.
#[params]
#[derive(Default)]
pub(crate) struct StepParams {
    /// What people call it.
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// A command line for the interpreter.
    #[serde(default)]
    pub(crate) command: Option<String>,
    /// Instead of a command: a program and its arguments.
    #[serde(default)]
    pub(crate) argv: Option<Vec<String>>,
    /// What runs the command.
    #[serde(default)]
    pub(crate) interpreter: Option<String>,
    /// Further variables.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// The exit codes that mean success.
    #[serde(default)]
    pub(crate) success_codes: Option<Vec<i32>>,
    /// Ends the command after this time.
    #[serde(default)]
    pub(crate) timeout: Option<Period>,
    /// Whether the run may still succeed if this command fails.
    #[serde(default)]
    pub(crate) continue_on_failure: bool,
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StepVisitor)
    }
}

struct StepVisitor;

impl<'de> de::Visitor<'de> for StepVisitor {
    type Value = Step;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a command line, or a map")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Step, E> {
        Ok(Step(StepParams { command: Some(text.to_owned()), ..StepParams::default() }))
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Step, A::Error> {
        StepParams::deserialize(de::value::MapAccessDeserializer::new(map)).map(Step)
    }
}

impl sandglass_plugin::schemars::JsonSchema for Step {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut sandglass_plugin::schemars::SchemaGenerator) -> sandglass_plugin::schemars::Schema {
        let map = generator.subschema_for::<StepParams>();
        sandglass_plugin::schemars::json_schema!({
            "description": "A command line, or a map.",
            "anyOf": [{ "type": "string" }, map]
        })
    }
}

impl Params {
    /// What there is instead of the command on a platform.
    pub(crate) fn command_of(&self, platform: &str) -> Option<&String> {
        match platform {
            "linux" => self.command_linux.as_ref(),
            "macos" => self.command_macos.as_ref(),
            "windows" => self.command_windows.as_ref(),
            _ => None,
        }
    }

    /// What runs commands and scripts on a platform, if the job says so.
    pub(crate) fn interpreter_of(&self, platform: &str) -> Option<&String> {
        let own = match platform {
            "linux" => self.interpreter_linux.as_ref(),
            "macos" => self.interpreter_macos.as_ref(),
            "windows" => self.interpreter_windows.as_ref(),
            _ => None,
        };
        own.or(self.interpreter.as_ref())
    }

    /// Everything that is wrong, beyond what the types say.
    pub(crate) fn issues(&self) -> Vec<Issue> {
        let mut issues = Vec::new();
        self.check_what(&mut issues);
        let texts = [
            ("/command", &self.command),
            ("/command_linux", &self.command_linux),
            ("/command_macos", &self.command_macos),
            ("/command_windows", &self.command_windows),
            ("/script", &self.script),
        ];
        for (pointer, text) in texts {
            check_text(&mut issues, pointer, text.as_deref());
        }
        let interpreters = [
            ("/interpreter", &self.interpreter),
            ("/interpreter_linux", &self.interpreter_linux),
            ("/interpreter_macos", &self.interpreter_macos),
            ("/interpreter_windows", &self.interpreter_windows),
        ];
        for (pointer, interpreter) in interpreters {
            check_interpreter(&mut issues, pointer, interpreter.as_deref(), self.argv.is_some());
        }
        for (place, pattern) in self.artifacts.iter().enumerate() {
            issues.extend(artifacts::issue(pattern).map(|why| Issue::at(format!("/artifacts/{place}"), why)));
        }
        if let Some(path) = self.script_file.as_deref().filter(|path| !is_absolute(path)) {
            issues.push(Issue::at("/script_file", format!("{path:?} is not an absolute path")));
        }
        check_argv(&mut issues, "/argv", self.argv.as_deref());
        check_codes(&mut issues, "/success_codes", self.success_codes.as_deref());
        check_env(&mut issues, "/env", &self.env);
        for (place, Step(step)) in self.commands.iter().flatten().enumerate() {
            step.check(&mut issues, &format!("/commands/{place}"));
        }
        issues
    }

    fn check_what(&self, issues: &mut Vec<Issue>) {
        const WAYS: &str = "`command`, `script`, `script_file`, `commands` or `argv`";
        let ways = [
            ("/command", self.command.is_some()),
            ("/script", self.script.is_some()),
            ("/script_file", self.script_file.is_some()),
            ("/commands", self.commands.is_some()),
            ("/argv", self.argv.is_some()),
        ];
        let mut given = ways.into_iter().filter(|(_, given)| *given);
        let first = given.next();
        if let Some((second, _)) = given.next() {
            issues.push(Issue::at(second, format!("give one of {WAYS}, not several")));
        }
        let of_platform = [&self.command_linux, &self.command_macos, &self.command_windows];
        if first.is_none() && of_platform.iter().all(|command| command.is_none()) {
            issues.push(Issue::at("", format!("give one of {WAYS}")));
        }
        if !self.args.is_empty() && self.script.is_none() && self.script_file.is_none() {
            issues.push(Issue::at("/args", "arguments go with `script` or `script_file`"));
        }
        match &self.commands {
            Some(commands) if commands.is_empty() => issues.push(Issue::at("/commands", "there is no command")),
            None if self.stop_on_failure.is_some() => {
                issues.push(Issue::at("/stop_on_failure", "this goes with `commands`"));
            }
            _ => {}
        }
    }
}

impl StepParams {
    fn check(&self, issues: &mut Vec<Issue>, at: &str) {
        if self.command.is_some() == self.argv.is_some() {
            issues.push(Issue::at(at, "give either `command` or `argv`"));
        }
        check_text(issues, &format!("{at}/command"), self.command.as_deref());
        check_argv(issues, &format!("{at}/argv"), self.argv.as_deref());
        check_interpreter(issues, &format!("{at}/interpreter"), self.interpreter.as_deref(), self.argv.is_some());
        check_codes(issues, &format!("{at}/success_codes"), self.success_codes.as_deref());
        check_env(issues, &format!("{at}/env"), &self.env);
    }
}

fn is_absolute(path: &str) -> bool {
    path.starts_with('/') || path.get(1..3).is_some_and(|start| start == ":\\")
}

fn check_text(issues: &mut Vec<Issue>, pointer: &str, text: Option<&str>) {
    if text.is_some_and(|text| text.trim().is_empty()) {
        issues.push(Issue::at(pointer, "the command is empty"));
    }
}

fn check_argv(issues: &mut Vec<Issue>, pointer: &str, argv: Option<&[String]>) {
    if argv.is_some_and(|argv| argv.first().is_none_or(String::is_empty)) {
        issues.push(Issue::at(pointer, "the first element names the program"));
    }
}

fn check_interpreter(issues: &mut Vec<Issue>, pointer: &str, interpreter: Option<&str>, useless: bool) {
    let Some(interpreter) = interpreter else { return };
    if useless {
        issues.push(Issue::at(pointer, "an interpreter does not go with `argv`, which names its program itself"));
    } else if let Err(why) = Interpreter::parse(interpreter) {
        issues.push(Issue::at(pointer, why));
    }
}

fn check_codes(issues: &mut Vec<Issue>, pointer: &str, codes: Option<&[i32]>) {
    if codes.is_some_and(<[i32]>::is_empty) {
        issues.push(Issue::at(pointer, "at least one exit code must mean success"));
    }
}

fn check_env(issues: &mut Vec<Issue>, pointer: &str, env: &BTreeMap<String, String>) {
    for name in env.keys().filter(|name| name.is_empty() || name.contains(['=', '\0'])) {
        issues.push(Issue::at(pointer, format!("{name:?} cannot be the name of a variable")));
    }
}
