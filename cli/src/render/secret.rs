//! Secrets as people read them: everything but their values.

use chrono_tz::Tz;
use sandglass_api::wire::Secret;
use sandglass_core::time::Timestamp;

use super::amount::{instant, relative};
use super::paint::Paint;
use super::table::{Table, facts};

/// How many jobs are named.
const SHOWN: usize = 10;

/// A listing.
pub(crate) fn list(secrets: &[Secret], wide: bool, now: Timestamp, paint: Paint) -> String {
    let mut headings = vec!["SECRET", "VERSION", "SET", "USED BY"];
    if wide {
        headings.extend(["HOSTS", "VERSIONS KEPT"]);
    }
    let mut table = Table::new(&headings);
    for secret in secrets {
        let set = relative(secret.set_at, now, Tz::UTC);
        let mut row = vec![secret.name.to_string(), secret.version.to_string(), set, users(secret, 3)];
        if wide {
            let hosts = if secret.hosts.is_empty() { "any".to_owned() } else { secret.hosts.join(", ") };
            row.extend([hosts, secret.versions.len().to_string()]);
        }
        table.row(row);
    }
    table.render(paint)
}

/// One secret in full.
pub(crate) fn show(secret: &Secret, now: Timestamp, paint: Paint) -> String {
    let head = facts(
        &[
            ("secret", Some(secret.name.to_string())),
            ("namespace", Some(secret.namespace.to_string())),
            ("version", Some(secret.version.to_string())),
            ("set", Some(instant(secret.set_at, now, Tz::UTC))),
            ("goes", Some(limit(secret))),
            ("used by", Some(users(secret, SHOWN))),
        ],
        paint,
    );
    let mut table = Table::new(&["VERSION", "SET"]);
    for kept in secret.versions.iter().rev() {
        table.row(vec![kept.version.to_string(), instant(kept.set_at, now, Tz::UTC)]);
    }
    format!("{head}\n{}", table.render(paint))
}

/// Where the value goes, in words.
pub(crate) fn limit(secret: &Secret) -> String {
    match secret.hosts.as_slice() {
        [] => "wherever its jobs put it".to_owned(),
        hosts => format!("to {} alone", hosts.join(", ")),
    }
}

fn users(secret: &Secret, shown: usize) -> String {
    let mut users: Vec<String> = secret.used_by.iter().take(shown).map(ToString::to_string).collect();
    if secret.used_by.len() > shown {
        users.push(format!("{} more", secret.used_by.len() - shown));
    }
    users.extend(secret.used_by_targets.iter().take(shown).map(|target| format!("target {target}")));
    if secret.used_by_targets.len() > shown {
        users.push(format!("{} more targets", secret.used_by_targets.len() - shown));
    }
    if secret.used_by_notifiers {
        users.push("the notifiers of the namespace".to_owned());
    }
    if users.is_empty() { "nothing".to_owned() } else { users.join(", ") }
}
