//! Pauses and disabled jobs as people read them.

use sandglass_api::client::HoldVerb;
use sandglass_api::wire::{HoldResult, Job, JobHold};
use sandglass_core::hold::Hold;
use sandglass_core::id::Namespace;
use sandglass_core::time::Timestamp;

use super::amount::{counted, distant, instant};
use super::job::zone;
use super::paint::Paint;

/// How many jobs are named.
const NAMED: usize = 10;

/// Who holds something back, since when and why: `by ada since 3m ago: the disk is full`.
fn by(hold: &Hold, since: &str) -> String {
    let reason = hold.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("by {} since {since}{reason}", hold.by)
}

/// What holds a job back in full, in its zone.
pub(crate) fn in_full(hold: &JobHold, job: &Job, now: Timestamp) -> String {
    let whole = if hold.namespace_wide { "with the whole namespace, " } else { "" };
    format!("{whole}{}", by(&hold.hold, &instant(hold.hold.since, now, zone(&job.spec))))
}

/// What holds a job back in one word, if anything does.
pub(crate) fn word(job: &Job) -> Option<&'static str> {
    match (&job.disabled, &job.paused) {
        (Some(_), _) => Some("disabled"),
        (None, Some(_)) => Some("paused"),
        (None, None) => None,
    }
}

/// How a job stands after one of the commands.
pub(crate) fn one(job: &Job, now: Timestamp) -> String {
    let held = [(&job.disabled, "disabled"), (&job.paused, "paused")];
    let held =
        held.into_iter().filter_map(|(hold, word)| Some(format!("{word} {}", in_full(hold.as_ref()?, job, now))));
    let held: Vec<String> = held.collect();
    let state = match (held.is_empty(), job.next_fire_at) {
        (false, _) => held.join("; "),
        (true, Some(at)) => format!("active; it fires next at {}", instant(at, now, zone(&job.spec))),
        (true, None) => "active; no fire lies ahead".to_owned(),
    };
    format!("job '{}' is {state}\n", job.name)
}

/// What one of the commands came to for many jobs, or for the namespace itself.
pub(crate) fn many(result: &HoldResult, verb: HoldVerb, namespace: &Namespace, now: Timestamp, paint: Paint) -> String {
    let done = match verb {
        HoldVerb::Pause => "paused",
        HoldVerb::Resume => "resumed",
        HoldVerb::Disable => "disabled",
        HoldVerb::Enable => "enabled",
    };
    let mut text = String::new();
    if let Some(holds) = &result.namespace {
        let held = [(&holds.disabled, "disabled"), (&holds.paused, "paused")];
        let held = held.into_iter().filter_map(|(hold, word)| {
            let hold = hold.as_ref()?;
            Some(format!("{word} {}", by(hold, &distant(hold.since, now))))
        });
        let held: Vec<String> = held.collect();
        let state = if held.is_empty() { "active".to_owned() } else { held.join("; ") };
        text.push_str(&format!("namespace '{namespace}' is {state}\n"));
    }
    let (changed, same) = (result.changed.len(), result.jobs.saturating_sub(result.changed.len()));
    let rest = if same > 0 { paint.dim(&format!(" ({same} were so already)")) } else { String::new() };
    text.push_str(&format!("{} {done}{rest}\n", counted(changed, "job")));
    text.extend(result.changed.iter().take(NAMED).map(|name| format!("  {name}\n")));
    if changed > NAMED {
        text.push_str(&format!("  and {} more\n", changed - NAMED));
    }
    text
}
