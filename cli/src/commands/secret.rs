//! `secret`: values that jobs use and nobody sees.

use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sandglass_api::problem::{Code, Problem};
use sandglass_api::wire::SecretRequest;
use sandglass_core::id::SecretName;
use sandglass_core::secret::{MAX_VALUE_BYTES, SHORTEST_MASKED};
use zeroize::Zeroizing;

use super::deletion::Deletion;
use crate::args::Form;
use crate::context::Context;
use crate::failure::Failure;
use crate::render;

#[derive(clap::Subcommand, Debug)]
#[command(
    after_help = "A job uses a secret in a template, as in `Authorization: \"Bearer {{ secret.API_TOKEN }}\"`, or lists it \
                  under `secrets:`; its processes then have it in an environment variable of its name.\n\n\
                  Examples:\n  sandglass secret set API_TOKEN\n  sandglass secret set DB_PASSWORD < password.txt\n  \
                  sandglass secret set WEBHOOK_TOKEN --host hooks.example.com\n  sandglass secret rollback API_TOKEN 3"
)]
pub(crate) enum Command {
    /// List secrets, without their values
    #[command(visible_alias = "ls")]
    List,
    /// Show a secret's versions and who uses it, without its value
    Show {
        /// The secret's name
        name: SecretName,
    },
    /// Set a secret: from standard input, a file, or asked for on the terminal
    ///
    /// The value is never taken from the command line, which every user of the machine can read. One line break at its end
    /// is left out unless it comes from a file.
    Set(Set),
    /// Make the value of an earlier version the newest again
    Rollback {
        /// The secret's name
        name: SecretName,
        /// The version, as `secret show` lists them
        #[arg(value_name = "VERSION")]
        number: u64,
    },
    /// Delete secrets that nothing uses
    #[command(visible_alias = "rm")]
    Delete {
        /// The secrets' names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<SecretName>,
        /// Also those that jobs use, whose runs will fail
        #[arg(long)]
        force: bool,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Seal all secrets of all namespaces with a new key, and forget the old one
    RotateKeys,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Set {
    /// The secret's name: letters, digits and '_'
    name: SecretName,
    /// Take the value from this file, byte for byte
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Limit it to requests to this host; *.example.com is every name below; may be given several times. No process gets it then
    #[arg(long = "host", value_name = "HOST")]
    hosts: Vec<String>,
    /// Lift the limit to hosts
    #[arg(long, conflicts_with = "hosts")]
    any_host: bool,
    /// Leave the value as it is and change the hosts alone
    #[arg(long, conflicts_with = "file")]
    keep_value: bool,
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::List => {
            let page = context.client.secrets().await?;
            context.show(&page, |context| {
                if page.items.is_empty() {
                    let set = context.command("secret set NAME");
                    return context.paint.dim(&format!("no secrets; set one with {set}")) + "\n";
                }
                let wide = context.form == Form::Wide;
                render::secret::list(&page.items, wide, context.now, context.paint)
            })
        }
        Command::Show { name } => {
            let secret = context.client.secret(&name).await?;
            context.show(&secret, |context| render::secret::show(&secret, context.now, context.paint))
        }
        Command::Set(set) => self::set(set, context).await,
        Command::Rollback { name, number } => {
            let secret = context.client.roll_back_secret(&name, number).await?;
            context.show(&secret, |_| {
                format!("secret {name} has the value of version {number} again, as version {}\n", secret.version)
            })
        }
        Command::Delete { names, force, yes } => {
            let deletion = Deletion { before: " with all versions?", ..Deletion::of("secret") };
            deletion.run(&names, yes, context, async |name| context.client.delete_secret(name, force).await).await
        }
        Command::RotateKeys => {
            let rotated = context.client.rotate_secret_keys().await?;
            context.show(&rotated, |_| {
                let (secrets, versions) = (rotated.secrets, rotated.versions);
                format!(
                    "{secrets} secrets with {versions} versions are sealed with a new key; the old one is forgotten\n"
                )
            })
        }
    }
}

async fn set(set: Set, context: &Context) -> Result<(), Failure> {
    let Set { name, file, hosts, any_host, keep_value } = set;
    let hosts = (any_host || !hosts.is_empty()).then_some(hosts);
    if keep_value && hosts.is_none() {
        return Err(Failure::usage("--keep-value goes with --host or --any-host: there is nothing else to change"));
    }
    let value = if keep_value { None } else { Some(value(&name, file.as_deref())?) };
    if value.as_ref().is_some_and(|value| value.len() < SHORTEST_MASKED) {
        let warning = context.error_paint.yellow("warning:");
        context.note(&format!(
            "{warning} a value of fewer than {SHORTEST_MASKED} bytes is not masked where a run prints it"
        ));
    }
    let request = SecretRequest { value: None, base64: value.map(|value| BASE64_STANDARD.encode(&*value)), hosts };
    let secret = context.client.set_secret(&name, &request).await?;
    context.show(&secret, |_| match keep_value {
        true => format!("secret {name} keeps its value and {}\n", render::secret::limit(&secret)),
        false => format!("secret {name} is set: version {}, {}\n", secret.version, render::secret::limit(&secret)),
    })
}

/// The value: of a file as it is, else a text without the line break at its end.
fn value(name: &SecretName, file: Option<&Path>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let limit = MAX_VALUE_BYTES as u64 + 2;
    let read = |source: &mut dyn io::Read| {
        // Room for all of it at once: what outgrows its place would leave a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MAX_VALUE_BYTES + 2));
        source.take(limit).read_to_end(&mut bytes).map(|_| bytes)
    };
    let value = if let Some(path) = file {
        let opened = std::fs::File::open(path).and_then(|mut file| read(&mut file));
        opened.map_err(|error| Failure::io(&format!("cannot read {}", path.display()), error))?
    } else if io::stdin().is_terminal() {
        let asked = rpassword::prompt_password(format!("Value of {name} (not shown): "));
        Zeroizing::new(asked.map_err(|error| Failure::io("cannot ask for the value", error))?.into_bytes())
    } else {
        let mut bytes = read(&mut io::stdin().lock()).map_err(|error| Failure::io("cannot read the value", error))?;
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        bytes
    };
    if value.is_empty() {
        let problem = Problem::new(Code::InvalidSecret, "the value is empty");
        return Err(problem.with_hint("pipe it in, or run the command on a terminal, which asks for it").into());
    }
    Ok(value)
}
