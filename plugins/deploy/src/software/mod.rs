//! The action `software`.

mod packages;
mod provide;
mod recipe;

use std::collections::BTreeMap;

use sandglass_plugin::plan::{Plan, Planned};
use sandglass_plugin::schemars::{self, JsonSchema};
use sandglass_plugin::serde::{self, Deserialize};
use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::{Action, Context, Error, Failure, Issue, Outcome, Period, Schemas, params};

use self::provide::Provided;
use self::recipe::{Manager, Recipe};
use crate::report::Report;
use crate::rollout::{self, rollout};
use crate::strategy::{Kind, Strategy};
use crate::words::{OneOrMany, Words};

/// What a job gives.
#[params]
pub(crate) struct Params {
    /// The targets: names, patterns such as "web-*", "group:NAME", or an expression on labels such as "role == web".
    targets: OneOrMany,
    /// `present` (by default) or `absent`.
    #[serde(default)]
    state: Wanted,
    /// Packages of the targets' package manager: names, or `NAME=VERSION`, in which `*` stands for anything.
    #[serde(default)]
    packages: Vec<String>,
    /// The package manager; the one that a target has by default.
    #[serde(default)]
    manager: Option<Manager>,
    /// Whether the package manager fetches its lists before it installs anything.
    #[serde(default)]
    refresh: bool,
    /// A file that is brought to the targets: a package (`.deb`, `.rpm`), or what the steps use as `$ARTIFACT`. A whole path in
    /// a folder that the job is granted, or a path in the run's own folder.
    #[serde(default)]
    artifact: Option<String>,
    /// A command that succeeds where the software is as it should be: then nothing else is done.
    #[serde(default)]
    check: Option<Words>,
    /// The command that installs it.
    #[serde(default)]
    install: Option<Words>,
    /// A command that must succeed afterwards; `check` by default.
    #[serde(default)]
    verify: Option<Words>,
    /// The command that removes it, for `state: absent` and for undoing.
    #[serde(default)]
    remove: Option<Words>,
    /// What holds instead for targets of a platform: `linux`, `macos`, `windows`, `freebsd`.
    #[serde(default)]
    platforms: BTreeMap<String, Recipe>,
    /// The account that does it, by `sudo`, if not the one that logs in.
    #[serde(default)]
    account: Option<String>,
    /// How long each step may take on a target.
    #[serde(default)]
    timeout: Option<Period>,
    /// On which targets at once, and when to stop.
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
        params: include_str!("../software.params.json"),
        output: Some(include_str!("../software.output.json")),
    });
    type Params = Params;
    type Output = Report;

    fn examples() -> Vec<Value> {
        vec![
            json!({ "targets": "group:web", "packages": ["nginx", "curl"], "account": "root" }),
            json!({
                "targets": "web-*",
                "artifact": "/srv/builds/agent.deb",
                "account": "root",
                "strategy": { "kind": "rolling", "health_check": "systemctl is-active agent" },
            }),
            json!({
                "targets": ["db-1", "db-2"],
                "artifact": "/srv/builds/tool.tar.gz",
                "check": "/opt/tool/bin/tool --version | grep -qx 'tool 2.1'",
                "install": "mkdir -p /opt/tool && tar -xzf \"$ARTIFACT\" -C /opt/tool",
                "remove": "rm -rf /opt/tool",
                "strategy": { "kind": "transactional" },
            }),
        ]
    }

    fn validate(params: &Params) -> Vec<Issue> {
        let mut issues = Vec::new();
        let (is_absent, is_undone) = (params.state == Wanted::Absent, params.strategy.kind == Kind::Transactional);
        let usual = params.usual();
        if usual != Recipe::default() || params.platforms.is_empty() {
            usual.validate("", is_absent, is_undone, &mut issues);
        }
        for (platform, recipe) in &params.platforms {
            if !["linux", "macos", "windows", "freebsd"].contains(&platform.as_str()) {
                let message = "targets have one of the platforms linux, macos, windows and freebsd".to_owned();
                issues.push(Issue { pointer: format!("/platforms/{platform}"), message });
            }
            recipe.validate(&format!("/platforms/{platform}"), is_absent, is_undone, &mut issues);
        }
        params.strategy.validate(&mut issues);
        issues
    }

    fn run(params: Params, context: &Context) -> Result<Outcome<Report>, Failure> {
        let targets = params.targets.clone().into_vec();
        rollout(&params.provided(context), &targets, params.account.as_deref(), &params.strategy, context)
    }
}

impl Plan for Software {
    fn plan(params: Params, context: &Context) -> Result<Planned, Error> {
        let targets = params.targets.clone().into_vec();
        rollout::plan(&params.provided(context), &targets, params.account.as_deref(), &params.strategy)
    }
}

impl Params {
    /// What holds for targets whose platform has nothing of its own.
    fn usual(&self) -> Recipe {
        Recipe {
            packages: self.packages.clone(),
            manager: self.manager,
            refresh: self.refresh,
            artifact: self.artifact.clone(),
            check: self.check.clone(),
            install: self.install.clone(),
            verify: self.verify.clone(),
            remove: self.remove.clone(),
        }
    }

    fn provided(&self, context: &Context) -> Provided {
        Provided {
            usual: self.usual(),
            platforms: self.platforms.clone(),
            is_absent: self.state == Wanted::Absent,
            timeout: self.timeout.map(|timeout| timeout.0),
            run: context.run().run_id.clone(),
        }
    }
}
