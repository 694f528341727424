//! `plugin`: adding, looking at and removing plugins.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use sandglass_api::client::ClientError;
use sandglass_api::jobfile;
use sandglass_api::problem::{Class, Code, Problem};
use sandglass_core::capability::Grants;
use sandglass_core::id::{Digest, PluginName};
use sandglass_core::plugin::{ActionInfo, Manifest};
use serde::Serialize;

use super::confirm::confirm;
use crate::args::Form;
use crate::component;
use crate::context::{Context, print, print_json};
use crate::failure::Failure;
use crate::progress::Progress;
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
    /// Show a plugin's actions, parameters and grants; or, of a file, what it asks for and, with a daemon, its actions
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
            let grants = match (grant_requested, grant.as_slice()) {
                (true, _) => Some(requested(&component, &file)?),
                // One that is there keeps what it was granted.
                (false, []) => None,
                (false, lines) => Some(parse_grants(lines)?),
            };
            let before = context.client.plugins().await?.items;
            let adding = context.client.add_plugin(component, name.as_ref(), grants.as_ref());
            let plugin = compiling(&file, context).during(adding, true).await?;
            let name = &plugin.manifest.name;
            let warning = context.error_paint.yellow("warning:");
            for capability in beyond(&plugin.granted, &plugin.manifest.capabilities) {
                context.note(&format!(
                    "{warning} plugin '{name}' never asks for '{capability}': granting it has no effect"
                ));
            }
            if let Some(before) = before.iter().find(|before| before.manifest.name == *name) {
                for capability in beyond(&before.granted, &plugin.granted) {
                    context.note(&format!(
                        "{warning} plugin '{name}' was granted '{capability}' before, and is not any more: name all grants, or none \
                         to leave them as they are"
                    ));
                }
            }
            context.show(&plugin, |context| render::plugin::show(&plugin, context.now, context.paint))
        }
        Command::List => {
            let page = context.client.plugins().await?;
            let wide = context.form == Form::Wide;
            context.show(&page, |context| render::plugin::list(&page.items, wide, context.now, context.paint))
        }
        Command::Inspect { plugin } => inspect(&plugin, context).await,
        Command::Remove { name, yes } => {
            confirm(&format!("Remove plugin '{name}'?"), yes, "nothing was removed")?;
            context.client.remove_plugin(&name).await?;
            match context.is_json() {
                true => print_json(&serde_json::json!({ "removed": [name] })),
                false => print(&format!("plugin '{name}' is removed\n")),
            }
        }
    }
}

/// What a component's file says of itself.
#[derive(Debug, Serialize)]
struct Component {
    #[serde(flatten)]
    manifest: Manifest,
    size_bytes: u64,
    digest: Digest,
    /// What a daemon found when it asked the component; none if there was no daemon.
    #[serde(skip_serializing_if = "Option::is_none")]
    actions: Option<Vec<ActionInfo>>,
}

async fn inspect(plugin: &str, context: &Context) -> Result<(), Failure> {
    let path = Path::new(plugin);
    if path.is_file() {
        let component = inspect_file(path, context).await?;
        return context.show(&component, |context| {
            let Component { manifest, size_bytes, digest, actions } = &component;
            let head = render::plugin::manifest(manifest, *size_bytes, &digest.to_string(), context.paint);
            let actions = match actions {
                Some(actions) => render::plugin::actions(actions, context.paint),
                None => format!("\n{}\n", context.paint.dim("its actions are known once a daemon has asked it")),
            };
            head + &actions
        });
    }
    let name: PluginName =
        plugin.parse().map_err(|error| Failure::usage(format!("{error}; and there is no file of this name")))?;
    let plugin = context.client.plugin(&name).await?;
    context.show(&plugin, |context| render::plugin::show(&plugin, context.now, context.paint))
}

/// Reads the manifest, and lets a daemon, if there is one, ask the component for its actions.
async fn inspect_file(path: &Path, context: &Context) -> Result<Component, Failure> {
    let bytes = read(path)?;
    let (size_bytes, digest) = (bytes.len() as u64, Digest::of(&bytes));
    let own = manifest(&bytes, path)?;
    // One that does not say what it is called is called as its file is.
    let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
    let name: Option<PluginName> = if own.is_some() { None } else { stem };
    let asking = context.client.inspect_component(bytes, name.as_ref());
    let asked = compiling(path, context).during(asking, true).await.map_err(ClientError::into_problem);
    match (asked, own) {
        (Ok(plugin), _) => {
            Ok(Component { manifest: plugin.manifest, size_bytes, digest, actions: Some(plugin.actions) })
        }
        // What the file says of itself needs nobody's leave.
        (Err(problem), Some(manifest)) if matches!(problem.class, Class::Unavailable | Class::Denied) => {
            Ok(Component { manifest, size_bytes, digest, actions: None })
        }
        (Err(problem), None) if problem.is(Code::NoDaemon) => {
            let what = format!("{} has no manifest: it tells its name and wishes only to a daemon", path.display());
            Err(Problem::new(Code::InvalidComponent, what)
                .with_hint("start a daemon with `sandglass serve`, or add it with --name NAME")
                .into())
        }
        (Err(problem), _) => Err(problem.into()),
    }
}

/// What is shown while a daemon compiles a component.
fn compiling(path: &Path, context: &Context) -> Progress {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Progress::new(format!("compiling {name}"), context.error_paint)
}

/// The capabilities of `granted` that the others leave out, as they are written.
fn beyond(granted: &Grants, asked: &Grants) -> Vec<String> {
    let keys = |grants: &Grants| match serde_json::to_value(grants) {
        Ok(serde_json::Value::Object(map)) => map.into_iter().map(|(key, _)| key).collect(),
        _ => Vec::new(),
    };
    let asked = keys(asked);
    keys(granted).into_iter().filter(|key| !asked.contains(key)).collect()
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

fn manifest(component: &[u8], path: &Path) -> Result<Option<Manifest>, Failure> {
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
