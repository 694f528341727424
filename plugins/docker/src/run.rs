//! The action `run`.

use std::collections::BTreeMap;

use sandglass_plugin::docker::{Container, Credentials, Input, Place, PullPolicy, pull};
use sandglass_plugin::serde_json::{Value, json};
use sandglass_plugin::{
    Action, Context, Failure, Issue, Outcome, Period, Schemas, Words, include_schema, output, params,
};

use crate::ending;
use crate::mount::{self, Mount};
use crate::size::Size;

/// An image, and how its container is run.
#[params]
pub(crate) struct Params {
    /// The image, such as postgres:16, or pinned by a digest.
    pub(crate) image: String,
    /// The target whose engine runs it, over SSH; by default, the operator's engine does.
    #[serde(default)]
    #[schemars(extend("format" = "target"))]
    pub(crate) target: Option<String>,
    /// The account on the target that uses its engine, by `sudo -n`; by default, the one that logs in.
    #[serde(default)]
    pub(crate) account: Option<String>,
    /// When the image is fetched: `missing` (the default), `always` or `never`.
    #[serde(default)]
    #[schemars(extend("enum" = ["missing", "always", "never", null]))]
    pub(crate) pull: Option<String>,
    /// Who the image's registry is told that we are.
    #[serde(default)]
    pub(crate) registry: Option<Registry>,
    /// A command line, which the image's `sh` runs.
    #[serde(default)]
    pub(crate) command: Option<String>,
    /// Instead of a command line: arguments, passed on exactly as they are.
    #[serde(default)]
    pub(crate) args: Vec<String>,
    /// Instead of the image's entry point.
    #[serde(default)]
    pub(crate) entrypoint: Option<Words>,
    /// Variables beside those of the job and the image.
    #[serde(default)]
    pub(crate) env: BTreeMap<String, String>,
    /// Folders that the job's grants name, and volumes of the engine, and where they are in the container.
    #[serde(default)]
    pub(crate) mounts: Vec<Mount>,
    /// Where the container has memory for files: PATH, or PATH:SIZE.
    #[serde(default)]
    pub(crate) tmpfs: Vec<String>,
    /// Works in this folder of the container.
    #[serde(default)]
    pub(crate) workdir: Option<String>,
    /// Works as this user: a name or a number, with a group after a colon or without.
    #[serde(default)]
    pub(crate) user: Option<String>,
    /// `none`, `bridge`, or a network that the engine has.
    #[serde(default)]
    pub(crate) network: Option<String>,
    /// The most of the processors, such as 1.5.
    #[serde(default)]
    #[schemars(range(min = 0.001, max = 4096.0))]
    pub(crate) cpus: Option<f64>,
    /// The most memory.
    #[serde(default)]
    pub(crate) memory: Option<Size>,
    /// The most processes and threads.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub(crate) processes: Option<u32>,
    /// Labels of the container.
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    /// What the container reads on standard input; nothing by default.
    #[serde(default)]
    pub(crate) stdin: Option<String>,
    /// The exit codes that mean success; 0 by default.
    #[serde(default)]
    pub(crate) success_codes: Option<Vec<i32>>,
    /// Ends the container after this time; by default, the job's timeout does.
    #[serde(default)]
    pub(crate) timeout: Option<Period>,
    /// Between the polite signal and the kill; by default, the job's.
    #[serde(default)]
    pub(crate) grace: Option<Period>,
}

/// A user of a registry.
#[params]
pub(crate) struct Registry {
    /// The user.
    pub(crate) username: String,
    /// The password or token, as in "{{ secret.REGISTRY_TOKEN }}".
    pub(crate) password: String,
}

/// What the run keeps.
#[output]
pub(crate) struct Output {
    /// The exit code of the container.
    exit_code: i32,
    /// The id of its image.
    image: String,
    /// The digest that the image's registry knows it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
}

pub(crate) struct Run;

impl Action for Run {
    const NAME: &'static str = "run";
    const TITLE: &'static str = "Run a container";
    const DESCRIPTION: &'static str =
        "Runs an image in a container that is removed at its end; its exit code decides. Nothing of it is left.";
    const SCHEMAS: Option<Schemas> = Some(Schemas {
        params: include_schema!("src/run.params.json"),
        output: Some(include_schema!("src/run.output.json")),
    });
    type Params = Params;
    type Output = Output;

    fn examples() -> Vec<Value> {
        vec![
            json!({ "image": "alpine:3", "command": "echo $HOME" }),
            json!({
                "image": "postgres:16", "args": ["pg_dump", "orders", "-f", "/out/orders.sql"],
                "mounts": ["/srv/dumps:/out", "orders-cache:/cache"], "network": "database", "memory": "512MiB", "cpus": 1.5
            }),
            json!({
                "image": "ghcr.io/acme/report:2", "pull": "always",
                "registry": { "username": "acme", "password": "{{ secret.REGISTRY_TOKEN }}" }
            }),
            json!({ "image": "alpine:3", "command": "df -h", "target": "web-1" }),
        ]
    }

    fn validate(params: &Params) -> Vec<Issue> {
        params.issues()
    }

    fn run(params: Params, _: &Context) -> Result<Outcome<Output>, Failure> {
        let credentials = params
            .registry
            .as_ref()
            .map(|registry| Credentials { username: registry.username.clone(), password: registry.password.clone() });
        let (policy, place) = (params.policy().unwrap_or(PullPolicy::Missing), params.place());
        let image = pull(&params.image, policy, credentials.as_ref(), place.as_ref())?;
        let report = params.container().execute()?;
        let codes = params.success_codes.as_deref().unwrap_or(&[0]);
        let exit_code = ending::judge(&report, "the container", codes, params.memory.is_some())?;
        let output = Output { exit_code, image: image.id, digest: image.digest };
        Ok(Outcome::output(output).with_summary(format!("exit code {exit_code}")))
    }
}

impl Params {
    /// Where it runs, if not on the operator's engine.
    pub(crate) fn place(&self) -> Option<Place> {
        ending::place(self.target.as_ref(), self.account.as_ref())
    }

    pub(crate) fn policy(&self) -> Option<PullPolicy> {
        match self.pull.as_deref() {
            None | Some("missing") => Some(PullPolicy::Missing),
            Some("always") => Some(PullPolicy::Always),
            Some("never") => Some(PullPolicy::Never),
            Some(_) => None,
        }
    }

    /// Everything that is wrong, beyond what the types say.
    pub(crate) fn issues(&self) -> Vec<Issue> {
        let mut issues = Vec::new();
        if self.image.is_empty() || self.image.contains(char::is_whitespace) {
            issues.push(Issue::at("/image", "expected an image, such as postgres:16"));
        }
        if self.policy().is_none() {
            issues.push(Issue::at("/pull", "expected missing, always or never"));
        }
        if self.command.is_some() && !self.args.is_empty() {
            issues.push(Issue::at("/args", "give either `command` or `args`, not both"));
        }
        if self.command.as_ref().is_some_and(|command| command.trim().is_empty()) {
            issues.push(Issue::at("/command", "the command is empty"));
        }
        if self.cpus.is_some_and(|cpus| !(0.001..=4096.0).contains(&cpus)) {
            issues.push(Issue::at("/cpus", "expected a number of processors from 0.001 to 4096"));
        }
        if self.processes == Some(0) {
            issues.push(Issue::at("/processes", "at least one process must be allowed"));
        }
        for (place, mount) in self.mounts.iter().enumerate() {
            issues.extend(mount.problem().map(|why| Issue::at(format!("/mounts/{place}"), why)));
        }
        for (place, text) in self.tmpfs.iter().enumerate() {
            issues.extend(mount::tmpfs(text).err().map(|why| Issue::at(format!("/tmpfs/{place}"), why)));
        }
        ending::check_place(&mut issues, self.target.as_ref(), self.account.as_ref());
        ending::check_names(&mut issues, "/env", self.env.keys());
        ending::check_names(&mut issues, "/labels", self.labels.keys());
        ending::check_codes(&mut issues, self.success_codes.as_deref());
        issues
    }

    fn container(&self) -> Container {
        let mut container = Container::new(self.image.clone()).args(ending::words(self.command.as_deref(), &self.args));
        if let Some(place) = self.place() {
            container = container.at(place);
        }
        if let Some(words) = self.entrypoint.clone() {
            container = container.entrypoint(words.into_vec());
        }
        for (name, value) in &self.env {
            container = container.env(name, value);
        }
        for mount in &self.mounts {
            container = mount.into(container);
        }
        for (target, bytes) in self.tmpfs.iter().filter_map(|text| mount::tmpfs(text).ok()) {
            container = container.tmpfs(target, bytes);
        }
        for (name, value) in &self.labels {
            container = container.label(name, value);
        }
        if let Some(folder) = &self.workdir {
            container = container.workdir(folder);
        }
        if let Some(user) = &self.user {
            container = container.user(user);
        }
        if let Some(network) = &self.network {
            container = container.network(network);
        }
        self.limited(container)
    }

    fn limited(&self, mut container: Container) -> Container {
        if let Some(cpus) = self.cpus {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies within the bounds")]
            let millis = (cpus * 1000.0) as u32;
            container = container.cpu_millis(millis);
        }
        if let Some(Size(bytes)) = self.memory {
            container = container.memory(bytes);
        }
        if let Some(most) = self.processes {
            container = container.processes(most);
        }
        if let Some(text) = &self.stdin {
            container = container.input(Input::Bytes(text.as_bytes().to_vec()));
        }
        if let Some(Period(timeout)) = self.timeout {
            container = container.timeout(timeout);
        }
        match self.grace {
            Some(Period(grace)) => container.grace(grace),
            None => container,
        }
    }
}
