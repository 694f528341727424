//! Programs and files on other machines.
//!
//! Which targets there are is the operator's to say, and what may be done on them is asked of the grants here, at every
//! call. A session is connected with its first operation, so that a machine that does not answer keeps nothing waiting but
//! what is asked of it. Operations go on beside one another; the guest waits for whichever it likes.

mod folder;
mod operation;
mod program;
mod session;
mod upload;

use std::collections::BTreeSet;
use std::sync::Arc;

use sandglass_core::capability::{Capability, Deed, RemoteUse};
use sandglass_core::id::{TargetGroupName, TargetName};
use sandglass_core::target::{Account, Fleet, Member, Selector, Target, TargetSpec};
use sandglass_ssh::{Hop, SshError};
use wasmtime::component::Resource;

#[allow(unreachable_pub, reason = "the generated bindings export it again, as far as they reach themselves")]
pub use self::operation::Operation;
#[allow(unreachable_pub, reason = "the generated bindings export it again, as far as they reach themselves")]
pub use self::session::Session;
pub(crate) use self::session::way;
pub(crate) use self::upload::Digests;
use super::{CallError, CallResult};
use crate::attempt::Attempt;
use crate::bindings::remote;
use crate::bindings::types::ErrorCode;
use crate::guest::Guest;

/// The most selectors that are read at once.
const SELECTORS: usize = 1000;

impl remote::Host for Guest {
    async fn select(&mut self, selectors: Vec<String>) -> CallResult<Vec<remote::Target>> {
        let attempt = &self.attempt;
        if selectors.len() > SELECTORS {
            return Err(invalid(format!("at most {SELECTORS} selectors are read at once")));
        }
        let selectors: Result<Vec<Selector>, _> = selectors.iter().map(|text| text.parse()).collect();
        let selectors = selectors.map_err(|error| invalid(error.to_string()))?;
        let Known { fleet, groups } = known(attempt)?;
        let selected = fleet.select(&selectors);
        let selected = selected.map_err(|error| CallError::new(ErrorCode::NotFound, error.to_string()))?;
        // All of them are asked for before the first is worked on.
        for target in &selected {
            Place::of(groups, &target.spec, None).may(attempt, Deed::Enter)?;
        }
        Ok(selected.into_iter().map(told).collect())
    }

    async fn connect(&mut self, target: String, run_as: Option<String>) -> CallResult<Resource<Session>> {
        let attempt = &self.attempt;
        let Entry { place, way, .. } = enter(attempt, &target, run_as, Deed::Enter)?;
        let session = Session::new(attempt, place, way);
        Ok(self.table.push(session)?)
    }
}

/// A target as one account, and how it is entered.
pub(crate) struct Entry {
    pub(crate) place: Place,
    pub(crate) way: Vec<Hop>,
    pub(crate) target: Arc<Target>,
}

/// How a target is entered by who may do this there. Nothing is connected yet.
pub(crate) fn enter(attempt: &Attempt, target: &str, run_as: Option<String>, deed: Deed<'_>) -> CallResult<Entry> {
    let Known { fleet, groups } = known(attempt)?;
    let name: TargetName = target.parse().map_err(|error: sandglass_core::id::InvalidId| invalid(error.to_string()))?;
    let found = fleet.target(&name).ok_or_else(|| {
        CallError::new(
            ErrorCode::NotFound,
            format!("there is no target '{name}' in the namespace {}", attempt.work.namespace),
        )
    })?;
    if let Some(account) = &run_as
        && *account != found.spec.account.as_str()
        && !found.spec.may_become.iter().any(|allowed| allowed.as_str() == account)
    {
        let message = format!(
            "{name} may not be switched to the account {account}; the operator may add it to the target's `become`"
        );
        return Err(CallError::new(ErrorCode::Denied, message));
    }
    // The account that logs in needs no switching.
    let run_as = run_as.filter(|account| *account != found.spec.account.as_str());
    let place = Place::of(groups, &found.spec, run_as);
    place.may(attempt, deed)?;
    let way = way(attempt.services.as_ref(), &attempt.work.namespace, fleet, found)?;
    Ok(Entry { place, way, target: Arc::clone(found) })
}

/// The targets and groups as an attempt found them when it first asked. What is changed meanwhile is for the next one.
pub(crate) struct Known {
    fleet: Fleet,
    groups: Members,
}

/// The targets of each group.
type Members = Vec<(TargetGroupName, BTreeSet<TargetName>)>;

fn members(fleet: &Fleet) -> Members {
    let selected = |group: &TargetGroupName| {
        let found = fleet.select(&[Selector::Named(Member::Group(group.clone()))]).unwrap_or_default();
        found.into_iter().map(|target| target.spec.name.clone()).collect()
    };
    fleet.groups().map(|group| (group.spec.name.clone(), selected(&group.spec.name))).collect()
}

/// A target as one account, which grants are asked about.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    target: TargetName,
    groups: Vec<TargetGroupName>,
    login: Account,
    run_as: Option<String>,
}

impl Place {
    fn of(groups: &Members, target: &TargetSpec, run_as: Option<String>) -> Self {
        let groups = groups.iter().filter(|(_, members)| members.contains(&target.name));
        let groups = groups.map(|(group, _)| group.clone()).collect();
        Self { target: target.name.clone(), groups, login: target.account.clone(), run_as }
    }

    /// The account that is switched to, if any is.
    pub(crate) fn account(&self) -> Option<&str> {
        self.run_as.as_deref()
    }

    /// Refuses what no grant allows. Entering is no use of its own: what is done there is asked for each time.
    fn may(&self, attempt: &Attempt, deed: Deed<'_>) -> CallResult<()> {
        let (login, account) = (self.login.as_str(), self.run_as.as_deref());
        let wanted = RemoteUse { target: &self.target, groups: &self.groups, login, account, deed };
        let allowed = attempt.work.grants.remote(&wanted);
        allowed.map_err(|denial| attempt.refused(Capability::Remote, &denial))?;
        match deed {
            Deed::Enter => attempt.granted(),
            Deed::UseEngine | Deed::LookAtEngine | Deed::Read(_) => attempt.used(Capability::Remote),
            Deed::Run | Deed::Write(_) => {
                attempt.used(Capability::Remote);
                attempt.begins_on(&self.target);
            }
        }
        Ok(())
    }
}

fn known(attempt: &Attempt) -> CallResult<&Known> {
    if let Some(known) = attempt.fleet.get() {
        return Ok(known);
    }
    let found = attempt.services.fleet(&attempt.work.namespace);
    let fleet =
        found.map_err(|why| CallError::new(ErrorCode::Unavailable, format!("the targets cannot be read: {why}")))?;
    let groups = members(&fleet);
    Ok(attempt.fleet.get_or_init(|| Known { fleet, groups }))
}

fn told(target: &Arc<Target>) -> remote::Target {
    let labels = target.spec.labels.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_str().to_owned()));
    remote::Target {
        name: target.spec.name.to_string(),
        platform: target.spec.platform.as_str().to_owned(),
        labels: labels.collect(),
    }
}

fn invalid(message: impl Into<String>) -> CallError {
    CallError::new(ErrorCode::InvalidArgument, message)
}

fn failed(attempt: &Attempt, error: &SshError) -> CallError {
    let code = match error {
        SshError::Unreachable { .. } => ErrorCode::Unavailable,
        SshError::HostKey { .. } | SshError::Refused { .. } => ErrorCode::Denied,
        SshError::Invalid(_) => ErrorCode::InvalidArgument,
        SshError::Failed { .. } => ErrorCode::Other,
    };
    CallError::new(code, attempt.masked(error.to_string()))
}

#[cfg(test)]
mod tests {
    use sandglass_core::capability::{Capability, Uses};

    use super::*;
    use crate::probe;

    #[test]
    fn what_is_granted_later_is_not_why_a_run_fails() {
        let attempt = probe::attempt_granted(serde_json::json!({ "remote": ["web"] }), "/nonexistent".into());
        let place = |name: &str| Place {
            target: name.parse().unwrap(),
            groups: Vec::new(),
            login: "ci".parse().unwrap(),
            run_as: None,
        };
        assert!(place("db").may(&attempt, Deed::Run).is_err());
        assert!(attempt.last_denial().is_some());
        place("web").may(&attempt, Deed::Enter).unwrap();
        assert_eq!(attempt.last_denial(), None);
        place("web").may(&attempt, Deed::Run).unwrap();
        place("web").may(&attempt, Deed::Read("/etc/motd")).unwrap();
        assert_eq!(attempt.uses()[Capability::Remote], Uses { used: 2, denied: 1 });
    }
}
