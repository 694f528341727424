//! The action `software`.

pub(crate) mod packages;
mod provide;
mod recipe;

use sandglass_plugin::plan::{Plan, Planned};
use sandglass_plugin::schemars::{self, JsonSchema};
use sandglass_plugin::serde::{self, Deserialize};
use sandglass_plugin::serde_json::Value;
use sandglass_plugin::{
    Action, Context, Error, Failure, Issue, Outcome, Period, Schemas, Words, examples, include_json, include_schema,
    params,
};

use self::provide::Provided;
use self::recipe::{Platforms, Recipe};
use crate::report::Report;
use crate::rollout::{self, rollout};
use crate::strategy::{Kind, Strategy};

/// What a job gives.
#[params]
pub(crate) struct Params {
    /// Names, patterns such as "web-*", "group:NAME", or an expression on labels such as "role == web".
    #[schemars(extend("format" = "targets"))]
    targets: Words,
    /// `present` (by default) or `absent`.
    #[serde(default)]
    state: Wanted,
    /// How it gets there.
    #[serde(default)]
    software: Option<Recipe>,
    /// What holds instead for targets of a platform.
    #[serde(default)]
    platforms: Platforms,
    /// The account that does it, by `sudo`, if not the one that logs in.
    #[serde(default)]
    account: Option<String>,
    /// How long each step may take on a target.
    #[serde(default)]
    timeout: Option<Period>,
    /// How many targets at once, and when to stop.
    #[serde(default)]
    strategy: Strategy,
}

/// How the software should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(crate = "self::serde", rename_all = "snake_case")]
#[schemars(crate = "self::schemars")]
enum Wanted {
    /// There.
    #[default]
    Present,
    /// Not there.
    Absent,
}

pub(crate) struct Software;

impl Action for Software {
    const NAME: &'static str = "software";
    const TITLE: &'static str = "Install software on targets";
    const DESCRIPTION: &'static str = "Installs or removes packages, a file of one, or what steps of your own install, on machines over SSH; what is \
                                       there already is left alone.";
    const SCHEMAS: Option<Schemas> = Some(Schemas {
        params: include_schema!("src/software.params.json"; Kind, Period, Strategy, Words),
        output: Some(include_schema!("src/software.output.json")),
    });
    type Params = Params;
    type Output = Report;

    fn examples() -> Vec<Value> {
        examples(include_json!("src/software.examples.json"))
    }

    fn validate(params: &Params) -> Vec<Issue> {
        let mut issues = Vec::new();
        let (is_absent, is_undone) = (params.state == Wanted::Absent, params.strategy.kind == Kind::Transactional);
        match &params.software {
            Some(usual) => usual.validate("/software", is_absent, is_undone, &mut issues),
            None if params.platforms.all().next().is_none() => issues.push(Issue::at("/software", "write what it is")),
            None => {}
        }
        for (platform, recipe) in params.platforms.all() {
            recipe.validate(&format!("/platforms/{platform}"), is_absent, is_undone, &mut issues);
        }
        params.strategy.validate(&params.targets, &mut issues);
        issues
    }

    fn run(params: Params, context: &Context) -> Result<Outcome<Report>, Failure> {
        let targets = params.targets.clone().into_vec();
        rollout(&params.provided(), &targets, params.account.as_deref(), &params.strategy, context)
    }
}

impl Plan for Software {
    fn plan(params: Params, _: &Context) -> Result<Planned, Error> {
        let targets = params.targets.clone().into_vec();
        rollout::plan(&params.provided(), &targets, params.account.as_deref(), &params.strategy)
    }
}

impl Params {
    fn provided(&self) -> Provided {
        Provided {
            usual: self.software.clone(),
            platforms: self.platforms.clone(),
            is_absent: self.state == Wanted::Absent,
            timeout: self.timeout.map(|timeout| timeout.0),
        }
    }
}
