//! Fires as people read them: those ahead, those made up for, and why there was or was not one.

use chrono::NaiveDate;
use chrono_tz::Tz;
use sandglass_api::wire::{Backfill, Fire, Run, Why};
use sandglass_core::time::Timestamp;

use super::amount::{counted, in_zone, instant};
use super::paint::Paint;
use super::table::facts;

/// How many runs are named.
const NAMED: usize = 10;

/// What is odd about a fire.
pub(crate) fn note(fire: &Fire, zone: Tz) -> String {
    let nominal = fire.nominal.map(|at| format!("{} and jitter", in_zone(at, zone)));
    let change = fire.clock_change.as_deref().map(|change| match change {
        "moved" => "moved: the clocks skip its time".to_owned(),
        "first" => "the first of two: the clocks go back".to_owned(),
        "second" => "the second of two: the clocks go back".to_owned(),
        other => other.to_owned(),
    });
    let moved = fire.moved_from.as_ref().map(|date| format!("moved here from {} by its calendars", with_weekday(date)));
    [start(fire, zone), moved, change, nominal].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// What keeps a fire from starting a run at its instant.
pub(crate) fn start(fire: &Fire, zone: Tz) -> Option<String> {
    let excluded = fire.excluded.as_ref().map(|why| format!("starts nothing: {why}"));
    excluded.or_else(|| {
        let opens = fire.waits_until?.to_chrono().with_timezone(&zone).format("%a %Y-%m-%d %H:%M").to_string();
        Some(format!("waits for the window until {opens}"))
    })
}

/// `2027-03-26` as `Fri 2027-03-26`.
fn with_weekday(date: &str) -> String {
    date.parse::<NaiveDate>().map_or_else(|_| date.to_owned(), |date| date.format("%a %Y-%m-%d").to_string())
}

/// Why a job ran or did not run.
pub(crate) fn why(why: &Why, zone: Tz, now: Timestamp, paint: Paint) -> String {
    let of_fire = |fire: &Fire| {
        let note = note(fire, zone);
        let note = if note.is_empty() { note } else { format!("; {note}") };
        format!("{}{note}", instant(fire.at, now, zone))
    };
    let neighbour = |fire: &Fire, run: Option<&Run>| {
        let came_to = run.map(|run| {
            let reason = run.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!(": {}{reason}", paint.state(run.state))
        });
        format!("{}{}", of_fire(fire), came_to.unwrap_or_default())
    };
    let runs: Vec<String> = why
        .runs
        .iter()
        .map(|run| {
            let reason = run.reason.as_deref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            format!("{} {}{reason}", run.id, paint.state(run.state))
        })
        .collect();
    let facts = facts(
        &[
            ("job", Some(why.job.to_string())),
            ("at", Some(instant(why.at, now, zone))),
            ("fire", why.fire.as_ref().map(of_fire)),
            ("runs", (!runs.is_empty()).then(|| runs.join("\n"))),
            ("fire before", why.previous.as_ref().map(|fire| neighbour(fire, why.previous_run.as_ref()))),
            ("fire after", why.next.as_ref().map(|fire| neighbour(fire, why.next_run.as_ref()))),
        ],
        paint,
    );
    format!("{}\n\n{facts}", why.summary)
}

/// How many fires a backfill found, in a sentence.
pub(crate) fn counts(backfill: &Backfill, zone: Tz) -> String {
    let (from, to) = (in_zone(backfill.from, zone), in_zone(backfill.to, zone));
    let fires = counted(backfill.fires, "fire");
    let present = match (backfill.present, backfill.fires) {
        (0, _) => String::new(),
        (present, all) if present == all => ", all of them with their runs already".to_owned(),
        (present, _) => format!(", {present} of them with their runs already"),
    };
    let pending = match backfill.pending {
        0 => String::new(),
        pending => format!(", {pending} of them due just now, which start by themselves"),
    };
    let are = if backfill.fires == 1 { "is" } else { "are" };
    let left_out = match backfill.left_out {
        0 => String::new(),
        left_out => format!(
            " {} left out by calendars or the job's window.",
            counted(left_out, "more fire") + if left_out == 1 { " is" } else { " are" }
        ),
    };
    format!("From {from} to {to} there {are} {fires}{present}{pending}.{left_out}")
}

/// What a backfill came to.
pub(crate) fn backfill(backfill: &Backfill, zone: Tz, paint: Paint) -> String {
    let runs = counted(backfill.runs, "run");
    let outcome = match (backfill.runs, backfill.dry_run) {
        (0, _) => paint.dim("there is nothing to start"),
        (_, true) => format!("{runs} would be started"),
        (_, false) => paint.green(&format!("{runs} queued")),
    };
    let mut text = format!("{}\n{outcome}\n", counts(backfill, zone));
    text.extend(backfill.ids.iter().take(NAMED).map(|id| format!("  {id}\n")));
    if backfill.ids.len() > NAMED {
        text.push_str(&format!("  and {} more\n", backfill.ids.len() - NAMED));
    }
    text
}
