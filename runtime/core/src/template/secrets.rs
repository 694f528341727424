//! Which secrets templates name.

use std::collections::BTreeSet;

use super::{engine, is_template, places};
use crate::id::SecretName;
use crate::invocation::Work;
use crate::spec::{JobSpec, Notifier, Notifiers};

/// What templates call the secrets.
pub(super) const HOLDER: &str = "secret";

/// The secrets that `spec` uses, in templates and besides, but for those of its notifiers.
#[must_use]
pub fn secrets_of_job(spec: &JobSpec) -> BTreeSet<SecretName> {
    let mut found = Finder::default();
    places::each(spec, |_, text| found.look_at(text));
    found.names.extend(spec.secrets.iter().cloned());
    found.names
}

/// The secrets that the templates of notifiers name.
#[must_use]
pub fn secrets_of_notifiers(notifiers: &Notifiers) -> BTreeSet<SecretName> {
    notifiers.iter().flat_map(|(_, notifier)| secrets_of_notifier(notifier)).collect()
}

/// The secrets that the templates of one notifier name.
#[must_use]
pub fn secrets_of_notifier(notifier: &Notifier) -> BTreeSet<SecretName> {
    let mut found = Finder::default();
    places::each_of_notifier(0, notifier, |_, text| found.look_at(text));
    found.names
}

/// The secrets that an attempt of `work` uses, in templates and besides.
#[must_use]
pub fn secrets_of_work(work: &Work) -> BTreeSet<SecretName> {
    let mut found = Finder::default();
    // As JSON text the parameters hold the names as they are, so most works need not be read.
    if work.scope.is_some() && work.params.contains(HOLDER) {
        let params = serde_json::from_str(&work.params).unwrap_or_default();
        places::in_value("", &params, &mut |_, text| found.look_at(text));
    }
    work.env.values().filter(|text| is_template(text)).for_each(|text| found.look_at(text));
    found.names.extend(work.secrets.iter().cloned());
    found.names
}

#[derive(Default)]
struct Finder {
    names: BTreeSet<SecretName>,
    environment: std::cell::OnceCell<minijinja::Environment<'static>>,
}

impl Finder {
    fn look_at(&mut self, text: &str) {
        if !text.contains(HOLDER) {
            return;
        }
        let environment = self.environment.get_or_init(|| engine::environment(chrono_tz::Tz::UTC));
        let used = engine::names(environment, text).unwrap_or_default();
        self.names.extend(used.iter().filter_map(|name| {
            let (holder, name) = name.split_once('.')?;
            let name = name.split('.').next()?;
            if holder == HOLDER { name.parse().ok() } else { None }
        }));
    }
}
