//! The action `command`.

use std::collections::BTreeMap;

use sandglass_plugin::plan::{Effect, Plan, Planned, Step};
use sandglass_plugin::remote::{ExitReport, Session, Target};
use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::{Action, Context, Error, Failure, Issue, Outcome, Period, Schemas, params};

use crate::deployment::{Deployment, Fault};
use crate::report::Report;
use crate::rollout::{self, rollout};
use crate::strategy::{Kind, Strategy};
use crate::words::{OneOrMany, Words, judge};

/// What a job gives.
#[params]
pub(crate) struct Params {
    /// The targets: names, patterns such as "web-*", "group:NAME", or an expression on labels such as "role == web".
    targets: OneOrMany,
    /// A command line for the targets' shell, or a list of a program and its arguments.
    #[serde(default)]
    command: Option<Words>,
    /// Instead of a command: several, one after the other, until one fails.
    #[serde(default)]
    commands: Vec<Words>,
    /// The account that runs them, by `sudo`, if not the one that logs in.
    #[serde(default)]
    account: Option<String>,
    /// Variables beside the job's environment.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// The folder on the target that they start in.
    #[serde(default)]
    working_dir: Option<String>,
    /// How long each of them may take on a target.
    #[serde(default)]
    timeout: Option<Period>,
    /// Which exit codes mean success; 0 by default.
    #[serde(default)]
    expected_exit_codes: Vec<i32>,
    /// For `transactional`: the command that undoes what was done on a target.
    #[serde(default)]
    undo: Option<Words>,
    /// On which targets at once, and when to stop.
    #[serde(default)]
    strategy: Strategy,
}

pub(crate) struct Command;

impl Action for Command {
    const NAME: &'static str = "command";
    const TITLE: &'static str = "Run a command on targets";
    const DESCRIPTION: &'static str = "Runs a command, or several, on targets over SSH; exit codes decide.";
    const SCHEMAS: Option<Schemas> = Some(Schemas {
        params: include_str!("command.params.json"),
        output: Some(include_str!("command.output.json")),
    });
    type Params = Params;
    type Output = Report;

    fn examples() -> Vec<Value> {
        vec![
            json!({ "targets": "web-*", "command": "systemctl is-active nginx" }),
            json!({
                "targets": "group:web",
                "commands": ["systemctl stop app", "systemctl start app"],
                "account": "root",
                "strategy": { "kind": "rolling", "batch": 2, "pause": "10s", "health_check": "curl -fsS localhost/health" },
            }),
            json!({
                "targets": ["db-1", "db-2"],
                "command": ["/opt/app/migrate", "up"],
                "undo": ["/opt/app/migrate", "down"],
                "strategy": { "kind": "transactional" },
            }),
        ]
    }

    fn validate(params: &Params) -> Vec<Issue> {
        let mut issues = Vec::new();
        let mut issue = |pointer: &str, message: &str| {
            issues.push(Issue { pointer: pointer.to_owned(), message: message.to_owned() });
        };
        if params.command.is_some() != params.commands.is_empty() {
            issue("/command", "write either `command`, or `commands` with at least one");
        }
        let all = params.command.iter().chain(&params.commands).chain(&params.undo);
        if all.into_iter().any(Words::is_empty) {
            issue("/command", "the command is empty");
        }
        if params.undo.is_some() && params.strategy.kind != Kind::Transactional {
            issue("/undo", "only `transactional` undoes: write `strategy: {kind: transactional}`, or leave it out");
        }
        if params.undo.is_none() && params.strategy.kind == Kind::Transactional {
            issue("/undo", "a transaction of commands needs the command that undoes them");
        }
        params.strategy.validate(&mut issues);
        issues
    }

    fn run(params: Params, context: &Context) -> Result<Outcome<Report>, Failure> {
        let targets = params.targets.clone().into_vec();
        rollout(&params, &targets, params.account.as_deref(), &params.strategy, context)
    }
}

impl Plan for Command {
    fn plan(params: Params, _: &Context) -> Result<Planned, Error> {
        rollout::plan(&params, &params.targets.clone().into_vec(), params.account.as_deref(), &params.strategy)
    }
}

impl Params {
    async fn execute(&self, session: &Session, words: &Words, undoing: bool) -> Result<ExitReport, Error> {
        let mut command = words.command();
        for (name, value) in &self.env {
            command = command.env(name, value);
        }
        if let Some(dir) = &self.working_dir {
            command = command.current_dir(dir);
        }
        if let Some(timeout) = self.timeout {
            command = command.timeout(timeout.0);
        }
        if undoing {
            command = command.despite_stop();
        }
        session.run(&command).await
    }

    fn judge(&self, words: &Words, report: &ExitReport) -> Result<(), Fault> {
        let success = if self.expected_exit_codes.is_empty() { &[0][..] } else { &self.expected_exit_codes };
        judge(&words.shown(), report, success)
    }
}

impl Deployment for Params {
    /// Whether anything was begun.
    type Kept = bool;

    async fn apply(&self, _: &Target, session: &Session, kept: &mut bool, changed: &mut bool) -> Result<(), Fault> {
        for words in self.command.iter().chain(&self.commands) {
            let before = (*kept, *changed);
            // What a command changes, nobody tells. Said before it runs, as waiting for it may be given up.
            (*kept, *changed) = (true, true);
            match self.execute(session, words, false).await {
                Ok(report) => self.judge(words, &report)?,
                Err(error) => {
                    // It was not started.
                    (*kept, *changed) = before;
                    return Err(error.into());
                }
            }
        }
        Ok(())
    }

    async fn plan(&self, target: &Target, _: &Session) -> Result<Vec<Step>, Fault> {
        let account = self.account.as_ref().map(|account| format!(" as {account}")).unwrap_or_default();
        let all = self.command.iter().chain(&self.commands);
        let step = |words: &Words| {
            Step::new(Effect::Execute, target.name.as_str(), format!("run '{}'{account}", words.shown()))
        };
        Ok(all.map(step).collect())
    }

    async fn undo(&self, _: &Target, session: &Session, kept: bool) -> Result<(), Fault> {
        match &self.undo {
            _ if !kept => Ok(()),
            Some(words) => self.judge(words, &self.execute(session, words, true).await?),
            None => Err(Fault::new("the job has no `undo`")),
        }
    }

    async fn settle(&self, _: &Target, _: &Session, _: bool) -> Result<(), Fault> {
        Ok(())
    }
}
