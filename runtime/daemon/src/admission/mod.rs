//! What is checked before a job or a plugin is saved, so that mistakes show when they are made and not at three in the
//! morning.

mod parameters;
mod params;
mod templates;

pub(crate) use parameters::check_given;
pub(crate) use templates::{Checked, Part, Refused, TRIES, Templates, check_together, each_job};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sandglass_api::jobfile;
use sandglass_api::problem::{Code, Problem};
use sandglass_core::capability::{EffectiveGrants, Grants};
use sandglass_core::id::{PluginName, SecretName};
use sandglass_core::invocation::Work;
use sandglass_core::plugin::{ActionInfo, Manifest, Plugin};
use sandglass_core::spec::{ActionRef, JobSpec, Notifier, Notifiers};
use sandglass_core::template::{holds_template, secrets_of_job, secrets_of_notifier};
use sandglass_core::time::Timestamp;
use sandglass_host::{Host, HostError, Inspection};
use sandglass_store::Store;

/// The most faults of parameters that are told at once.
const MAX_FAULTS: usize = 20;

/// What an attempt is to do, as a job or a notifier has it written.
#[derive(Clone, Copy)]
struct Doing<'a> {
    /// Where it is written, as a JSON Pointer (RFC 6901).
    at: &'a str,
    uses: &'a ActionRef,
    with: &'a serde_json::Map<String, serde_json::Value>,
    env: &'a BTreeMap<String, String>,
    secrets: &'a BTreeSet<SecretName>,
    grants: Option<&'a Grants>,
}

/// Checks a job: its ranges; against its plugin the version, the action, the parameters by schema and by the plugin's own
/// word; and the grants. The same of each of its notifiers.
async fn check_job(spec: &JobSpec, store: &dyn Store, host: &Host, ceiling: &Grants) -> Result<(), Problem> {
    check_ranges(spec)?;
    parameters::check_declared(spec)?;
    let doing = Doing {
        at: "/action",
        uses: &spec.action.uses,
        with: &spec.action.with,
        env: &spec.env,
        secrets: &secrets_of_job(spec),
        grants: spec.grants.as_deref(),
    };
    check_doing(doing, store, host, ceiling).await?;
    check_notifiers(&spec.notify, store, host, ceiling).await
}

/// Checks the notifiers of a namespace as those of a job are checked.
pub(crate) async fn check_notify(
    notifiers: &Notifiers,
    store: &dyn Store,
    host: &Host,
    ceiling: &Grants,
) -> Result<(), Problem> {
    told(Code::InvalidNotify, jobfile::faults_of_notifiers(notifiers))?;
    check_notifiers(notifiers, store, host, ceiling).await
}

async fn check_notifiers(
    notifiers: &Notifiers,
    store: &dyn Store,
    host: &Host,
    ceiling: &Grants,
) -> Result<(), Problem> {
    for (place, notifier) in notifiers.iter() {
        let at = format!("/notify/{place}");
        let Notifier { uses, with, env, grants, .. } = notifier;
        let secrets = &secrets_of_notifier(notifier);
        check_doing(Doing { at: &at, uses, with, env, secrets, grants: grants.as_deref() }, store, host, ceiling)
            .await?;
    }
    Ok(())
}

async fn check_doing(doing: Doing<'_>, store: &dyn Store, host: &Host, ceiling: &Grants) -> Result<(), Problem> {
    let plugin = find_plugin(doing, store)?;
    let action = find_action(doing, &plugin)?;
    params::check(doing, action)?;
    let grants = EffectiveGrants {
        request: plugin.manifest.capabilities.clone(),
        ceiling: ceiling.clone(),
        plugin: plugin.granted.clone(),
        job: doing.grants.cloned(),
        looks_only: false,
    };
    let mut denials = grants.missing();
    denials.extend(doing.secrets.iter().filter_map(|name| grants.secret(name).err()));
    denials.extend(doing.env.keys().filter_map(|name| grants.variable(name).err()));
    if let Some(mut problem) = Problem::from_denials(&denials) {
        problem.errors.iter_mut().for_each(|fault| fault.pointer = format!("{}/use", doing.at));
        return Err(problem);
    }
    ask_plugin(doing, &plugin, action, store, host).await
}

/// What the types cannot say. Files are checked for it where they are read, and jobs that come in canonical form are not.
fn check_ranges(spec: &JobSpec) -> Result<(), Problem> {
    told(Code::InvalidJob, jobfile::faults(spec))
}

/// Faults as one problem, if there are any.
fn told(code: Code, faults: Vec<(String, String)>) -> Result<(), Problem> {
    let mut faults = faults.into_iter().take(MAX_FAULTS);
    let Some((pointer, message)) = faults.next() else { return Ok(()) };
    let problem = Problem::new(code, format!("{pointer}: {message}")).with_fault(pointer, message);
    Err(faults.fold(problem, |problem, (pointer, message)| problem.with_fault(pointer, message)))
}

fn find_plugin(doing: Doing<'_>, store: &dyn Store) -> Result<Arc<Plugin>, Problem> {
    let Doing { at, uses, .. } = doing;
    let known = store.plugin(&uses.plugin).map_err(|error| from_store(&error))?;
    let Some(plugin) = known else {
        let names: Vec<String> = store
            .plugins()
            .map_err(|error| from_store(&error))?
            .iter()
            .map(|plugin| plugin.manifest.name.to_string())
            .collect();
        let detail = format!("there is no plugin '{}'; there are: {}", uses.plugin, names.join(", "));
        return Err(Problem::new(Code::UnknownPlugin, detail.clone())
            .with_hint("add it with `sandglass plugin add FILE`")
            .with_fault(format!("{at}/use"), detail));
    };
    if let Some(version) = uses.version.as_ref().filter(|version| **version != plugin.manifest.version) {
        let detail = format!("plugin '{}' is at version {}, not {version}", uses.plugin, plugin.manifest.version);
        return Err(Problem::new(Code::UnknownPlugin, detail.clone()).with_fault(format!("{at}/use"), detail));
    }
    Ok(plugin)
}

fn find_action<'a>(doing: Doing<'_>, plugin: &'a Plugin) -> Result<&'a ActionInfo, Problem> {
    let Doing { at, uses, .. } = doing;
    let wanted = uses.action.as_deref();
    plugin.action(wanted).ok_or_else(|| {
        let names: Vec<&str> = plugin.actions.iter().map(|action| action.name.as_str()).collect();
        let detail = format!(
            "plugin '{}' has no action '{}'; it has: {}",
            plugin.manifest.name,
            wanted.unwrap_or_default(),
            names.join(", ")
        );
        Problem::new(Code::UnknownAction, detail.clone()).with_fault(format!("{at}/use"), detail)
    })
}

/// Lets the plugin itself look at the parameters.
async fn ask_plugin(
    doing: Doing<'_>,
    plugin: &Plugin,
    action: &ActionInfo,
    store: &dyn Store,
    host: &Host,
) -> Result<(), Problem> {
    make_ready(plugin, store, host).map_err(|error| Problem::new(Code::Unavailable, error.to_string()))?;
    if doing.with.values().any(holds_template) {
        // The plugin would judge the templates rather than what they come to.
        return Ok(());
    }
    let params = serde_json::Value::Object(doing.with.clone()).to_string();
    let issues = host
        .validate(plugin.digest, &action.name, &params)
        .await
        .map_err(|error| Problem::new(Code::InvalidParams, format!("the plugin could not check them: {error}")))?;
    let mut issues = issues.into_iter().take(MAX_FAULTS);
    let Some(first) = issues.next() else { return Ok(()) };
    let pointer = |issue: &str| format!("{}/with{issue}", doing.at);
    let problem = Problem::new(Code::InvalidParams, format!("{}: {}", pointer(&first.pointer), first.message))
        .with_fault(pointer(&first.pointer), first.message);
    Err(issues.fold(problem, |problem, issue| problem.with_fault(pointer(&issue.pointer), issue.message)))
}

/// Looks at parameters whose templates were filled in for an attempt of `work`: fails with what is wrong with them.
pub(crate) fn check_filled(work: &Work, params: &serde_json::Value, store: &dyn Store) -> Result<(), String> {
    // A plugin or action that is gone meanwhile is told of where the attempt needs it.
    let plugin = store.plugin(&work.plugin).map_err(|error| error.to_string())?;
    let plugin = plugin.filter(|plugin| plugin.digest == work.digest);
    match plugin.as_ref().and_then(|plugin| plugin.action(Some(&work.action))) {
        Some(action) => {
            let notice = work.scope.as_ref().and_then(|scope| scope.notice.as_ref());
            let at = notice.map_or_else(|| "/action".to_owned(), |notice| format!("/notify/{}", notice.entry));
            params::check_filled(&at, params, action)
        }
        None => Ok(()),
    }
}

/// Makes a plugin's component ready to run: at once if it is, else from the cache or by compiling it.
pub(crate) fn make_ready(plugin: &Plugin, store: &dyn Store, host: &Host) -> Result<(), HostError> {
    host.prepare(plugin.digest, || match store.component(&plugin.digest) {
        Ok(Some(wasm)) => Ok(wasm.to_vec()),
        Ok(None) => Err(format!("the component of plugin '{}' is missing from the store", plugin.manifest.name)),
        Err(error) => Err(error.to_string()),
    })
}

/// What an inspected component becomes as a plugin: named by `name` or its own manifest, granted `granted`.
pub(crate) fn plugin(
    inspection: Inspection,
    name: Option<PluginName>,
    granted: Option<Grants>,
    built_in: bool,
    now: Timestamp,
) -> Result<Plugin, Problem> {
    let manifest = match (inspection.manifest, name) {
        (Some(manifest), None) => manifest,
        (Some(manifest), Some(name)) => Manifest { name, ..manifest },
        // Tools of other languages cannot embed a manifest: what such a plugin is granted is what it asks for.
        (None, Some(name)) => Manifest {
            name,
            version: "0.0.0".to_owned(),
            description: String::new(),
            capabilities: granted.clone().unwrap_or_default(),
        },
        (None, None) => {
            return Err(Problem::new(Code::InvalidComponent, "the component does not say what it is called")
                .with_hint("give it a name with `--name NAME`"));
        }
    };
    let granted = granted.unwrap_or_else(|| if built_in { manifest.capabilities.clone() } else { Grants::default() });
    Ok(Plugin {
        manifest,
        digest: inspection.digest,
        size_bytes: inspection.size_bytes,
        actions: inspection.actions,
        granted,
        built_in,
        added_at: now,
    })
}

/// What a failure of the store means to whoever asked.
pub(crate) fn from_store(error: &sandglass_store::StoreError) -> Problem {
    let code = match error {
        sandglass_store::StoreError::Full(_) => Code::StoreFull,
        sandglass_store::StoreError::Closed => Code::Stopping,
        _ => Code::Internal,
    };
    Problem::new(code, error.to_string())
}
