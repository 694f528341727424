//! Runs as people read them.

use std::time::Duration;

use chrono_tz::Tz;
use sandglass_api::wire::{Artifact, Attempt, CapabilityUses, Run, origin_name, outcome_name};
use sandglass_core::id::JobName;
use sandglass_core::run::{Origin, StateName};
use sandglass_core::schedule::Window;
use sandglass_core::spec::ParamValues;
use sandglass_core::time::Timestamp;
use serde_json::Value;

use super::amount::{bytes, count, duration, instant, relative};
use super::notify;
use super::paint::Paint;
use super::table::{Table, facts};
use super::yaml;

/// How long the run has taken, from its first attempt to its end or to now.
fn taken(run: &Run, now: Timestamp) -> Option<Duration> {
    let started = run.started_at?;
    // Of a single attempt the host measured it, without the daemon's part.
    if let [Attempt { usage: Some(usage), .. }] = run.attempts.as_slice()
        && usage.wall_ms.micros > 0
    {
        return Some(Duration::from_micros(usage.wall_ms.micros));
    }
    Some(run.finished_at.unwrap_or(now).since(started))
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "-".to_owned())
}

/// Starts up to this much after their instant are on time.
const ON_TIME: Duration = Duration::from_secs(1);

/// How a listing of runs looks.
#[derive(Clone, Copy)]
pub(crate) struct Listing<'a> {
    /// With more columns.
    pub(crate) wide: bool,
    /// The zone of a job's times.
    pub(crate) zone_of: &'a dyn Fn(&JobName) -> Tz,
    /// The window of the job whose runs they are, if they are of one job and it has one.
    pub(crate) window: Option<&'a Window>,
}

/// When a run was due, and how much later it started.
fn due(run: &Run, now: Timestamp, zone: Tz) -> String {
    let due = relative(run.scheduled_at, now, zone);
    let late = run.started_at.map(|started| started.since(run.scheduled_at)).filter(|late| *late > ON_TIME);
    match late {
        // What is made up for is long past by nature.
        Some(late) if run.origin != Origin::Backfill => format!("{due}, started {} late", duration(late)),
        _ => due,
    }
}

/// The state of a run, and why or until when it is so.
fn state(run: &Run, listing: Listing<'_>, now: Timestamp, paint: Paint) -> String {
    let state = paint.state(run.state);
    let waits = listing
        .window
        .filter(|window| run.state == StateName::Queued && run.attempts.is_empty() && !window.contains(now));
    let opens = waits.and_then(|window| window.next_open(now));
    let several = run.missed.map(|missed| format!(", {} fires", missed.count)).unwrap_or_default();
    let why = run
        .reason
        .as_ref()
        .map(|reason| format!("{reason}{several}"))
        .or_else(|| Some(format!("window opens {}", relative(opens?, now, (listing.zone_of)(&run.job)))));
    why.map_or_else(|| state.clone(), |why| format!("{state} ({why})"))
}

/// A listing.
pub(crate) fn list(runs: &[Run], listing: Listing<'_>, now: Timestamp, paint: Paint) -> String {
    let Listing { wide, zone_of, .. } = listing;
    let mut headings = vec!["RUN", "JOB", "STATE", "DUE", "TOOK", "EXIT"];
    if wide {
        headings.extend(["ORIGIN", "ATTEMPTS", "FUEL", "MEMORY", "OUTPUT"]);
    }
    let mut table = Table::new(&headings).right(4).right(5).whole(0).spare(5).spare(4);
    for run in runs {
        let mut row = vec![
            run.id.to_string(),
            run.job.to_string(),
            state(run, listing, now, paint),
            due(run, now, zone_of(&run.job)),
            or_dash(taken(run, now).map(duration)),
            or_dash(run.exit_code.map(|code| code.to_string())),
        ];
        if wide {
            let usage = run.attempts.last().and_then(|attempt| attempt.usage);
            row.push(origin_name(run.origin).to_owned());
            row.push(run.attempts.len().to_string());
            row.push(or_dash(usage.map(|usage| count(usage.fuel))));
            row.push(or_dash(usage.map(|usage| bytes(usage.peak_memory_bytes))));
            row.push(or_dash(usage.map(|usage| bytes(usage.output_bytes))));
        }
        table.row(row);
    }
    table.render(paint)
}

/// One run in full, its instants in `zone`.
pub(crate) fn show(run: &Run, zone: Tz, now: Timestamp, paint: Paint) -> String {
    let instant = |at: Timestamp| instant(at, now, zone);
    let mut state = paint.state(run.state);
    if let Some(reason) = &run.reason {
        state = format!("{state} ({reason})");
    }
    let notice = run.notice.as_deref();
    let result = Returned::of(run.result.as_ref());
    let warnings: Vec<String> = result.warnings.iter().map(|warning| paint.yellow(warning)).collect();
    let mut text = facts(
        &[
            ("run", Some(run.id.to_string())),
            ("job", notice.is_none().then(|| format!("{} (revision {})", run.job, run.revision))),
            ("tells", notice.map(|notice| notify::tells(notice, zone))),
            ("notifier", notice.map(notify::notifier)),
            ("state", Some(state)),
            ("origin", Some(origin_name(run.origin).to_owned())),
            (
                "rerun of",
                run.rerun_of.map(|first| format!("{first}{}", if run.resumes { ", of what failed" } else { "" })),
            ),
            ("due", Some(instant(run.scheduled_at))),
            ("upstream", (!run.upstream.is_empty()).then(|| upstream(run, paint))),
            ("late", run.late_at.map(|at| format!("told at {}", instant(at)))),
            ("stands for", run.missed.map(|missed| format!("{} fires until {}", missed.count, instant(missed.until)))),
            ("parameters", run.params.as_deref().map(params)),
            ("started", run.started_at.map(instant)),
            ("finished", run.finished_at.map(instant)),
            ("next attempt", run.retry_at.map(instant)),
            ("waits for", run.waits_for.as_ref().map(|waits| waits.words(instant))),
            ("note", run.note.clone()),
            ("took", taken(run, now).map(duration)),
            ("exit code", run.exit_code.map(|code| code.to_string())),
            ("summary", result.summary.map(str::to_owned)),
            ("changed", result.changed.map(|changed| if changed { "yes" } else { "no" }.to_owned())),
            ("warnings", (!warnings.is_empty()).then(|| warnings.join("\n"))),
            ("result", result.output.map(|output| yaml::document(output).trim_end().to_owned())),
            ("detail", result.detail.map(|detail| yaml::document(detail).trim_end().to_owned())),
        ],
        paint,
    );
    if let Some(notice) = notice {
        text.push_str(&notify::events(notice, now, zone, paint));
    }
    for attempt in &run.attempts {
        text.push_str(&show_attempt(attempt, paint));
    }
    text
}

/// What it left to others; nothing if it left nothing.
pub(crate) fn artifacts(artifacts: &[Artifact], paint: Paint) -> String {
    if artifacts.is_empty() {
        return String::new();
    }
    let line = |artifact: &Artifact| {
        format!("  {} ({}, {})\n", artifact.name, bytes(artifact.size_bytes), artifact.media_type)
    };
    format!("\n{}\n{}", paint.bold("artifacts:"), artifacts.iter().map(line).collect::<String>())
}

/// The runs of other jobs that it follows from or needed, one on each line.
fn upstream(run: &Run, paint: Paint) -> String {
    let shown = run.upstream.iter().map(|up| format!("{} {} ({})", up.job, paint.state(up.state), up.run_id));
    shown.collect::<Vec<_>>().join("\n")
}

/// Values of parameters on one line.
fn params(params: &ParamValues) -> String {
    params.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

/// What an action returned, taken apart.
#[derive(Default)]
struct Returned<'a> {
    summary: Option<&'a str>,
    changed: Option<bool>,
    warnings: Vec<&'a str>,
    output: Option<&'a Value>,
    /// Of a failure.
    detail: Option<&'a Value>,
}

impl<'a> Returned<'a> {
    /// Of what is not as the host writes it, all is output.
    fn of(result: Option<&'a Value>) -> Self {
        let Some(Value::Object(fields)) = result else { return Self { output: result, ..Self::default() } };
        if fields.keys().any(|key| !["summary", "changed", "warnings", "output", "detail"].contains(&key.as_str())) {
            return Self { output: result, ..Self::default() };
        }
        let warnings = fields.get("warnings").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self {
            summary: fields.get("summary").and_then(Value::as_str),
            changed: fields.get("changed").and_then(Value::as_bool),
            warnings: warnings.iter().filter_map(Value::as_str).collect(),
            output: fields.get("output"),
            detail: fields.get("detail"),
        }
    }
}

/// How a run ended, in a line.
pub(crate) fn ending(run: &Run, paint: Paint) -> String {
    let error = run.attempts.last().and_then(|attempt| attempt.error.as_ref());
    let why = run.reason.clone().or_else(|| error.map(|error| error.message.trim_end().replace('\n', " ")));
    let why = why.map(|why| format!(": {why}")).unwrap_or_default();
    let took = run.finished_at.and_then(|at| taken(run, at)).map(|took| format!(" after {}", duration(took)));
    let which = paint.dim(&format!("-- run {} of {}", run.id, run.job));
    let rest = paint.dim(&format!("{}{why}", took.unwrap_or_default()));
    format!("{which} {}{rest}", paint.state(run.state))
}

fn show_attempt(attempt: &Attempt, paint: Paint) -> String {
    let outcome = attempt.outcome.map_or("running", outcome_name);
    let mut text = format!("\n{} {outcome}\n", paint.bold(&format!("attempt {}:", attempt.number)));
    if let Some(error) = &attempt.error {
        let message = error.message.trim_end().replace('\n', "\n  ");
        text.push_str(&format!("  {} {message}\n", paint.red(&format!("{} ({}):", error.class.as_str(), error.code))));
    }
    if let Some(usage) = &attempt.usage {
        let wall = duration(Duration::from_micros(usage.wall_ms.micros));
        let cpu = duration(Duration::from_micros(usage.guest_cpu_ms.micros));
        text.push_str(&format!(
            "  took {wall}, guest {cpu}, fuel {}, memory {}, output {}\n",
            count(usage.fuel),
            bytes(usage.peak_memory_bytes),
            bytes(usage.output_bytes)
        ));
    }
    text.push_str(&capabilities(attempt, paint));
    text
}

/// What it used and what it was refused, on a line; nothing if it asked for nothing.
fn capabilities(attempt: &Attempt, paint: Paint) -> String {
    let listed = |count: fn(&CapabilityUses) -> u32| {
        let counted = attempt.capabilities.iter().filter(|(_, uses)| count(uses) > 0);
        counted.map(|(name, uses)| format!("{name} {}", count(uses))).collect::<Vec<_>>().join(", ")
    };
    let (used, denied) = (listed(|uses| uses.used), listed(|uses| uses.denied));
    let used = (!used.is_empty()).then(|| format!("used: {used}"));
    let denied = (!denied.is_empty()).then(|| paint.yellow(&format!("denied: {denied}")));
    let parts: Vec<String> = used.into_iter().chain(denied).collect();
    if parts.is_empty() { String::new() } else { format!("  {}\n", parts.join("; ")) }
}
