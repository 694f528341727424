//! `plugin`: adding, looking at and removing plugins.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use sandglass_api::jobfile;
use sandglass_api::problem::{Code, Problem};
use sandglass_core::capability::Grants;
use sandglass_core::id::{Digest, PluginName};

use super::confirm::confirm;
use crate::args::Form;
use crate::component;
use crate::context::{Context, print, print_json};
use crate::failure::Failure;
use crate::render;

/// The largest component that a daemon takes.
const MAX_COMPONENT_BYTES: u64 = 64 << 20;

#[derive(clap::Subcommand, Debug)]
pub(crate) enum Command {
    /// Add a component as a plugin, or replace the one of the same name
    #[command(after_help = "Examples:\n  sandglass plugin add words.wasm --grant 'state: true'\n  \
                            sandglass plugin add deploy.wasm --grant 'process: [/usr/bin/rsync]' --grant 'http: public'\n  \
                            sandglass plugin add deploy.wasm --grant-requested")]
    Add {
        /// The component's file
        file: PathBuf,
        /// The name to use it by [default: its own]
        #[arg(long)]
        name: Option<PluginName>,
        /// What it may do, as a line that a refusal prints, such as 'process: [/usr/bin/tar]'; without any, nothing
        #[arg(long, value_name = "GRANT")]
        grant: Vec<String>,
        /// Let it do everything that it asks for
        #[arg(long, conflicts_with = "grant")]
        grant_requested: bool,
    },
    /// List plugins
    #[command(visible_alias = "ls")]
    List,
    /// Show a plugin's actions, parameters and grants; or, of a file, what it asks for
    #[command(visible_alias = "show")]
    Inspect {
        /// A plugin's name, or a component's file
        plugin: String,
    },
    /// Remove a plugin that no job uses
    #[command(visible_alias = "rm")]
    Remove {
        /// The plugin's name
        name: PluginName,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

pub(crate) async fn run(command: Command, context: &Context) -> Result<(), Failure> {
    match command {
        Command::Add { file, name, grant, grant_requested } => {
            let component = read(&file)?;
            let grants = if grant_requested { requested(&component, &file)? } else { parse_grants(&grant)? };
            let plugin = context.client.add_plugin(component, name.as_ref(), &grants).await?;
            context.show(&plugin, |context| render::plugin::show(&plugin, context.now, context.paint))
        }
        Command::List => {
            let page = context.client.plugins().await?;
            let wide = context.form == Form::Wide;
            context.show(&page, |context| render::plugin::list(&page.items, wide, context.now, context.paint))
        }
        Command::Inspect { plugin } => inspect(&plugin, context).await,
        Command::Remove { name, yes } => {
            confirm(&format!("Remove plugin '{name}'?"), yes)?;
            context.client.remove_plugin(&name).await?;
            match context.is_json() {
                true => print_json(&serde_json::json!({ "removed": [name] })),
                false => print(&format!("plugin '{name}' is removed\n")),
            }
        }
    }
}

async fn inspect(plugin: &str, context: &Context) -> Result<(), Failure> {
    let path = Path::new(plugin);
    if path.is_file() {
        let component = read(path)?;
        let Some(manifest) = manifest(&component, path)? else {
            let what =
                format!("{} has no manifest: it tells its name and wishes only when it is added", path.display());
            return Err(Problem::new(Code::InvalidComponent, what).with_hint("add it with --name NAME").into());
        };
        let digest = Digest::of(&component).to_string();
        return context.show(&manifest, |context| {
            render::plugin::manifest(&manifest, component.len() as u64, &digest, context.paint)
        });
    }
    let name: PluginName =
        plugin.parse().map_err(|error| Failure::usage(format!("{error}; and there is no file of this name")))?;
    let plugin = context.client.plugin(&name).await?;
    context.show(&plugin, |context| render::plugin::show(&plugin, context.now, context.paint))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path);
    file.and_then(|file| file.take(MAX_COMPONENT_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| Failure::io(&format!("cannot read {}", path.display()), error))?;
    if bytes.len() as u64 > MAX_COMPONENT_BYTES {
        let what = format!("{} is too large: a component has at most 64 MiB", path.display());
        return Err(Problem::new(Code::InvalidComponent, what).into());
    }
    Ok(bytes)
}

fn manifest(component: &[u8], path: &Path) -> Result<Option<sandglass_core::plugin::Manifest>, Failure> {
    component::manifest(component).map_err(|error| {
        Problem::new(Code::InvalidComponent, format!("{} cannot be used: {error}", path.display())).into()
    })
}

fn requested(component: &[u8], path: &Path) -> Result<Grants, Failure> {
    let manifest = manifest(component, path)?.ok_or_else(|| {
        let what = format!("{} has no manifest, so it asks for nothing", path.display());
        Failure::from(Problem::new(Code::InvalidComponent, what).with_hint("give it grants with --grant"))
    })?;
    Ok(manifest.capabilities)
}

/// The grants of all `--grant` lines together.
fn parse_grants(lines: &[String]) -> Result<Grants, Failure> {
    jobfile::grants(&lines.join("\n"), "--grant").map_err(|error| {
        let hint = error.hint.map(|hint| format!(" ({hint})")).unwrap_or_default();
        Failure::usage(format!("--grant: {}{hint}\n  {}", error.message, error.line))
    })
}
