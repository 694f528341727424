//! `namespace`: what concerns all jobs of a namespace.

use std::path::PathBuf;
use std::sync::Arc;

use sandglass_api::client::ClientError;
use sandglass_api::jobfile;
use sandglass_api::problem::Code;
use sandglass_api::wire::NotifyResult;
use sandglass_core::spec::Notifiers;
use serde::Serialize;

use super::confirm::confirm;
use super::files::{self, SourcedNotify};
use crate::context::{Context, print, print_json};
use crate::failure::Failure;
use crate::render;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Show, save and delete the notifiers that tell of all jobs of the namespace
    #[command(subcommand)]
    Notify(Notify),
}

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Notify {
    /// Show the notifiers of the namespace
    Show,
    /// Save the notifiers of a file in the place of those there are
    #[command(
        after_help = "A file holds a list of notifiers, or 'notify:'; `apply` takes the last beside 'jobs:'.\n\n\
                            Example:\n  notify:\n    - on: [failed, timed_out, recovered, {late: 10m}]\n      use: http\n      \
                            with: { url: \"https://chat.example.com/hook\", method: POST, json: { text: \"{{ notification.summary }}\" } }"
    )]
    Set {
        /// A file in YAML, TOML or JSON, or - for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Say whether something would change, and change nothing
        #[arg(long)]
        dry_run: bool,
    },
    /// Delete the notifiers of the namespace
    #[command(visible_alias = "rm")]
    Delete {
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    let Command::Notify(command) = command;
    match command {
        Notify::Show => {
            let notify = context.client.notify().await?;
            context.show(&notify, |context| render::notify::show(&notify, context.now, context.paint))
        }
        Notify::Set { file, dry_run } => {
            let sourced = read(&file)?;
            let outcome = plan(Some(&sourced), context).await?;
            let outcome = if dry_run {
                outcome
            } else {
                let saved = context.client.put_notify(&sourced.notify.notify, false).await?;
                Some(Outcome::from(&saved))
            };
            context.show(&outcome, |context| render::notify::applied(outcome.as_ref(), dry_run, context.paint))
        }
        Notify::Delete { yes } => {
            let namespace = context.client.namespace();
            confirm(&format!("Delete the notifiers of namespace '{namespace}'?"), yes, "nothing was deleted")?;
            context.client.delete_notify().await?;
            if context.is_json() {
                return print_json(&serde_json::json!({ "deleted": true }));
            }
            print(&format!("the notifiers of namespace '{namespace}' are deleted\n"))
        }
    }
}

fn read(file: &std::path::Path) -> Result<SourcedNotify, Failure> {
    let (text, source, format) = files::content(file)?;
    let notify = jobfile::read_notify(&text, format, &source).map_err(Failure::JobFiles)?;
    Ok(SourcedNotify { source, text: text.into(), notify })
}

/// What became, or would become, of the notifiers of the namespace.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) changed: bool,
    pub(crate) notifiers: Arc<Notifiers>,
}

impl From<&NotifyResult> for Outcome {
    fn from(result: &NotifyResult) -> Self {
        Self { changed: result.changed, notifiers: Arc::clone(&result.notify.notify) }
    }
}

/// What saving the notifiers would come to, if there are any in the files. What the daemon has against them is told with
/// its place.
pub(super) async fn plan(sourced: Option<&SourcedNotify>, context: &Context) -> Result<Option<Outcome>, Failure> {
    let Some(sourced) = sourced else { return Ok(None) };
    match context.client.put_notify(&sourced.notify.notify, true).await {
        Ok(result) => Ok(Some(Outcome::from(&result))),
        Err(ClientError::Refused(problem)) if !context.is_json() && !problem.errors.is_empty() => {
            let faults = problem.errors.iter().map(|fault| sourced.fault(&fault.pointer, &fault.message));
            let mut faults: Vec<_> = faults.collect();
            if let Some(first) = faults.first_mut().filter(|first| first.hint.is_none()) {
                first.hint.clone_from(&problem.hint);
            }
            Err(if problem.is(Code::MissingGrant) { (*problem).into() } else { Failure::JobFiles(faults) })
        }
        Err(error) => Err(error.into()),
    }
}
