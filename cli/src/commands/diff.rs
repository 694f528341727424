//! `diff`: what applying job files would change.

use std::path::PathBuf;

use sandglass_api::wire::Page;
use serde::Serialize;

use super::apply::{self, Planned};
use super::files;
use crate::changes::Change;
use crate::context::Context;
use crate::failure::Failure;
use crate::render;

#[derive(clap::Args, Debug)]
#[command(after_help = "The exit code is 1 if applying the files would change something, and 0 if not.\n\n\
                        Examples:\n  sandglass diff jobs/\n  sandglass diff jobs/ || sandglass apply jobs/")]
pub(crate) struct Args {
    /// Job files in YAML, TOML or JSON, folders of them, or - for standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// A job that is compared.
#[derive(Serialize)]
struct Compared {
    job: String,
    /// `created`, `changed` or `unchanged`.
    change: &'static str,
    fields: Vec<Change>,
}

pub(crate) async fn run(args: Args, context: &Context) -> Result<(), Failure> {
    let planned = apply::plan(&files::read(&args.files)?, context).await?;
    let items: Vec<Compared> = planned.into_iter().map(Compared::from).collect();
    let same = items.iter().all(|item| item.change == "unchanged");
    let page = Page { items, next: None };
    context.show(&page, |context| text(&page.items, context))?;
    if same { Ok(()) } else { Err(Failure::NotSo) }
}

impl From<Planned> for Compared {
    fn from(planned: Planned) -> Self {
        let result = planned.result;
        let change = match (result.created, result.changed) {
            (true, _) => "created",
            (_, true) => "changed",
            (_, false) => "unchanged",
        };
        Self { job: result.job.name.to_string(), change, fields: planned.fields }
    }
}

fn text(items: &[Compared], context: &Context) -> String {
    let paint = context.paint;
    let differing = items.iter().filter(|item| item.change != "unchanged");
    let mut text: String = differing
        .map(|item| {
            let change = if item.change == "created" { paint.green("created") } else { paint.yellow("changed") };
            format!("{}: would be {change}\n{}", paint.bold(&item.job), render::changes::show(&item.fields, paint))
        })
        .collect();
    if text.is_empty() {
        text = paint.dim("nothing would change") + "\n";
    }
    text
}
