//! Job templates as people read them.

use chrono_tz::Tz;
use sandglass_api::wire::Template;
use sandglass_core::id::JobName;
use sandglass_core::time::Timestamp;

use super::amount::{instant, relative};
use super::changes;
use super::job;
use super::paint::Paint;
use super::table::{Table, facts};
use super::yaml;
use crate::commands::template::Outcome;

/// How many jobs are named.
const SHOWN: usize = 10;

/// A listing.
pub(crate) fn list(templates: &[Template], wide: bool, now: Timestamp, paint: Paint) -> String {
    let mut headings = vec!["TEMPLATE", "SAYS", "JOBS", "DESCRIPTION"];
    if wide {
        headings.extend(["REVISION", "UPDATED"]);
    }
    let mut table = Table::new(&headings);
    for template in templates {
        let spec = &template.spec;
        let says: Vec<&str> = spec.job.keys().map(String::as_str).collect();
        let says = if says.is_empty() { "nothing".to_owned() } else { says.join(", ") };
        let description = spec.description.clone().unwrap_or_else(|| "-".to_owned());
        let mut row = vec![template.name.to_string(), says, template.used_by.len().to_string(), description];
        if wide {
            row.push(template.revision.to_string());
            row.push(relative(template.updated_at, now, Tz::UTC));
        }
        table.row(row);
    }
    table.render(paint)
}

/// One template in full.
pub(crate) fn show(template: &Template, now: Timestamp, paint: Paint) -> String {
    let used_by = if template.used_by.is_empty() { "no job".to_owned() } else { jobs(&template.used_by) };
    let head = facts(
        &[
            ("template", Some(template.name.to_string())),
            ("namespace", Some(template.namespace.to_string())),
            ("revision", Some(template.revision.to_string())),
            ("updated", Some(instant(template.updated_at, now, Tz::UTC))),
            ("extended by", Some(used_by)),
        ],
        paint,
    );
    let spec = &template.spec;
    let description = spec.description.as_ref();
    let described = description.map(|text| yaml::document(&serde_json::json!({ "description": text })));
    let name = yaml::document(&serde_json::json!({ "name": spec.name }));
    let keys = job::keys(&serde_json::Value::Object(spec.job.clone()));
    let keys: String = keys.lines().map(|line| format!("  {line}\n")).collect();
    let keys = if keys.is_empty() { "job: {}\n".to_owned() } else { format!("job:\n{keys}") };
    format!("{head}\n{name}{}{keys}", described.unwrap_or_default())
}

/// Jobs by name, not too many of them.
pub(crate) fn jobs(names: &[JobName]) -> String {
    let named = names.iter().take(SHOWN).map(JobName::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(SHOWN) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// What saving templates came to, or would come to.
pub(crate) fn applied(outcomes: &[Outcome], dry_run: bool, paint: Paint) -> String {
    let mut table = Table::new(&["TEMPLATE", "CHANGE", "CHANGES JOBS"]);
    for outcome in outcomes {
        let change = changes::word(outcome.change, dry_run, paint);
        let jobs = if outcome.jobs.is_empty() { "-".to_owned() } else { jobs(&outcome.jobs) };
        table.row(vec![outcome.template.to_string(), change, jobs]);
    }
    table.render(paint)
}
