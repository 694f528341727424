//! `run artifacts`: what a run left to others.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use sandglass_api::wire::{Artifact, Page};
use sandglass_core::artifact::ArtifactName;
use sandglass_core::id::RunId;

use super::which_run::Which;
use crate::context::{Context, print_bytes};
use crate::failure::Failure;
use crate::render::amount::bytes;
use crate::render::table::Table;

#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    #[command(flatten)]
    run: Which,
    /// Write the content of this one to a file, instead of listing them
    #[arg(long, value_name = "NAME")]
    get: Option<ArtifactName>,
    /// The file to write; - for standard output. The last part of the name, in this folder, if nothing is said
    #[arg(long, value_name = "FILE", requires = "get")]
    to: Option<PathBuf>,
}

pub(crate) const HELP: &str = "Examples:
  sandglass run artifacts --last build
  sandglass run artifacts 01K9ZV3QJ8 --get out/app.tar
  sandglass run artifacts --last report --get report.csv --to - | head";

pub(crate) async fn run(options: Options, context: &Context) -> Result<(), Failure> {
    let id = options.run.find(context).await?;
    match options.get {
        None => list(&context.client.artifacts(id).await?, context),
        Some(name) => get(id, &name, options.to.as_deref(), context).await,
    }
}

fn list(page: &Page<Artifact>, context: &Context) -> Result<(), Failure> {
    context.show(page, |context| {
        if page.items.is_empty() {
            return context.paint.dim("no artifacts") + "\n";
        }
        let mut table = Table::new(&["NAME", "SIZE", "TYPE", "SHA-256"]).right(1);
        for artifact in &page.items {
            table.row(vec![
                artifact.name.to_string(),
                bytes(artifact.size_bytes),
                artifact.media_type.clone(),
                artifact.sha256.to_string(),
            ]);
        }
        table.render(context.paint)
    })
}

async fn get(id: RunId, name: &ArtifactName, to: Option<&Path>, context: &Context) -> Result<(), Failure> {
    let mut content = context.client.artifact(id, name).await?;
    if to.is_some_and(|to| to == Path::new("-")) {
        while let Some(piece) = content.next().await? {
            print_bytes(&piece)?;
        }
        return Ok(());
    }
    let last = name.as_str().rsplit('/').next().unwrap_or_else(|| name.as_str());
    let to = to.unwrap_or_else(|| Path::new(last));
    let failed = |error| Failure::io(&format!("{} cannot be written", to.display()), error);
    // Beside and renamed, so that what is there under the name is whole.
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut beside = tempfile::NamedTempFile::new_in(folder).map_err(failed)?;
    let mut size = 0;
    while let Some(piece) = content.next().await? {
        size += piece.len() as u64;
        beside.write_all(&piece).map_err(failed)?;
    }
    beside.persist(to).map_err(|error| failed(error.error))?;
    context.note(&format!("{} ({})", to.display(), bytes(size)));
    Ok(())
}
