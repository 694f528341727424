//! `group`: several targets under one name.

use sandglass_api::client::Precondition;
use sandglass_api::wire::GroupResult;
use sandglass_core::id::TargetGroupName;
use sandglass_core::target::{GroupSpec, LabelExpression, Member};
use serde::Serialize;

use super::calendar::Change;
use super::deletion::Deletion;
use super::target::there_already;
use crate::args::Form;
use crate::changes;
use crate::context::Context;
use crate::failure::Failure;
use crate::render;

#[derive(clap::Subcommand, Debug)]
#[command(
    after_help = "`apply` saves groups of files, too: documents that say 'kind: group', or 'groups:' beside 'jobs:'.\n\n\
                  Expressions: LABEL (is there), LABEL == VALUE, LABEL != VALUE, LABEL in (VALUE, VALUE), and, or, not, brackets;\n\
                  name, platform and account are labels that every target has.\n\n\
                  Example:\n  kind: group\n  name: web\n  members: [web-1, web-*, \"group:db\"]\n  where: role == web and zone != us"
)]
pub(crate) enum Command {
    /// List groups, and how many targets each selects now
    #[command(visible_alias = "ls")]
    List,
    /// Show a group, and the targets that it selects now
    Show {
        /// The group's name
        name: TargetGroupName,
    },
    /// Save a group
    #[command(
        after_help = "Examples:\n  sandglass group add web 'web-*' bastion\n  sandglass group add eu-web --where 'role == web and zone == eu'\n  \
                      sandglass group add eu group:web group:db --where 'zone == eu'"
    )]
    Add {
        /// The group's name
        name: TargetGroupName,
        /// Targets (web-1), patterns of them (web-*), and other groups (group:db) [default: all targets]
        #[arg(value_name = "MEMBER", required_unless_present = "filter")]
        members: Vec<Member>,
        /// Only those whose labels are so
        #[arg(long = "where", value_name = "EXPRESSION", id = "filter")]
        filter: Option<LabelExpression>,
        /// What the targets have in common
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// Replace the group of this name, whatever it was
        #[arg(long)]
        replace: bool,
    },
    /// Delete groups that no other group names
    #[command(visible_alias = "rm")]
    Delete {
        /// The groups' names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<TargetGroupName>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::List => {
            let page = context.client.groups().await?;
            context.show(&page, |context| {
                if page.items.is_empty() {
                    let add = context.command("group add");
                    let none = format!("no groups; save one with {add}, or with `apply` from a file");
                    return context.paint.dim(&none) + "\n";
                }
                render::group::list(&page.items, context.form == Form::Wide, context.now, context.paint)
            })
        }
        Command::Show { name } => {
            let group = context.client.group(&name).await?;
            context.show(&group, |context| render::group::show(&group, context.now, context.paint))
        }
        Command::Add { name, members, filter, description, replace } => {
            let spec = GroupSpec { name, description, members, filter };
            let expect = if replace { Precondition::Anything } else { Precondition::Absent };
            let saved = context
                .client
                .put_group(&spec, expect)
                .await
                .map_err(|error| there_already(error, "group", &spec.name))?;
            let outcome = Outcome::from(&saved);
            context.show(&saved, |context| render::group::applied(&[outcome], false, context.paint))
        }
        Command::Delete { names, yes } => {
            let deletion = Deletion::of("group");
            deletion.run(&names, yes, context, async |name| context.client.delete_group(name).await).await
        }
    }
}

/// What became, or would become, of a group.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) group: TargetGroupName,
    pub(crate) change: Change,
    /// What would change, of a group that is there already.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<changes::Change>,
}

/// What saving groups would come to, field by field.
pub(super) async fn plan(results: &[GroupResult], context: &Context) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes = Vec::new();
    for result in results {
        let mut outcome = Outcome::from(result);
        if outcome.change == Change::Changed {
            let saved = context.client.group(&outcome.group).await?;
            outcome.fields = changes::between(&*saved.spec, &*result.group.spec);
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

impl From<&GroupResult> for Outcome {
    fn from(saved: &GroupResult) -> Self {
        let change = Change::of(saved.changed, saved.group.revision);
        Self { group: saved.group.name.clone(), change, fields: Vec::new() }
    }
}
