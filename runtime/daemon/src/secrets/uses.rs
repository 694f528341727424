//! Who uses which secret.

use std::collections::BTreeMap;

use sandglass_api::problem::Problem;
use sandglass_core::id::{JobName, Namespace, SecretName, TargetName};
use sandglass_core::schedule::{Warning, WarningCode};
use sandglass_core::spec::JobSpec;
use sandglass_core::template::{secrets_of_job, secrets_of_notifiers};
use sandglass_store::Store;

use crate::admission::{each_job, from_store};

/// What uses one secret.
#[derive(Default, Clone)]
pub(crate) struct Users {
    /// Jobs, by name.
    pub(crate) jobs: Vec<JobName>,
    /// Targets, by name.
    pub(crate) targets: Vec<TargetName>,
    /// The notifiers of the namespace.
    pub(crate) notifiers: bool,
}

/// What uses the secrets of a namespace, by the secret, also of those that are not there.
pub(crate) fn users(store: &dyn Store, namespace: &Namespace) -> Result<BTreeMap<SecretName, Users>, Problem> {
    let mut users: BTreeMap<SecretName, Users> = BTreeMap::new();
    each_job(store, namespace, |stored| {
        let spec = &stored.job.spec;
        let names = secrets_of_job(spec).into_iter().chain(secrets_of_notifiers(&spec.notify));
        for name in names {
            let jobs = &mut users.entry(name).or_default().jobs;
            if jobs.last() != Some(&spec.name) {
                jobs.push(spec.name.clone());
            }
        }
    })?;
    if let Some(notify) = store.notify(namespace).map_err(|error| from_store(&error))? {
        for name in secrets_of_notifiers(&notify.notify) {
            users.entry(name).or_default().notifiers = true;
        }
    }
    for target in store.targets(namespace).map_err(|error| from_store(&error))? {
        for name in target.spec.secrets() {
            let targets = &mut users.entry(name.clone()).or_default().targets;
            if targets.last() != Some(&target.spec.name) {
                targets.push(target.spec.name.clone());
            }
        }
    }
    Ok(users)
}

/// Warns of secrets that a job uses and that are not there. It is saved all the same, as they may be set later.
pub(crate) fn missing_secrets(store: &dyn Store, namespace: &Namespace, spec: &JobSpec) -> Vec<Warning> {
    let names = secrets_of_job(spec).into_iter().chain(secrets_of_notifiers(&spec.notify));
    let missing = names.filter(|name| matches!(store.secret(namespace, name), Ok(None)));
    let warning = |name: SecretName| Warning {
        code: WarningCode::NoSuchSecret,
        pointer: if spec.secrets.contains(&name) { "/secrets".to_owned() } else { "/action/with".to_owned() },
        message: format!("there is no secret {name}: runs that need it fail"),
        hint: format!("set it with `sandglass secret set {name}`"),
    };
    missing.map(warning).collect()
}
