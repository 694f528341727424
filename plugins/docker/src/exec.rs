//! The action `exec`.

use std::collections::BTreeMap;

use sandglass_plugin::docker::{ContainerCommand, Input};
use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::{Action, Context, Failure, Issue, Outcome, Period, Schemas, include_schema, output, params};

use crate::ending;

/// A command in a container that is there.
#[params]
pub(crate) struct Params {
    /// The container's name.
    pub(crate) container: String,
    /// The target whose engine has it, over SSH; by default, the operator's engine does.
    #[serde(default)]
    #[schemars(extend("format" = "target"))]
    pub(crate) target: Option<String>,
    /// The account on the target that uses its engine, by `sudo -n`; by default, the one that logs in.
    #[serde(default)]
    pub(crate) account: Option<String>,
    /// A command line, which the container's `sh` runs.
    #[serde(default)]
    pub(crate) command: Option<String>,
    /// Instead of a command line: a program and its arguments, passed on exactly as they are.
    #[serde(default)]
    pub(crate) argv: Vec<String>,
    /// Variables beside those of the job and the container.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// Works in this folder of the container.
    #[serde(default)]
    pub(crate) workdir: Option<String>,
    /// Works as this user.
    #[serde(default)]
    pub(crate) user: Option<String>,
    /// What the command reads on standard input; nothing by default.
    #[serde(default)]
    pub(crate) stdin: Option<String>,
    /// The exit codes that mean success; 0 by default.
    #[serde(default)]
    pub(crate) success_codes: Option<Vec<i32>>,
    /// Ends the command after this time; by default, the job's timeout does.
    #[serde(default)]
    pub(crate) timeout: Option<Period>,
    /// Between the polite signal and the kill; by default, the job's.
    #[serde(default)]
    pub(crate) grace: Option<Period>,
}

/// What the run keeps.
#[output]
pub(crate) struct Output {
    /// The exit code of the command.
    exit_code: i32,
}

pub(crate) struct Exec;

impl Action for Exec {
    const NAME: &'static str = "exec";
    const TITLE: &'static str = "Run a command in a container";
    const DESCRIPTION: &'static str =
        "Runs a command in a container that somebody else started; its exit code decides.";
    const SCHEMAS: Option<Schemas> = Some(Schemas {
        params: include_schema!("src/exec.params.json"),
        output: Some(include_schema!("src/exec.output.json")),
    });
    type Params = Params;
    type Output = Output;

    fn examples() -> Vec<Value> {
        vec![json!({ "container": "orders-db", "argv": ["vacuumdb", "--all"], "user": "postgres" })]
    }

    fn validate(params: &Params) -> Vec<Issue> {
        params.issues()
    }

    fn run(params: Params, _: &Context) -> Result<Outcome<Output>, Failure> {
        let report = params.command().execute()?;
        let codes = params.success_codes.as_deref().unwrap_or(&[0]);
        let exit_code = ending::judge(&report, "the command", codes, false)?;
        Ok(Outcome::output(Output { exit_code }).with_summary(format!("exit code {exit_code}")))
    }
}

impl Params {
    /// Everything that is wrong, beyond what the types say.
    pub(crate) fn issues(&self) -> Vec<Issue> {
        let mut issues = Vec::new();
        if self.container.is_empty() {
            issues.push(Issue::at("/container", "expected the name of a container"));
        }
        match (&self.command, self.argv.first()) {
            (Some(_), Some(_)) => issues.push(Issue::at("/argv", "give either `command` or `argv`, not both")),
            (Some(command), None) if command.trim().is_empty() => {
                issues.push(Issue::at("/command", "the command is empty"));
            }
            (None, None) => issues.push(Issue::at("", "give `command` or `argv`")),
            (None, Some(program)) if program.is_empty() => {
                issues.push(Issue::at("/argv", "the first element names the program"));
            }
            _ => {}
        }
        ending::check_place(&mut issues, self.target.as_ref(), self.account.as_ref());
        ending::check_names(&mut issues, "/env", self.env.keys());
        ending::check_codes(&mut issues, self.success_codes.as_deref());
        issues
    }

    fn command(&self) -> ContainerCommand {
        let argv = ending::words(self.command.as_deref(), &self.argv);
        let mut command = ContainerCommand::new(self.container.clone(), argv);
        if let Some(place) = ending::place(self.target.as_ref(), self.account.as_ref()) {
            command = command.at(place);
        }
        for (name, value) in &self.env {
            command = command.env(name, value);
        }
        if let Some(folder) = &self.workdir {
            command = command.workdir(folder);
        }
        if let Some(user) = &self.user {
            command = command.user(user);
        }
        if let Some(text) = &self.stdin {
            command = command.input(Input::Bytes(text.as_bytes().to_vec()));
        }
        if let Some(Period(timeout)) = self.timeout {
            command = command.timeout(timeout);
        }
        match self.grace {
            Some(Period(grace)) => command.grace(grace),
            None => command,
        }
    }
}
