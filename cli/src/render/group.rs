//! Groups of targets as people read them.

use chrono_tz::Tz;
use sandglass_api::wire::Group;
use sandglass_core::target::GroupSpec;
use sandglass_core::time::Timestamp;

use super::amount::{instant, relative};
use super::changes;
use super::paint::Paint;
use super::table::{Table, facts};
use crate::commands::group::Outcome;

/// A listing.
pub(crate) fn list(groups: &[Group], wide: bool, now: Timestamp, paint: Paint) -> String {
    let mut headings = vec!["GROUP", "TARGETS", "MEMBERS", "WHERE"];
    if wide {
        headings.extend(["REVISION", "UPDATED"]);
    }
    let mut table = Table::new(&headings).whole(0).right(1);
    for group in groups {
        let spec = &group.spec;
        let mut row = vec![group.name.to_string(), group.targets.len().to_string(), members(spec), filter(spec)];
        if wide {
            row.extend([group.revision.to_string(), relative(group.updated_at, now, Tz::UTC)]);
        }
        table.row(row);
    }
    table.render(paint)
}

/// One group in full.
pub(crate) fn show(group: &Group, now: Timestamp, paint: Paint) -> String {
    let spec = &group.spec;
    let targets: Vec<&str> = group.targets.iter().map(|name| name.as_str()).collect();
    let targets = if targets.is_empty() { "none now".to_owned() } else { targets.join("\n") };
    facts(
        &[
            ("group", Some(group.name.to_string())),
            ("namespace", Some(group.namespace.to_string())),
            ("description", spec.description.clone()),
            ("members", Some(members(spec))),
            ("where", spec.filter.as_ref().map(ToString::to_string)),
            ("targets", Some(targets)),
            ("revision", Some(group.revision.to_string())),
            ("updated", Some(instant(group.updated_at, now, Tz::UTC))),
        ],
        paint,
    )
}

fn members(spec: &GroupSpec) -> String {
    let members: Vec<String> = spec.members.iter().map(ToString::to_string).collect();
    if members.is_empty() { "all targets".to_owned() } else { members.join(", ") }
}

fn filter(spec: &GroupSpec) -> String {
    spec.filter.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)
}

/// What saving groups came to, or would come to.
pub(crate) fn applied(outcomes: &[Outcome], dry_run: bool, paint: Paint) -> String {
    let mut table = Table::new(&["GROUP", "CHANGE"]);
    for outcome in outcomes {
        table.row(vec![outcome.group.to_string(), changes::word(outcome.change, dry_run, paint)]);
    }
    table.render(paint)
}
