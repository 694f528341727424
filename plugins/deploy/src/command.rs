//! The action `command`.

use futures_util::future::LocalBoxFuture;
use sandglass_plugin::plan::{Effect, Plan, Planned, Step};
use sandglass_plugin::remote::{Session, Target};
use sandglass_plugin::serde_json::Value;
use sandglass_plugin::{
    Action, Context, Error, Failure, Issue, Outcome, Period, Schemas, Variables, Words, examples, include_json,
    include_schema, params,
};

use crate::change::{Change, Order};
use crate::deployment::{Deployment, Done};
use crate::fault::Fault;
use crate::report::Report;
use crate::rollout::{self, rollout};
use crate::strategy::{Kind, Strategy};
use crate::words::shown;

/// What a job gives.
#[params]
pub(crate) struct Params {
    /// Names, patterns such as "web-*", "group:NAME", or an expression on labels such as "role == web".
    #[schemars(extend("format" = "targets"))]
    targets: Words,
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
    env: Variables,
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
    /// How many targets at once, and when to stop.
    #[serde(default)]
    strategy: Strategy,
}

pub(crate) struct Command;

impl Action for Command {
    const NAME: &'static str = "command";
    const TITLE: &'static str = "Run a command on targets";
    const DESCRIPTION: &'static str = "Runs a command, or several, on targets over SSH; exit codes decide.";
    const SCHEMAS: Option<Schemas> = Some(Schemas {
        params: include_schema!("src/command.params.json"; Kind, Period, Strategy, Words),
        output: Some(include_schema!("src/command.output.json")),
    });
    type Params = Params;
    type Output = Report;

    fn examples() -> Vec<Value> {
        examples(include_json!("src/command.examples.json"))
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
        params.strategy.validate(&params.targets, &mut issues);
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
    fn order(&self, words: &Words) -> Order {
        let success = if self.expected_exit_codes.is_empty() { vec![0] } else { self.expected_exit_codes.clone() };
        Order {
            words: words.clone(),
            env: self.env.0.clone(),
            working_dir: self.working_dir.clone(),
            timeout: self.timeout.map(|timeout| timeout.0),
            success,
        }
    }

    fn all(&self) -> impl Iterator<Item = &Words> {
        self.command.iter().chain(&self.commands)
    }
}

impl Deployment for Params {
    fn apply<'a>(
        &'a self,
        _: &'a Target,
        session: &'a Session,
        done: &'a mut Done,
    ) -> LocalBoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            for (number, words) in self.all().enumerate() {
                let order = self.order(words);
                // One command undoes all of them. What they change, nobody tells. Said before the first runs, as waiting
                // for it may be given up.
                if number == 0 {
                    done.changes.push(Change::Ran { undo: self.undo.as_ref().map(|undo| self.order(undo)) });
                    done.is_changed = true;
                }
                let report = order.run(session, false).await.inspect_err(|_| {
                    if number == 0 {
                        // It was not started.
                        *done = Done::default();
                    }
                })?;
                order.judge(&report)?;
            }
            Ok(())
        })
    }

    fn plan<'a>(&'a self, target: &'a Target, session: &'a Session) -> LocalBoxFuture<'a, Result<Vec<Step>, Fault>> {
        Box::pin(async move {
            // Whether the machine can be reached and lets this account in: who may run commands there may read all.
            session.stat("/bin/sh", false).await?;
            let account = self.account.as_ref().map(|account| format!(" as {account}")).unwrap_or_default();
            let step = |words: &Words| {
                Step::new(Effect::Execute, target.name.as_str(), format!("run '{}'{account}", shown(words)))
            };
            Ok(self.all().map(step).collect())
        })
    }
}
