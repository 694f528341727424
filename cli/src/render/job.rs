//! Jobs as people read them.

use chrono_tz::Tz;
use sandglass_api::jobfile::KEYS;
use sandglass_api::wire::{ApplyResult, Fire, Job};
use sandglass_core::spec::list::OneOrMany;
use sandglass_core::spec::{DaysOfMonth, EXTENDS, JobSpec, Trigger, TriggerKind, WrittenJob};
use sandglass_core::time::Timestamp;

use super::amount::{instant, relative};
use super::fire;
use super::hold;
use super::paint::Paint;
use super::table::{Table, facts};
use super::yaml;

/// How many triggers of a job a listing shows.
const MOST_TRIGGERS: usize = 4;

/// A trigger in a few words.
pub(crate) fn trigger(trigger: &Trigger) -> String {
    match &trigger.kind {
        TriggerKind::Cron(cron) => cron.to_string(),
        TriggerKind::Every { interval, .. } => format!("every {interval}"),
        TriggerKind::Daily { at } => format!("daily at {}", listed(at)),
        TriggerKind::Weekly { days, at } => format!("weekly on {} at {}", listed(days), listed(at)),
        TriggerKind::Monthly { days, at } => format!("monthly on {} at {}", days_of_month(days), listed(at)),
        TriggerKind::Yearly { months, days, at } => {
            format!("yearly in {} on {} at {}", listed(months), days_of_month(days), listed(at))
        }
        TriggerKind::At(at) => format!("at {at}"),
        TriggerKind::Startup => "at startup".to_owned(),
        TriggerKind::After(upstreams) => {
            let jobs: Vec<&str> = upstreams.iter().map(|upstream| upstream.job.as_str()).collect();
            format!("after {}", jobs.join(","))
        }
    }
}

fn listed<T: std::fmt::Display>(values: &OneOrMany<T>) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

fn days_of_month(days: &DaysOfMonth) -> String {
    match days {
        DaysOfMonth::Days(days) => listed(days),
        DaysOfMonth::Weekdays(days) => listed(days),
    }
}

/// The zone that a job's times are shown in: its own, else UTC.
pub(crate) fn zone(spec: &JobSpec) -> Tz {
    spec.timezone.map_or(Tz::UTC, |zone| zone.0)
}

fn triggers(spec: &JobSpec) -> String {
    if spec.triggers.is_empty() {
        return "-".to_owned();
    }
    let mut shown: Vec<String> = spec.triggers.iter().take(MOST_TRIGGERS).map(trigger).collect();
    if spec.triggers.len() > MOST_TRIGGERS {
        shown.push(format!("and {} more", spec.triggers.len() - MOST_TRIGGERS));
    }
    shown.join(", ")
}

/// A listing.
pub(crate) fn list(jobs: &[Job], wide: bool, now: Timestamp, paint: Paint) -> String {
    let mut headings = vec!["JOB", "SCHEDULE", "NEXT", "LAST RUN", "STATE"];
    if wide {
        headings.extend(["ACTION", "ZONE", "REVISION", "TAGS"]);
    }
    // When it fires is what people look for.
    let mut table = Table::new(&headings).whole(2).spare(3);
    for job in jobs {
        let (last, zone) = (job.last_run.as_ref(), zone(&job.spec));
        let mut row = vec![
            job.name.to_string(),
            triggers(&job.spec),
            next(job, now, zone),
            last.map_or_else(|| "-".to_owned(), |run| relative(run.finished_at.unwrap_or(run.scheduled_at), now, zone)),
            last.map_or_else(|| "-".to_owned(), |run| paint.state(run.state)),
        ];
        if wide {
            row.push(job.spec.action.uses.to_string());
            row.push(job.spec.timezone.map_or_else(|| "-".to_owned(), |zone| zone.to_string()));
            row.push(job.revision.to_string());
            row.push(if job.spec.tags.is_empty() { "-".to_owned() } else { job.spec.tags.join(",") });
        }
        table.row(row);
    }
    table.render(paint)
}

/// When a job fires next, and what comes of that.
fn next(job: &Job, now: Timestamp, zone: Tz) -> String {
    if let Some(held) = hold::word(job) {
        return held.to_owned();
    }
    let Some(at) = job.next_fire_at else { return "-".to_owned() };
    let at = relative(at, now, zone);
    match &job.next_fire {
        Some(fire) if fire.excluded.is_some() => format!("{at}, skipped"),
        Some(Fire { waits_until: Some(opens_at), .. }) => format!("{at}, starts {}", relative(*opens_at, now, zone)),
        _ => at,
    }
}

/// When a job fires next in full, and what comes of that.
fn next_in_full(job: &Job, now: Timestamp, zone: Tz) -> String {
    if job.disabled.is_some() {
        return "none: disabled".to_owned();
    }
    let Some(at) = job.next_fire_at else { return "-".to_owned() };
    let paused = job.paused.is_some().then(|| "starts nothing: paused".to_owned());
    let note = || job.next_fire.as_ref().map(|fire| fire::note(fire, zone)).filter(|note| !note.is_empty());
    let note = paused.or_else(note);
    format!("{}{}", instant(at, now, zone), note.map(|note| format!("; {note}")).unwrap_or_default())
}

/// A job as it was written, its keys in the order that people write them.
pub(crate) fn spec(written: &WrittenJob) -> String {
    keys(&serde_json::to_value(written).unwrap_or_default())
}

/// Keys of a job, in the order that people write them.
pub(crate) fn keys(document: &serde_json::Value) -> String {
    let order = KEYS[..1].iter().chain(&[EXTENDS]).chain(&KEYS[1..]);
    let keys = order.filter_map(|key| Some((*key, document.get(*key)?)));
    keys.map(|(key, value)| yaml::document(&serde_json::json!({ key: value }))).collect()
}

/// One job in full.
pub(crate) fn show(job: &Job, now: Timestamp, paint: Paint) -> String {
    let zone = zone(&job.spec);
    let instant = |at: Timestamp| instant(at, now, zone);
    let spec = spec(&job.spec.written());
    let last_run = job.last_run.as_ref().map(|run| {
        let at = run.finished_at.unwrap_or(run.scheduled_at);
        format!("{} {} ({})", run.id, paint.state(run.state), relative(at, now, zone))
    });
    let head = facts(
        &[
            ("job", Some(job.name.to_string())),
            ("namespace", Some(job.namespace.to_string())),
            ("revision", Some(job.revision.to_string())),
            ("disabled", job.disabled.as_ref().map(|hold| paint.yellow(&hold::in_full(hold, job, now)))),
            ("paused", job.paused.as_ref().map(|hold| paint.yellow(&hold::in_full(hold, job, now)))),
            ("next fire", Some(next_in_full(job, now, zone))),
            ("last run", last_run),
            ("created", job.created_at.map(instant)),
            ("updated", job.updated_at.map(instant)),
        ],
        paint,
    );
    format!("{head}\n{spec}")
}

/// What saving came to.
pub(crate) fn applied(results: &[ApplyResult], dry_run: bool, now: Timestamp, paint: Paint) -> String {
    let mut table = Table::new(&["JOB", "CHANGE", "REVISION", "NEXT"]).right(2);
    for ApplyResult { job, changed, created, .. } in results {
        let change = match (created, changed, dry_run) {
            (true, _, false) => paint.green("created"),
            (true, _, true) => paint.green("would be created"),
            (_, true, false) => paint.yellow("changed"),
            (_, true, true) => paint.yellow("would be changed"),
            (_, false, _) => paint.dim("unchanged"),
        };
        let next = next_in_full(job, now, zone(&job.spec));
        table.row(vec![job.name.to_string(), change, job.revision.to_string(), next]);
    }
    table.render(paint)
}
