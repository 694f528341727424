//! Targets as people read them.

use chrono_tz::Tz;
use sandglass_api::wire::Target;
use sandglass_core::target::{Auth, TargetSpec};
use sandglass_core::time::Timestamp;

use super::amount::{instant, relative};
use super::changes;
use super::paint::Paint;
use super::table::{Table, facts};
use crate::commands::target::Outcome;

/// A listing.
pub(crate) fn list(targets: &[Target], wide: bool, now: Timestamp, paint: Paint) -> String {
    let mut headings = vec!["TARGET", "ADDRESS", "ACCOUNT", "LABELS", "JUMP"];
    if wide {
        headings.extend(["PLATFORM", "LOGS IN", "REVISION", "UPDATED"]);
    }
    let mut table = Table::new(&headings).whole(0);
    for target in targets {
        let spec = &target.spec;
        let mut row = vec![target.name.to_string(), address(spec), spec.account.to_string(), labels(spec)];
        row.push(spec.jump.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string));
        if wide {
            row.extend([spec.platform.as_str().to_owned(), auth(spec), target.revision.to_string()]);
            row.push(relative(target.updated_at, now, Tz::UTC));
        }
        table.row(row);
    }
    table.render(paint)
}

/// One target in full.
pub(crate) fn show(target: &Target, now: Timestamp, paint: Paint) -> String {
    let spec = &target.spec;
    let listed = |texts: Vec<String>| (!texts.is_empty()).then(|| texts.join(", "));
    let keys: Vec<String> = spec.host_keys.iter().map(|key| key.fingerprint()).collect();
    facts(
        &[
            ("target", Some(target.name.to_string())),
            ("namespace", Some(target.namespace.to_string())),
            ("description", spec.description.clone()),
            ("address", Some(address(spec))),
            ("account", Some(spec.account.to_string())),
            ("logs in", Some(auth(spec))),
            ("may become", listed(spec.may_become.iter().map(ToString::to_string).collect())),
            ("container engine", spec.engine.as_ref().map(ToString::to_string)),
            ("goes through", spec.jump.as_ref().map(ToString::to_string)),
            ("platform", Some(spec.platform.as_str().to_owned())),
            ("labels", Some(labels(spec))),
            ("groups", listed(target.groups.iter().map(ToString::to_string).collect())),
            ("host keys", Some(keys.join("\n"))),
            ("revision", Some(target.revision.to_string())),
            ("updated", Some(instant(target.updated_at, now, Tz::UTC))),
        ],
        paint,
    )
}

/// Host and port, the port left out if it is SSH's own.
fn address(spec: &TargetSpec) -> String {
    match spec.port.get() {
        22 => spec.address.to_string(),
        port if spec.address.as_str().contains(':') => format!("[{}]:{port}", spec.address),
        port => format!("{}:{port}", spec.address),
    }
}

fn auth(spec: &TargetSpec) -> String {
    match &spec.auth {
        Auth::Key { secret, passphrase: None } => format!("with the secret {secret}"),
        Auth::Key { secret, passphrase: Some(passphrase) } => {
            format!("with the secret {secret}, opened by the secret {passphrase}")
        }
        Auth::Agent(socket) => format!("with the agent at {socket}"),
    }
}

fn labels(spec: &TargetSpec) -> String {
    let labels: Vec<String> = spec.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if labels.is_empty() { "-".to_owned() } else { labels.join(" ") }
}

/// What saving targets came to, or would come to.
pub(crate) fn applied(outcomes: &[Outcome], dry_run: bool, paint: Paint) -> String {
    let mut table = Table::new(&["TARGET", "CHANGE"]);
    for outcome in outcomes {
        table.row(vec![outcome.target.to_string(), changes::word(outcome.change, dry_run, paint)]);
    }
    table.render(paint)
}
