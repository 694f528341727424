//! The targets that a job names, and whether they are there.

use std::sync::{Arc, OnceLock};

use sandglass_api::wire::ApplyRequest;
use sandglass_core::id::{Namespace, TargetName};
use sandglass_core::schedule::{Warning, WarningCode};
use sandglass_core::spec::JobSpec;
use sandglass_core::target::{Fleet, Selector, Target, TargetGroup};
use sandglass_core::template::holds_template;
use sandglass_core::time::Clock as _;
use sandglass_store::Store;
use serde_json::Value;

use crate::clock::SystemClock;

/// The `format` of a parameter that names a target.
const ONE: &str = "target";
/// The `format` of a parameter that selects targets: a selector, or a list of them.
const MANY: &str = "targets";

/// The targets of a namespace as they would be once a request is saved. They are read when first asked for, as most jobs name
/// none.
pub(super) struct Fleets<'a> {
    store: &'a dyn Store,
    namespace: &'a Namespace,
    request: Option<&'a ApplyRequest>,
    fleet: OnceLock<Option<Fleet>>,
}

impl<'a> Fleets<'a> {
    pub(super) fn new(store: &'a dyn Store, namespace: &'a Namespace, request: Option<&'a ApplyRequest>) -> Self {
        Self { store, namespace, request, fleet: OnceLock::new() }
    }

    /// None if the store cannot be read, which is told elsewhere.
    fn get(&self) -> Option<&Fleet> {
        self.fleet.get_or_init(|| self.read()).as_ref()
    }

    fn read(&self) -> Option<Fleet> {
        let (targets, groups) =
            (self.store.targets(self.namespace).ok()?, self.store.target_groups(self.namespace).ok()?);
        let mut fleet = Fleet::new(targets, groups);
        let (namespace, updated_at) = (self.namespace, SystemClock.now());
        for spec in self.request.iter().flat_map(|request| &request.targets) {
            let (namespace, spec) = (namespace.clone(), Arc::clone(spec));
            fleet.put_target(Arc::new(Target { namespace, revision: 0, spec, updated_at }));
        }
        for spec in self.request.iter().flat_map(|request| &request.groups) {
            let (namespace, spec) = (namespace.clone(), Arc::clone(spec));
            fleet.put_group(Arc::new(TargetGroup { namespace, revision: 0, spec, updated_at }));
        }
        Some(fleet)
    }

    /// What `spec` names as targets and is none, in the parameters that its action says hold targets.
    pub(super) fn missing(&self, spec: &JobSpec) -> Vec<Warning> {
        let uses = &spec.action.uses;
        let Ok(Some(plugin)) = self.store.plugin(&uses.plugin) else { return Vec::new() };
        let Some(action) = plugin.action(uses.action.as_deref()) else { return Vec::new() };
        let Some(properties) = action.params_schema["properties"].as_object() else { return Vec::new() };
        let params = spec.action.with.iter();
        params
            .filter_map(|(name, value)| {
                let format = properties.get(name)?.get("format")?.as_str()?;
                self.missing_in(&format!("/action/with/{name}"), format, value)
            })
            .collect()
    }

    /// What is wrong with the targets in one parameter of that format.
    fn missing_in(&self, pointer: &str, format: &str, value: &Value) -> Option<Warning> {
        // What templates come to is known when they are filled in.
        if !matches!(format, ONE | MANY) || holds_template(value) {
            return None;
        }
        let texts: Vec<&str> = match value {
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
            other => other.as_str().into_iter().collect(),
        };
        let no_name = texts.iter().find(|text| format == ONE && text.parse::<TargetName>().is_err());
        let selectors: Result<Vec<Selector>, _> = texts.iter().map(|text| text.parse()).collect();
        let message = match (no_name, selectors) {
            _ if texts.is_empty() => return None,
            (Some(text), _) => format!("'{text}' is not the name of one target"),
            (None, Err(error)) => error.to_string(),
            (None, Ok(selectors)) => match self.get()?.select(&selectors) {
                Err(error) => error.to_string(),
                Ok(found) if found.is_empty() => format!("no target is named by {}", texts.join(", ")),
                Ok(_) => return None,
            },
        };
        Some(Warning {
            code: WarningCode::NoSuchTarget,
            pointer: pointer.to_owned(),
            message: format!("{message}: runs fail"),
            hint: "`sandglass target list` shows the targets that there are".to_owned(),
        })
    }
}
