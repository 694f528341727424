//! `template`: parts of jobs that other jobs extend.

use sandglass_api::wire::TemplateResult;
use sandglass_core::id::{JobName, TemplateName};
use serde::Serialize;

use super::calendar::Change;
use super::deletion::Deletion;
use crate::args::Form;
use crate::context::Context;
use crate::failure::Failure;
use crate::render;

#[derive(clap::Subcommand, Debug)]
#[command(
    after_help = "`apply` saves templates: they stand under 'templates:' in job files, and jobs name one in 'extends'.\n\n\
                  Example:\n  templates:\n    - name: backup\n      job: { timeout: 2h, retry: { max_attempts: 3 } }\n  \
                  jobs:\n    - name: nightly\n      extends: backup\n      schedule: \"0 2 * * *\"\n      \
                  command: ./backup.sh"
)]
pub(crate) enum Command {
    /// List job templates
    #[command(visible_alias = "ls")]
    List,
    /// Show a job template, and the jobs that extend it
    Show {
        /// The template's name
        name: TemplateName,
    },
    /// Delete job templates that no job extends
    #[command(visible_alias = "rm")]
    Delete {
        /// The templates' names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<TemplateName>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::List => {
            let page = context.client.templates().await?;
            context.show(&page, |context| {
                if page.items.is_empty() {
                    let apply = context.command("apply FILE");
                    return context.paint.dim(&format!("no templates; save one with {apply}, under 'templates:'"))
                        + "\n";
                }
                let wide = context.form == Form::Wide;
                render::template::list(&page.items, wide, context.now, context.paint)
            })
        }
        Command::Show { name } => {
            let template = context.client.template(&name).await?;
            context.show(&template, |context| render::template::show(&template, context.now, context.paint))
        }
        Command::Delete { names, yes } => {
            let deletion = Deletion::of("template");
            deletion.run(&names, yes, context, async |name| context.client.delete_template(name).await).await
        }
    }
}

/// What became, or would become, of a template.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) template: TemplateName,
    pub(crate) change: Change,
    /// The jobs that are others by it, but for those that come with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) jobs: Vec<JobName>,
}

impl From<TemplateResult> for Outcome {
    fn from(saved: TemplateResult) -> Self {
        let change = Change::of(saved.changed, saved.template.revision);
        Self { template: saved.template.name, change, jobs: saved.jobs }
    }
}
