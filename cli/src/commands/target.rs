//! `target`: machines that jobs deploy to or run commands on.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU16;

use sandglass_api::client::{ClientError, Precondition};
use sandglass_api::problem::Code;
use sandglass_api::wire::TargetResult;
use sandglass_core::id::{SecretName, TargetName};
use sandglass_core::schedule::Warning;
use sandglass_core::spec::list::OneOrMany;
use sandglass_core::target::{
    Account, Address, Auth, EngineSocket, HostKey, LabelName, LabelValue, Platform, Selector, SocketPath, TargetSpec,
};
use serde::Serialize;

use super::calendar::Change;
use super::deletion::Deletion;
use crate::args::Form;
use crate::changes;
use crate::context::Context;
use crate::failure::Failure;
use crate::render;

#[derive(clap::Subcommand, Debug)]
#[command(
    after_help = "`apply` saves targets of files, too: documents that say 'kind: target', or 'targets:' beside 'jobs:'.\n\n\
                  Example:\n  kind: target\n  name: web-1\n  address: 10.0.0.5\n  account: deploy\n  labels: { role: web, zone: eu }\n  \
                  host_key: \"SHA256:…\"     # of that machine: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub\n  \
                  key: DEPLOY_KEY           # a secret: sandglass secret set DEPLOY_KEY --file ~/.ssh/deploy\n  \
                  jump: bastion\n  become: [root]"
)]
pub(crate) enum Command {
    /// List targets
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  sandglass target list --select 'role == web and zone != us'\n  \
                      sandglass target list --select group:db"
    )]
    List {
        /// Only those that this selects: a name, a pattern (web-*), group:NAME, or an expression over labels
        #[arg(long, value_name = "SELECTOR")]
        select: Option<Selector>,
    },
    /// Show a target, and the groups that it is in
    Show {
        /// The target's name
        name: TargetName,
    },
    /// Save a target
    #[command(
        after_help = "Example:\n  sandglass target add web-1 --address 10.0.0.5 --account deploy --key DEPLOY_KEY \\\n    \
                      --host-key \"ssh-ed25519 AAAA…\" --label role=web --label zone=eu --jump bastion"
    )]
    Add(Box<Add>),
    /// Delete targets that no group names and no other target is reached by way of
    #[command(visible_alias = "rm")]
    Delete {
        /// The targets' names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<TargetName>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

#[derive(clap::Args, Debug)]
#[command(group(clap::ArgGroup::new("auth").required(true).args(["key", "agent"])))]
pub(crate) struct Add {
    /// The target's name
    name: TargetName,
    /// Its host name or IP address
    #[arg(long, value_name = "HOST")]
    address: Address,
    /// The TCP port of its SSH server
    #[arg(long, default_value = "22")]
    port: NonZeroU16,
    /// The user name on the machine
    #[arg(long, value_name = "USER")]
    account: Account,
    /// What it runs: linux, macos or windows
    #[arg(long, default_value = "linux", value_parser = platform)]
    platform: Platform,
    /// A key of the machine: SHA256:…, or "ssh-ed25519 AAAA…" as in known_hosts; may be given several times
    #[arg(long = "host-key", required = true, value_name = "KEY")]
    host_keys: Vec<HostKey>,
    /// The secret that holds the private key, in the form of OpenSSH
    #[arg(long, value_name = "SECRET")]
    key: Option<SecretName>,
    /// The secret that holds the passphrase of the key
    #[arg(long, value_name = "SECRET", requires = "key")]
    key_passphrase: Option<SecretName>,
    /// The socket of an agent on the daemon's machine, instead of a key
    #[arg(long, value_name = "SOCKET")]
    agent: Option<SocketPath>,
    /// The target whose machine the connection goes through
    #[arg(long, value_name = "TARGET")]
    jump: Option<TargetName>,
    /// What expressions select it by; may be given several times
    #[arg(long = "label", value_name = "NAME=VALUE", value_parser = label)]
    labels: Vec<(LabelName, LabelValue)>,
    /// An account that a command may switch to with `sudo -n`; may be given several times
    #[arg(long = "become", value_name = "USER")]
    may_become: Vec<Account>,
    /// The socket of its container engine; /var/run/docker.sock if nothing is said
    #[arg(long, value_name = "SOCKET")]
    engine: Option<EngineSocket>,
    /// What the machine is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Replace the target of this name, whatever it was
    #[arg(long)]
    replace: bool,
}

fn platform(text: &str) -> Result<Platform, String> {
    let known = [Platform::Linux, Platform::Macos, Platform::Windows];
    known
        .into_iter()
        .find(|platform| platform.as_str() == text)
        .ok_or_else(|| sandglass_core::spelling::unknown("platform", text, &known.map(Platform::as_str)))
}

fn label(text: &str) -> Result<(LabelName, LabelValue), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("'{text}' has no '=': write NAME=VALUE"))?;
    let name = name.parse().map_err(|error| format!("{error}"))?;
    Ok((name, value.parse().map_err(|error| format!("{error}"))?))
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::List { select } => {
            let page = context.client.targets(select.as_ref()).await?;
            context.show(&page, |context| {
                if page.items.is_empty() {
                    let add = context.command("target add");
                    let none = match select {
                        Some(_) => "no target is selected".to_owned(),
                        None => format!("no targets; save one with {add}, or with `apply` from a file"),
                    };
                    return context.paint.dim(&none) + "\n";
                }
                render::target::list(&page.items, context.form == Form::Wide, context.now, context.paint)
            })
        }
        Command::Show { name } => {
            let target = context.client.target(&name).await?;
            context.show(&target, |context| render::target::show(&target, context.now, context.paint))
        }
        Command::Add(add) => self::add(*add, context).await,
        Command::Delete { names, yes } => {
            let deletion = Deletion::of("target");
            deletion.run(&names, yes, context, async |name| context.client.delete_target(name).await).await
        }
    }
}

async fn add(add: Add, context: &Context) -> Result<(), Failure> {
    let expect = if add.replace { Precondition::Anything } else { Precondition::Absent };
    let spec = spec(add)?;
    let saved =
        context.client.put_target(&spec, expect).await.map_err(|error| there_already(error, "target", &spec.name))?;
    warn(&saved.warnings, &format!("target '{}'", spec.name), context);
    let outcome = Outcome::from(&saved);
    context.show(&saved, |context| render::target::applied(&[outcome], false, context.paint))
}

/// What saving with nothing there expected is refused for, with what to do if something is there.
pub(super) fn there_already(error: ClientError, what: &str, name: &dyn fmt::Display) -> Failure {
    match error {
        ClientError::Refused(mut problem) if problem.is(Code::RevisionConflict) => {
            problem.hint = Some(format!(
                "to put another in its place, say --replace; `sandglass {what} list` shows what there is"
            ));
            problem.detail = format!("{what} '{name}' is there already");
            (*problem).into()
        }
        error => error.into(),
    }
}

fn spec(add: Add) -> Result<TargetSpec, Failure> {
    let auth = match (add.key, add.agent) {
        (Some(secret), _) => Auth::Key { secret, passphrase: add.key_passphrase },
        (None, Some(socket)) => Auth::Agent(socket),
        (None, None) => return Err(Failure::usage("say how to log in: --key SECRET or --agent SOCKET")),
    };
    let Some(host_keys) = OneOrMany::new(add.host_keys) else {
        return Err(Failure::usage("say how the machine is known: --host-key KEY"));
    };
    let count = add.labels.len();
    let labels: BTreeMap<LabelName, LabelValue> = add.labels.into_iter().collect();
    if labels.len() < count {
        return Err(Failure::usage("a label is given twice: say each --label once"));
    }
    Ok(TargetSpec {
        name: add.name,
        description: add.description,
        address: add.address,
        port: add.port,
        account: add.account,
        platform: add.platform,
        labels,
        host_keys,
        auth,
        jump: add.jump,
        may_become: add.may_become,
        engine: add.engine,
    })
}

/// Tells of likely slips.
pub(super) fn warn(warnings: &[Warning], what: &str, context: &Context) {
    for Warning { message, hint, .. } in warnings {
        context.note(&format!("{} {what}: {message}", context.error_paint.yellow("warning:")));
        context.hint(hint);
    }
}

/// What became, or would become, of a target.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) target: TargetName,
    pub(crate) change: Change,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) warnings: Vec<Warning>,
    /// What would change, of a target that is there already.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<changes::Change>,
}

/// What saving targets would come to, field by field.
pub(super) async fn plan(results: &[TargetResult], context: &Context) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for result in results {
        let mut outcome = Outcome::from(result);
        if outcome.change == Change::Changed {
            let saved = context.client.target(&outcome.target).await?;
            outcome.fields = changes::between(&*saved.spec, &*result.target.spec);
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

impl From<&TargetResult> for Outcome {
    fn from(saved: &TargetResult) -> Self {
        let change = Change::of(saved.changed, saved.target.revision);
        Self { target: saved.target.name.clone(), change, warnings: saved.warnings.clone(), fields: Vec::new() }
    }
}
